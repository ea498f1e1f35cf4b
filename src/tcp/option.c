/* option.c - options of connections and listeners: ranges in one table, then what each does. */
#include "tcp/tcp.h"

enum { KEEP_IDLE_S = 7200, KEEP_INTVL_S = 75, KEEP_CNT = 9 };

static const struct {
    int64_t least, most;
} ranges[TERN_OPT_COUNT] = {
    [TERN_OPT_NODELAY] = {0, 1},
    [TERN_OPT_CORK] = {0, 1},
    [TERN_OPT_RCVBUF] = {1, 1 << 30},
    [TERN_OPT_SNDBUF] = {1, 1 << 30},
    [TERN_OPT_LINGER] = {-1, DURATION_MAX},
    [TERN_OPT_USER_TIMEOUT] = {0, (int64_t)3600 * 24 * 1000000000},
    [TERN_OPT_SYN_RETRIES] = {0, 127},
    [TERN_OPT_TTL] = {1, 255},
    [TERN_OPT_DSCP] = {0, 63},
    [TERN_OPT_MSS] = {0, 65495},
    [TERN_OPT_QUICKACK] = {0, 1},
    [TERN_OPT_KEEPALIVE] = {0, 1},
    [TERN_OPT_KEEP_IDLE] = {1, (int64_t)UINT32_MAX * 1000000},
    [TERN_OPT_KEEP_INTVL] = {1, (int64_t)UINT32_MAX * 1000000},
    [TERN_OPT_KEEP_COUNT] = {1, 127},
    [TERN_OPT_FIN_WAIT2] = {-1, DURATION_MAX},
    [TERN_OPT_DEFER_ACCEPT] = {0, 255},
    [TERN_OPT_ECN] = {0, ECN_ACCURATE},
    [TERN_OPT_FASTOPEN] = {0, UINT32_MAX},
    [TERN_OPT_FASTOPEN_FREE] = {0, 1},
    [TERN_OPT_EOR] = {1, 1},
    [TERN_OPT_URGENT] = {1, 1},
    [TERN_OPT_PACING_RATE] = {0, INT64_MAX},
    [TERN_OPT_REPORTS] = {0, 1},
    [TERN_OPT_PMTUD] = {TERN_PMTUD_ON, TERN_PMTUD_DEAF},
    [TERN_OPT_CLOSE_WAIT] = {-1, DURATION_MAX},
    [TERN_OPT_THIN_LINEAR] = {0, 1},
};

static bool in_range(enum tern_opt option, int64_t value)
{
    if ((unsigned)option >= TERN_OPT_COUNT)
        return false;
    if (option == TERN_OPT_MSS && value != 0 && value < 88)
        return false;
    return value >= ranges[option].least && value <= ranges[option].most;
}

static uint32_t ms_of(int64_t ns) { return (uint32_t)(((uint64_t)ns + NS_PER_MS - 1) / NS_PER_MS); }

/* How long to wait: -1 none, 0 what the configuration says. */
static uint32_t wait_of(int64_t ns) { return ns < 0 ? UINT32_MAX : ms_of(ns); }
static int64_t wait_ns(uint32_t ms) { return ms == UINT32_MAX ? -1 : ms * (int64_t)NS_PER_MS; }

static void set_flag(struct conn *c, uint32_t flag, bool on)
{
    c->flags = on ? c->flags | flag : c->flags & ~flag;
}

/* ---- those that few connections set: they live beside the counters ------------------------ */

static const struct conn_rare rare_default = {.keep_idle_ms = KEEP_IDLE_S * 1000, /* MUST-28 */
                                              .keep_intvl_ms = KEEP_INTVL_S * 1000,
                                              .keep_cnt = KEEP_CNT};

static bool is_rare(enum tern_opt option)
{
    return (option >= TERN_OPT_KEEPALIVE && option <= TERN_OPT_FIN_WAIT2) ||
           option == TERN_OPT_PACING_RATE || option == TERN_OPT_PMTUD ||
           option == TERN_OPT_CLOSE_WAIT || option == TERN_OPT_THIN_LINEAR;
}

struct conn_rare *conn_rare(struct tcp *t, struct conn *c)
{
    if (c->stats == NULL) {
        if ((c->stats = pool_take(&t->stats)) == NULL)
            return NULL;
        *c->stats = (struct conn_stats){0};
    }
    struct conn_rare *s = c->stats->rare;
    if (s == NULL && (s = pool_take(&t->rares)) != NULL) {
        *s = rare_default;
        c->stats->rare = s;
    }
    return s;
}

/* What was learnt is forgotten where it is not to be heeded. */
static void pmtud_set(const struct tcp *t, struct conn *c, struct conn_rare *s, enum tern_pmtud how)
{
    s->pmtud = (uint8_t)how;
    if (conn_breakable(c))
        c->flags |= CONN_MARKED; /* until a segment finds that there is no need */
    if (how != TERN_PMTUD_DEAF || c->pmtu == 0)
        return;
    c->pmtu = 0;
    conn_mss_update(t, c);
}

static int rare_set(struct tcp *t, struct conn *c, enum tern_opt option, int64_t value)
{
    struct conn_rare *s = conn_rare(t, c);
    if (s == NULL)
        return TERN_ENOMEM;
    switch (option) {
    case TERN_OPT_KEEPALIVE:
        if (value && !s->keep)
            s->keep_at = t->now;
        s->keep = value != 0;
        break;
    case TERN_OPT_KEEP_IDLE:
        s->keep_idle_ms = ms_of(value);
        break;
    case TERN_OPT_KEEP_INTVL:
        s->keep_intvl_ms = ms_of(value);
        break;
    case TERN_OPT_KEEP_COUNT:
        s->keep_cnt = (uint8_t)value;
        break;
    case TERN_OPT_THIN_LINEAR:
        s->thin_linear = value != 0;
        break;
    case TERN_OPT_PACING_RATE:
        s->pace_max = (uint64_t)value;
        if (c->active != NULL)
            c->active->paced = pace_asked(t, c);
        break;
    case TERN_OPT_PMTUD:
        pmtud_set(t, c, s, (enum tern_pmtud)value);
        break;
    case TERN_OPT_CLOSE_WAIT:
        s->close_wait_ms = wait_of(value);
        if (c->state == TERN_CLOSE_WAIT)
            orphan_close_wait(t, c);
        break;
    default:
        s->fin_wait2_ms = wait_of(value);
        break;
    }
    if (option <= TERN_OPT_KEEP_COUNT)
        keep_begin(t, c);
    return 0;
}

static int64_t rare_get(const struct conn *c, enum tern_opt option)
{
    const struct conn_rare *s = conn_rare_of(c) != NULL ? conn_rare_of(c) : &rare_default;
    switch (option) {
    case TERN_OPT_KEEPALIVE:
        return s->keep;
    case TERN_OPT_KEEP_IDLE:
        return s->keep_idle_ms * (int64_t)NS_PER_MS;
    case TERN_OPT_KEEP_INTVL:
        return s->keep_intvl_ms * (int64_t)NS_PER_MS;
    case TERN_OPT_KEEP_COUNT:
        return s->keep_cnt;
    case TERN_OPT_THIN_LINEAR:
        return s->thin_linear;
    case TERN_OPT_PACING_RATE:
        return (int64_t)s->pace_max;
    case TERN_OPT_PMTUD:
        return s->pmtud;
    case TERN_OPT_CLOSE_WAIT:
        return wait_ns(s->close_wait_ms);
    default:
        return wait_ns(s->fin_wait2_ms);
    }
}

/* ---- ends of records ------------------------------------------------------------------------- */

/* Before the SYN there are no sequence numbers to remember, and nothing is sent in pieces yet. */
static int end_record(struct tcp *t, struct conn *c)
{
    if (c->state < TERN_ESTABLISHED || c->snd_end == c->snd_nxt)
        return 0;
    struct conn_rare *s = conn_rare(t, c);
    if (s == NULL)
        return TERN_ENOMEM;
    if (s->eors != 0 && s->eor[s->eors - 1] == c->snd_end)
        return 0;
    if (s->eors == EORS_MAX)
        memmove(s->eor, s->eor + 1, --s->eors * sizeof(s->eor[0]));
    s->eor[s->eors++] = c->snd_end;
    return 0;
}

uint32_t conn_record_left(const struct conn *c)
{
    const struct conn_rare *s = conn_rare_of(c);
    return s == NULL || s->eors == 0 ? UINT32_MAX : s->eor[0] - c->snd_nxt;
}

void conn_records_sent(struct conn *c)
{
    struct conn_rare *s = conn_rare_of(c);
    uint8_t gone = 0;
    while (s != NULL && gone < s->eors && seq_leq(s->eor[gone], c->snd_nxt))
        gone++;
    if (gone == 0)
        return;
    s->eors -= gone;
    memmove(s->eor, s->eor + gone, s->eors * sizeof(s->eor[0]));
}

/* In sequence numbers: byte 0 of the stream is the one after the SYN. */
int option_watch(struct tcp *t, struct conn *c, const uint32_t *sent, const uint32_t *acked)
{
    struct conn_rare *s = conn_rare(t, c);
    if (s == NULL)
        return TERN_ENOMEM;
    s->watch_sent = sent != NULL;
    s->watch_acked = acked != NULL;
    s->sent_upto = sent != NULL ? *sent : 0;
    s->acked_upto = acked != NULL ? *acked : 0;
    if (c->state >= TERN_ESTABLISHED)
        info_progress(t, c);
    return 0;
}

/* ---- soft errors ----------------------------------------------------------------------------- */

static int set_reports(struct tcp *t, struct conn *c, bool on)
{
    struct conn_rare *s = on ? conn_rare(t, c) : conn_rare_of(c);
    if (s == NULL)
        return on ? TERN_ENOMEM : 0;
    s->reports = on;
    return 0;
}

void conn_soft_error(struct tcp *t, struct conn *c, enum tern_err err)
{
    c->stats->soft_err = (int8_t)err;
    if (c->stats->rare != NULL && c->stats->rare->reports)
        conn_event(t, c, TERN_EV_REPORT);
}

/* ---- the others ------------------------------------------------------------------------------ */

/* The buffer's size settles the window scale, as long as the SYN that offers it has not left. */
static void set_rcvbuf(struct tcp *t, struct conn *c, uint32_t bytes)
{
    memory_rcvbuf_set(t, c, bytes);
    c->flags |= CONN_RCVBUF_FIXED;
    bool unborn = c->state == TERN_SYN_SENT && c->snd_una == c->snd_nxt;
    if (unborn && t->cfg->features & TERN_FEATURE_WSCALE)
        c->rcv_wscale = tcp_wscale(t, bytes);
}

/* Linux's: on, segments are acknowledged at once, and what waits to be is; off, acknowledgements
 * wait for a ride. Neither lasts: what is sent and received decides again. */
static int set_quickack(struct tcp *t, struct conn *c, bool on)
{
    struct active *a = conn_thaw(t, c);
    if (a == NULL)
        return TERN_ENOMEM;
    a->answers = on ? 0 : ANSWERS_ALWAYS;
    timer_idle(t, c);
    if (!on || a->t_delack == 0)
        return 0;
    a->t_delack = 0;
    c->flags |= CONN_ACK_DUE;
    conn_ready(t, c);
    return 0;
}

static int common_set(struct tcp *t, struct conn *c, enum tern_opt option, int64_t value)
{
    switch (option) {
    case TERN_OPT_NODELAY:
        set_flag(c, CONN_NODELAY, value != 0);
        break;
    case TERN_OPT_CORK:
        set_flag(c, CONN_CORK, value != 0);
        break;
    case TERN_OPT_RCVBUF:
        set_rcvbuf(t, c, (uint32_t)value);
        break;
    case TERN_OPT_SNDBUF:
        c->sndbuf = (uint32_t)value;
        c->flags |= CONN_SNDBUF_FIXED;
        break;
    case TERN_OPT_LINGER:
        c->linger_ms = value < 0 ? UINT32_MAX : ms_of(value);
        break;
    case TERN_OPT_SOFT_ERROR:
        if (c->stats != NULL)
            c->stats->soft_err = 0;
        break;
    case TERN_OPT_USER_TIMEOUT:
        c->user_timeout_ms = ms_of(value);
        break;
    case TERN_OPT_SYN_RETRIES:
        c->syn_retries = (uint8_t)value;
        break;
    case TERN_OPT_TTL:
        c->ttl = (uint8_t)value;
        break;
    case TERN_OPT_DSCP:
        c->dscp = (uint8_t)value;
        break;
    case TERN_OPT_MSS:
        c->mss_user = (uint16_t)value;
        conn_mss_update(t, c);
        break;
    case TERN_OPT_QUICKACK:
        return set_quickack(t, c, value != 0);
    case TERN_OPT_ECN:
        if (c->state != TERN_SYN_SENT || c->snd_nxt != c->snd_una)
            return TERN_EINVAL;
        c->ecn = (uint8_t)value;
        break;
    case TERN_OPT_FASTOPEN:
        return value > 2 ? TERN_EINVAL : fastopen_ask(t, c, value);
    case TERN_OPT_FASTOPEN_FREE:
        return fastopen_free(t, c, value != 0);
    case TERN_OPT_EOR:
        return end_record(t, c);
    case TERN_OPT_URGENT:
        return user_urgent(t, c);
    case TERN_OPT_REPORTS:
        return set_reports(t, c, value != 0);
    default:
        return TERN_EINVAL;
    }
    return 0;
}

int option_set(struct tcp *t, struct conn *c, enum tern_opt option, int64_t value)
{
    if (!in_range(option, value))
        return TERN_EINVAL;
    int err = is_rare(option) ? rare_set(t, c, option, value) : common_set(t, c, option, value);
    if ((option == TERN_OPT_NODELAY && value) || (option == TERN_OPT_CORK && !value))
        conn_ready(t, c); /* what was held back may go */
    return err;
}

int option_get(const struct tcp *t, const struct conn *c, enum tern_opt option, int64_t *value)
{
    if (is_rare(option)) {
        *value = rare_get(c, option);
        return 0;
    }
    switch (option) {
    case TERN_OPT_NODELAY:
        *value = (c->flags & CONN_NODELAY) != 0;
        break;
    case TERN_OPT_CORK:
        *value = (c->flags & CONN_CORK) != 0;
        break;
    case TERN_OPT_RCVBUF:
        *value = c->rcvbuf;
        break;
    case TERN_OPT_SNDBUF:
        *value = sndbuf_of(t, c, c->active);
        break;
    case TERN_OPT_LINGER:
        *value = c->linger_ms == UINT32_MAX ? -1 : (int64_t)(c->linger_ms * NS_PER_MS);
        break;
    case TERN_OPT_USER_TIMEOUT:
        *value = (int64_t)(c->user_timeout_ms * NS_PER_MS);
        break;
    case TERN_OPT_SYN_RETRIES:
        *value = c->syn_retries;
        break;
    case TERN_OPT_TTL:
        *value = c->ttl != 0 ? c->ttl : t->cfg->ttl;
        break;
    case TERN_OPT_DSCP:
        *value = c->dscp;
        break;
    case TERN_OPT_MSS:
        *value = c->mss_user;
        break;
    case TERN_OPT_ECN:
        *value = c->ecn & ECN_MODE;
        break;
    case TERN_OPT_SOFT_ERROR:
        *value = c->stats != NULL ? c->stats->soft_err : 0;
        break;
    case TERN_OPT_URGENT:
        *value = urgent_mode(c);
        break;
    case TERN_OPT_REPORTS:
        *value = conn_rare_of(c) != NULL && conn_rare_of(c)->reports;
        break;
    case TERN_OPT_QUICKACK:
        *value = c->active == NULL || !interactive(t, c->active);
        break;
    case TERN_OPT_FASTOPEN:
        *value = fastopen_room(t, c);
        break;
    case TERN_OPT_FASTOPEN_FREE:
        *value = conn_rare_of(c) != NULL && conn_rare_of(c)->fastopen & FASTOPEN_FREE;
        break;
    default:
        return TERN_EINVAL;
    }
    return 0;
}

int option_listener_set(struct listener *l, enum tern_opt option, int64_t value)
{
    if (!in_range(option, value))
        return TERN_EINVAL;
    switch (option) {
    case TERN_OPT_RCVBUF:
        l->rcvbuf = (uint32_t)value;
        break;
    case TERN_OPT_TTL:
        l->ttl = (uint8_t)value;
        break;
    case TERN_OPT_DSCP:
        l->dscp = (uint8_t)value;
        break;
    case TERN_OPT_MSS:
        l->mss_user = (uint16_t)value;
        break;
    case TERN_OPT_DEFER_ACCEPT:
        l->defer = (uint8_t)value;
        break;
    case TERN_OPT_FASTOPEN:
        l->fo_max = (uint32_t)value;
        break;
    case TERN_OPT_FASTOPEN_FREE:
        l->fo_free = value != 0;
        break;
    default:
        return TERN_EINVAL;
    }
    return 0;
}
