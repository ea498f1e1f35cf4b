/* control_dir.c - see control_dir.h. */
#include "host/control_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    BACKLOG = 16,
    NAMES_MAX = 4096,   /* names looked at in one folder */
    NAMELESS_FOR = 60,  /* seconds after which a socket without its final name is given up */
    FOLDERS_MAX = 1024, /* of all users, for root */
    PATIENCE = 50,
    PAUSE_NS = 10000000,
};

/* ---- folders --------------------------------------------------------------------------------- */

/* An open folder that is `uid`'s alone; or -errno. */
static int open_private(const char *path, uid_t uid)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && st.st_uid == uid && (st.st_mode & 077) == 0)
        return fd;
    close(fd);
    return -EPERM;
}

/* The i-th folder for this user: false when there is no such. An empty path: not to be had here. */
static bool candidate(int i, char path[PATH_MAX])
{
    const char *xdg = getenv("XDG_RUNTIME_DIR");
    unsigned uid = (unsigned)geteuid();
    int n = 0;

    path[0] = 0;
    if (i == 0 && xdg && xdg[0] == '/')
        n = snprintf(path, PATH_MAX, "%s/tern", xdg);
    else if (i == 1)
        n = snprintf(path, PATH_MAX, "/run/user/%u/tern", uid);
    else if (i == 2)
        n = snprintf(path, PATH_MAX, "/tmp/tern-%u", uid);
    if (n >= PATH_MAX)
        path[0] = 0;
    return i <= 2;
}

static int open_or_make(void)
{
    char path[PATH_MAX];
    int fd, err = -ENOENT;

    for (int i = 0; candidate(i, path); i++) {
        if (!path[0])
            continue;
        if (mkdir(path, 0700) < 0 && errno != EEXIST) {
            err = -errno;
            continue;
        }
        fd = open_private(path, geteuid());
        if (fd >= 0)
            return fd;
        err = fd;
    }
    return err;
}

/* ---- sockets --------------------------------------------------------------------------------- */

static void address(struct sockaddr_un *sun, int dir, const char *name)
{
    memset(sun, 0, sizeof *sun);
    sun->sun_family = AF_UNIX;
    snprintf(sun->sun_path, sizeof sun->sun_path, "/proc/self/fd/%d/%.*s", dir, CONTROL_NAME_MAX,
             name);
}

static int listen_in(struct control_place *place)
{
    struct sockaddr_un sun;
    char early[CONTROL_NAME_MAX + 1];
    uint32_t chance = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)!getrandom(&chance, sizeof chance, GRND_NONBLOCK);
    snprintf(place->name, sizeof place->name, "%d-%08x", (int)getpid(), chance);
    snprintf(early, sizeof early, ".%s", place->name);
    address(&sun, place->dir, early);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&sun, sizeof sun) == 0) {
        if (fchmodat(place->dir, early, 0600, 0) == 0 && listen(fd, BACKLOG) == 0 &&
            renameat(place->dir, early, place->dir, place->name) == 0)
            return fd;
        (void)unlinkat(place->dir, early, 0);
    }
    int err = -errno;
    if (fd >= 0)
        close(fd);
    return err;
}

int control_dir_listen(struct control_place *place)
{
    place->dir = open_or_make();
    if (place->dir < 0)
        return place->dir;
    int fd = listen_in(place);
    if (fd < 0)
        close(place->dir);
    return fd;
}

void control_dir_leave(struct control_place *place)
{
    (void)unlinkat(place->dir, place->name, 0);
    close(place->dir);
}

/* ---- the other side -------------------------------------------------------------------------- */

struct search {
    struct control_peer *out;
    size_t count, max;
    struct {
        dev_t dev;
        ino_t ino;
    } seen[FOLDERS_MAX]; /* XDG_RUNTIME_DIR mostly is /run/user/UID */
    size_t seen_count;
    int patience; /* how often to wait yet for one with too many clients */
};

static bool seen(struct search *s, int dir)
{
    struct stat st;

    if (fstat(dir, &st) < 0 || s->seen_count == FOLDERS_MAX)
        return true;
    for (size_t i = 0; i < s->seen_count; i++)
        if (s->seen[i].dev == st.st_dev && s->seen[i].ino == st.st_ino)
            return true;
    s->seen[s->seen_count].dev = st.st_dev;
    s->seen[s->seen_count++].ino = st.st_ino;
    return false;
}

/* The process behind the connection, if it is the folder's owner's. */
static bool is_of(int fd, uid_t uid, pid_t *pid)
{
    struct ucred cred;
    socklen_t len = sizeof cred;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ||
        (cred.uid != uid && cred.uid != 0))
        return false;
    *pid = cred.pid;
    return true;
}

/* A connection, or a negative errno. */
static int dial(struct search *s, int dir, const char *name)
{
    struct timespec pause = {.tv_nsec = PAUSE_NS};
    struct sockaddr_un sun;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    address(&sun, dir, name);
    while (connect(fd, (struct sockaddr *)&sun, sizeof sun) < 0) {
        int err = errno;
        if (err == EAGAIN && s->patience-- > 0) {
            nanosleep(&pause, NULL);
            continue;
        }
        close(fd);
        return -err;
    }
    return fd;
}

static void try(struct search *s, int dir, uid_t uid, const char *name)
{
    struct stat st;
    struct control_peer p = {.pid = (pid_t)atoi(name)};
    bool early = name[0] == '.';

    if (strlen(name) >= CONTROL_NAME_MAX || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISSOCK(st.st_mode))
        return;
    p.fd = dial(s, dir, name);
    if (p.fd == -ECONNREFUSED && (!early || st.st_ctime + NAMELESS_FOR < time(NULL)))
        (void)unlinkat(dir, name, 0);
    if (p.fd == -ECONNREFUSED || p.fd == -ENOENT || (early && p.fd < 0))
        return;
    if (p.fd >= 0 && (early || !is_of(p.fd, uid, &p.pid))) {
        close(p.fd);
        return;
    }
    s->out[s->count++] = p;
}

static void search_folder(struct search *s, const char *path, uid_t uid)
{
    int dir = open_private(path, uid), copy = -1;
    DIR *d = NULL;
    const struct dirent *e;

    if (dir < 0)
        return;
    if (!seen(s, dir) && (copy = fcntl(dir, F_DUPFD_CLOEXEC, 0)) >= 0 && !(d = fdopendir(copy)))
        close(copy);
    for (int n = 0; d && n < NAMES_MAX && s->count < s->max && (e = readdir(d)); n++)
        try(s, dir, uid, e->d_name);
    if (d)
        closedir(d);
    close(dir);
}

/* Root sees everybody's: every folder "BASE/PREFIX<UID>SUFFIX". */
static void search_users(struct search *s, const char *base, const char *prefix, const char *suffix)
{
    DIR *d = opendir(base);
    const struct dirent *e;
    char path[PATH_MAX];

    for (int n = 0; d && n < NAMES_MAX && s->count < s->max && (e = readdir(d)); n++) {
        char *end = NULL;
        if (strncmp(e->d_name, prefix, strlen(prefix)) != 0)
            continue;
        const char *digits = e->d_name + strlen(prefix);
        unsigned long uid = strtoul(digits, &end, 10);
        if (*digits < '0' || *digits > '9' || *end || uid >= UINT32_MAX)
            continue;
        snprintf(path, sizeof path, "%s/%s%lu%s", base, prefix, uid, suffix);
        search_folder(s, path, (uid_t)uid);
    }
    if (d)
        closedir(d);
}

size_t control_dir_connect(struct control_peer *out, size_t max)
{
    struct search s = {.out = out, .max = max, .patience = PATIENCE};
    char path[PATH_MAX];

    for (int i = 0; candidate(i, path); i++)
        if (path[0])
            search_folder(&s, path, geteuid());
    if (geteuid() == 0) {
        search_users(&s, "/run/user", "", "/tern");
        search_users(&s, "/tmp", "tern-", "");
    }
    return s.count;
}
