/* fuzz_ranges.c - operations on a set of ranges, beside a bitmap of the same numbers.
 *
 * Input: where on the circle, how many ranges, then operations of 3 bytes.
 */
#include "fuzz.h"

#include "base/ranges.h"

enum { SPAN = 128, CAP = 24 };

struct model {
    uint32_t base;
    bool has[SPAN];
    void *first[SPAN], *last[SPAN]; /* tags of the edges: of the first and last number */
};

static uint32_t model_runs(const struct model *m, uint32_t lo, uint32_t hi)
{
    uint32_t runs = 0;
    bool before = false;
    for (uint32_t i = 0; i < SPAN; i++) {
        bool now = m->has[i] || (i >= lo && i < hi);
        runs += now && !before;
        before = now;
    }
    return runs;
}

static void model_add(struct model *m, uint32_t lo, uint32_t hi, void *tag)
{
    bool left = m->has[lo] || (lo != 0 && m->has[lo - 1]);
    bool right = m->has[hi - 1] || (hi != SPAN && m->has[hi]);
    for (uint32_t i = lo; i < hi; i++)
        m->has[i] = true;
    if (!left)
        m->first[lo] = tag;
    if (!right)
        m->last[hi - 1] = tag;
}

static void check(const struct ranges *r, const struct model *m)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < SPAN; i++) {
        if (m->has[i] && (i == 0 || !m->has[i - 1])) {
            CHECK(n < r->count && r->at[n].lo == m->base + i);
            CHECK(r->at[n].first == m->first[i]);
        }
        if (m->has[i] && (i == SPAN - 1 || !m->has[i + 1])) {
            CHECK(n < r->count && r->at[n].hi == m->base + i + 1);
            CHECK(r->at[n].last == m->last[i]);
            n++;
        }
    }
    CHECK(r->count == n);
}

static void trim(struct ranges *r, struct model *m, uint32_t to)
{
    if (to != 0 && m->has[to] && m->has[to - 1]) {
        uint32_t start = to;
        while (start != 0 && m->has[start - 1])
            start--;
        m->first[to] = m->first[start]; /* a range that is cut keeps its tags */
    }
    memset(m->has, 0, to);
    ranges_trim(r, m->base + to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    static struct model m;
    struct range at[CAP];
    memset(&m, 0, sizeof(m));
    m.base = fuzz_u32(&in);
    struct ranges r = {.at = at, .count = 0, .cap = 1 + fuzz_u8(&in) % CAP};
    for (uintptr_t step = 1; in.left != 0; step++) {
        /* told apart, never followed */
        void *tag = (void *)step; /* NOLINT(performance-no-int-to-ptr) */
        uint8_t what = fuzz_u8(&in);
        uint32_t lo = fuzz_u8(&in) % SPAN, len = 1 + fuzz_u8(&in);
        if (what < 16) {
            trim(&r, &m, lo);
        } else if (what < 48 && r.count != 0) {
            uint32_t i = lo % r.count;
            for (uint32_t seq = r.at[i].lo; seq != r.at[i].hi; seq++)
                m.has[seq - m.base] = false;
            ranges_drop(&r, i);
        } else {
            uint32_t hi = min_u32(lo + len % (what < 200 ? 4 : 128) + 1, SPAN);
            int i = ranges_add(&r, m.base + lo, m.base + hi, tag, tag);
            CHECK((i < 0) == (model_runs(&m, lo, hi) > r.cap));
            if (i >= 0)
                model_add(&m, lo, hi, tag);
        }
        check(&r, &m);
        CHECK(ranges_has(&r, m.base + lo) == m.has[lo]);
        CHECK(ranges_has(&r, m.base + lo + len) == (lo + len < SPAN && m.has[lo + len]));
    }
    for (uint32_t i = 0; i < SPAN; i++)
        CHECK(ranges_has(&r, m.base + i) == m.has[i]);
    return 0;
}
