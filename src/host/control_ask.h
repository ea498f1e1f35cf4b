/* control_ask.h - asks all tern processes at once (control.h).
 *
 * They are given one deadline together, and each only so much memory: a process that hangs, is
 * stopped, or is not what it says it is costs that, and is reported.
 */
#ifndef TERN_HOST_CONTROL_ASK_H
#define TERN_HOST_CONTROL_ASK_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    CONTROL_ASK_MAX = 1024,              /* processes */
    CONTROL_ASK_BYTES = 64 * 1024 * 1024 /* taken from one of them */
};

struct control_answer {
    pid_t pid;
    json_t *head;               /* the first line, or NULL: none came */
    json_t *sockets, *counters; /* arrays of the lines of these kinds, as far as they came */
    char wrong[128];            /* empty: all is there; else what happened */
};

/* How many answers there are, in *out; 0 and NULL without any. `words`: see control.h. */
size_t control_ask(struct control_answer **out, const char *words, uint64_t timeout_ns);
void control_answers_free(struct control_answer *answers, size_t count);

#endif
