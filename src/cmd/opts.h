/* opts.h - options as a table.
 *
 * The same rows are parsed, explained by --help, written into the man page and offered by shell
 * completion, so that none of these can drift from the others.
 *
 *     struct fetch_values {
 *         bool quiet;
 *         uint32_t loss;          // parts per million
 *         uint64_t delay, tries;  // delay in ns
 *         const char *out;
 *     };
 *     static const struct opt fetch_opts[] = {
 *         OPT_HEADING("The link"),
 *         {OPT_PERCENT(struct fetch_values, loss), .name = "loss", .help = "lose that share"},
 *         {OPT_DURATION(struct fetch_values, delay), .name = "delay", .help = "wait, one way",
 *          .fallback = "10ms", .max = 60 * VALUE_S},
 *         OPT_HEADING("Output"),
 *         {OPT_UINT(struct fetch_values, tries), .name = "tries", .help = "how often", .min = 1,
 *          .max = 10, .fallback = "3"},
 *         {OPT_FILE(struct fetch_values, out), .name = "output", .letter = 'o',
 *          .help = "write there"},
 *         {OPT_FLAG(struct fetch_values, quiet), .name = "quiet", .letter = 'q',
 *          .help = "say nothing"},
 *     };
 *
 * cmd.h shows the command around it. The type of a member is checked when the table is compiled.
 */
#ifndef TERN_CMD_OPTS_H
#define TERN_CMD_OPTS_H

#include "cmd/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opt_type {
    OPT_IS_HEADING, /* no option: the title of those that follow */
    OPT_IS_FLAG,
    OPT_IS_NUMBER, /* `number` says which; stored in 64 bits, a percentage in 32 */
    OPT_IS_CHOICE,
    OPT_IS_HOST_PORT,
    OPT_IS_STRING,
    OPT_IS_FILE, /* a string that completion takes for a file's name */
    OPT_IS_CALL,
};

struct opt {
    const char *name; /* without the dashes; of a heading: its text */
    const char *help; /* a phrase: lower case, no full stop */
    const char *arg;  /* the value's name, such as FILE; NULL: the usual one of its type */
    enum opt_type type;
    enum value_type number;
    size_t at;    /* offset of the member that receives the value */
    char letter;  /* the short form, or 0 */
    bool hidden;  /* accepted, but shown nowhere */
    uint64_t min; /* numbers, and the port of a host and port */
    uint64_t max; /* 0: the most the type can hold */
    /* What holds when the option is not given: the value as it would be typed, or else the number
     * itself (a number that cannot be typed lets the command see that nothing was). */
    const char *fallback;
    uint64_t unset;
    const char *const *choices; /* ends with NULL; the member receives the index */
    /* OPT_CALL: called each time the option is given, in order. Returns NULL, or what the value
     * must be: "must be " is put before it. */
    const char *(*parse)(void *values, const char *text);
};

/* The offset of a member whose type is `type`; anything else does not compile. */
#define OPT_AT(values, member, type)                                                               \
    (offsetof(values, member) + 0 * sizeof(_Generic(&((values *)0)->member, type * : 0)))

#define OPT_HEADING(text)                                                                          \
    {                                                                                              \
        .type = OPT_IS_HEADING, .name = (text)                                                     \
    }
#define OPT_FLAG(values, member) .type = OPT_IS_FLAG, .at = OPT_AT(values, member, bool)
#define OPT_PERCENT(values, member)                                                                \
    .type = OPT_IS_NUMBER, .number = VALUE_PERCENT, .at = OPT_AT(values, member, uint32_t)
#define OPT_DURATION(values, member)                                                               \
    .type = OPT_IS_NUMBER, .number = VALUE_DURATION, .at = OPT_AT(values, member, uint64_t)
#define OPT_SIZE(values, member)                                                                   \
    .type = OPT_IS_NUMBER, .number = VALUE_SIZE, .at = OPT_AT(values, member, uint64_t)
#define OPT_RATE(values, member)                                                                   \
    .type = OPT_IS_NUMBER, .number = VALUE_RATE, .at = OPT_AT(values, member, uint64_t)
#define OPT_UINT(values, member)                                                                   \
    .type = OPT_IS_NUMBER, .number = VALUE_UINT, .at = OPT_AT(values, member, uint64_t)
#define OPT_CHOICE(values, member, list)                                                           \
    .type = OPT_IS_CHOICE, .choices = (list), .at = OPT_AT(values, member, unsigned)
#define OPT_HOST_PORT(values, member)                                                              \
    .type = OPT_IS_HOST_PORT, .at = OPT_AT(values, member, struct host_port)
#define OPT_STRING(values, member) .type = OPT_IS_STRING, .at = OPT_AT(values, member, const char *)
#define OPT_FILE(values, member) .type = OPT_IS_FILE, .at = OPT_AT(values, member, const char *)
#define OPT_CALL(function) .type = OPT_IS_CALL, .parse = (function)

enum opts_result {
    OPTS_OK,
    OPTS_HELP,  /* -h or --help was met; nothing else matters */
    OPTS_WRONG, /* `error` says what is wrong, in one line */
};

/* In: what follows the verb. Out: the operands, moved to the front in their order. */
struct operands {
    int argc;
    char **argv;
};

struct opts_table {
    const struct opt *rows;
    size_t count;
    bool stop; /* the first operand ends the options: what follows is another program's */
};

#define OPTS_ERROR_MAX 512

/* Fills `values` from the table's fallbacks and then from the arguments: --name value,
 * --name=value, -n value, -nvalue, -ab for flags; `--` ends the options. A later value replaces an
 * earlier one. */
enum opts_result opts_parse(const struct opts_table *table, struct operands *args, void *values,
                            char error[OPTS_ERROR_MAX]);

/* The name of an option's value ("TIME", "client|server"); NULL when it has none. Needs `buf` for
 * choices. */
const char *opt_arg(const struct opt *o, char *buf, size_t size);

/* "1ms to 1h", "at least 1", or "" when every value of the type is allowed. */
void opt_range(const struct opt *o, char *buf, size_t size);

#endif
