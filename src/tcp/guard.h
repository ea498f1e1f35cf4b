/* guard.h - what stands before a listener: who is admitted, and SYN cookies. */
#ifndef TERN_TCP_GUARD_H
#define TERN_TCP_GUARD_H

#include "tcp/tcp.h"

/* ---- admit.c --------------------------------------------------------------------------------- */

bool admit_init(struct tcp *t);
void admit_destroy(struct tcp *t);
int admit_rule_set(struct tcp *t, const uint8_t ip[16], uint32_t bits, enum tern_rule rule);
/* Whether a SYN from there may ask that listener for a connection, and a handshake end in one;
 * *counted: what becomes of it is to be counted by admit_count(). */
enum tern_drop admit_syn(struct tcp *t, struct listener *l, const uint8_t ip[16], bool *counted);
enum tern_drop admit_open(struct tcp *t, struct listener *l, const uint8_t ip[16], bool *counted);
/* Whether a SYN from there would be admitted now; nothing is counted. */
bool admit_would(const struct tcp *t, const struct listener *l, const uint8_t ip[16]);
/* So many more entries and connections of the source of that address. */
void admit_count(struct tcp *t, const uint8_t ip[16], int halfopen, int conns);
/* A SYN could not be taken as usual: the listener is being flooded. */
void admit_pressed(struct tcp *t, struct listener *l);
void admit_timer(struct tcp *t, uint32_t listener);

/* ---- cookie.c -------------------------------------------------------------------------------- */

/* Makes the ISS, and the SYN-ACK's timestamp if it has one, a cookie that tells of the entry as
 * much as it can hold. false: the peer's MSS is too small to be told. */
bool cookie_make(struct tcp *t, struct halfopen *h, const struct tcp_tuple *tuple, uint32_t *tsval);
/* The entry that a segment's acknowledgement number tells of; false: it tells of none. */
bool cookie_open(struct tcp *t, const struct tcp_seg *seg, struct halfopen *h);
/* Whether a segment to that listener may bring a cookie now. */
bool cookie_expected(const struct tcp *t, const struct listener *l);
void cookie_sent(struct tcp *t, struct listener *l);

#endif
