/* msg.c - control messages: read with the kernel's checks, written as put_cmsg() does. */
#include "posix/msg.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>

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

int msg_send_control(const struct sock *sk, const struct msghdr *msg)
{
    size_t at = 0;

    (void)sk;
    if (msg->msg_control == NULL)
        return 0;
    while (msg->msg_controllen - at >= sizeof(struct cmsghdr)) {
        struct cmsghdr h;
        memcpy(&h, (const uint8_t *)msg->msg_control + at, sizeof h);
        if (h.cmsg_len < sizeof h || h.cmsg_len > msg->msg_controllen - at)
            return -EINVAL;
        if (h.cmsg_level == SOL_SOCKET && h.cmsg_type != SCM_RIGHTS &&
            h.cmsg_type != SCM_CREDENTIALS)
            return -EINVAL;
        at += CMSG_ALIGN(h.cmsg_len);
        if (at > msg->msg_controllen)
            break;
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
        int inq = info.rx_queued != 0 ? (int)info.rx_queued : sk->done;
        msg_control_put(&m, IPPROTO_TCP, TCP_CM_INQ, &inq, sizeof inq);
    }
    msg_control_end(&m);
}
