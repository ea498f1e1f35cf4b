/* cmd.h - what a verb of the `tern` command is.
 *
 * A verb is one file, src/cmd/VERB.c, which defines one `struct command`, and one line in
 * commands.c. Parsing, --help, the man page tern-VERB(1) and completion follow from it:
 *
 *     struct fetch_values { ... };                      // see opts.h
 *     static const struct opt fetch_opts[] = { ... };
 *
 *     static int fetch(const void *values, int argc, char **argv)
 *     {
 *         const struct fetch_values *v = values;
 *         if (!file_open(v->out))
 *             return cmd_fail("fetch", "%s: %s", v->out, strerror(errno));
 *         return 0;
 *     }
 *
 *     const struct command cmd_fetch = {
 *         .name = "fetch",
 *         .summary = "fetch a page",
 *         .about = "Fetches a page and ...\n\nA second paragraph.",
 *         .operands = "URL",
 *         .min_operands = 1,
 *         .max_operands = 1,
 *         .opts = fetch_opts,
 *         .opt_count = sizeof(fetch_opts) / sizeof(fetch_opts[0]),
 *         .values_size = sizeof(struct fetch_values),
 *         .examples = {{"tern fetch --loss 1% http://192.0.2.80/", "over a link that loses"}},
 *         .run = fetch,
 *     };
 */
#ifndef TERN_CMD_CMD_H
#define TERN_CMD_CMD_H

#include "cmd/opts.h"

#include <stdio.h>

enum {
    CMD_OK = 0,
    CMD_FAILED = 1,
    CMD_USAGE = 2, /* wrong arguments; nothing was done */
};

/* What completion offers in the operands' place. */
enum operand_kind {
    OPERANDS_OTHER,
    OPERANDS_FILES,
    OPERANDS_VERBS,
    OPERANDS_PROGRAM, /* a program and its arguments; the first operand ends tern's own options */
};

struct example {
    const char *line; /* as typed */
    const char *what; /* what it does: a phrase */
};

#define CMD_EXAMPLES_MAX 8
#define CMD_ANY_NUMBER (-1) /* of operands */

struct command {
    const char *name;
    const char *summary; /* a phrase: lower case, no full stop */
    const char *about;   /* paragraphs, an empty line between them; wrapped when shown */
    const char *status;  /* what the exit status says, if more than 0, 1 and 2; or NULL */

    const char *operands; /* as shown in the usage line; NULL: none are taken */
    enum operand_kind operand_kind;
    int min_operands, max_operands;
    const char *const *operand_words; /* for completion; ends with NULL; or NULL */

    const struct opt *opts;
    size_t opt_count;
    size_t values_size;

    struct example examples[CMD_EXAMPLES_MAX]; /* the first without a line ends them */

    /* Gets the filled values and the operands; returns the exit status. */
    int (*run)(const void *values, int argc, char **argv);
};

/* All verbs, in the order of `tern help`; ends with NULL. */
extern const struct command *const commands[];

/* The verb of that name, or NULL. */
const struct command *command_find(const char *name);

/* Parses the arguments after the verb and runs it; --help and mistakes are answered here. */
int command_run(const struct command *c, int argc, char **argv);

/* The whole command line, argv[0] included; returns the exit status. */
int cmd_main(int argc, char **argv);

/* Prints "tern VERB: ..." to stderr and returns CMD_FAILED. */
__attribute__((format(printf, 2, 3))) int cmd_fail(const char *verb, const char *format, ...);

/* ---- explaining (help.c, man.c, completion.c) ------------------------------------------------ */

/* `tern help`: all verbs, one line each. */
void help_all(FILE *f);
/* `tern help VERB`. */
void help_command(FILE *f, const struct command *c);
/* "tern run [options] -- PROG [ARG...]" */
void help_usage(FILE *f, const struct command *c);
/* "1s; 0 to 1h" with what there is to say about an option's default and range; may be "". */
void help_note(const struct opt *o, char *buf, size_t size);

/* What holds for all verbs, for `tern help` and tern(1). Each ends without a name. */
struct help_entry {
    const char *name; /* "NO_COLOR" */
    const char *text; /* a phrase */
};
extern const struct help_entry help_statuses[];
extern const struct help_entry help_environment[];

/* Pages in man(7): tern(1), and tern-VERB(1). */
void man_all(FILE *f);
void man_command(FILE *f, const struct command *c);

void completion_bash(FILE *f);
void completion_zsh(FILE *f);
void completion_fish(FILE *f);

const char *cmd_version(void);

#endif
