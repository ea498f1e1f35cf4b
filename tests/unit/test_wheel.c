/* test_wheel.c - timers: against a sorted model, at every distance, over jumps of hours. */
#include "unit.h"

#include "base/wheel.h"

enum { N = 500 };

struct object {
    uint32_t generation;
    uint32_t tag;
    struct wheel_node node;
    uint32_t after;
};

struct fixture {
    struct unit_mem mem;
    struct slab slab;
    struct wheel wheel;
    uint64_t due[N + 1]; /* 0: not armed */
};

static void setup(struct fixture *f, uint64_t now)
{
    memset(f, 0, sizeof(*f));
    unit_mem_init(&f->mem);
    assert_true(slab_init(&f->slab, &f->mem.mem, SLAB_HANDLES, sizeof(struct object), N));
    memset(&f->wheel, 0xa5, sizeof(f->wheel)); /* what a new one lies on is nobody's business */
    wheel_init(&f->wheel, &f->slab, offsetof(struct object, node), now);
    assert_true(f->wheel.now == now);
    for (uint32_t ix = 1; ix <= N; ix++) {
        assert_int_equal(slab_alloc(&f->slab), ix);
        ((struct object *)slab_at(&f->slab, ix))->tag = ix;
    }
}

static void finish(struct fixture *f)
{
    for (uint32_t ix = 1; ix <= N; ix++) /* nothing but the node has been written to */
        assert_int_equal(((struct object *)slab_at(&f->slab, ix))->tag, ix);
    slab_destroy(&f->slab);
    unit_mem_done(&f->mem);
}

static bool armed(const struct fixture *f, uint32_t ix)
{
    return wheel_armed(&((struct object *)slab_at(&f->slab, ix))->node);
}

static uint64_t level_map(const struct wheel *w, uint32_t level)
{
    uint64_t map = 0;
    for (uint32_t i = 0; i < WHEEL_SLOTS; i++)
        map |= (uint64_t)(w->head[level * WHEEL_SLOTS + i] != 0) << i;
    return map;
}

/* Lists, maps and count fit together, and no entry is in a slot that has gone by. */
static void check_invariant(const struct fixture *f)
{
    const struct wheel *w = &f->wheel;
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < WHEEL_LEVELS * WHEEL_SLOTS; slot++) {
        uint32_t before = WHEEL_EDGE | slot, shift = slot / WHEEL_SLOTS * 6;
        assert_int_equal(w->head[slot] == 0, w->tail[slot] == 0);
        for (uint32_t ix = w->head[slot]; ix != 0 && !(ix & WHEEL_EDGE);) {
            const struct object *o = slab_at(&f->slab, ix);
            assert_int_equal(o->node.prev, before);
            uint64_t expires = w->now + (uint32_t)(o->node.expires - (uint32_t)w->now);
            assert_int_equal(expires >> shift & 63, slot % WHEEL_SLOTS);
            uint64_t away = (expires >> shift) - (w->now >> shift);
            assert_true(away <= 63 && (shift == 0 || away >= 1));
            before = ix;
            ix = o->node.next;
            count++;
            if (ix & WHEEL_EDGE) {
                assert_int_equal(ix, WHEEL_EDGE | slot);
                assert_int_equal(w->tail[slot], before);
            }
        }
    }
    assert_int_equal(count, w->count);
    for (uint32_t level = 0; level < WHEEL_LEVELS; level++)
        assert_true(w->map[level] == level_map(w, level));
}

static uint64_t model_next(const struct fixture *f)
{
    uint64_t next = UINT64_MAX;
    for (uint32_t ix = 1; ix <= N; ix++) {
        if (f->due[ix] != 0)
            next = min_u64(next, f->due[ix]);
    }
    return next;
}

static void set(struct fixture *f, uint32_t ix, uint64_t expires, uint64_t now)
{
    wheel_set(&f->wheel, ix, expires, now);
    f->due[ix] = expires;
}

/* Fires all that is due at `now`: no more, no less, and in the order of ticks. */
static uint32_t expire_all(struct fixture *f, uint64_t now)
{
    uint32_t ix, fired = 0;
    uint64_t last = 0;
    while ((ix = wheel_expire(&f->wheel, now)) != 0) {
        assert_in_range(ix, 1, N);
        assert_true(f->due[ix] != 0 && f->due[ix] <= now);
        assert_true(f->due[ix] >= last);
        last = f->due[ix];
        assert_false(armed(f, ix));
        f->due[ix] = 0;
        fired++;
    }
    uint64_t next = model_next(f);
    assert_true(next > now);
    assert_true(wheel_next(&f->wheel) <= next);
    assert_true(wheel_next(&f->wheel) > now);
    return fired;
}

static void fires_at_every_distance_and_never_before(void **state)
{
    (void)state;
    /* from all positions within slots, to both sides of each level's edge */
    const uint64_t starts[] = {0, 1, 62, 63, 64, 4095, 4096, 262143, 0xffffffff, 0x123456789abc};
    struct fixture f;
    for (size_t s = 0; s < ARRAY_LEN(starts); s++) {
        for (uint32_t bit = 0; bit <= 30; bit++) {
            for (int64_t near = -65; near <= 65; near++) {
                int64_t distance = ((int64_t)1 << bit) + near;
                if (distance < 0)
                    continue;
                struct wheel *w = &f.wheel;
                if (bit == 0 && near == -1)
                    setup(&f, starts[s]);
                else
                    wheel_init(w, &f.slab, offsetof(struct object, node), starts[s]);
                uint64_t due = starts[s] + (uint64_t)distance;
                wheel_set(w, 1, due, starts[s]);
                uint32_t steps = 0;
                for (uint64_t t; (t = wheel_next(w)) < due; steps++) {
                    assert_true(t > starts[s] || steps == 0);
                    assert_int_equal(wheel_expire(w, t), 0);
                    assert_true(wheel_next(w) > t);
                }
                assert_true(steps < WHEEL_LEVELS);
                assert_int_equal(wheel_next(w), due);
                assert_int_equal(wheel_expire(w, due), 1);
                assert_int_equal(w->count, 0);
                assert_int_equal(wheel_next(w), UINT64_MAX);
            }
        }
        finish(&f);
    }
}

static void does_not_fire_one_tick_early(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 1000000);
    for (uint32_t round = 0; round < 20000; round++) {
        uint64_t now = f.wheel.now;
        uint64_t due = now + 1 + (unit_random() & (((uint64_t)1 << unit_below(31)) - 1));
        wheel_set(&f.wheel, 7, due, now);
        assert_int_equal(wheel_expire(&f.wheel, due - 1), 0);
        assert_true(armed(&f, 7));
        assert_int_equal(wheel_expire(&f.wheel, due), 7);
    }
    finish(&f);
}

/* Slots that equal the present position: 64 slots ahead, not now. */
static void is_not_fooled_by_a_full_turn(void **state)
{
    (void)state;
    struct fixture f;
    for (uint32_t level = 1; level < 5; level++) {
        uint64_t slot = (uint64_t)1 << 6 * level, turn = slot * 64;
        for (uint64_t into = 0; into < slot; into += 1 + slot / 7) {
            setup(&f, 5 * turn + 17 * slot + into);
            uint64_t now = f.wheel.now;
            set(&f, 1, now + turn - into, now); /* the slot under `now`, one turn later */
            set(&f, 2, now + turn - 1, now);
            set(&f, 3, now + turn, now);
            set(&f, 4, now + 1, now);
            check_invariant(&f);
            for (uint64_t t; f.wheel.count != 0; check_invariant(&f)) {
                t = wheel_next(&f.wheel);
                expire_all(&f, t);
            }
            finish(&f);
        }
    }
}

static void agrees_with_a_model(void **state)
{
    (void)state;
    struct fixture f;
    const uint64_t starts[] = {1, 0xfffffff0, 0x3fffffffff00};
    for (uint32_t round = 0; round < 60; round++) {
        uint64_t now = starts[round % ARRAY_LEN(starts)];
        setup(&f, now);
        uint32_t spread = 4 + unit_below(27);
        for (uint32_t step = 0; step < 2000; step++) {
            uint32_t ix = 1 + unit_below(N), what = unit_below(10);
            if (what < 6) {
                set(&f, ix, now + (unit_random() & (((uint64_t)1 << unit_below(spread)) - 1)), now);
            } else if (what < 8) {
                wheel_clear(&f.wheel, ix);
                f.due[ix] = 0;
            } else {
                now += unit_random() & (((uint64_t)1 << unit_below(spread)) - 1);
                expire_all(&f, now);
            }
            if (step % 16 == 0)
                check_invariant(&f);
            assert_int_equal(armed(&f, ix), f.due[ix] != 0);
        }
        finish(&f);
    }
}

/* wheel_next() leads to each entry in a bounded number of steps. */
static void walks_from_slot_to_slot(void **state)
{
    (void)state;
    struct fixture f;
    for (uint32_t round = 0; round < 50; round++) {
        uint64_t now = unit_random() >> 20;
        setup(&f, now);
        for (uint32_t ix = 1; ix <= N; ix++)
            set(&f, ix, now + (unit_random() & (((uint64_t)1 << unit_below(31)) - 1)), now);
        uint32_t fired = 0, steps = 0;
        while (f.wheel.count != 0) {
            uint64_t t = wheel_next(&f.wheel);
            assert_true(t >= now && t <= model_next(&f));
            now = t;
            fired += expire_all(&f, now);
            steps++;
        }
        assert_int_equal(fired, N);
        assert_true(steps <= N * WHEEL_LEVELS);
        finish(&f);
    }
}

/* As TIME-WAIT uses it: set equally far ahead, some ended early, the oldest given up. */
static void the_first_is_the_oldest_of_those_equally_far_ahead(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 1000);
    assert_int_equal(wheel_first(&f.wheel), 0);
    uint64_t now = 1000;
    uint32_t oldest = 1;
    for (uint32_t ix = 1; ix <= N; ix++) {
        now += unit_below(200);
        expire_all(&f, now);
        set(&f, ix, now + 60000, now);
        if (unit_below(3) == 0) {
            uint32_t gone = 1 + unit_below(ix);
            wheel_clear(&f.wheel, gone);
            f.due[gone] = 0;
        }
        while (oldest <= ix && f.due[oldest] == 0)
            oldest++;
        if (oldest <= ix)
            assert_int_equal(wheel_first(&f.wheel), oldest);
        else
            assert_int_equal(wheel_first(&f.wheel), 0);
        check_invariant(&f);
    }
    finish(&f);
}

/* Far ones and near ones, in any order: one of the near. */
static void the_nearer_is_first(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 1000);
    set(&f, 1, 1000 + 20000000, 1000);
    set(&f, 2, 1000 + 10, 1000);
    set(&f, 3, 1000 + 5000, 1000);
    assert_int_equal(wheel_first(&f.wheel), 2);
    wheel_clear(&f.wheel, 2);
    f.due[2] = 0;
    assert_int_equal(wheel_first(&f.wheel), 3);
    check_invariant(&f);
    finish(&f);
}

static void one_tick_fires_in_the_order_of_setting(void **state)
{
    (void)state;
    struct fixture f;
    const uint64_t ahead[] = {0, 1, 63, 64, 5000, 300000, 20000000};
    for (size_t i = 0; i < ARRAY_LEN(ahead); i++) {
        setup(&f, 12345);
        for (uint32_t ix = 1; ix <= N; ix++)
            wheel_set(&f.wheel, ix, 12345 + ahead[i], 12345);
        for (uint32_t ix = 1; ix <= N; ix++)
            assert_int_equal(wheel_expire(&f.wheel, 12345 + ahead[i]), ix);
        finish(&f);
    }
}

static void survives_a_jump_of_hours(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 12345);
    for (uint32_t ix = 1; ix <= N; ix++)
        set(&f, ix, 12345 + unit_below(3600 * 1000), 12345);
    assert_int_equal(expire_all(&f, 12345 + 5 * 3600 * 1000), N);
    check_invariant(&f);
    set(&f, 1, f.wheel.now + 10, f.wheel.now);
    assert_int_equal(expire_all(&f, f.wheel.now + ((uint64_t)1 << 40)), 1);
    finish(&f);
}

static void an_empty_wheel_jumps_to_the_present(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 100);
    uint64_t now = (uint64_t)1 << 50;
    set(&f, 1, now + 5, now); /* nobody has called wheel_expire() for ages */
    assert_int_equal(wheel_next(&f.wheel), now + 5);
    set(&f, 1, now + 3000 + 7, now + 3000); /* alone and moved: the same */
    assert_int_equal(f.wheel.now, now + 3000);
    assert_int_equal(expire_all(&f, now + 3006), 0);
    assert_int_equal(expire_all(&f, now + 3007), 1);
    assert_int_equal(wheel_expire(&f.wheel, now + 9000), 0);
    assert_int_equal(f.wheel.now, now + 9000);
    finish(&f);
}

static void a_wheel_in_use_does_not_jump(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 100);
    set(&f, 1, 200, 100);
    set(&f, 2, 5000 + 10, 5000); /* late: 1 is due but has not fired */
    check_invariant(&f);
    assert_int_equal(expire_all(&f, 5000), 1);
    assert_int_equal(expire_all(&f, 5010), 1);
    finish(&f);
}

static void the_past_means_now(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 1000);
    wheel_set(&f.wheel, 1, 3, 1000);
    wheel_set(&f.wheel, 2, 1000, 1000);
    wheel_set(&f.wheel, 3, 0, 0);
    assert_int_equal(wheel_next(&f.wheel), 1000);
    uint32_t seen = 0;
    for (uint32_t i = 0; i < 3; i++)
        seen |= 1u << wheel_expire(&f.wheel, 1000);
    assert_int_equal(seen, 14);
    assert_int_equal(wheel_expire(&f.wheel, 1000), 0);
    finish(&f);
}

static void time_does_not_run_backwards(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 1000);
    set(&f, 1, 1010, 1000);
    assert_int_equal(wheel_expire(&f.wheel, 1005), 0);
    assert_int_equal(wheel_expire(&f.wheel, 900), 0);
    assert_int_equal(f.wheel.now, 1005);
    assert_int_equal(expire_all(&f, 1010), 1);
    finish(&f);
}

static void a_far_deadline_is_cut(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 77);
    const uint64_t far[] = {(uint64_t)INT32_MAX + 1, UINT32_MAX, (uint64_t)1 << 40, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(far); i++) {
        uint64_t now = f.wheel.now;
        wheel_set(&f.wheel, 9, far[i] > UINT64_MAX - now ? UINT64_MAX : now + far[i], now);
        assert_int_equal(wheel_expire(&f.wheel, now + INT32_MAX - 1), 0);
        assert_int_equal(wheel_expire(&f.wheel, now + INT32_MAX), 9);
    }
    finish(&f);
}

static void clearing_is_harmless_when_not_armed(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 10);
    wheel_clear(&f.wheel, 4);
    set(&f, 4, 20, 10);
    wheel_clear(&f.wheel, 4);
    wheel_clear(&f.wheel, 4);
    assert_int_equal(f.wheel.count, 0);
    assert_int_equal(wheel_next(&f.wheel), UINT64_MAX);
    assert_int_equal(wheel_expire(&f.wheel, 1000), 0);
    finish(&f);
}

/* Many entries that move down together are not moved in one call, and none is lost by that. */
static void one_call_moves_a_bounded_number(void **state)
{
    (void)state;
    enum { MANY = 3 * WHEEL_MOVES_MAX };
    struct unit_mem m;
    struct slab s;
    static struct wheel w;
    unit_mem_init(&m);
    assert_true(slab_init(&s, &m.mem, SLAB_PLAIN, sizeof(struct object), MANY));
    wheel_init(&w, &s, offsetof(struct object, node), 0);
    for (uint32_t i = 0; i < MANY; i++)
        wheel_set(&w, slab_alloc(&s), 64 * 64 + 17, 0);
    uint32_t fired = 0, empty_handed = 0;
    uint64_t now = 64 * 64 + 17;
    while (wheel_next(&w) <= now) {
        uint32_t on_top = wheel_expire(&w, now) == 0;
        empty_handed += on_top;
        fired += !on_top;
    }
    assert_int_equal(fired, MANY);
    assert_in_range(empty_handed, 2, 7);
    assert_int_equal(w.count, 0);
    slab_destroy(&s);
    unit_mem_done(&m);
}

int main(void)
{
    unit_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_at_every_distance_and_never_before),
        cmocka_unit_test(does_not_fire_one_tick_early),
        cmocka_unit_test(is_not_fooled_by_a_full_turn),
        cmocka_unit_test(agrees_with_a_model),
        cmocka_unit_test(walks_from_slot_to_slot),
        cmocka_unit_test(the_first_is_the_oldest_of_those_equally_far_ahead),
        cmocka_unit_test(the_nearer_is_first),
        cmocka_unit_test(one_tick_fires_in_the_order_of_setting),
        cmocka_unit_test(survives_a_jump_of_hours),
        cmocka_unit_test(an_empty_wheel_jumps_to_the_present),
        cmocka_unit_test(a_wheel_in_use_does_not_jump),
        cmocka_unit_test(the_past_means_now),
        cmocka_unit_test(time_does_not_run_backwards),
        cmocka_unit_test(a_far_deadline_is_cut),
        cmocka_unit_test(clearing_is_harmless_when_not_armed),
        cmocka_unit_test(one_call_moves_a_bounded_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
