/* tcpinfo.h - the fields of TCP_INFO by name. */
#ifndef TERN_DRILL_TCPINFO_H
#define TERN_DRILL_TCPINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DRILL_TCP_INFO_SIZE = 512 };

/* The field of a struct tcp_info of Linux, with or without "tcpi_" in front; false: unknown. */
bool drill_tcp_info_field(const void *info, const char *name, int64_t *value);
/* Makes of Linux's segments FreeBSD's bytes, in a struct tcp_info. */
void drill_tcp_info_bsd(void *info);
/* The n-th name, NULL behind the last. */
const char *drill_tcp_info_name(size_t n);

#endif
