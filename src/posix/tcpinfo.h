/* tcpinfo.h - struct tcp_info from what the stack says of a connection. */
#ifndef TERN_POSIX_TCPINFO_H
#define TERN_POSIX_TCPINFO_H

#include "tern/socket.h"

struct sock;
void tcpinfo_fill(const struct sock *sk, struct tern_linux_tcp_info *out);
/* The same of any connection; NULL: there is none. `now`: of its stack, ns. */
void tcpinfo_of(const tern_tcp_info *t, uint64_t now, struct tern_linux_tcp_info *out);
/* TCP's states with Linux's numbers, by enum tern_state. */
uint8_t tcpinfo_state(unsigned state);

#endif
