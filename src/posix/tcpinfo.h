/* tcpinfo.h - struct tcp_info from what the stack says of a connection. */
#ifndef TERN_POSIX_TCPINFO_H
#define TERN_POSIX_TCPINFO_H

#include "posix/posix.h"

void tcpinfo_fill(const struct sock *sk, struct tern_linux_tcp_info *out);

#endif
