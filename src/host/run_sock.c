/* run_sock.c - the table of the programs' sockets, by inode.
 *
 * A socket enters the table when it is handed out. It leaves when the runner learns that the
 * program has closed it: from the backend, from our end of its pair, from a probe of a listener,
 * or, for sockets that nothing is connected to, from run_borrow_collect(). An entry that lingers
 * harms nobody: inode numbers come again only after 2^32 others, and a new socket replaces its
 * entry.
 */
#include "host/run_core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct run_sock **bucket(struct run *r, uint64_t ino)
{
    return &r->table[ino % RUN_SOCK_BUCKETS];
}

struct run_sock *run_sock_new(struct run *r, int family)
{
    if (r->sock_count >= RUN_SOCKS_MAX)
        return NULL;
    struct run_sock *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->run = r;
    s->family = (uint8_t)family;
    s->copy = s->end = s->fd = -1;
    s->local = s->name = s->peer = run_addr_wildcard(family);
    run_opts_init(s);
    r->sock_count++;
    return s;
}

struct run_sock *run_sock_find(struct run *r, uint64_t ino)
{
    struct run_sock *s = *bucket(r, ino);

    while (s && s->ino != ino)
        s = s->chain;
    return s;
}

void run_sock_insert(struct run_sock *s, uint64_t ino)
{
    struct run_sock *old = run_sock_find(s->run, ino);
    struct run_sock **at = bucket(s->run, ino);

    if (old)
        run_sock_closed(old);
    s->ino = ino;
    s->chain = *at;
    *at = s;
}

static void leave_table(struct run_sock *s)
{
    struct run_sock **at = bucket(s->run, s->ino);

    while (*at && *at != s)
        at = &(*at)->chain;
    if (*at)
        *at = s->chain;
    s->ino = 0;
}

void run_sock_move(struct run_sock *s, uint64_t ino)
{
    leave_table(s);
    run_sock_insert(s, ino);
}

void run_sock_close_end(struct run_sock *s)
{
    if (s->end < 0)
        return;
    if (s->end_watch.fd >= 0 && s->end_watch.ready)
        loop_del(s->run->loop, &s->end_watch);
    s->end_watch.ready = NULL;
    close(s->end);
    s->end = -1;
}

void run_sock_close_copy(struct run_sock *s)
{
    if (s->copy >= 0)
        close(s->copy);
    s->copy = -1;
}

void run_sock_free(struct run_sock *s)
{
    run_held_answer(s, false, -ECONNABORTED); /* their descriptor is closed: nobody else answers */
    run_held_answer(s, true, -EINVAL);
    run_unbind(s);
    run_sock_close_end(s);
    run_sock_close_copy(s);
    if (s->ino)
        leave_table(s);
    s->run->sock_count--;
    free(s);
}

void run_sock_closed(struct run_sock *s)
{
    if (s->state == SOCK_LISTENING)
        run_listener_closed(s);
    if (s->conn)
        s->run->net->abort(s->conn);
    s->conn = NULL;
    run_sock_free(s);
}

void run_sock_free_all(struct run *r)
{
    struct run_sock *s;

    for (size_t i = 0; i < RUN_SOCK_BUCKETS; i++)
        while ((s = r->table[i])) {
            r->table[i] = s->chain;
            s->ino = 0;
            run_sock_closed(s);
        }
}

void run_sock_end_listeners(struct run *r)
{
    for (size_t i = 0; i < RUN_SOCK_BUCKETS; i++)
        for (struct run_sock *s = r->table[i]; s; s = s->chain)
            if (s->state == SOCK_LISTENING)
                run_listener_closed(s);
}

uint64_t run_sock_inode(pid_t pid, int fd)
{
    char path[48], target[64];
    unsigned long long ino;

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0)
        return 0;
    target[n] = 0;
    return sscanf(target, "socket:[%llu]", &ino) == 1 ? ino : 0;
}
