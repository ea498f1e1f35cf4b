/* msg.c - control messages: read with the kernel's checks, written as put_cmsg() does. */
#include "posix/msg.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>

/* SOF_TIMESTAMPING_TX_*: what may be asked for with one call. */
enum { TX_RECORD = 1 << 0 | 1 << 1 | 1 << 8 | 1 << 9 | 1 << 18 };

#ifndef TCP_CM_INQ
#define TCP_CM_INQ TCP_INQ
#endif

void msg_control_begin(struct msg_control *m, struct msghdr *msg)
{
    *m = (struct msg_control){.msg = msg, .room = msg->msg_control ? msg->msg_controllen : 0};
}

void msg_control_put(struct msg_control *m, int level, int type, const void *data, size_t len)
{
    struct cmsghdr h = {.cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type};
    size_t left = m->room - m->used;

    if (left < sizeof h) {
        m->msg->msg_flags |= MSG_CTRUNC;
        return;
    }
    if (left < h.cmsg_len) {
        m->msg->msg_flags |= MSG_CTRUNC;
        h.cmsg_len = left;
    }
    uint8_t *at = (uint8_t *)m->msg->msg_control + m->used;
    memcpy(at, &h, sizeof h);
    memcpy(at + CMSG_LEN(0), data, h.cmsg_len - CMSG_LEN(0));
    size_t space = CMSG_SPACE(h.cmsg_len - CMSG_LEN(0));
    m->used += space < left ? space : left;
}

void msg_control_end(struct msg_control *m) { m->msg->msg_controllen = m->used; }

static int take_control(const struct cmsghdr *h, const uint8_t *data, uint32_t *tsflags)
{
    uint32_t flags;

    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type == SCM_RIGHTS ||
        h->cmsg_type == SCM_CREDENTIALS)
        return 0; /* TCP looks at no other level; these two are AF_UNIX's, and ignored */
    if (h->cmsg_type != SO_TIMESTAMPING)
        return -EINVAL;
    if (h->cmsg_len != CMSG_LEN(sizeof flags))
        return -EINVAL;
    memcpy(&flags, data, sizeof flags);
    if (flags & ~(uint32_t)TX_RECORD)
        return -EINVAL;
    *tsflags = (*tsflags & ~(uint32_t)TX_RECORD) | flags;
    return 0;
}

int msg_send_control(const struct msghdr *msg, uint32_t *tsflags)
{
    const uint8_t *control = msg->msg_control;
    size_t at = 0;

    if (control == NULL)
        return 0;
    while (msg->msg_controllen > at && msg->msg_controllen - at >= sizeof(struct cmsghdr)) {
        struct cmsghdr h;
        memcpy(&h, control + at, sizeof h);
        if (h.cmsg_len < sizeof h || h.cmsg_len > msg->msg_controllen - at)
            return -EINVAL;
        int err = take_control(&h, control + at + CMSG_LEN(0), tsflags);
        if (err != 0)
            return err;
        at += CMSG_ALIGN(h.cmsg_len);
    }
    return 0;
}

void msg_recv_control(struct sock *sk, struct msghdr *msg)
{
    struct msg_control m;

    msg_control_begin(&m, msg);
    if (sk->opts.inq) {
        tern_tcp_info info;
        sock_state(sk, &info);
        int inq = (int)info.rx_queued + sk->done; /* the FIN counts */
        msg_control_put(&m, IPPROTO_TCP, TCP_CM_INQ, &inq, sizeof inq);
    }
    msg_control_end(&m);
}
