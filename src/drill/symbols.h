/* symbols.h - the names that scripts use for numbers, with Linux's values.
 *
 * The table is the interface of Linux as a fact, not the headers of the machine this is built on:
 * scripts use names that are newer than those, and FreeBSD's. */
#ifndef TERN_DRILL_SYMBOLS_H
#define TERN_DRILL_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct drill_symbol {
    const char *name;
    int64_t value;
};

bool drill_symbol(const char *name, int64_t *value);
/* "EAGAIN" for 11; NULL if there is none. */
const char *drill_errno_name(int64_t value);

/* Options that only FreeBSD has: numbers beyond all of Linux's. */
enum {
    DRILL_BSD = 0x10000,
    DRILL_TCP_FUNCTION_BLK = DRILL_BSD,
    DRILL_TCP_LOG,
    DRILL_TCP_NOPUSH,
    DRILL_TCP_NOOPT,
    DRILL_TCP_IOSS,
    DRILL_TCP_KEEPINIT,
    DRILL_TCP_RACK_PACE,
    DRILL_TCP_REMOTE_UDP_ENCAPS_PORT,
    DRILL_TCP_PCAP_OUT,
    DRILL_TCP_PCAP_IN,
    DRILL_TCP_MAXUNACKTIME,
    DRILL_TCP_DELACK,
    DRILL_TCP_FIN_IS_RST,
    DRILL_TCP_LOGDUMP,
    DRILL_SO_NOSIGPIPE,
    DRILL_SO_USELOOPBACK,
    DRILL_SO_SETFIB,
    DRILL_SO_ACCEPTFILTER,
};

/* Every name, for the reference and for suggestions; ends with a NULL name. */
extern const struct drill_symbol drill_symbols[];

#endif
