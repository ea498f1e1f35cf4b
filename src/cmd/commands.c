/* commands.c - the list of verbs, and how one is found and run. */
#include "cmd/cmd.h"
#include "cmd/suggest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

extern const struct command cmd_run, cmd_explain, cmd_serve, cmd_connect, cmd_listen, cmd_ss,
    cmd_drill, cmd_lab, cmd_doctor, cmd_sim, cmd_help, cmd_completion;

/* clang-format off */
const struct command *const commands[] = {
    &cmd_run,
    &cmd_explain,
    &cmd_serve,
    &cmd_connect,
    &cmd_listen,
    &cmd_ss,
    &cmd_drill,
    &cmd_lab,
    &cmd_sim,
    &cmd_doctor,
    &cmd_help,
    &cmd_completion,
    NULL,
};
/* clang-format on */

const char *cmd_version(void) { return TERN_VERSION; }

int cmd_fail(const char *verb, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "tern %s: ", verb);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return CMD_FAILED;
}

const struct command *command_find(const char *name)
{
    for (const struct command *const *c = commands; *c; c++)
        if (strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

static int wrong_count(const struct command *c, const char *what)
{
    fprintf(stderr, "tern %s: %s; usage: ", c->name, what);
    help_usage(stderr, c);
    return CMD_USAGE;
}

int command_run(const struct command *c, int argc, char **argv)
{
    struct opts_table table = {.rows = c->opts,
                               .count = c->opt_count,
                               .stop = c->operand_kind == OPERANDS_PROGRAM};
    struct operands args = {.argc = argc, .argv = argv};
    char error[OPTS_ERROR_MAX];
    int status = CMD_USAGE;
    void *values = calloc(1, c->values_size + 1);
    if (!values)
        return cmd_fail(c->name, "out of memory");
    switch (opts_parse(&table, &args, values, error)) {
    case OPTS_HELP:
        help_command(stdout, c);
        status = CMD_OK;
        break;
    case OPTS_WRONG:
        fprintf(stderr, "tern %s: %s\n", c->name, error);
        break;
    case OPTS_OK:
        if (args.argc < c->min_operands)
            status = wrong_count(c, "too few arguments");
        else if (c->max_operands != CMD_ANY_NUMBER && args.argc > c->max_operands)
            status = wrong_count(c, "too many arguments");
        else
            status = c->run(values, args.argc, args.argv);
        break;
    }
    free(values);
    return status;
}

static int unknown_verb(const char *name)
{
    struct suggestion best;
    suggest_start(&best, name, strlen(name));
    for (const struct command *const *c = commands; *c; c++)
        suggest_offer(&best, (*c)->name);
    fprintf(stderr, "tern: %s: no such verb; ", name);
    if (best.name)
        fprintf(stderr, "did you mean %s? ", best.name);
    fprintf(stderr, "tern help lists them\n");
    return CMD_USAGE;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        help_all(stderr);
        return CMD_USAGE;
    }
    const char *verb = argv[1];
    if (strcmp(verb, "--version") == 0 || strcmp(verb, "-V") == 0) {
        printf("tern %s\n", cmd_version());
        return CMD_OK;
    }
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0)
        verb = "help";
    const struct command *c = command_find(verb);
    return c ? command_run(c, argc - 2, argv + 2) : unknown_verb(verb);
}

int cmd_main(int argc, char **argv)
{
    int status = dispatch(argc, argv);
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "tern: standard output: %s\n", strerror(errno ? errno : EIO));
        if (status == CMD_OK)
            status = CMD_FAILED;
    }
    return status;
}
