/* text.h - memory and strings of the drill room.
 *
 * An arena holds everything that lives as long as a script; a text grows while it is written. Both
 * end the program when there is no memory: a test runner has nothing better to do then. */
#ifndef TERN_DRILL_TEXT_H
#define TERN_DRILL_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct drill_arena {
    struct drill_block *blocks;
};

/* Zeroed memory that lives until drill_arena_free(). */
void *drill_alloc(struct drill_arena *a, size_t size);
/* A copy of `len` bytes with a NUL behind. */
char *drill_copy(struct drill_arena *a, const char *s, size_t len);
void drill_arena_free(struct drill_arena *a);

struct drill_text {
    char *s; /* NUL-terminated, or NULL while nothing was written */
    size_t len, size;
};

void drill_put(struct drill_text *t, const char *s, size_t len);
__attribute__((format(printf, 2, 3))) void drill_print(struct drill_text *t, const char *format,
                                                       ...);
void drill_vprint(struct drill_text *t, const char *format, va_list args);
/* The text, never NULL. */
const char *drill_string(const struct drill_text *t);
void drill_text_free(struct drill_text *t);

/* Reads a whole file; NULL and errno. The result ends with a NUL that `len` does not count. */
char *drill_file(const char *path, size_t *len);

#endif
