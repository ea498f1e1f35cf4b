/* opts.h - the table of socket options: what each takes, what it does, and what it gives back.
 *
 * Nearly every option is a number: a row of the table says its range, where it is kept, and how the
 * stack is told. Options that are structures stand in opts.c by themselves. docs/SOCKETS.md is
 * written from the same rows.
 */
#ifndef TERN_POSIX_OPTS_H
#define TERN_POSIX_OPTS_H

#include "posix/posix.h"

enum opt_kind {
    OPT_INT,  /* a number between min and max, else EINVAL */
    OPT_BOOL, /* anything but 0 is 1 */
    OPT_READ, /* only getsockopt(): setting it is ENOPROTOOPT */
    OPT_OWN,  /* a structure: opts.c */
    OPT_DENY, /* needs a privilege that nobody has here: EPERM */
};

struct posix_option {
    int level, name;
    const char *text; /* "SO_REUSEADDR" */
    const char *note; /* what it does here, for people */
    enum opt_kind kind;
    uint16_t offset; /* of an int in struct sock_opts; 0: there is none, `get` and `set` tell */
    int min, max;
    bool queue; /* told through recvmsg(), which `tern run` leaves to the kernel: refused there */
    bool odd;   /* about short values it does not do as the others of its level (least_length()) */
    int (*set)(struct sock *sk, int value);  /* instead of the range; stores by itself */
    int (*get)(struct sock *sk, int *value); /* instead of what is stored */
    void (*apply)(struct sock *sk);          /* tells the stack; NULL: there is nothing to tell */
};

extern const struct posix_option posix_options[];
extern const size_t posix_options_count;

/* An option of Linux that is not there: ENOPROTOOPT, and why. */
struct posix_refused {
    int level, name;
    const char *text, *why;
};

extern const struct posix_refused posix_refused[];
extern const size_t posix_refused_count;

const struct posix_refused *opts_refused(int level, int name);
const struct posix_option *opts_find(int level, int name);
/* getsockopt() and setsockopt() of a socket; `value` NULL: no memory of the caller's. */
int opts_get(struct sock *sk, int level, int name, void *value, socklen_t *len);
int opts_set(struct sock *sk, int level, int name, const void *value, socklen_t len);
/* A row's number in `o`. */
int *opts_value(struct sock_opts *o, const struct posix_option *opt);

/* What the rows refer to (opts.c). */
int opts_set_sndbuf(struct sock *sk, int value);
int opts_set_rcvbuf(struct sock *sk, int value);
int opts_force_sndbuf(struct sock *sk, int value);
int opts_force_rcvbuf(struct sock *sk, int value);
int opts_get_sndbuf(struct sock *sk, int *value);
int opts_get_rcvbuf(struct sock *sk, int *value);
int opts_get_error(struct sock *sk, int *value);
int opts_get_maxseg(struct sock *sk, int *value);
int opts_get_mtu(struct sock *sk, int *value);

#endif
