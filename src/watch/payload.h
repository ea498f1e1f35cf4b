/* payload.h - names the first line of a payload: "GET /", "200 OK", "TLS ClientHello example.org".
 *
 * A payload is foreign: every read is inside its bounds, and a name consists of printable ASCII.
 * What carries a secret (passwords, tokens) is named without it.
 */
#ifndef TERN_WATCH_PAYLOAD_H
#define TERN_WATCH_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

enum { PAYLOAD_NAME = 128 }; /* bytes of a name, its end included */

/* The name of what begins at `p`, a segment's `len` bytes; its length, or 0: nothing known (`out`
 * is then empty). */
size_t payload_name(const uint8_t *p, size_t len, char out[PAYLOAD_NAME]);

#endif
