/* call.h - a system call of a script: its arguments made ready, and what it stored looked at. */
#ifndef TERN_DRILL_CALL_H
#define TERN_DRILL_CALL_H

#include "drill/script.h"
#include "drill/sut.h"

#include <sys/socket.h>

struct drill_define {
    struct drill_define *next;
    const char *name, *value;
};

enum { DRILL_FDS_MAX = 256 };

/* What values mean. */
struct drill_names {
    const struct drill_define *defines;
    int live_fd[DRILL_FDS_MAX]; /* of the script's descriptors; -1: none */
    enum drill_family family;
    bool bsd;                      /* numbers are FreeBSD's */
    uint8_t local[16], remote[16]; /* what ... stands for in bind() and connect() */
    uint16_t bind_port, connect_port;
    int64_t tolerance; /* ns, of times in messages */
    int64_t start;     /* ns, what the clock showed at the script's start */
};

enum { DRILL_ARGS_MAX = 6 };

/* One call under way. */
struct drill_calling {
    const struct drill_names *names;
    const struct drill_call *call;
    struct drill_arena arena; /* what the arguments point to */
    enum drill_nr nr;
    const char *codes; /* of the arguments, by calls.c */
    intptr_t args[DRILL_ARGS_MAX];
    struct drill_text why;          /* the first thing wrong */
    struct sockaddr_storage target; /* of connect() and bind() */
    socklen_t target_len;
};

/* The value of an expression; false: why says what is wrong with it. */
bool drill_value(struct drill_calling *c, const struct drill_expr *e, int64_t *out);

/* Makes the arguments ready. false: see `why`. */
bool drill_call_prepare(struct drill_calling *c);
/* Looks at what the call returned and stored; `fd` receives the script's number of a descriptor
 * that the result names, -1: it is none. false: see `why`. */
bool drill_call_verify(struct drill_calling *c, int64_t result, int *fd);
void drill_calling_free(struct drill_calling *c);

/* "name(arguments)" of the n-th supported call, NULL behind the last. */
const char *drill_call_name(size_t n);

/* ---- args.c: one kind of argument each ------------------------------------------------------- */

bool call_fail(struct drill_calling *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A member of a struct by name; NULL. */
const struct drill_expr *call_member(const struct drill_expr *e, const char *name);
/* The member's value, 0 if there is none. */
bool call_number(struct drill_calling *c, const struct drill_expr *e, const char *name,
                 int64_t *out);
/* Compares a member that the script gives with what came. */
bool call_check(struct drill_calling *c, const struct drill_expr *e, const char *name,
                int64_t actual);
int call_fd(const struct drill_calling *c, int64_t script);

bool call_address(struct drill_calling *c, const struct drill_expr *e, bool local, size_t at);
bool call_iov(struct drill_calling *c, const struct drill_expr *e, intptr_t *array, size_t *count);
bool call_message(struct drill_calling *c, const struct drill_expr *e, size_t at, bool receive);
bool call_message_check(struct drill_calling *c, const struct drill_expr *e, size_t at);
/* Options of sockets: args 1 and 2 are level and name. */
bool call_option_in(struct drill_calling *c, const struct drill_expr *e, size_t at);
bool call_option_out(struct drill_calling *c, const struct drill_expr *e, size_t at);
bool call_option_check(struct drill_calling *c, const struct drill_expr *e, size_t at);

#endif
