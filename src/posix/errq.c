#include "posix/errq.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "posix/msg.h"

enum {
    OPT_ID_TCP = 1 << 16, /* SOF_TIMESTAMPING_OPT_ID_TCP: not in every system's headers */
    TS_MASK = (1 << 19) - 1,
    TS_RECORD = SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK,
    ITEMS_MAX = 4096, /* messages that may wait; further ones are lost, as with a full buffer */
};

struct item {
    struct item *next;
    struct sock_extended_err ee;
    uint64_t time;      /* ns; of timestamps */
    tern_addr from, to; /* of ICMP: whose message it is, and to whom went what it is about, */
    uint32_t len;       /* of which this is the beginning; of timestamps: the statistics */
    uint8_t data[STAMP_STATS_MAX];
};

struct mark {
    struct mark *next;
    uint32_t end;     /* bytes of the stream up to it */
    uint32_t tsflags; /* what is still to be told */
    bool zerocopy;
    uint32_t id; /* of the zerocopy send */
};

struct errq {
    struct item *head, *tail;
    uint32_t items;
    struct mark *marks, *marks_tail; /* in the order of the stream */
    uint32_t zerocopy_next;          /* the next send's number */
    uint32_t key_base;               /* the stream's byte that OPT_ID counts from */
};

static struct errq *errq_of(struct sock *sk)
{
    if (sk->errq == NULL)
        sk->errq = calloc(1, sizeof *sk->errq);
    return sk->errq;
}

/* ---- messages -------------------------------------------------------------------------------- */

/* NULL: there is no room for it. */
static struct item *push(struct sock *sk, const struct sock_extended_err *ee)
{
    struct errq *q = sk->errq;
    struct item *it = q->items < ITEMS_MAX ? malloc(sizeof *it) : NULL;

    if (it == NULL)
        return NULL;
    *it = (struct item){.ee = *ee, .time = sk->p->now};
    if (q->tail != NULL)
        q->tail->next = it;
    else
        q->head = it;
    q->tail = it;
    q->items++;
    file_wake(&sk->file, EPOLLERR);
    return it;
}

static void push_stamp(struct sock *sk, uint32_t what, uint32_t end)
{
    struct sock_extended_err ee = {.ee_errno = ENOMSG,
                                   .ee_origin = SO_EE_ORIGIN_TIMESTAMPING,
                                   .ee_info = what};

    if (sk->opts.timestamping & SOF_TIMESTAMPING_OPT_ID)
        ee.ee_data = end - 1 - sk->errq->key_base;
    struct item *it = push(sk, &ee);
    if (it != NULL && sk->opts.timestamping & SOF_TIMESTAMPING_OPT_STATS)
        it->len = (uint32_t)stamp_stats(sk, it->data);
}

/* Neighbours become one message. The data was copied: the stack's queue is its own. */
static void push_zerocopy(struct sock *sk, uint32_t id)
{
    struct item *last = sk->errq->tail;
    struct sock_extended_err ee = {.ee_origin = SO_EE_ORIGIN_ZEROCOPY,
                                   .ee_code = SO_EE_CODE_ZEROCOPY_COPIED,
                                   .ee_info = id,
                                   .ee_data = id};

    if (last != NULL && last->ee.ee_origin == SO_EE_ORIGIN_ZEROCOPY && last->ee.ee_data + 1 == id)
        last->ee.ee_data = id;
    else
        (void)push(sk, &ee);
}

void errq_icmp(struct sock *sk, const tern_icmp *m)
{
    struct sock_extended_err ee = {.ee_errno = (uint32_t)icmp_errno(m),
                                   .ee_origin =
                                       m->version == 4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6,
                                   .ee_type = m->type,
                                   .ee_code = m->code,
                                   .ee_info = m->info};
    struct item *it = errq_of(sk) != NULL ? push(sk, &ee) : NULL;

    if (it == NULL)
        return;
    memcpy(it->from.ip, m->from, sizeof m->from);
    memcpy(it->to.ip, m->to, sizeof m->to);
    it->to.port = m->port;
    it->len = m->quote_len;
    memcpy(it->data, m->quote, m->quote_len);
}

static bool from_icmp(const struct item *it)
{
    return it->ee.ee_origin == SO_EE_ORIGIN_ICMP || it->ee.ee_origin == SO_EE_ORIGIN_ICMP6;
}

bool errq_any(const struct sock *sk) { return sk->errq != NULL && sk->errq->head != NULL; }

static void put_stamp(struct sock *sk, struct msg_control *m, const struct item *it)
{
    struct scm_timestamping ts = {0};

    if (!(sk->opts.timestamping & SOF_TIMESTAMPING_SOFTWARE))
        return;
    ts.ts[0].tv_sec = (time_t)(it->time / NS_PER_S);
    ts.ts[0].tv_nsec = (long)(it->time % NS_PER_S);
    msg_control_put(m, SOL_SOCKET, SO_TIMESTAMPING, &ts, sizeof ts);
}

static void put_error(const struct sock *sk, struct msg_control *m, const struct item *it)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } offender = {.any.sa_family = AF_UNSPEC};
    uint8_t data[sizeof it->ee + sizeof offender];
    bool four = sk->domain == AF_INET;
    socklen_t len = four ? sizeof offender.four : sizeof offender.six;

    if (from_icmp(it))
        (void)addr_write(sk, &it->from, &offender, &len);
    memcpy(data, &it->ee, sizeof it->ee);
    memcpy(data + sizeof it->ee, &offender, len);
    msg_control_put(m, four ? IPPROTO_IP : IPPROTO_IPV6, four ? IP_RECVERR : IPV6_RECVERR, data,
                    sizeof it->ee + len);
}

/* The bytes that it is about, as far as there is room for them; returns how many. */
static ssize_t put_bytes(struct msghdr *msg, const struct item *it)
{
    uint32_t at = 0;

    for (size_t i = 0; i < msg->msg_iovlen && at < it->len; i++) {
        const struct iovec *v = &msg->msg_iov[i];
        size_t n = v->iov_len < it->len - at ? v->iov_len : it->len - at;
        if (v->iov_base == NULL && n != 0)
            return -EFAULT;
        if (n != 0)
            memcpy(v->iov_base, it->data + at, n);
        at += (uint32_t)n;
    }
    if (at < it->len)
        msg->msg_flags |= MSG_TRUNC;
    return at;
}

static void pop(struct errq *q)
{
    struct item *it = q->head;

    q->head = it->next;
    if (q->head == NULL)
        q->tail = NULL;
    q->items--;
    free(it);
}

ssize_t errq_recv(struct sock *sk, struct msghdr *msg)
{
    struct msg_control m;

    if (!errq_any(sk))
        return -EAGAIN;
    struct item *it = sk->errq->head;
    bool stamp = it->ee.ee_origin == SO_EE_ORIGIN_TIMESTAMPING;
    msg->msg_flags = MSG_ERRQUEUE;
    if (stamp && !(sk->opts.timestamping & SOF_TIMESTAMPING_OPT_TSONLY))
        msg->msg_flags |= MSG_TRUNC; /* the packet that Linux would give is not kept */
    ssize_t n = put_bytes(msg, it);
    if (msg->msg_name == NULL || !from_icmp(it))
        msg->msg_namelen = 0;
    else
        (void)addr_write(sk, &it->to, msg->msg_name, &msg->msg_namelen);
    msg_control_begin(&m, msg);
    if (stamp)
        put_stamp(sk, &m, it);
    if (stamp && it->len != 0)
        msg_control_put(&m, SOL_SOCKET, SCM_TIMESTAMPING_OPT_STATS, it->data, it->len);
    put_error(sk, &m, it);
    msg_control_end(&m);
    bool told = from_icmp(it); /* here, and not by the next call once more */
    pop(sk->errq);
    if (told || (errq_any(sk) && from_icmp(sk->errq->head)))
        sk->err = errq_any(sk) && from_icmp(sk->errq->head) ? (int)sk->errq->head->ee.ee_errno : 0;
    return n;
}

/* ---- marks ----------------------------------------------------------------------------------- */

static bool reached(uint32_t at, uint32_t end) { return (int32_t)(at - end) >= 0; }

static void tell_sent(struct sock *sk, struct mark *m)
{
    if (m->tsflags & SOF_TIMESTAMPING_TX_SCHED)
        push_stamp(sk, SCM_TSTAMP_SCHED, m->end);
    if (m->tsflags & SOF_TIMESTAMPING_TX_SOFTWARE)
        push_stamp(sk, SCM_TSTAMP_SND, m->end);
    m->tsflags &= ~(uint32_t)(SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE);
}

static void pop_mark(struct sock *sk, bool acked)
{
    struct errq *q = sk->errq;
    struct mark *m = q->marks;

    if (acked && m->tsflags & SOF_TIMESTAMPING_TX_ACK)
        push_stamp(sk, SCM_TSTAMP_ACK, m->end);
    if (m->zerocopy)
        push_zerocopy(sk, m->id);
    q->marks = m->next;
    if (q->marks == NULL)
        q->marks_tail = NULL;
    free(m);
}

/* Asks the stack to tell of the next mark that is not sent, and of the first of all. */
static void watch(struct sock *sk)
{
    const struct mark *m = sk->errq->marks, *unsent = m;
    uint32_t pending = SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE;

    while (unsent != NULL && !(unsent->tsflags & pending))
        unsent = unsent->next;
    (void)tern_watch(sk->p->conf.stack, sk->k, unsent != NULL ? &unsent->end : NULL,
                     m != NULL ? &m->end : NULL);
}

void errq_progress(struct sock *sk)
{
    tern_tcp_info info;

    if (sk->errq == NULL || sk->errq->marks == NULL)
        return;
    bool over = sock_state(sk, &info) == LINUX_CLOSE;
    uint32_t sent = info.snd_nxt - info.iss - 1, acked = info.snd_una - info.iss - 1;
    for (struct mark *m = sk->errq->marks; m != NULL && reached(sent, m->end); m = m->next)
        tell_sent(sk, m);
    while (sk->errq->marks != NULL && (over || reached(acked, sk->errq->marks->end)))
        pop_mark(sk, reached(acked, sk->errq->marks->end));
    if (!over)
        watch(sk);
}

static uint32_t queued(const struct sock *sk)
{
    tern_tcp_info info;
    sock_state(sk, &info);
    bool opening = sk->phase == PHASE_CONNECTING || info.snd_una == info.iss;
    return (opening ? 0 : info.snd_una - info.iss - 1) + info.tx_queued;
}

void errq_sent(struct sock *sk, size_t len, bool zerocopy, uint32_t tsflags)
{
    bool stamps = (tsflags & TS_RECORD) != 0;
    struct mark *m;

    if (len == 0 || (!zerocopy && !stamps) || errq_of(sk) == NULL ||
        (m = calloc(1, sizeof *m)) == NULL)
        return;
    struct errq *q = sk->errq;
    m->end = queued(sk);
    m->tsflags = tsflags & TS_RECORD;
    m->zerocopy = zerocopy;
    if (zerocopy)
        m->id = q->zerocopy_next++;
    if (q->marks_tail != NULL)
        q->marks_tail->next = m;
    else
        q->marks = m;
    q->marks_tail = m;
    errq_progress(sk);
}

void errq_disconnect(struct sock *sk)
{
    while (sk->errq != NULL && sk->errq->marks != NULL)
        pop_mark(sk, false);
}

void errq_free(struct sock *sk)
{
    struct errq *q = sk->errq;

    if (q == NULL)
        return;
    while (q->marks != NULL) {
        struct mark *m = q->marks;
        q->marks = m->next;
        free(m);
    }
    while (q->head != NULL)
        pop(q);
    free(q);
    sk->errq = NULL;
}

/* ---- the option ------------------------------------------------------------------------------ */

int errq_set_timestamping(struct sock *sk, int flags)
{
    tern_tcp_info info;
    int state = sock_state(sk, &info);

    if (flags & ~TS_MASK)
        return -EINVAL;
    if (flags & OPT_ID_TCP && !(flags & SOF_TIMESTAMPING_OPT_ID))
        return -EINVAL;
    if (flags & SOF_TIMESTAMPING_OPT_ID && !(sk->opts.timestamping & SOF_TIMESTAMPING_OPT_ID)) {
        if (STATE_IN(state, S(CLOSE) | S(LISTEN)))
            return -EINVAL;
        if (errq_of(sk) == NULL)
            return -ENOMEM;
        sk->errq->key_base = flags & OPT_ID_TCP ? queued(sk) : info.snd_una - info.iss - 1;
    }
    if (flags & SOF_TIMESTAMPING_OPT_STATS && !(flags & SOF_TIMESTAMPING_OPT_TSONLY))
        return -EINVAL;
    sk->opts.timestamping = flags;
    return 0;
}
