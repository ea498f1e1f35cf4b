/* A bounded search over the real code: from each state that two stacks can be in, everything that
 * can happen next - a packet arrives, gets lost, comes twice or overtakes another, a timer is due,
 * a program writes, reads, shuts, closes, breaks off - to a given depth. What must hold is checked
 * in each state, and a part of them (all, when there is time) is also led to a good end.
 *
 * States are known again by a hash of what both ends say of themselves and of what is under way,
 * relative to initial numbers and to the time; one that was searched to at least the same depth is
 * not searched again. TERN_SEARCH_DEPTH and TERN_SEARCH_STATES set the bounds.
 *
 * valgrind: is too slow for millions of states; AddressSanitizer has watched over the search */
#include "unit.h"

#include "net.h"
#include "wire/tcp.h"

enum { DEPTH_MAX = 40, TABLE_BITS = 22, WRITE = 50, SHALLOW = 7 /* with sanitizers */ };

enum op { DELIVER, OVERTAKE, DROP, TWICE, TIMER, WRITES, READS, SHUTS, CLOSES, ABORTS, OPS };
static const char *const op_name[OPS] = {"deliver", "overtake", "drop", "twice", "timer",
                                         "write",   "read",     "shut", "close", "abort"};

/* How often each may happen on one path; what has none here is bounded by nothing else. */
struct budget {
    uint8_t left[OPS];
};

struct step {
    uint8_t op, who;
};

static struct search {
    const char *name;
    struct net_config conf;
    uint32_t depth, finish_every;
    uint64_t states_max;
    /* progress */
    uint64_t states, finished, again, hash;
    struct step path[DEPTH_MAX];
    uint32_t at, deepest;
    uint32_t seen_states; /* bits of enum tern_state, of both ends */
    void *snapshot[DEPTH_MAX + 1];
    size_t room[DEPTH_MAX + 1];
} search;

static uint64_t table[1 << TABLE_BITS]; /* hash with the depth left in its low byte */

/* ---- knowing a state again ------------------------------------------------------------------- */

static void mix(uint64_t v)
{
    search.hash = (search.hash ^ v) * 0x9e3779b97f4a7c15u;
    search.hash ^= search.hash >> 29;
}

static uint64_t age(uint64_t when)
{
    return when == TERN_NEVER || when == 0 ? when : (when - net.now) / NET_MS;
}

static void mix_end(int end)
{
    const struct net_end *e = &net.end[end];
    tern_tcp_info i;
    tern_memory m;
    uint32_t isn = search.conf.tern.isn;
    mix((uint64_t)e->written << 32 | e->read);
    mix((uint64_t)e->opened | (uint64_t)e->shut << 1 | (uint64_t)e->closed << 2 |
        (uint64_t)e->aborted << 3 | (uint64_t)e->eof << 4 | (uint64_t)(e->sock.id != 0) << 5 |
        (uint64_t)(uint32_t)e->err << 32);
    mix(age(tern_next_timeout(e->s)));
    tern_memory_of(e->s, &m);
    mix((uint64_t)m.conns << 48 | (uint64_t)m.halfopen << 32 | m.timewaits << 16 | m.pages);
    if (e->sock.id == 0 || tern_info(e->s, e->sock, &i, sizeof(i)) < 0)
        return;
    search.seen_states |= 1u << i.state;
    mix((uint64_t)i.state | (uint64_t)i.retransmits << 8 | (uint64_t)i.backoff << 16 |
        (uint64_t)i.phase << 24 | (uint64_t)i.in_recovery << 32 | (uint64_t)i.probing << 33 |
        (uint64_t)i.quick_acks << 34 | (uint64_t)i.eof << 35 | (uint64_t)i.options << 40);
    mix((uint64_t)(i.snd_una - isn) << 32 | (i.snd_nxt - isn));
    mix((uint64_t)(i.rcv_nxt - isn) << 32 | i.rcv_wnd);
    mix((uint64_t)i.snd_wnd << 32 | i.cwnd);
    mix((uint64_t)i.rx_queued << 32 | i.tx_queued);
    mix((uint64_t)i.segs_flight << 48 | (uint64_t)i.segs_sacked << 32 | i.segs_lost << 16 |
        i.segs_again);
    mix((uint64_t)i.ssthresh << 32 | i.tx_unsent);
    mix(i.rto ^ age(i.timer));
}

/* Payload follows from its number; the rest of a packet is told by these. */
static void mix_packet(const struct net_packet *p)
{
    struct wire_ip ip;
    struct wire_tcp tcp;
    if (wire_ip_read(p->data, p->len, p->len, &ip) != TERN_DROP_NONE ||
        wire_tcp_read(p->data + ip.header_len, ip.payload_len, ip.payload_len, &tcp) != 0)
        TERN_ASSERT(!"a packet that cannot be read");
    mix((uint64_t)tcp.seq << 32 | tcp.ack);
    mix((uint64_t)p->len << 32 | (uint64_t)tcp.flags << 16 | tcp.wnd);
    for (uint32_t i = 0; i < tcp.opt.sack_count; i++)
        mix((uint64_t)tcp.opt.sack[i].lo << 32 | tcp.opt.sack[i].hi);
    if (tcp.opt.have & WIRE_OPT_TS)
        mix(net.now / NET_MS - tcp.opt.tsval);
}

static uint64_t state_hash(const struct budget *left)
{
    search.hash = 0;
    for (int end = 0; end < 2; end++)
        mix_end(end);
    for (int dir = 0; dir < 2; dir++) {
        mix(net.wire[dir].count);
        for (uint32_t i = 0; i < net.wire[dir].count; i++)
            mix_packet(&net.wire[dir].at[i]);
    }
    for (int op = 0; op < OPS; op++)
        mix(left->left[op]);
    return search.hash;
}

/* Whether it is new, or was reached with less depth left. */
static bool is_new(uint64_t hash, uint32_t left)
{
    uint64_t key = hash & ~UINT64_C(255);
    uint32_t mask = (1u << TABLE_BITS) - 1, at = (uint32_t)(hash >> 20) & mask;
    for (uint32_t i = 0; i < 64; i++, at = (at + 1) & mask) {
        if (table[at] != 0 && (table[at] & ~UINT64_C(255)) != key)
            continue;
        if (table[at] != 0 && (table[at] & 255) > left)
            return false;
        table[at] = key | (left + 1);
        return true;
    }
    return true; /* the table is crowded: some states are searched again */
}

/* ---- what can happen ------------------------------------------------------------------------- */

static bool possible(enum op op, int who, const struct budget *left)
{
    const struct net_end *e = &net.end[who];
    if (left->left[op] == 0)
        return false;
    switch (op) {
    case DELIVER:
    case DROP:
    case TWICE:
        return net.wire[who].count != 0;
    case OVERTAKE:
        return net.wire[who].count > 1;
    case TIMER:
        return who == 0;
    case WRITES:
        return e->sock.id != 0 && !e->shut && e->err == 0;
    case READS:
        return e->sock.id != 0 && e->opened && !e->eof;
    case SHUTS:
        return e->sock.id != 0 && e->opened && !e->shut && e->err == 0;
    case CLOSES:
    case ABORTS:
        return e->sock.id != 0;
    case OPS:
        break;
    }
    return false;
}

static void happen(enum op op, int who)
{
    switch (op) {
    case DELIVER:
        net_deliver(who, 0, false);
        break;
    case OVERTAKE:
        net_deliver(who, 1, false);
        break;
    case DROP:
        net_drop(who, 0);
        break;
    case TWICE:
        net_deliver(who, 0, true);
        break;
    case TIMER:
        (void)net_timer();
        break;
    case WRITES:
        net_write(who, WRITE);
        break;
    case READS:
        net_read(who);
        break;
    case SHUTS:
        net_shut(who);
        break;
    case CLOSES:
        net_close(who);
        break;
    case ABORTS:
        net_abort(who);
        break;
    case OPS:
        break;
    }
}

static void complain(void)
{
    net_tell();
    for (uint32_t i = 0; i < search.at; i++)
        print_error("  %2u %s %d\n", i + 1, op_name[search.path[i].op], search.path[i].who);
    fail_msg("%s: %s", search.name, net.why);
}

/* Leads the present state to its end, and comes back. */
static void finish(void)
{
    search.finished++;
    net_finish();
    if (net.why[0] != 0)
        complain();
    net_load(search.snapshot[search.at]);
}

static void keep(void)
{
    uint32_t at = search.at;
    if (search.room[at] < net_size()) {
        free(search.snapshot[at]);
        search.room[at] = net_size() * 2;
        search.snapshot[at] = malloc(search.room[at]);
        assert_non_null(search.snapshot[at]);
    }
    net_save(search.snapshot[at]);
}

static void explore(const struct budget *left, uint32_t sent)
{
    net_check();
    if (net.history != sent)
        net_judge();
    if (net.why[0] != 0)
        complain();
    uint64_t hash = state_hash(left);
    if (search.states >= search.states_max)
        return;
    if (!is_new(hash, search.depth - search.at)) {
        search.again++;
        return;
    }
    search.states++;
    search.deepest = search.at > search.deepest ? search.at : search.deepest;
    keep();
    if ((hash >> 40) % search.finish_every == 0)
        finish();
    if (search.at == search.depth)
        return;
    for (int op = 0; op < OPS; op++) {
        for (int who = 0; who < 2; who++) {
            if (!possible((enum op)op, who, left))
                continue;
            struct budget less = *left;
            uint32_t before = net.history;
            if (left->left[op] != UINT8_MAX)
                less.left[op]--;
            search.path[search.at++] = (struct step){(uint8_t)op, (uint8_t)who};
            happen((enum op)op, who);
            explore(&less, before);
            search.at--;
            net_load(search.snapshot[search.at]);
        }
    }
}

/* ---- searches -------------------------------------------------------------------------------- */

static uint64_t setting(const char *name, uint64_t usual)
{
    const char *given = getenv(name);
    return given != NULL ? strtoull(given, NULL, 0) : usual;
}

static void run(const char *name, const struct net_config *conf, const struct budget *budget,
                uint32_t depth)
{
    memset(table, 0, sizeof(table));
    search.name = name;
    search.conf = *conf;
    search.depth = (uint32_t)setting("TERN_SEARCH_DEPTH", unit_stride(4) > 1 ? SHALLOW : depth);
    search.states_max = setting("TERN_SEARCH_STATES", 1 << TABLE_BITS >> 1);
    search.finish_every = getenv("TERN_SEARCH_DEPTH") != NULL ? 1 : 16;
    search.states = search.finished = search.again = search.at = search.deepest = 0;
    search.seen_states = 0;
    assert_true(search.depth <= DEPTH_MAX);
    net_begin(conf);
    explore(budget, 0);
    net_end();
    for (uint32_t i = 0; i <= DEPTH_MAX; i++) {
        free(search.snapshot[i]);
        search.snapshot[i] = NULL;
        search.room[i] = 0;
    }
    print_message("    %s: %llu states to depth %u%s, %llu met again, %llu led to their end\n",
                  name, (unsigned long long)search.states, search.deepest,
                  search.states >= search.states_max ? " (not all)" : "",
                  (unsigned long long)search.again, (unsigned long long)search.finished);
}

/* What may happen how often; packets arrive and programs read as they like. */
#define WITH(...)                                                                                  \
    {                                                                                              \
        {                                                                                          \
            [DELIVER] = UINT8_MAX, [READS] = UINT8_MAX, __VA_ARGS__                                \
        }                                                                                          \
    }

static void search_with(const char *name, const struct budget *budget, uint32_t depth)
{
    struct net_config conf = {.together = strstr(name, "together") != NULL};
    net_config_default(&conf.tern);
    if (strstr(name, "timestamps") != NULL)
        conf.tern.features |= TERN_FEATURE_TIMESTAMPS;
    run(name, &conf, budget, depth);
}

static void loss(void **state)
{
    struct budget b = WITH([DROP] = 1, [TIMER] = 3, [WRITES] = 1, [SHUTS] = 2);
    (void)state;
    search_with("loss", &b, 12);
}

static void disorder(void **state)
{
    struct budget b = WITH([OVERTAKE] = 1, [TWICE] = 1, [TIMER] = 1, [WRITES] = 2, [SHUTS] = 1);
    (void)state;
    search_with("disorder", &b, 9);
}

static void breaking_off(void **state)
{
    struct budget b = WITH([DROP] = 1, [TIMER] = 2, [WRITES] = 1, [CLOSES] = 2, [ABORTS] = 1);
    (void)state;
    search_with("breaking off", &b, 10);
}

static void together(void **state)
{
    struct budget b = WITH([DROP] = 1, [TIMER] = 2, [SHUTS] = 2, [CLOSES] = 1);
    (void)state;
    search_with("together", &b, 12);
}

static void with_timestamps(void **state)
{
    struct budget b = WITH([DROP] = 1, [TIMER] = 2, [WRITES] = 2, [SHUTS] = 1);
    (void)state;
    search_with("timestamps", &b, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss),
        cmocka_unit_test(disorder),
        cmocka_unit_test(breaking_off),
        cmocka_unit_test(together),
        cmocka_unit_test(with_timestamps),
    };
    unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
