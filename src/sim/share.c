/* share.c - L4: connections that share a bottleneck use it, and each gets its part. A statement on
 * averages says nothing of a world that was drawn at random: it is made for the worlds of a fixed
 * list, one a seed, again and again.
 */
#include "base/util.h"
#include "sim/play.h"

enum { SHARE_S = 15, PIPE = 1 << 20 };
/* Of 100; headers take 3 of the rate. No world of 80 seeds has gone past these. */
enum { USE_MIN = 85, USE_MAX = 98, FAIR_MIN = 75 };

struct share {
    uint64_t rate, delay; /* bits a second; ns, each way */
    uint32_t queue, flows;
    const tern_cc_ops *cc;
};

static const struct share shares[] = {
    {10000000, 20 * SIM_MS, 64, 2, &tern_cc_cubic},  {10000000, 5 * SIM_MS, 50, 4, &tern_cc_reno},
    {30000000, 10 * SIM_MS, 100, 2, &tern_cc_cubic}, {2000000, 50 * SIM_MS, 30, 3, &tern_cc_cubic},
    {20000000, 30 * SIM_MS, 150, 8, &tern_cc_reno},  {40000000, 5 * SIM_MS, 100, 1, &tern_cc_cubic},
    {20000000, 20 * SIM_MS, 100, 2, &tern_cc_bbr},   {5000000, 100 * SIM_MS, 100, 3, &tern_cc_reno},
};

static const struct share *share_of(uint64_t seed) { return &shares[seed % ARRAY_LEN(shares)]; }

void share_plan(struct plan *p, uint64_t seed)
{
    const struct share *s = share_of(seed);
    p->iface = (tern_iface){.mtu = 1500};
    p->flows = s->flows;
    for (int i = 0; i < 2; i++) {
        p->delay[i] = s->delay;
        p->tern[i].cc = s->cc;
        for (int k = 0; k <= HEAL_SPELL; k++)
            p->spell[k].dir[i] =
                (struct lab_impair){.delay = s->delay, .rate = s->rate, .queue = s->queue};
    }
    for (uint32_t i = 0; i < s->flows; i++) {
        struct flow_plan *f = &p->flow[i];
        f->begins = i * 10 * SIM_MS;
        f->ip6 = seed & 1;
        f->swapped = f->together = false;
        f->side[0] = (struct habit){.send = s->rate / 8 * SHARE_S / s->flows,
                                    .write_max = 1 << 16,
                                    .sndbuf = PIPE,
                                    .nodelay = 1};
        f->side[1] = (struct habit){.read_max = 1 << 16, .rcvbuf = PIPE, .nodelay = 1};
    }
}

/* Once, when the first of them has got all it is to get. Jain's index is the square of the sum over
 * n times the sum of the squares: 1 if all have the same, 1/n if one has everything. */
void share_check(struct play *p)
{
    const struct share *s = share_of(p->conf->seed);
    uint32_t n = min_u32(s->flows, p->flows);
    double sum = 0, squares = 0;
    bool over = false;
    if (p->shared)
        return;
    for (uint32_t i = 0; i < n; i++) {
        const struct flow_end *reader = &p->flow[i].end[1];
        bool nothing = i == 0 && play_sabotaged(p, SIM_HOG);
        double got = nothing ? 0 : (double)reader->received;
        sum += got;
        squares += got * got;
        over |= reader->received == p->plan.flow[i].side[0].send;
    }
    if (!over)
        return;
    p->shared = true;
    double most = (double)s->rate / 8 * (double)(play_now(p) - LAB_PAIR_START) / (double)SIM_S;
    double use = 100 * sum / most, fair = squares > 0 ? 100 * sum * sum / (n * squares) : 0;
    if (use < USE_MIN || use > USE_MAX || fair < FAIR_MIN)
        sim_fail(p, "L4",
                 "%u connections of %s have got %.1f %% of the bottleneck, with a fairness of "
                 "%.1f %%: not %d and %d at least",
                 n, s->cc->name, use, fair, USE_MIN, FAIR_MIN);
}
