/* fuzz_options.c - command lines: the options of every verb.
 *
 * Input: which verb, then its arguments, a line each.
 */
#include "fuzz.h"

#include "cmd/cmd.h"

enum { ARGS_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint32_t verbs = 0, pick = fuzz_u8(&in);
    char *argv[ARGS_MAX + 1] = {NULL}, error[OPTS_ERROR_MAX];
    size_t len;
    while (commands[verbs] != NULL)
        verbs++;
    const struct command *c = commands[pick % verbs];
    char *text = (char *)fuzz_rest(&in, 4096, &len), *line = malloc(len + 1);
    CHECK(line != NULL);
    memcpy(line, text, len);
    line[len] = 0;
    struct operands args = {.argc = 0, .argv = argv};
    for (char *save, *p = strtok_r(line, "\n", &save); p != NULL && args.argc < ARGS_MAX;
         p = strtok_r(NULL, "\n", &save))
        argv[args.argc++] = p;
    void *values = calloc(1, c->values_size + 1);
    CHECK(values != NULL);
    struct opts_table table = {c->opts, c->opt_count, c->operand_kind == OPERANDS_PROGRAM};
    int before = args.argc;
    error[0] = 0;
    enum opts_result result = opts_parse(&table, &args, values, error);
    CHECK(args.argc >= 0 && args.argc <= before);
    CHECK((result == OPTS_WRONG) == (memchr(error, 0, sizeof(error)) != error));
    free(values);
    free(line);
    free(text);
    return 0;
}
