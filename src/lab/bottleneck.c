/* bottleneck.c - see bottleneck.h. */
#include "lab/bottleneck.h"

#include <stdlib.h>

#include "base/util.h"

enum { QUEUE_DEFAULT = 1000, RING_FIRST = 64 };

static bool grow(struct bottleneck *b)
{
    if (b->size > UINT32_MAX / 4)
        return false;
    uint32_t size = b->size == 0 ? RING_FIRST : 2 * b->size;
    uint64_t *ring = malloc(size * sizeof(*ring));
    if (ring == NULL)
        return false;
    for (uint32_t i = 0; i < b->count; i++)
        ring[i] = b->begins[(b->head + i) % b->size];
    free(b->begins);
    b->begins = ring;
    b->head = 0;
    b->size = size;
    return true;
}

uint32_t bottleneck_waiting(struct bottleneck *b, uint64_t now)
{
    while (b->count > 0 && b->begins[b->head] <= now) {
        b->head = (b->head + 1) % b->size;
        b->count--;
    }
    return b->count;
}

bool bottleneck_pass(struct bottleneck *b, const struct lab_impair *conf, size_t len, uint64_t now,
                     uint64_t *departs)
{
    (void)bottleneck_waiting(b, now);
    uint64_t begin = max_u64(now, b->free_at);
    if (begin > now) {
        if (b->count >= (conf->queue != 0 ? conf->queue : QUEUE_DEFAULT) ||
            begin > UINT64_MAX / 2 || (b->count == b->size && !grow(b)))
            return false;
        b->begins[(b->head + b->count++) % b->size] = begin;
    }
    if (begin > b->free_at)
        b->rest = 0;
    uint64_t work = len * 8 * 1000000000 + b->rest;
    b->free_at = begin + work / conf->rate;
    b->rest = work % conf->rate;
    *departs = b->free_at;
    return true;
}

void bottleneck_destroy(struct bottleneck *b) { free(b->begins); }
