/* run_net.h - the network as the program runner sees it: what a backend must offer.
 *
 * The runner (run.h) answers a program's socket calls; a backend answers the runner. Over tern that
 * is run_tern.c; tests have one over the host's own sockets.
 *
 * A connection begins with open() or accept() and is the runner's until the runner calls abort(),
 * or the backend reports opened() with an error, ended() or closed(); after that neither side names
 * it again. `user` is the runner's pointer, given when the connection or listener began. Callbacks
 * come from the loop, never from inside open(), listen(), accept() or attach().
 *
 * Addresses are tern_addr; an IPv4 one is ::ffff:a.b.c.d. Errors are negative errno values.
 */
#ifndef TERN_HOST_RUN_NET_H
#define TERN_HOST_RUN_NET_H

#include "tern/info.h"
#include "tern/tern.h"

#include <stdbool.h>
#include <stdint.h>

struct run_conn;     /* a backend's connection */
struct run_listener; /* a backend's listener */

/* What the backend reports. */
struct run_net_events {
    /* The active open has ended: 0, or why it failed. */
    void (*opened)(void *user, int err);
    /* The connection is over, although the program has not closed its socket: by an error, or, 0,
     * because both directions have been shut. The backend closes the attached descriptor right
     * after this call; for 0 it first reads all that is in it, for an error it must not. */
    void (*ended)(void *user, int err);
    /* The program has closed its end; what is left to deliver is the backend's own business. */
    void (*closed)(void *user);
    /* A SYN has come for a listener: does the program still listen? false: it is to be refused, and
     * unlisten() has been called meanwhile. */
    bool (*syn)(void *user);
    /* For how many SYN-ACKs a connection without data is kept from accept() (TCP_DEFER_ACCEPT). */
    unsigned (*defer)(void *user);
    /* accept() has something new. The runner may call unlisten() meanwhile. */
    void (*incoming)(void *user);
};

struct run_net_listen {
    tern_addr local; /* a port always; the address may be a wildcard */
    unsigned backlog;
    bool v6only; /* the wildcard :: does not cover IPv4 */
};

struct run_net_ops {
    /* May a program bind this? 0, -EADDRNOTAVAIL, or -EADDRINUSE: somebody else has the port, if
     * one is given. */
    int (*bindable)(void *net, const tern_addr *local);

    /* Begins an active open; opened() follows. `local` may lack address, port or both. */
    int (*open)(void *net, struct run_conn **out, const tern_addr *local, const tern_addr *peer,
                void *user);
    /* The same for a connection that waits at a listener; NULL: none does. */
    struct run_conn *(*accept)(struct run_listener *listener, void *user);
    /* From now on `fd`, an AF_UNIX stream socket that is the backend's to close, carries the
     * connection's bytes: half closes both ways, errors, back-pressure. Established only. */
    void (*attach)(struct run_conn *conn, int fd);
    /* The program is about to shut its sending side, so that a hang-up of the pair need not mean
     * that it has closed. `marked`: the last byte that comes through the pair is not data and must
     * be left in it (see run_misc.c). */
    void (*shut)(struct run_conn *conn, bool marked);
    /* RST, and the end of the connection. */
    void (*abort)(struct run_conn *conn);

    /* Begins to listen. -EADDRINUSE, -EADDRNOTAVAIL. */
    int (*listen)(void *net, struct run_listener **out, const struct run_net_listen *what,
                  void *user);
    void (*backlog)(struct run_listener *listener, unsigned backlog);
    /* Ends a listener; what waits there is reset. */
    void (*unlisten)(struct run_listener *listener);

    /* Both ends; either may be NULL. Valid from open() on as far as they are known. */
    void (*names)(struct run_conn *conn, tern_addr *local, tern_addr *peer);
    /* What options are told to: a connection, a listener; id 0: no stack knows of it. */
    tern *(*stack)(void *net);
    tern_sock (*sock)(struct run_conn *conn);
    tern_sock (*listener)(struct run_listener *listener);
    /* What the program has written so far goes to the stack before an option changes that shapes
     * what is sent. */
    void (*flush)(struct run_conn *conn);
    /* The program's close is a reset (SO_LINGER with 0 seconds). */
    void (*abortive)(struct run_conn *conn, bool on);
    int (*info)(struct run_conn *conn, tern_tcp_info *out);
    /* Bytes the program has written that are not acknowledged; *unsent: not even sent. */
    uint32_t (*outq)(struct run_conn *conn, uint32_t *unsent);
    /* Connections that wait in the backend for accept(), and how many may. */
    uint32_t (*queue)(const struct run_listener *listener, uint32_t *backlog);
};

#endif
