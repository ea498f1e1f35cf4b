/* drill.h - playing packetdrill scripts: what the command calls. */
#ifndef TERN_DRILL_DRILL_H
#define TERN_DRILL_DRILL_H

#include "drill/script.h"
#include "drill/sut.h"

#include <stdio.h>

enum drill_verdict {
    DRILL_PASSED,
    DRILL_FAILED,     /* a check failed, or something is not supported */
    DRILL_UNREADABLE, /* no script, or one that cannot be read */
};

/* What has been checked, by kind. */
struct drill_checks {
    unsigned packets, calls, assertions, commands;
};

struct drill_result {
    enum drill_verdict verdict;
    struct drill_text message; /* why not, as "file:line: ..."; warnings */
    struct drill_text trace;   /* the whole exchange, if asked for */
    struct drill_text printed; /* by the script's code */
    struct drill_text record;  /* the script anew, if asked for */
    struct drill_checks checks;
    enum drill_family family; /* in which it was played */
    int64_t lasted;           /* ns of the script's time */
};

struct drill_request {
    const char *path;
    enum drill_family family;
    const struct drill_option *options; /* of the command line: they outweigh the script's */
    bool trace, read_only;
    bool record; /* packets are not expected but written down: `record` is the script with them */
    /* what is tested; NULL: the stack */
    struct drill_sut *(*sut)(const struct drill_setup *setup, const char **why);
};

/* Plays one script once. To be followed by drill_result_free(). */
void drill_play(const struct drill_request *request, struct drill_result *result);
/* The same with the script's text at hand. */
void drill_play_text(const struct drill_request *request, const char *text, size_t len,
                     struct drill_result *result);
void drill_result_free(struct drill_result *r);
unsigned drill_checks_all(const struct drill_checks *c);

/* Which families a script is for: bits 1 << DRILL_IPV4 and so on; all, if its options do not
 * say. */
unsigned drill_families(const char *path);
bool drill_family_parse(const char *name, enum drill_family *out);
const char *drill_family_name(enum drill_family family);

/* The n-th option of scripts and of the command line, NULL behind the last. */
struct drill_option_help {
    const char *name, *help;
};
const struct drill_option_help *drill_option_help(size_t n);
/* Writes what scripts may say, as part of a document. */
void drill_supported(FILE *out);
/* NULL, or why an option is not accepted. */
const char *drill_option_check(const struct drill_option *o);

#endif
