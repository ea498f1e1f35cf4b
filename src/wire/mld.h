/* mld.h - Multicast Listener Discovery: a router asks who listens to which group, a listener tells
 * (RFC 9777, which is RFC 3810 again; and its first version, RFC 2710). */
#ifndef TERN_WIRE_MLD_H
#define TERN_WIRE_MLD_H

#include "wire/ip.h"

enum {
    WIRE_MLD_QUERY = 130,
    WIRE_MLD_REPORT1 = 131,
    WIRE_MLD_DONE1 = 132,
    WIRE_MLD_REPORT = 143,
    WIRE_MLD_IS_EXCLUDE = 2, /* kinds of records; without sources: all of the group is wanted, */
    WIRE_MLD_TO_INCLUDE = 3, /* nothing of it any more, */
    WIRE_MLD_TO_EXCLUDE = 4, /* or all of it from now on */
    WIRE_MLD_HEADERS = WIRE_IP6_HEADER + 8, /* with router alert (RFC 2711) */
    WIRE_MLD_FIXED = 8,                     /* before the records of a report, */
    WIRE_MLD_RECORD = 20,                   /* each of which has so much */
    WIRE_MLD_MESSAGE1 = 24,
};

struct wire_mld_query {
    uint8_t group[16]; /* unspecified: all of them */
    uint8_t version;   /* 1 or 2 */
    uint64_t delay_ns; /* the longest that an answer may take */
};

/* Reads a query of ip->payload_len bytes at `p` + ip->header_len, of a packet of which `have` bytes
 * are at `p`. false: not valid (RFC 9777 5.1.14, 6.2). */
bool wire_mld_read(const uint8_t *p, size_t have, const struct wire_ip *ip,
                   struct wire_mld_query *out);

/* Writes a record without sources. */
void wire_mld_record(uint8_t *p, uint8_t kind, const uint8_t group[16]);
/* Writes what stands before `count` records, which lie behind it, and the checksum. */
void wire_mld_report(uint8_t *p, unsigned count, const uint8_t src[16], const uint8_t dst[16]);
/* Writes a message of the first version. */
void wire_mld_message1(uint8_t *p, uint8_t type, const uint8_t group[16], const uint8_t src[16],
                       const uint8_t dst[16]);
/* Writes the headers before a message of that length. */
void wire_mld_headers(uint8_t *p, size_t len, const uint8_t src[16], const uint8_t dst[16]);

#endif
