/* code_value.h - values of the small Python, and what can be done with two of them. */
#ifndef TERN_DRILL_CODE_VALUE_H
#define TERN_DRILL_CODE_VALUE_H

#include "drill/code.h"

enum code_type { CODE_NONE, CODE_BOOL, CODE_INT, CODE_REAL, CODE_STRING, CODE_LIST };

struct code_value {
    enum code_type type;
    int64_t i; /* also of a bool */
    double r;
    const char *s;
    struct code_value *items; /* of a list or tuple */
    size_t count;             /* of items, or bytes of a string */
};

enum code_op {
    CODE_OR,
    CODE_XOR,
    CODE_AND,
    CODE_SHL,
    CODE_SHR,
    CODE_ADD,
    CODE_SUB,
    CODE_MUL,
    CODE_DIV,
    CODE_FLOOR,
    CODE_MOD,
    CODE_POW,
    CODE_EQ,
    CODE_NE,
    CODE_LT,
    CODE_LE,
    CODE_GT,
    CODE_GE,
    CODE_IN,
    CODE_NOT_IN,
};

struct code_value code_int(int64_t i);
struct code_value code_bool(bool b);
struct code_value code_real(double r);
struct code_value code_text(const char *s, size_t len);
bool code_true(const struct code_value *v);
bool code_is_number(const struct code_value *v);
double code_as_real(const struct code_value *v);
/* NULL, or why Python would not do that. */
const char *code_operate(struct drill_arena *a, enum code_op op, const struct code_value v[2],
                         struct code_value *out);
/* As print() shows it (`quote` false) or as repr() does. */
void code_show(struct drill_text *t, const struct code_value *v, bool quote);

#endif
