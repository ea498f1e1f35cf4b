/* keyed.c - values that an outsider must not guess: each is a keyed hash of the tuple, under a key
 * of its own. */
#include "tcp/tcp.h"

static size_t words_of(const struct tcp_tuple *tuple, uint64_t w[5])
{
    memcpy(&w[0], tuple->remote, 16);
    memcpy(&w[2], tuple->local, 16);
    w[4] = (uint64_t)tuple->rport << 16 | tuple->lport;
    return 5 * sizeof(uint64_t);
}

uint32_t tcp_flow_hash(const struct tcp *t, const struct tcp_tuple *tuple)
{
    uint64_t w[5];
    words_of(tuple, w);
    uint64_t h;
    if (wire_is_ip4(tuple->remote)) {
        /* The first 12 bytes are the same for all, and the local address is IPv4 too. */
        uint64_t v[2] = {(uint64_t)load_be32(tuple->remote + 12) << 32 |
                             load_be32(tuple->local + 12),
                         w[4]};
        h = siphash13_words(&t->key_flow, v, 2);
    } else {
        h = siphash13_words(&t->key_flow, w, 5);
    }
    return (uint32_t)(h ^ h >> 32);
}

/* RFC 6528: M + F(tuple, secret), M ticking every 4 us (RFC 9293 3.4.1, MUST-8, MUST-9). */
uint32_t keyed_isn(const struct tcp *t, const struct tcp_tuple *tuple)
{
    if (t->cfg->isn_fixed)
        return t->cfg->isn;
    uint64_t w[5];
    size_t len = words_of(tuple, w);
    return (uint32_t)(t->now / (4 * NS_PER_US)) + (uint32_t)siphash24(&t->key_isn, w, len);
}

/* Keyed by the whole tuple, not by the host pair: else one connection tells about another. */
uint32_t keyed_ts_offset(const struct tcp *t, const struct tcp_tuple *tuple)
{
    uint64_t w[5];
    size_t len = words_of(tuple, w);
    return (uint32_t)siphash24(&t->key_ts, w, len);
}

uint64_t keyed_port(const struct tcp *t, const struct tcp_tuple *tuple, uint32_t count)
{
    uint64_t w[5];
    size_t len = words_of(tuple, w);
    w[4] |= (uint64_t)count << 32;
    return siphash24(&t->key_port, w, len);
}
