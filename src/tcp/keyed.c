/* keyed.c - values that an outsider must not guess: each is a keyed hash of the tuple, under a key
 * of its own. */
#include "tcp/tcp.h"

static void words_of(const struct tcp_tuple *tuple, uint64_t w[5])
{
    for (int i = 0; i < 2; i++) {
        w[i] = load_le64(tuple->remote + 8 * i);
        w[i + 2] = load_le64(tuple->local + 8 * i);
    }
    w[4] = (uint64_t)tuple->rport << 16 | tuple->lport;
}

uint32_t tcp_flow_hash(const struct tcp *t, const struct tcp_tuple *tuple)
{
    uint64_t w[5], h;
    if (wire_is_ip4(tuple->remote)) {
        /* The first 12 bytes are the same for all, and the local address is IPv4 too. */
        w[0] = (uint64_t)load_be32(tuple->remote + 12) << 32 | load_be32(tuple->local + 12);
        h = siphash13_tail(&t->key_flow, w, 1, (uint32_t)tuple->rport << 16 | tuple->lport, 4);
    } else {
        words_of(tuple, w);
        h = siphash13_tail(&t->key_flow, w, 4, w[4], 4);
    }
    return (uint32_t)(h ^ h >> 32);
}

/* RFC 6528: M + F(tuple, secret), M ticking every 4 us (RFC 9293 3.4.1, MUST-8, MUST-9). */
uint32_t keyed_isn(const struct tcp *t, const struct tcp_tuple *tuple)
{
    if (t->cfg->isn_fixed)
        return t->cfg->isn;
    uint64_t w[5];
    words_of(tuple, w);
    return (uint32_t)(t->now / (4 * NS_PER_US)) + (uint32_t)siphash24(&t->key_isn, w, sizeof(w));
}

/* Keyed by the whole tuple, not by the host pair: else one connection tells about another. */
uint32_t keyed_ts_offset(const struct tcp *t, const struct tcp_tuple *tuple)
{
    uint64_t w[5];
    words_of(tuple, w);
    return (uint32_t)siphash24(&t->key_ts, w, sizeof(w));
}

uint64_t keyed_port(const struct tcp *t, const struct tcp_tuple *tuple, uint32_t count)
{
    uint64_t w[5];
    words_of(tuple, w);
    w[4] |= (uint64_t)count << 32;
    return siphash24(&t->key_port, w, sizeof(w));
}
