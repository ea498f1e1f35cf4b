/* signature.h - keys of TCP-MD5 (RFC 2385): setsockopt(TCP_MD5SIG) and TCP_MD5SIG_EXT. */
#ifndef TERN_POSIX_SIGNATURE_H
#define TERN_POSIX_SIGNATURE_H

#include "posix/posix.h"

int signature_set(struct sock *sk, bool extended, const void *value, socklen_t len);
/* Tells the stack's new listener or connection of the keys that were set before. */
void signature_apply(struct sock *sk);
void signature_free(struct sock *sk);

#endif
