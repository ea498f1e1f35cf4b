/* packet.h - packets of a script <-> bytes <-> the script's notation.
 *
 * A struct drill_packet with absolute numbers describes a packet on the wire, one with relative
 * numbers a packet of a script; run.c maps one to the other. Written without the dissectors of
 * the stack under test, on purpose. */
#ifndef TERN_DRILL_PACKET_H
#define TERN_DRILL_PACKET_H

#include "drill/script.h"

/* Addresses are 16 bytes, IPv4 as ::ffff:a.b.c.d. */
struct drill_flow {
    uint8_t src[16], dst[16];
    uint16_t sport, dport;
};

enum { DRILL_PACKET_MAX = 65535 };

/* What an ICMP error to be written quotes: the flow and the first sequence number. */
struct drill_quoted {
    struct drill_flow flow;
    uint32_t seq, len;
    enum drill_proto proto;
};

/* Writes a packet with checksums; `out` holds DRILL_PACKET_MAX bytes. Returns its length; 0: `why`
 * says what cannot be written. */
size_t drill_encode(const struct drill_packet *p, const struct drill_flow *flow,
                    const struct drill_quoted *quoted, uint8_t *out, const char **why);

/* The digest of TCP-MD5 (RFC 2385) for an IP packet. */
void drill_sign(const uint8_t *data, size_t len, const struct drill_opt *key, uint8_t out[16]);

/* Whether a packet is signed by each key that `p` names. */
bool drill_is_signed(const uint8_t *data, size_t len, const struct drill_packet *p);

/* Takes a packet apart into absolute numbers; NULL, or what is wrong with it. */
const char *drill_decode(const uint8_t *data, size_t len, struct drill_packet *p,
                         struct drill_flow *flow);

/* Compares what was expected with what came. false: `why` says where they differ. */
bool drill_match(const struct drill_packet *script, const struct drill_packet *actual,
                 struct drill_text *why);

/* In the notation of scripts: "P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 1 ecr 2>". */
void drill_show_packet(struct drill_text *t, const struct drill_packet *p);
void drill_show_options(struct drill_text *t, const struct drill_packet *p);

/* ICMP types and codes by name; false: there is none. `code_name` may be NULL. */
/* The n-th name of a message, NULL behind the last. */
const char *drill_icmp_name(size_t n);
bool drill_icmp_type(bool v6, const struct drill_packet *p, uint8_t *type, uint8_t *code);

#endif
