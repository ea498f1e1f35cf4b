/* shell.h - what the shell of scripts and its commands share. */
#ifndef TERN_DRILL_SHELL_H
#define TERN_DRILL_SHELL_H

#include "drill/play.h"

enum { SHELL_WORDS_MAX = 128, SHELL_ERROR = -1 };

struct shell {
    struct play *play;
    struct drill_text *why; /* what is not supported; ends everything */
    struct drill_arena arena;
    struct shell_variable *variables;
    int depth;
};

/* One command: its words, what came in by the pipe, what goes out. */
struct shell_command {
    struct shell *sh;
    int argc;
    const char *argv[SHELL_WORDS_MAX + 1];
    const char *in;
    struct drill_text *out;
};

/* Runs a command that is built in; its exit status, or SHELL_ERROR: there is none of that name, or
 * it is not supported in this form (see why). */
int shell_builtin(struct shell_command *c);
/* The n-th name, NULL behind the last. */
const char *shell_builtin_name(size_t n);
/* "why" and SHELL_ERROR. */
int shell_fail(struct shell *sh, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A setting by a name of FreeBSD's. false: there is none of that name. */
bool shell_bsd_set(struct drill_settings *s, const char *name, const char *value);
bool shell_bsd_get(const struct drill_settings *s, const char *name, const char **value);
/* The values that one which changes nothing takes, if `value` is not among them, and why; NULL. */
const char *shell_bsd_refused(const char *name, const char *value, const char **why);
/* The n-th name, NULL behind the last; what values it takes, and why, NULL: it is heeded. */
const char *shell_bsd_name(size_t n, const char **values, const char **why);
/* Runs a list of commands; the last one's status. */
int shell_list(struct shell *sh, const char *text, struct drill_text *out);

/* report.c: commands that show the stack's state */
int shell_nstat(struct shell_command *c);
int shell_ss(struct shell_command *c);
int shell_sockstat(struct shell_command *c);
/* ip.c */
int shell_ip(struct shell_command *c);

#endif
