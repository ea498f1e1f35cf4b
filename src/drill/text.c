/* text.c - the arena, growing strings, whole files. */
#include "drill/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 16384, FILE_MAX_BYTES = 16 << 20 };

struct drill_block {
    struct drill_block *next;
    size_t used, size;
    max_align_t data[];
};

static void *must(void *p)
{
    if (!p) {
        fputs("tern drill: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *drill_alloc(struct drill_arena *a, size_t size)
{
    const size_t unit = sizeof(max_align_t);
    struct drill_block *b = a->blocks;
    size = (size + unit) / unit * unit;
    if (!b || b->size - b->used < size) {
        size_t room = size > BLOCK ? size : (size_t)BLOCK;
        b = must(calloc(1, sizeof(*b) + room));
        b->size = room;
        b->next = a->blocks;
        a->blocks = b;
    }
    void *p = (char *)b->data + b->used;
    b->used += size;
    return p;
}

char *drill_copy(struct drill_arena *a, const char *s, size_t len)
{
    char *copy = drill_alloc(a, len + 1);
    if (len > 0)
        memcpy(copy, s, len);
    return copy;
}

void drill_arena_free(struct drill_arena *a)
{
    for (struct drill_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    a->blocks = NULL;
}

static void reserve(struct drill_text *t, size_t more)
{
    if (t->size - t->len > more)
        return;
    t->size = (t->len + more + 1) * 2;
    t->s = must(realloc(t->s, t->size));
}

void drill_put(struct drill_text *t, const char *s, size_t len)
{
    reserve(t, len);
    if (len > 0)
        memcpy(t->s + t->len, s, len);
    t->len += len;
    t->s[t->len] = '\0';
}

void drill_vprint(struct drill_text *t, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0)
        return;
    reserve(t, (size_t)len);
    vsnprintf(t->s + t->len, t->size - t->len, format, args);
    t->len += (size_t)len;
}

void drill_print(struct drill_text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    drill_vprint(t, format, args);
    va_end(args);
}

const char *drill_string(const struct drill_text *t) { return t->s ? t->s : ""; }

void drill_text_free(struct drill_text *t)
{
    free(t->s);
    *t = (struct drill_text){0};
}

char *drill_file(const char *path, size_t *len)
{
    struct drill_text t = {0};
    char buf[8192];
    size_t n;
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    while ((n = fread(buf, 1, sizeof(buf), f)) > 0 && t.len < FILE_MAX_BYTES)
        drill_put(&t, buf, n);
    int error = ferror(f) ? errno : t.len >= FILE_MAX_BYTES ? EFBIG : 0;
    fclose(f);
    if (error) {
        drill_text_free(&t);
        errno = error;
        return NULL;
    }
    drill_put(&t, "", 0);
    *len = t.len;
    return t.s;
}
