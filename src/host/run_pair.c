/* run_pair.c - the AF_UNIX side: connecting program sockets to us, and us to program listeners.
 *
 * Paths live in a folder of mode 0700 that is made for the run, so that only processes of the same
 * user can reach them; and of those we accept only ourselves, by the credentials of the peer. A
 * program's listener is bound to DIR/<inode>, our own (the door) to DIR/door.
 */
#include "host/run_core.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    FILL_CHUNK = 16384,
    FILL_ROUNDS = 8192, /* 128 MiB: more than a send buffer can be */
};

static void path_of(const struct run *r, struct sockaddr_un *sun, uint64_t ino)
{
    *sun = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = ino ? snprintf(sun->sun_path, sizeof sun->sun_path, "%s/%llx", r->dir,
                           (unsigned long long)ino)
                : snprintf(sun->sun_path, sizeof sun->sun_path, "%s/door", r->dir);
    assert(n > 0 && (size_t)n < sizeof sun->sun_path);
}

static bool make_dir(struct run *r)
{
    const char *const bases[] = {getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp", "/dev/shm",
                                 "/var/tmp"};

    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        int n = bases[i] && bases[i][0] == '/'
                    ? snprintf(r->dir, sizeof r->dir, "%s/tern.XXXXXX", bases[i])
                    : -1;
        if (n > 0 && (size_t)n < sizeof r->dir && mkdtemp(r->dir))
            return true;
    }
    r->dir[0] = 0;
    return false;
}

int run_pair_start(struct run *r)
{
    struct sockaddr_un sun;

    r->door = r->probe = -1;
    if (!make_dir(r))
        return -errno;
    r->probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    r->door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    path_of(r, &sun, 0);
    if (r->probe < 0 || r->door < 0 || bind(r->door, (struct sockaddr *)&sun, sizeof sun) < 0 ||
        listen(r->door, 64) < 0)
        return -errno;
    return 0;
}

void run_pair_stop(struct run *r)
{
    struct sockaddr_un sun;

    if (!r->dir[0])
        return;
    path_of(r, &sun, 0);
    unlink(sun.sun_path);
    rmdir(r->dir);
    r->dir[0] = 0;
    if (r->door >= 0)
        close(r->door);
    if (r->probe >= 0)
        close(r->probe);
}

bool run_pair_is_us(int fd)
{
    struct ucred cred;
    socklen_t len = sizeof cred;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.pid == getpid();
}

int run_pair_connect(struct run_sock *s, int file)
{
    struct sockaddr_un sun;

    assert(s->end < 0);
    path_of(s->run, &sun, 0);
    if (connect(file, (struct sockaddr *)&sun, sizeof sun) < 0)
        return -errno;
    s->spent = true;
    while ((s->end = accept4(s->run->door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (run_pair_is_us(s->end))
            return 0;
        close(s->end);
    }
    return -errno;
}

void run_pair_fill(struct run_sock *s, int file)
{
    static const char zeros[FILL_CHUNK];

    for (int i = 0; i < FILL_ROUNDS; i++) {
        ssize_t n = send(file, zeros, sizeof zeros, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0)
            break;
        s->filled += (size_t)n;
    }
}

void run_pair_drain(struct run_sock *s)
{
    char junk[FILL_CHUNK];

    while (s->filled > 0) {
        size_t want = s->filled < sizeof junk ? s->filled : sizeof junk;
        ssize_t n = recv(s->end, junk, want, MSG_DONTWAIT);
        if (n <= 0)
            break;
        s->filled -= (size_t)n;
    }
    s->filled = 0;
}

int run_pair_listen(struct run_sock *s, int file)
{
    struct sockaddr_un sun;

    path_of(s->run, &sun, s->ino);
    unlink(sun.sun_path); /* of a listener that died unseen, with the same inode number */
    if (bind(file, (struct sockaddr *)&sun, sizeof sun) < 0 && errno != EINVAL)
        return -errno;
    return listen(file, 16) < 0 ? -errno : 0;
}

int run_pair_queue(struct run_sock *listener, struct run_sock *queued)
{
    struct sockaddr_un sun;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    path_of(listener->run, &sun, listener->ino);
    if (connect(fd, (struct sockaddr *)&sun, sizeof sun) < 0) {
        int err = errno == ENOENT ? ECONNREFUSED : errno;
        close(fd);
        return -err;
    }
    queued->end = fd;
    return 0;
}

bool run_pair_probe(struct run_sock *listener)
{
    struct sockaddr_un sun;

    /* The wrong type of socket: the kernel says so only when the path's owner still lives. */
    path_of(listener->run, &sun, listener->ino);
    return connect(listener->run->probe, (struct sockaddr *)&sun, sizeof sun) < 0 &&
           errno == EPROTOTYPE;
}

void run_pair_unlink(struct run_sock *listener)
{
    struct sockaddr_un sun;

    path_of(listener->run, &sun, listener->ino);
    unlink(sun.sun_path);
}

/* An AF_UNIX socket gets ECONNRESET when its peer is closed with something unread: what the program
 * itself sent. One byte in its name is as good. When it cannot be sent because the buffer is full,
 * there is something unread already; when its sending side is shut, run_call_shutdown() has left a
 * byte behind. */
void run_pair_reset(struct run_sock *s, int file)
{
    int borrowed = file < 0 ? run_borrow(s, 0, 0) : -1;
    int fd = file < 0 ? borrowed : file;

    if (fd >= 0)
        (void)!send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (borrowed >= 0)
        close(borrowed);
}
