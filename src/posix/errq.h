/* errq.h - the error queue of a socket: what has become of MSG_ZEROCOPY sends, and when what was
 * sent has left and was acknowledged (SO_TIMESTAMPING).
 *
 * A send leaves a mark at the stream's byte it ends with. The stack tells when the next mark has
 * been sent and acknowledged; each becomes one or more messages, which recvmsg(MSG_ERRQUEUE) takes.
 */
#ifndef TERN_POSIX_ERRQ_H
#define TERN_POSIX_ERRQ_H

#include "posix/posix.h"

/* `len` bytes have been queued by one call with these flags; `tsflags`: SOF_TIMESTAMPING_*. */
void errq_sent(struct sock *sk, size_t len, bool zerocopy, uint32_t tsflags);
/* Marks that have been reached become messages. */
void errq_progress(struct sock *sk);
bool errq_any(const struct sock *sk);
/* 0 (a message carries no data of its own), or -EAGAIN. */
ssize_t errq_recv(struct sock *sk, struct msghdr *msg);
void errq_free(struct sock *sk);

/* setsockopt(SO_TIMESTAMPING). */
int errq_set_timestamping(struct sock *sk, int flags);

#endif
