/* tso.c - how large a super-segment is, and when one is worth waiting for.
 *
 * A device cuts super-segments, and what it cuts leaves in one burst. So they are sized by the
 * rate, to about a millisecond of it, and never to more than half of the congestion window, so
 * that there are two to be acknowledged. And if only a small one could go, although much waits to
 * be sent and an ACK that opens the windows further is due soon, nothing goes yet. All of this is
 * Linux's practice; no RFC has it.
 */
#include "tcp/tcp.h"

enum { GSO_MAX = 65536, RECENT_NS = 1000000, PACED_LEAST = 2 };

/* By rate, and for a path that is near by its round trip too. */
static uint32_t sized(const struct tcp *t, const struct conn *c, const struct active *a)
{
    uint64_t rate = pace_rate(t, c, a);
    if (rate == 0 && (rate = pace_by_window(t, c, a)) == 0)
        return GSO_MAX;
    uint64_t bytes = rate >> 10;
    uint32_t near = c->min_rtt_us >> t->cfg->tso_rtt_log;
    if (near < 32)
        bytes += (uint32_t)GSO_MAX >> near;
    return (uint32_t)min_u64(bytes, GSO_MAX);
}

uint32_t tso_segs(const struct tcp *t, const struct conn *c, const struct active *a, uint32_t mss)
{
    const struct tcp_path *path = &t->path[c->iface];
    uint32_t gso = wire_is_ip4(c->raddr) ? path->gso_max4 : path->gso_max6;
    if (gso <= path->mtu || UNLIKELY(c->flags & CONN_MARKED) ||
        (UNLIKELY(c->ecn != 0) && ecn_alone(t, c)))
        return 1;
    uint32_t segs = (gso - WIRE_IP6_HEADER - WIRE_TCP_HEADER - WIRE_TCP_OPTIONS_MAX) / mss;
    if (path->gso_segs_max != 0)
        segs = min_u32(segs, path->gso_segs_max);
    uint32_t least = t->cfg->tso_segs_min;
    if (least == 0 && UNLIKELY(a->cc.pacing_rate != 0 || a->paced))
        least = PACED_LEAST;
    if (least != 0)
        segs = min_u32(segs, max_u32(sized(t, c, a) / mss, least));
    return max_u32(segs, 1);
}

uint32_t tso_segs_new(const struct tcp *t, const struct conn *c, const struct active *a,
                      uint32_t mss)
{
    uint32_t segs = tso_segs(t, c, a, mss);
    if (t->cfg->tso_segs_min != 0)
        segs = min_u32(segs, max_u32(a->cc.cwnd / mss / 2, 1));
    return segs;
}

bool tso_waits(const struct tcp *t, const struct conn *c, const struct active *a,
               const struct tso_room *room)
{
    uint32_t goal = max_u32(min_u32(GSO_MAX, c->snd_wnd_max / 2), room->mss);
    uint32_t len = min_u32(room->queued, goal - goal % room->mss);
    uint32_t cwnd = room->cwnd - room->cwnd % room->mss, limit = min_u32(room->wnd, cwnd);
    if (t->cfg->tso_segs_min == 0 || len <= room->mss || a->phase >= LOSS_RECOVERY ||
        a->sent_head == NULL || ns_since(t, a->sent_tail->time) > RECENT_NS)
        return false;
    if (limit >= tso_segs(t, c, a, room->mss) * room->mss)
        return false;
    if (len < room->queued && limit >= len)
        return false;
    if (t->cfg->tso_divisor != 0 && limit >= min_u32(c->snd_wnd, a->cc.cwnd) / t->cfg->tso_divisor)
        return false;
    if (ns_since(t, a->sent_head->time) < c->srtt_us8 / 16 * NS_PER_US)
        return false; /* the next ACK is far */
    return limit <= len || !(c->flags & CONN_FIN_QUEUED);
}
