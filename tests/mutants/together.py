"""All comparisons of the lists built into libtern at once, for tests/mutants/run --together.

Where `a < b` stands, a macro asks whether this is the chosen mutation (TERN_MUTANT in the
environment) and notes when a and b are equal: only then does `a <= b` say something else. One build
and one run of all tests thus tell which tests can notice which mutations at all; the rest is running
these, one mutation at a time.
"""
import os
import re

TOKEN = re.compile(r"\w+|->|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|\S")
WEAKER = {"&&", "||", "?", ":", "==", "!=", "&", "|", "^", ";", ","}  # than a comparison
ENDS_LEFT = WEAKER | {"(", "[", "{", "=", "+=", "-=", "|=", "return"}
ENDS_RIGHT = WEAKER | {")", "]", "}"}
NAMES = {"<": "LT", "<=": "LE", ">": "GT", ">=": "GE"}

HEAD = """#include <stdio.h>
#include <stdlib.h>
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wtype-limits"
#pragma GCC diagnostic ignored "-Wunused-macros"
static int mutant_chosen_ = -1;
static unsigned char mutant_seen_[%d];
__attribute__((constructor)) static void mutant_begin_(void)
{
    const char *text = getenv("TERN_MUTANT");
    if (text != NULL)
        mutant_chosen_ = atoi(text);
}
__attribute__((destructor)) static void mutant_end_(void)
{
    const char *path = getenv("TERN_MUTANTS_SEEN");
    FILE *f = path != NULL ? fopen(path, "a") : NULL;
    for (int i = 0; f != NULL && i < (int)sizeof mutant_seen_; i++)
        if (mutant_seen_[i])
            fprintf(f, "%%d\\n", i);
    if (f != NULL)
        fclose(f);
}
#define MUTANT_(n, a, b, was)                                                                      \\
    ({                                                                                             \\
        __auto_type a_##n = (a);                                                                   \\
        __auto_type b_##n = (b);                                                                   \\
        bool equal_##n = a_##n == b_##n;                                                           \\
        mutant_seen_[n] |= equal_##n;                                                              \\
        mutant_chosen_ == n && equal_##n ? !(was) : (was);                                         \\
    })
#define MUTANT_LT(n, a, b) MUTANT_(n, a, b, a_##n < b_##n)
#define MUTANT_LE(n, a, b) MUTANT_(n, a, b, a_##n <= b_##n)
#define MUTANT_GT(n, a, b) MUTANT_(n, a, b, a_##n > b_##n)
#define MUTANT_GE(n, a, b) MUTANT_(n, a, b, a_##n >= b_##n)
#define MUTANT_SEQ_lt(n, a, b) MUTANT_(n, a, b, seq_lt(a_##n, b_##n))
#define MUTANT_SEQ_leq(n, a, b) MUTANT_(n, a, b, seq_leq(a_##n, b_##n))
#define MUTANT_SEQ_gt(n, a, b) MUTANT_(n, a, b, seq_gt(a_##n, b_##n))
#define MUTANT_SEQ_geq(n, a, b) MUTANT_(n, a, b, seq_geq(a_##n, b_##n))
#line 1
"""


def place(text, m):
    """Where in the file the mutation changes something, or None if it is no single comparison."""
    at = text.index(m.old)
    same = len(os.path.commonprefix([m.old, m.new]))
    while same > 0 and m.old[same - 1] in "<>_":  # `<` and `<=` begin alike, `lt` and `leq`, too
        same -= 1
    name = re.compile(r"seq_(lt|leq|gt|geq)\(")
    for found in name.finditer(m.old):
        if found.start() <= same < found.end():
            return at + found.start(), "seq", found.group(1), at + found.end()
    op = re.compile(r"<=|>=|<|>")
    found = op.match(m.old, same)
    return (at + found.start(), "op", found.group(0), at + found.end()) if found else None


def left_end(tokens, i):
    """Of the operand that ends before token i."""
    depth = 0
    while i > 0:
        word = tokens[i - 1].group(0)
        if word in ")]":
            depth += 1
        elif depth != 0 and word in "([":
            depth -= 1
        elif depth == 0 and word in ENDS_LEFT:
            return i
        i -= 1
    return i


def right_end(tokens, i):
    depth = 0
    while i < len(tokens):
        word = tokens[i].group(0)
        unary = word == "&" and tokens[i - 1].group(0) in ("<", ">", "<=", ">=", "(", ",")
        if word in "([":
            depth += 1
        elif depth != 0 and word in ")]":
            depth -= 1
        elif depth == 0 and word in ENDS_RIGHT and not unary:
            return i
        i += 1
    return i


def edits(text, number, where):
    """What to put in, as (offset, length of what goes, text)."""
    start, kind, name, end = where
    if kind == "seq":
        return [(start, end - start, f"MUTANT_SEQ_{name}({number}, ")]
    tokens = list(TOKEN.finditer(text))
    i = next(k for k, t in enumerate(tokens) if t.start() == start)
    first = tokens[left_end(tokens, i)].start()
    last = tokens[right_end(tokens, i + 1) - 1].end()
    return [
        (first, 0, f"MUTANT_{NAMES[name]}({number}, "),
        (start, end - start, ","),
        (last, 0, ")"),
    ]


def build_in(text, numbered):
    """The file with all of these (number, mutation) built in, and the numbers that could not be."""
    changes, left = [], []
    for number, m in numbered:
        where = place(text, m)
        if where is None:
            left.append(number)
        else:
            changes += edits(text, number, where)
    for at, gone, new in sorted(changes, key=lambda c: (c[0], c[1]), reverse=True):
        text = text[:at] + new + text[at + gone :]
    return HEAD % (max((n for n, _ in numbered), default=0) + 1) + text, left
