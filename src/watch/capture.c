/* capture.c - see capture.h.
 *
 * A record comes while a packet is taken in (then it is about that packet), or before the packet it
 * goes with leaves: such remarks wait in a small ring until a packet of their connection takes
 * them.
 */
#include "watch/capture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/seq.h"
#include "watch/messages.h"
#include "watch/packet.h"
#include "watch/pcapng.h"

enum { REMARKS_MAX = 1024 };

/* A connection closes without a packet, or with an RST that follows at once. */
#define CLOSED_FOR UINT64_C(10000000) /* ns */

enum remark_kind {
    REMARK_NONE,    /* a free place */
    REMARK_STATE,   /* goes with the next packet that the end sends, */
    REMARK_AGAIN,   /* with those it sends of that range, */
    REMARK_MISSING, /* with the next one it sends or receives */
};

struct remark {
    uint8_t kind, end;
    bool brief; /* it goes with what is sent within CLOSED_FOR, or with nothing */
    uint64_t time;
    tern_addr pair[2]; /* [0]: end 0's */
    uint32_t seq, len; /* REMARK_AGAIN */
    char text[PCAPNG_COMMENT];
};

struct comments {
    char text[PCAPNG_COMMENTS][PCAPNG_COMMENT];
    size_t n;
};

/* A packet whose comments are still being collected. */
struct moment {
    bool used, known; /* known: it belongs to `pair` */
    uint64_t id, time;
    int from;
    tern_addr pair[2];
    struct comments comments;
};

struct capture {
    struct capture_config conf;
    struct pcapng file;
    uint32_t interface[2];
    struct moment sent; /* by a captured end; its bytes: */
    uint8_t *data;
    size_t len;
    struct moment arriving[2]; /* at end 0 and end 1 */
    uint32_t next, count;      /* of the ring */
    struct remark remarks[REMARKS_MAX];
};

struct capture *capture_new(const struct capture_config *conf)
{
    struct capture *c = calloc(1, sizeof(*c));
    if (c == NULL || (c->data = malloc(PCAPNG_SNAP)) == NULL) {
        free(c);
        return NULL;
    }
    c->conf = *conf;
    c->file = (struct pcapng){.write = conf->write, .user = conf->user};
    pcapng_begin(&c->file, conf->application);
    for (int end = 0; end < 2; end++)
        if (conf->end[end])
            c->interface[end] = pcapng_interface(&c->file, conf->name[end], NULL);
    return c;
}

void capture_free(struct capture *c)
{
    if (c == NULL)
        return;
    capture_flush(c);
    free(c->data);
    free(c);
}

/* ---- comments -------------------------------------------------------------------------------- */

static void comment(struct comments *x, const char *s)
{
    if (x->n < PCAPNG_COMMENTS)
        snprintf(x->text[x->n++], PCAPNG_COMMENT, "%s", s);
}

static void comment_message(struct comments *x, enum watch_message id, struct message_args args)
{
    char s[PCAPNG_COMMENT];
    comment(x, message(s, sizeof(s), id, args));
}

/* ---- remarks --------------------------------------------------------------------------------- */

static struct remark *remark_new(struct capture *c, int end, const tern_addr pair[2])
{
    struct remark *r = &c->remarks[c->next]; /* the oldest, if there are too many */
    c->next = (c->next + 1) % REMARKS_MAX;
    c->count = min_u32(c->count + 1, REMARKS_MAX);
    memset(r, 0, sizeof(*r));
    r->end = (uint8_t)end;
    memcpy(r->pair, pair, sizeof(r->pair));
    return r;
}

static bool remark_fits(const struct remark *r, const struct moment *m, int end,
                        const struct packet *p)
{
    bool sends = m->from == end;
    if (r->kind == REMARK_NONE || r->end != end || !addr_equal(&r->pair[0], &m->pair[0]) ||
        !addr_equal(&r->pair[1], &m->pair[1]))
        return false;
    if (r->kind == REMARK_MISSING)
        return true;
    if (!sends || p->is_icmp || (r->brief && m->time > r->time + CLOSED_FOR))
        return false;
    return r->kind == REMARK_STATE ||
           (seq_in(p->tcp.seq, r->seq, r->len) && wire_tcp_span(&p->tcp, (uint32_t)p->len) != 0);
}

/* Gives a packet that `end` sends or receives the remarks that have waited for it, oldest first. */
static void remarks_take(struct capture *c, struct moment *m, int end, const struct packet *p)
{
    uint32_t live = 0;
    for (uint32_t i = c->count; i > 0; i--) {
        struct remark *r = &c->remarks[(c->next + REMARKS_MAX - i) % REMARKS_MAX];
        if (m->comments.n < PCAPNG_COMMENTS && remark_fits(r, m, end, p)) {
            comment(&m->comments, r->text);
            bool more = r->kind == REMARK_AGAIN && p->tcp.seq + (uint32_t)p->len != r->seq + r->len;
            if (!more)
                r->kind = REMARK_NONE;
        }
        if (r->kind != REMARK_NONE && live == 0)
            live = i;
    }
    c->count = live;
}

/* ---- packets --------------------------------------------------------------------------------- */

static void moment_begin(struct moment *m, const struct timeline_packet *p, struct packet *packet)
{
    m->used = true;
    m->id = p->id;
    m->from = p->from;
    m->comments.n = 0;
    m->known = packet_read(p->data, p->len, packet);
    if (m->known)
        packet_pair(packet, p->from, m->pair);
}

static void write(struct capture *c, const struct moment *m, int end, const uint8_t *data,
                  size_t len)
{
    const char *at[PCAPNG_COMMENTS];
    for (size_t i = 0; i < m->comments.n; i++)
        at[i] = m->comments.text[i];
    pcapng_packet(&c->file,
                  &(struct pcapng_packet){.interface = c->interface[end],
                                          .outbound = m->from == end,
                                          .unix_ns = c->conf.unix_start + (m->time - c->conf.start),
                                          .data = data,
                                          .len = len,
                                          .comments = at,
                                          .comment_count = m->comments.n});
}

void capture_flush(struct capture *c)
{
    if (c->sent.used)
        write(c, &c->sent, c->sent.from, c->data, c->len);
    c->sent.used = false;
}

void capture_sent(struct capture *c, const struct timeline_packet *p)
{
    struct packet packet;
    TERN_ASSERT(p->from == 0 || p->from == 1);
    capture_flush(c);
    if (!c->conf.end[p->from] || p->marks & TIMELINE_DUPLICATE) /* its sender sent one */
        return;
    struct moment *m = &c->sent;
    moment_begin(m, p, &packet);
    m->time = p->sent;
    if (m->known)
        remarks_take(c, m, p->from, &packet);
    if (p->marks & TIMELINE_CORRUPTED)
        comment_message(&m->comments, MSG_CAP_CORRUPTED, NO_ARGS);
    if (p->marks & TIMELINE_LATE)
        comment_message(&m->comments, MSG_CAP_LATE, NO_ARGS);
    c->len = min_size(p->len, PCAPNG_SNAP);
    memcpy(c->data, p->data, c->len);
}

/* The end it was meant for sees nothing of it; what comes next there says so. */
static void missing(struct capture *c, const struct timeline_packet *p)
{
    struct packet packet;
    tern_addr pair[2];
    char flags[PACKET_FLAGS], seq[24], len[24];
    if (!c->conf.end[!p->from] || p->marks & TIMELINE_DUPLICATE ||
        !packet_read(p->data, p->len, &packet) || packet.is_icmp)
        return;
    packet_pair(&packet, p->from, pair);
    struct remark *r = remark_new(c, !p->from, pair);
    r->kind = REMARK_MISSING;
    snprintf(seq, sizeof(seq), "%" PRIu32, packet.tcp.seq);
    snprintf(len, sizeof(len), "%zu", packet.len);
    message(r->text, sizeof(r->text), MSG_CAP_MISSING,
            ARGS(packet_flags(flags, packet.tcp.flags), seq, len));
}

static void lost(struct capture *c, const struct timeline_packet *p, enum timeline_fate fate)
{
    static const enum watch_message why[] = {[TIMELINE_LOST] = MSG_CAP_LOST,
                                             [TIMELINE_DROPPED] = MSG_CAP_DROPPED,
                                             [TIMELINE_OVERFLOW] = MSG_CAP_OVERFLOW,
                                             [TIMELINE_TOO_BIG] = MSG_CAP_TOO_BIG};
    TERN_ASSERT(fate < ARRAY_LEN(why));
    if (c->sent.used && c->sent.id == p->id && c->sent.from == p->from)
        comment_message(&c->sent.comments, why[fate], NO_ARGS);
    capture_flush(c);
    missing(c, p);
}

static void arrived(struct capture *c, const struct timeline_packet *p)
{
    struct packet packet;
    int to = !p->from;
    struct moment *m = &c->arriving[to];
    moment_begin(m, p, &packet);
    m->time = p->now;
    if (m->known)
        remarks_take(c, m, to, &packet);
    if (p->marks & TIMELINE_CORRUPTED)
        comment_message(&m->comments, MSG_CAP_CORRUPTED_HERE, NO_ARGS);
    if (p->marks & TIMELINE_DUPLICATE)
        comment_message(&m->comments, MSG_CAP_COPY, NO_ARGS);
}

void capture_fate(struct capture *c, const struct timeline_packet *p, enum timeline_fate fate)
{
    TERN_ASSERT(p->from == 0 || p->from == 1);
    int to = !p->from;
    if (fate != TIMELINE_ARRIVED && fate != TIMELINE_PROCESSED) {
        lost(c, p, fate);
        return;
    }
    capture_flush(c);
    if (!c->conf.end[to])
        return;
    struct moment *m = &c->arriving[to];
    if (fate == TIMELINE_ARRIVED || !m->used || m->id != p->id)
        arrived(c, p);
    if (fate == TIMELINE_PROCESSED) {
        write(c, m, to, p->data, p->len);
        m->used = false;
    }
}

/* ---- records --------------------------------------------------------------------------------- */

/* What `end` has decided; `out` becomes a sentence about it. false: nothing to say. */
static bool decision(const struct capture *c, int end, const tern_trace *r, char *out)
{
    static const enum watch_message again[] = {[TERN_RTX_RTO] = MSG_CAP_AGAIN_TIMER,
                                               [TERN_RTX_FAST] = MSG_CAP_AGAIN_FAST,
                                               [TERN_RTX_PROBE] = MSG_CAP_AGAIN_PROBE,
                                               [TERN_RTX_SYN] = MSG_CAP_AGAIN_TIMER};
    if (r->kind == TERN_TRACE_STATE && r->from < TERN_STATE_COUNT && r->to < TERN_STATE_COUNT)
        message(out, PCAPNG_COMMENT, MSG_CAP_STATE,
                ARGS(c->conf.name[end], tern_state_name(r->from), tern_state_name(r->to)));
    else if (r->kind == TERN_TRACE_RETRANSMIT && r->why < ARRAY_LEN(again))
        message(out, PCAPNG_COMMENT, again[r->why], NO_ARGS);
    else if (r->kind == TERN_TRACE_DROP && r->why < TERN_DROP_COUNT)
        message(out, PCAPNG_COMMENT, MSG_IGNORED, ARGS(tern_drop_text(r->why)));
    else
        return false;
    return true;
}

void capture_trace(struct capture *c, int end, const tern_trace *record)
{
    char text[PCAPNG_COMMENT];
    tern_addr pair[2];
    TERN_ASSERT(end == 0 || end == 1);
    if (!c->conf.end[end] || !decision(c, end, record, text))
        return;
    struct moment *m = &c->arriving[end];
    pair[end] = record->local;
    pair[!end] = record->peer;
    bool about_it =
        m->used && record->kind != TERN_TRACE_RETRANSMIT &&
        (record->kind == TERN_TRACE_DROP ||
         (m->known && addr_equal(&pair[0], &m->pair[0]) && addr_equal(&pair[1], &m->pair[1])));
    if (about_it)
        comment(&m->comments, text);
    /* what no packet can say: a drop that is not of a packet's, the end of TIME-WAIT */
    if (about_it || record->kind == TERN_TRACE_DROP ||
        (record->kind == TERN_TRACE_STATE && record->from == TERN_TIME_WAIT))
        return;
    struct remark *r = remark_new(c, end, pair);
    r->kind = record->kind == TERN_TRACE_STATE ? REMARK_STATE : REMARK_AGAIN;
    r->brief = record->kind == TERN_TRACE_STATE && record->to == TERN_CLOSED;
    r->time = record->now;
    r->seq = record->seq;
    r->len = max_u32(record->len, 1);
    memcpy(r->text, text, sizeof(r->text));
}
