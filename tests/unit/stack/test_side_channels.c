/* test_side_channels.c - what somebody off the path can learn of others' connections by what
 * happens to his own: he plays in two worlds, in one of which the others do something, and the
 * numbers that he sees are compared.
 *
 * The distinguisher: two samples of N observations are told apart when their distribution functions
 * differ somewhere by more than D = 2.7 * sqrt(2 / N) (Kolmogorov and Smirnov), which happens to
 * equal worlds once in a million times. An event that is more likely in one world than in the other
 * by 2 * D is found, but for once in a million times. N is 300, D 0.22; TERN_TRIALS=20000 makes D
 * 0.027 (a few minutes). That it finds what is there is tested, too.
 *
 * valgrind: it is about how often something happens, and so takes many times
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../tcp/rig.h"

#include "tern/udp.h"

enum { PORT_FIRST = 32768, PORT_LAST = 60999, TRIALS_MAX = 1000000 };

static unsigned trials(void)
{
    const char *given = getenv("TERN_TRIALS");
    unsigned long n = given != NULL ? strtoul(given, NULL, 10) : 300;
#ifdef __SANITIZE_ADDRESS__
    n = given == NULL ? 100 : n;
#endif
    return n < 100 ? 100 : n > TRIALS_MAX ? TRIALS_MAX : (unsigned)n;
}

/* ---- the distinguisher ----------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The largest difference of the distribution functions of two samples, which are sorted. */
static double distance(double *a, double *b, unsigned n)
{
    double most = 0;
    qsort(a, n, sizeof(*a), by_size);
    qsort(b, n, sizeof(*b), by_size);
    for (unsigned i = 0, j = 0; i < n || j < n;) {
        double x = i < n && (j == n || a[i] <= b[j]) ? a[i] : b[j];
        while (i < n && a[i] <= x)
            i++;
        while (j < n && b[j] <= x)
            j++;
        most = fmax(most, fabs((double)i - (double)j) / n);
    }
    return most;
}

static double limit_of(unsigned n) { return 2.7 * sqrt(2.0 / n); }

typedef double observe_fn(struct rig *r, bool active);

/* One observation in a world of its own, with keys of its own. */
static double in_a_world(const struct rig *like, observe_fn *observe, bool active)
{
    struct rig *r = malloc(sizeof(*r));
    assert_non_null(r);
    rig_init(r, like->ip6);
    r->unclean = true;
    r->cfg.isn_fixed = false;
    for (unsigned i = 0; i < sizeof(r->cfg.seed); i++)
        r->cfg.seed[i] = (uint8_t)(rig_random() | 1);
    double x = observe(r, active);
    rig_end(r);
    free(r);
    return x;
}

/* How far apart the two worlds are. */
static double compare(const struct rig *r, observe_fn *observe)
{
    unsigned n = trials();
    double *still = malloc(n * sizeof(double)), *busy = malloc(n * sizeof(double));
    assert_non_null(still);
    assert_non_null(busy);
    for (unsigned i = 0; i < n; i++) {
        still[i] = in_a_world(r, observe, false);
        busy[i] = in_a_world(r, observe, true);
    }
    double d = distance(still, busy, n);
    free(still);
    free(busy);
    return d;
}

static void same(const struct rig *r, observe_fn *observe)
{
    double d = compare(r, observe), limit = limit_of(trials());
    if (d > limit)
        rig_fail("the two worlds differ by %.3f, %u times each; %.3f is chance", d, trials(),
                 limit);
}

/* Observations that should be equally likely everywhere in [0, 1). */
static void uniform(const struct rig *r, observe_fn *observe)
{
    unsigned n = trials();
    double *x = malloc(n * sizeof(double)), *even = malloc(n * sizeof(double));
    assert_non_null(x);
    assert_non_null(even);
    for (unsigned i = 0; i < n; i++) {
        x[i] = in_a_world(r, observe, true);
        even[i] = (i + 0.5) / n;
    }
    double d = distance(x, even, n);
    free(x);
    free(even);
    if (d > limit_of(n))
        rig_fail("some values are more likely than others, by %.3f", d);
}

/* ---- what is there is found ------------------------------------------------------------------ */

static double leaks_often(struct rig *r, bool active)
{
    (void)r;
    return rig_random() % 10 < (active ? 9 : 0) ? 1 : 0;
}

static double leaks_nothing(struct rig *r, bool active)
{
    (void)r, (void)active;
    return rig_random() % 10;
}

static void it_finds_what_is_there(struct rig *r)
{
    assert_true(compare(r, leaks_often) > limit_of(trials()));
    same(r, leaks_nothing);
}

/* ---- challenge ACKs -------------------------------------------------------------------------- */

/* How many the attacker gets on his own connection in two seconds, while he sends others in the
 * name of a victim who is connected, or is not. */
static double challenges(struct rig *r, bool active)
{
    struct peer *own = peer_passive(r), *victim = peer_new(r);
    if (active)
        peer_connects(victim, r->listener);
    victim->raw_numbers = own->raw_numbers = true;
    unsigned mine = 0;
    for (unsigned i = 0; i < 40; i++) {
        for (unsigned j = 0; j < 5; j++) {
            say(victim, S, 1000 + rig_random() % 100000, 0, 0);
            say(victim, R, 1 + rig_random() % 60000, 0, 0);
        }
        say(own, S, 1000, 0, 0);
        rig_turn(r);
        for (const struct seg *g; (g = rig_next(r)) != NULL;)
            mine += g->dport == own->port;
        r->now += MS(25) + rig_random() % MS(50);
    }
    return mine;
}

/* */
static void challenge_acks(struct rig *r) { same(r, challenges); }

/* ---- source ports ---------------------------------------------------------------------------- */

static uint16_t port_to(struct rig *r, uint8_t host, uint16_t port)
{
    tern_sock k;
    tern_addr to = rig_addr(r->remote, port), local;
    to.ip[15] = host;
    assert_int_equal(tern_connect(r->s, &k, NULL, &to, NULL), 0);
    assert_int_equal(tern_names(r->s, k, &local, NULL), 0);
    rig_turn(r);
    rig_forget(r);
    return local.port;
}

static double next_to(uint16_t first, uint16_t second)
{
    enum { RANGE = PORT_LAST - PORT_FIRST + 1 };
    return (double)((second - first + RANGE) % RANGE) / RANGE;
}

/* From one connection to the attacker to the next; between them there are others, or none. */
static double ports(struct rig *r, bool active)
{
    rig_start(r);
    uint16_t first = port_to(r, 66, 80);
    for (unsigned i = 0; active && i < 5; i++)
        port_to(r, (uint8_t)(100 + i), 443);
    return next_to(first, port_to(r, 66, 80));
}

static double one_port(struct rig *r, bool active)
{
    (void)active;
    rig_start(r);
    return next_to(PORT_FIRST, port_to(r, 66, 80));
}

/* neither tell ports of others' connections, nor one of the next. */
static void source_ports(struct rig *r)
{
    same(r, ports);
    uniform(r, ports);
    uniform(r, one_port);
}

/* ---- timestamps and initial numbers ---------------------------------------------------------- */

/* The clock on the second connection of a host, seen from its first. */
static double clocks(struct rig *r, bool active)
{
    struct peer *a = peer_new(r), *b, *victim;
    r->listener = rig_listen(r, a->lport, 16, 0);
    say(a, S, 0, 0, 0);
    uint32_t first = hear_syn(a, S | A)->tsval;
    victim = peer_new(r);
    if (active)
        peer_connects(victim, r->listener);
    b = peer_new(r);
    b->port = 50000;
    say(b, S, 0, 0, 0);
    return (double)(uint32_t)(hear_syn(b, S | A)->tsval - first) / 4294967296.0;
}

static double numbers(struct rig *r, bool active)
{
    struct peer *a = peer_new(r), *b;
    r->listener = rig_listen(r, a->lport, 16, 0);
    say(a, S, 0, 0, 0);
    uint32_t first = hear_syn(a, S | A)->seq;
    if (active)
        peer_connects(peer_new(r), r->listener);
    b = peer_new(r);
    b->port = 50000;
    say(b, S, 0, 0, 0);
    return (double)(uint32_t)(hear_syn(b, S | A)->seq - first) / 4294967296.0;
}

/* */
static void timestamps_and_initial_numbers(struct rig *r)
{
    same(r, clocks);
    uniform(r, clocks);
    same(r, numbers);
    uniform(r, numbers);
}

/* ---- ICMP errors ----------------------------------------------------------------------------- */

static void datagram(struct rig *r, uint8_t from, uint16_t port)
{
    uint8_t p[64];
    size_t ip = r->ip6 ? 40 : 20, len = ip + 12;
    memset(p, 0, sizeof(p));
    p[0] = r->ip6 ? 0x60 : 0x45;
    memcpy(p + (r->ip6 ? 8 : 12), r->remote + (r->ip6 ? 0 : 12), r->ip6 ? 16 : 4);
    memcpy(p + (r->ip6 ? 24 : 16), r->local + (r->ip6 ? 0 : 12), r->ip6 ? 16 : 4);
    if (r->ip6)
        p[5] = 12, p[6] = 17, p[7] = 64, p[8 + 7] = from; /* (a network of its own) */
    else
        p[3] = (uint8_t)len, p[8] = 64, p[9] = 17, p[15] = from;
    uint8_t *u = p + ip;
    u[1] = 53, u[2] = (uint8_t)(port >> 8), u[3] = (uint8_t)port, u[5] = 12;
    uint32_t sum = seg_sum(r->ip6 ? p + 8 : p + 12, r->ip6 ? 32 : 8, 17 + 12);
    sum = ~seg_sum(u, 12, sum) & 0xffff;
    u[6] = (uint8_t)(sum >> 8), u[7] = (uint8_t)sum;
    if (!r->ip6) {
        sum = ~seg_sum(p, 20, 0) & 0xffff;
        p[10] = (uint8_t)(sum >> 8), p[11] = (uint8_t)sum;
    }
    rig_input(r, p, len);
}

/* How many errors the attacker gets at his one address, while others have caused some, or none. */
static double errors(struct rig *r, bool active)
{
    unsigned mine = 0;
    rig_start(r);
    for (unsigned i = 0; active && i < 6; i++)
        datagram(r, 201, (uint16_t)(1000 + i));
    for (unsigned i = 0; i < 10; i++)
        datagram(r, 99, (uint16_t)(2000 + i));
    rig_turn(r);
    for (const struct seg *g; (g = rig_next(r)) != NULL;)
        mine += g->icmp && g->dst[r->ip6 ? 7 : 15] == 99;
    if (mine == 0 && !active)
        rig_fail("no errors at all");
    return mine;
}

/* (One of many buckets, by a keyed hash, is both addresses' own: then he does see it.) */
static void icmp_errors(struct rig *r) { same(r, errors); }

/* ---- IDs of fragments ------------------------------------------------------------------------ */

/* The ID of the fragments in which a datagram goes to that host. */
static uint32_t id_of_fragments(struct rig *r, tern_sock k, uint8_t host)
{
    static const uint8_t data[2000];
    tern_pkt out[4];
    uint8_t head[64];
    tern_addr to = rig_addr(r->remote, 7);
    to.ip[15] = host;
    assert_int_equal(tern_udp_send(r->s, k, &to, data, sizeof(data)), sizeof(data));
    size_t n = tern_output(r->s, r->iface, out, 4, r->now);
    assert_int_equal(n, 2);
    assert_true(out[0].iov[0].len <= sizeof(head));
    memcpy(head, out[0].iov[0].base, out[0].iov[0].len);
    tern_output_done(r->s, out, n);
    const uint8_t *p = head + (r->ip6 ? 46 : 4); /* the lower half */
    return (uint32_t)p[0] << 8 | p[1];
}

static double fragment_ids(struct rig *r, bool active)
{
    tern_sock k;
    tern_udp_args args = {.user = r};
    rig_start(r);
    assert_int_equal(tern_udp_open(r->s, &k, &args), 0);
    uint32_t first = id_of_fragments(r, k, 66);
    for (unsigned i = 0; active && i < 5; i++)
        id_of_fragments(r, k, 100);
    return (uint16_t)(id_of_fragments(r, k, 66) - first) / 65536.0;
}

static double first_fragment_id(struct rig *r, bool active)
{
    tern_sock k;
    tern_udp_args args = {.user = r};
    (void)active;
    rig_start(r);
    assert_int_equal(tern_udp_open(r->s, &k, &args), 0);
    return id_of_fragments(r, k, 66) / 65536.0;
}

/* TCP's are 0 (tcp/test_segments); a datagram in fragments needs one, which tells neither how
 * many went elsewhere nor where they begin. (One of 64 counters, by a keyed hash, is both hosts'.)
 */
static void ids_of_fragments(struct rig *r)
{
    same(r, fragment_ids);
    uniform(r, first_fragment_id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(it_finds_what_is_there),         RIG(challenge_acks), RIG(source_ports),
        RIG(timestamps_and_initial_numbers), RIG(icmp_errors),    RIG(ids_of_fragments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
