/* prog.h - small programs that use sockets, and say what they see.
 *
 * Each is run twice, by the kernel alone and under the program runner, and must say the same both
 * times (test_run.c). So a program never prints a port number or anything else that differs between
 * two runs.
 */
#ifndef TERN_TESTS_PROG_H
#define TERN_TESTS_PROG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

struct prog {
    const char *name;
    void (*run)(void);
};

extern const struct prog progs_connect[], progs_names[], progs_accept[], progs_data[], progs_opts[],
    progs_many[];

/* Runs one by name: for main(). */
int prog_main(const char *name);
/* The i-th of all, or NULL behind the last. */
const struct prog *prog_at(size_t i);

/* ---- for the programs ------------------------------------------------------------------------ */

/* Says something: a line of output. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "what: 0", or "what: ECONNREFUSED" for a result of -1. */
void note_result(const char *what, long result);
/* The events of poll() within `ms`. */
void note_poll(const char *what, int fd, short events, int ms);
const char *error_name(int err);

struct addr {
    struct sockaddr_storage sa;
    socklen_t len;
};

/* A listener on loopback and any port; its address to connect to. */
int listen_on(int family, struct addr *addr);
int connect_to(const struct addr *addr); /* blocking; ends the program when it fails */
/* Both ends of a connection: pair[0] has connected to pair[1]. */
void connected(int pair[2]);
/* A loopback port on which nobody answers SYNs ($HOLE), and one on which nobody listens. */
void hole(struct addr *addr);
void nobody(struct addr *addr);
void nonblocking(int fd);
/* A wait that is long enough for what was sent to arrive. */
void settle(void);
/* Everything until the end of file, and how it ended; returns the number of bytes. */
size_t read_all(int fd, const char *what);

#endif
