/* code.h - what stands between %{ and }%: assertions in a small part of Python.
 *
 * Statements: assert, print, assignment (= += -= *= |= &=), if/elif/else, pass; several on a line
 * with `;`, one over several lines with `\` or inside brackets. Expressions: integers, reals,
 * strings, names, tuples and lists, and, or, not, chained comparisons, in, is, the operators
 * | ^ & << >> + - * / // % **, unary - + ~, a conditional, abs() min() max() int() float() len()
 * round() str() hex() bool(). Anything else is an error that says so. Variables live as long as
 * the environment. */
#ifndef TERN_DRILL_CODE_H
#define TERN_DRILL_CODE_H

#include "drill/text.h"

struct drill_code {
    struct drill_arena arena;
    struct code_variable *variables;
    /* names that are no variables; false: there is no such name */
    bool (*lookup)(void *user, const char *name, int64_t *value);
    void *user;
    struct drill_text printed;
    unsigned asserted; /* assertions that held, in all */
};

/* Runs a block. false: `error` says what is wrong, as Python would. */
bool drill_code_run(struct drill_code *c, const char *text, struct drill_text *error);
void drill_code_free(struct drill_code *c);

#endif
