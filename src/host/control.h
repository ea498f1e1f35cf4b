/* control.h - how other processes look into a running tern process: `tern ss` does.
 *
 * Every tern process listens on an AF_UNIX stream socket in a folder of its user's
 * (control_dir.h), and answers that user and root. A client sends one line
 *
 *     tern/1 sockets info counters
 *
 * that names the protocol's version and what it wants to see: any of the three words. The answer is
 * one JSON object a line (control_reply.c): first who answers, then each socket, then each stack's
 * counters, at last {"end": true}; what ends without that is not complete. A mistake is answered
 * with {"tern": 1, "error": "..."}. Later versions may add words and members; whoever reads them
 * leaves out what it does not know.
 *
 * Nobody can make a tern process wait or grow by this: clients are few, each has a buffer of fixed
 * size that is only filled when it has been read, and not for long.
 */
#ifndef TERN_HOST_CONTROL_H
#define TERN_HOST_CONTROL_H

#include "host/loop.h"
#include "tern/info.h"
#include "tern/tern.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    CONTROL_VERSION = 1,
    CONTROL_REQUEST_MAX = 128,  /* the line, its newline included */
    CONTROL_REPLY_LINE = 16384, /* the longest line of an answer */
    CONTROL_STACKS_MAX = 4,
};

struct control;

/* Whose a socket is. */
struct control_owner {
    pid_t pid;
    char name[16]; /* as /proc/PID/comm has it */
};

struct control_stack {
    const char *name; /* "program" */
    const tern *stack;
    bool own; /* there for tern's own purposes: a gateway */
    /* Completes what the stack knows of a socket (queues, say), and tells whose it is; `who` comes
     * filled with tern itself. NULL: nothing to add. */
    void (*look)(void *user, tern_entry *e, struct control_owner *who);
    void *user;
};

struct control_config {
    struct loop *loop;
    const char *verb, *program, *version; /* "run", "curl" or NULL, "0.1.0"; they stay */
    struct control_stack stacks[CONTROL_STACKS_MAX];
    uint32_t stack_count;
};

/* 0 or a negative errno: no folder, or no socket in it. A process is well without. */
int control_new(struct control **out, const struct control_config *cfg);
void control_free(struct control *c);

/* ---- the request (control_request.c) --------------------------------------------------------- */

struct control_request {
    bool sockets, info, counters;
};

/* Reads a line without its newline. NULL, or what is wrong with it. */
const char *control_request_read(struct control_request *out, const char *line, size_t len);

/* ---- the answer (control_reply.c) ------------------------------------------------------------ */

/* Each writes one line, its newline included, and returns its length; 0: it did not fit. */
size_t control_reply_head(char *buf, size_t size, const struct control_config *cfg);
size_t control_reply_socket(char *buf, size_t size, const struct control_config *cfg,
                            uint32_t stack, tern_entry *e, bool info);
size_t control_reply_counters(char *buf, size_t size, const struct control_config *cfg,
                              uint32_t stack);
size_t control_reply_end(char *buf, size_t size);
size_t control_reply_error(char *buf, size_t size, const char *error);

#endif
