/* impair.c - see impair.h. */
#include "lab/impair.h"

#include "base/util.h"
#include "wire/tcp.h"

#define HOLD_MIN 10000000u /* ns: 10 ms */

void impair_init(struct impair *m, const struct lab_impair *conf, uint64_t seed, int dir)
{
    m->conf = *conf;
    for (unsigned i = 0; i < IMPAIR_STREAMS; i++)
        lab_random_seed(&m->stream[i], lab_random_derive(seed, i * 2 + (unsigned)dir));
}

/* Gilbert's model: a burst begins so seldom that the share of losses is `loss`. */
static bool lost(struct impair *m)
{
    const struct lab_impair *conf = &m->conf;
    struct lab_random *r = &m->stream[IMPAIR_LOSS];
    if (conf->burst <= 1 || conf->loss >= 1)
        return lab_random_chance(r, conf->loss);
    double begins = conf->loss / (1 - conf->loss) / conf->burst;
    m->losing = lab_random_chance(r, m->losing ? 1 - 1 / conf->burst : begins);
    return m->losing;
}

bool impair_police(struct impair *m, size_t len, uint64_t now)
{
    const struct lab_impair *conf = &m->conf;
    uint64_t full = conf->police_burst * UINT64_C(8000000000), need = len * UINT64_C(8000000000);
    uint64_t since = now - m->filled;
    if (m->filled == 0 || since >= 10000000000)
        m->tokens = full;
    else
        m->tokens = min_u64(full, m->tokens + since * conf->police);
    m->filled = now;
    if (m->tokens < need)
        return false;
    m->tokens -= need;
    return true;
}

void impair_decide(struct impair *m, size_t len, struct impair_verdict *v)
{
    const struct lab_impair *conf = &m->conf;
    struct lab_random *r = m->stream;
    *v = (struct impair_verdict){.lost = lost(m)};
    v->duplicate = lab_random_chance(&r[IMPAIR_DUPLICATE], conf->duplicate);
    v->corrupt = lab_random_chance(&r[IMPAIR_CORRUPT], conf->corrupt);
    if (v->corrupt)
        v->bit = lab_random_below(&r[IMPAIR_CORRUPT_BIT], len * 8);
    if (lab_random_chance(&r[IMPAIR_REORDER], conf->reorder))
        v->wait = (uint8_t)(1 + lab_random_below(&r[IMPAIR_REORDER_BY], IMPAIR_WAIT_MAX));
    if (conf->jitter != 0)
        v->jitter = lab_random_below(&r[IMPAIR_JITTER], conf->jitter + 1);
}

uint64_t impair_hold(const struct lab_impair *conf) { return max_u64(conf->delay / 2, HOLD_MIN); }

enum lab_kind impair_kind(const uint8_t *data, size_t len)
{
    struct wire_ip ip;
    struct wire_tcp tcp;
    if (wire_ip_read(data, len, len, &ip) != TERN_DROP_NONE || ip.proto != WIRE_TCP ||
        ip.fragment ||
        wire_tcp_read(data + ip.header_len, len - ip.header_len, ip.payload_len, &tcp) !=
            TERN_DROP_NONE)
        return LAB_KINDS;
    if (tcp.flags & TCP_RST)
        return LAB_RST;
    if (tcp.flags & TCP_SYN)
        return tcp.flags & TCP_ACK ? LAB_SYNACK : LAB_SYN;
    if (tcp.flags & TCP_FIN)
        return LAB_FIN;
    return ip.payload_len > tcp.header_len ? LAB_DATA : LAB_ACK;
}

bool impair_rules(struct impair_rule *rules, size_t n, int dir, const uint8_t *data, size_t len)
{
    if (n == 0)
        return false;
    enum lab_kind kind = impair_kind(data, len);
    bool drop = false;
    for (size_t i = 0; i < n; i++) {
        struct impair_rule *r = &rules[i];
        if ((r->conf.dir >= 0 && r->conf.dir != dir) ||
            (r->conf.kind != LAB_KINDS && r->conf.kind != kind))
            continue;
        r->seen++;
        drop |= r->seen >= r->conf.first && r->seen - r->conf.first < r->conf.count;
    }
    return drop;
}
