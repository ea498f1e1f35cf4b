/* fuzz.h - what the fuzz targets share: the input as a stream of small numbers, and checks that
 * hold in every build. */
#ifndef TERN_FUZZ_H
#define TERN_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct fuzz_input {
    const uint8_t *p;
    size_t left;
};

/* Zeros follow the end. */
static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->p++;
}

static inline uint32_t fuzz_u16(struct fuzz_input *in)
{
    uint32_t high = fuzz_u8(in);
    return high << 8 | fuzz_u8(in);
}

static inline uint32_t fuzz_u32(struct fuzz_input *in)
{
    uint32_t high = fuzz_u16(in);
    return high << 16 | fuzz_u16(in);
}

/* The rest of the input in memory of exactly its size, so that a read beyond it is seen; to be
 * freed. */
static inline uint8_t *fuzz_rest(struct fuzz_input *in, size_t most, size_t *len)
{
    *len = min_size(in->left, most);
    uint8_t *copy = malloc(*len + (*len == 0));
    CHECK(copy != NULL);
    memcpy(copy, in->p, *len);
    in->p += *len;
    in->left -= *len;
    return copy;
}

#endif
