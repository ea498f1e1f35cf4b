/* sender.c - a stack that sends, and a peer that acknowledges as a test wants it. */
#include <stdarg.h>

#include "sender.h"

static unsigned queued; /* segments, by the one connection of a test */

struct peer *sender_new(struct rig *r, struct sender_opt opt)
{
    if (opt.cc != NULL)
        r->cfg.cc = opt.cc;
    struct peer *p = peer_new(r);
    uint64_t rtt = opt.rtt != 0 ? opt.rtt : MS(RTT_MS);
    p->mss = opt.ts ? SEG + 12 : SEG;
    p->ts = opt.ts;
    p->sack = !opt.no_sack;
    p->wscale = 10;
    r->listener = rig_listen(r, p->lport, 16, 0);
    tern_addr addr;
    say(p, S, 0, 0, 0);
    hear_syn(p, S | A);
    rig_step(r, rtt);
    say(p, A, 1, 1, 0);
    rig_hush(r);
    assert_int_equal(tern_accept(r->s, r->listener, &p->k, &addr, p), 0);
    rig_events(r, r->listener, NULL);
    if (!opt.small)
        assert_int_equal(tern_option_set(r->s, p->k, TERN_OPT_SNDBUF, 4 << 20), 0);
    queued = 0;
    return p;
}

void queue(struct peer *p, unsigned n)
{
    assert_int_equal(peer_write(p, queued * SEG, n * SEG), n * SEG);
    queued += n;
}

void sends_first(struct peer *p, unsigned lo, unsigned hi)
{
    for (; lo < hi; lo++)
        hear(p, A, 1 + lo * SEG, 1, SEG);
}

void sends(struct peer *p, unsigned lo, unsigned hi)
{
    sends_first(p, lo, hi);
    rig_hush(p->r);
}

void ack(struct peer *p, unsigned una) { say(p, A, 1, 1 + una * SEG, 0); }

void sack(struct peer *p, unsigned una, ...)
{
    va_list args;
    va_start(args, una);
    unsigned n = 0;
    for (unsigned lo, hi; (lo = va_arg(args, unsigned)) != (hi = va_arg(args, unsigned)); n++) {
        p->extra.sack[n].lo = 1 + lo * SEG;
        p->extra.sack[n].hi = 1 + hi * SEG;
    }
    va_end(args);
    p->extra.sacks = n;
    ack(p, una);
}

void after(struct peer *p, uint64_t ns)
{
    uint64_t took = rig_wait(p->r, ns + SEC(10));
    if (took + US(50) < ns || took > ns + US(50))
        rig_fail("waited %.3f ms for a packet instead of %.3f", (double)took / 1e6,
                 (double)ns / 1e6);
}

tern_tcp_info info(struct peer *p)
{
    tern_tcp_info i;
    rig_turn(p->r);
    peer_info(p, &i);
    return i;
}

void is(struct peer *p, enum tern_phase ca, unsigned cwnd, unsigned ssthresh)
{
    static const char *const name[] = {"OPEN", "DISORDER", "CWR", "RECOVERY", "LOSS"};
    tern_tcp_info i = info(p);
    if (i.phase != ca || (cwnd != ANY && i.cwnd / SEG != cwnd) ||
        (ssthresh != ANY && i.ssthresh / SEG != ssthresh))
        rig_fail("%s, cwnd %u, ssthresh %u instead of %s, %u, %u", name[i.phase], i.cwnd / SEG,
                 i.ssthresh / SEG, name[ca], cwnd, ssthresh);
}

unsigned grown(struct peer *p, unsigned cwnd)
{
    unsigned at = 0;
    while (info(p).cwnd < cwnd * SEG) {
        unsigned now = info(p).cwnd / SEG, more = cwnd - now < now ? cwnd - now : now;
        queue(p, now);
        sends(p, at, at + now);
        rig_step(p->r, MS(RTT_MS));
        ack(p, at + more);
        rig_turn(p->r);
        ack(p, at + now);
        at += now;
    }
    rig_step(p->r, MS(1));
    return at;
}
