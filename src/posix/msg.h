/* msg.h - control messages (struct cmsghdr) of sendmsg() and recvmsg(). */
#ifndef TERN_POSIX_MSG_H
#define TERN_POSIX_MSG_H

#include "posix/posix.h"

/* Appends one; sets MSG_CTRUNC where it does not fit. */
struct msg_control {
    struct msghdr *msg;
    size_t used, room;
};
void msg_control_begin(struct msg_control *m, struct msghdr *msg);
void msg_control_put(struct msg_control *m, int level, int type, const void *data, size_t len);
void msg_control_end(struct msg_control *m);

/* What a sender has attached: 0 or -EINVAL. *tsflags: SOF_TIMESTAMPING_TX_* for this call. */
int msg_send_control(const struct msghdr *msg, uint32_t *tsflags);
/* Attaches what the options ask for to data that was received. */
void msg_recv_control(struct sock *sk, struct msghdr *msg);

#endif
