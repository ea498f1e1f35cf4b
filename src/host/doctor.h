/* doctor.h - what this machine lets tern do: each thing is tried, not looked up.
 *
 * Nothing is left behind: what changes a process (a filter, a namespace) is tried in a child, an
 * interface goes with its descriptor, a control socket is removed again.
 */
#ifndef TERN_HOST_DOCTOR_H
#define TERN_HOST_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

/* Verbs that need the same things. */
enum doctor_group {
    DOCTOR_RUN, /* run */
    DOCTOR_SS,  /* ss, and being seen by it */
    DOCTOR_TUN, /* serve, connect, listen */
    DOCTOR_GROUPS,
};

enum { DOCTOR_FINDINGS_MAX = 24 };

struct doctor_finding {
    const char *id;   /* "seccomp_notify": for scripts, and in TERN_DISABLE where that is heeded */
    const char *what; /* "seccomp user notification" */
    enum doctor_group group;
    bool ok;
    bool needed;      /* without it the group's verbs do not work; else they go without it */
    char detail[192]; /* what was found; may be "" */
    char remedy[320]; /* what to do about it; "" when it is ok */
};

struct doctor_config {
    bool groups[DOCTOR_GROUPS]; /* which are examined */
    /* Fetches a page over tern's own TCP: argv of a program that ends with 0 when it has come and
     * otherwise says why not on standard error. */
    char *const *fetch;
};

/* Returns how many there are. */
size_t doctor_examine(const struct doctor_config *cfg,
                      struct doctor_finding out[DOCTOR_FINDINGS_MAX]);

#endif
