/* suggest.c - edit distance with swaps of neighbours (optimal string alignment): one slip is
 * forgiven, and one more for every four letters typed. */
#include "cmd/suggest.h"

#include <string.h>

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t row[SUGGEST_LEN_MAX + 2][SUGGEST_LEN_MAX + 2];
    for (size_t i = 0; i <= a_len; i++)
        row[i][0] = i;
    for (size_t j = 0; j <= b_len; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        for (size_t j = 1; j <= b_len; j++) {
            size_t differ = a[i - 1] != b[j - 1];
            row[i][j] = min3(row[i - 1][j] + 1, row[i][j - 1] + 1, row[i - 1][j - 1] + differ);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[i][j] = min3(row[i][j], row[i][j], row[i - 2][j - 2] + 1);
        }
    }
    return row[a_len][b_len];
}

void suggest_start(struct suggestion *s, const char *typed, size_t len)
{
    *s = (struct suggestion){.typed = typed, .typed_len = len, .distance = 2 + len / 4};
}

void suggest_offer(struct suggestion *s, const char *name)
{
    size_t len = strlen(name);
    if (len > SUGGEST_LEN_MAX || s->typed_len > SUGGEST_LEN_MAX)
        return;
    size_t d = distance(s->typed, s->typed_len, name, len);
    if (d < s->distance && d < len) {
        s->name = name;
        s->distance = d;
    }
}
