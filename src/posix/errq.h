/* errq.h - the error queue of a socket: what has become of MSG_ZEROCOPY sends, when what was sent
 * has left and was acknowledged (SO_TIMESTAMPING), and which ICMP message has ended an attempt to
 * connect (IP_RECVERR; as in Linux, IPv4's are queued without it, too).
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
/* It has ended the attempt to connect. */
void errq_icmp(struct sock *sk, const tern_icmp *m);
bool errq_any(const struct sock *sk);
/* How many bytes of what it is about, or -EAGAIN. A pending error that is thereby told is gone. */
ssize_t errq_recv(struct sock *sk, struct msghdr *msg);
/* The connection is over: what was sent on it is done. Messages stay. */
void errq_disconnect(struct sock *sk);
void errq_free(struct sock *sk);

/* What SOF_TIMESTAMPING_OPT_STATS tells now; returns its length (stampstats.c). */
enum { STAMP_STATS_MAX = 320 };
size_t stamp_stats(struct sock *sk, uint8_t to[STAMP_STATS_MAX]);

/* setsockopt(SO_TIMESTAMPING). */
int errq_set_timestamping(struct sock *sk, int flags);

#endif
