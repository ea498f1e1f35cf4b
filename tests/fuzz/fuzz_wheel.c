/* fuzz_wheel.c - timers set, moved, cleared and fired, beside a plain array of deadlines.
 *
 * Input: when it begins, then operations: what, which, and how far.
 */
#include "fuzz_mem.h"

#include "base/wheel.h"

enum { N = 64 };

struct object {
    uint32_t generation;
    struct wheel_node node;
};

struct world {
    struct wheel wheel;
    uint64_t now;
    uint64_t due[N + 1]; /* 0: not armed */
};

static uint64_t earliest(const struct world *w)
{
    uint64_t next = UINT64_MAX;
    for (uint32_t ix = 1; ix <= N; ix++) {
        if (w->due[ix] != 0)
            next = min_u64(next, w->due[ix]);
    }
    return next;
}

/* 0..63, or that many bits' worth: every level is reached by two bytes. */
static uint64_t distance(struct fuzz_input *in)
{
    uint8_t how = fuzz_u8(in);
    if (how < 64)
        return how;
    uint64_t bit = (uint64_t)1 << how % 31;
    return bit + fuzz_u8(in) - min_u64(bit, 128);
}

static void expire(struct world *w)
{
    uint64_t last = 0;
    uint32_t ix;
    while ((ix = wheel_expire(&w->wheel, w->now)) != 0) {
        CHECK(ix <= N && w->due[ix] != 0);
        CHECK(w->due[ix] <= w->now && w->due[ix] >= last);
        last = w->due[ix];
        w->due[ix] = 0;
    }
    CHECK(earliest(w) > w->now);
}

static void step(struct world *w, struct fuzz_input *in)
{
    uint8_t what = fuzz_u8(in);
    uint32_t ix = 1 + what % N;
    switch (what / N) {
    case 0:
        wheel_clear(&w->wheel, ix);
        w->due[ix] = 0;
        break;
    case 1:
        w->now += distance(in);
        expire(w);
        break;
    case 2:
        if (wheel_next(&w->wheel) != UINT64_MAX) {
            w->now = max_u64(w->now, wheel_next(&w->wheel));
            expire(w);
        }
        break;
    default:
        w->due[ix] = w->now + distance(in);
        wheel_set(&w->wheel, ix, w->due[ix], w->now);
    }
    uint64_t next = wheel_next(&w->wheel);
    CHECK(next <= earliest(w));
    CHECK((next == UINT64_MAX) == (earliest(w) == UINT64_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    static struct fuzz_mem mem;
    static struct world w;
    struct slab slab;
    fuzz_mem_init(&mem);
    CHECK(slab_init(&slab, &mem.mem, SLAB_HANDLES, sizeof(struct object), N));
    memset(&w, 0, sizeof(w));
    w.now = (uint64_t)fuzz_u32(&in) << fuzz_u8(&in) % 16;
    w.now++; /* never 0, which stands for not armed */
    wheel_init(&w.wheel, &slab, offsetof(struct object, node), w.now);
    for (uint32_t ix = 1; ix <= N; ix++)
        CHECK(slab_alloc(&slab) == ix);
    while (in.left != 0)
        step(&w, &in);
    for (uint32_t steps = 0; wheel_next(&w.wheel) != UINT64_MAX; steps++) {
        CHECK(steps <= N * WHEEL_LEVELS); /* each call makes progress */
        w.now = max_u64(w.now, wheel_next(&w.wheel));
        expire(&w);
    }
    CHECK(w.wheel.count == 0);
    slab_destroy(&slab);
    fuzz_mem_done(&mem);
    return 0;
}
