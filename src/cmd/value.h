/* value.h - numbers as people type them: 1.5%, 40ms, 64k, 10Mbit, [2001:db8::80]:80.
 *
 * Exact: whole numbers inside, no floating point; what would have to be rounded is refused.
 */
#ifndef TERN_CMD_VALUE_H
#define TERN_CMD_VALUE_H

#include <stddef.h>
#include <stdint.h>

enum value_type {
    VALUE_UINT,
    VALUE_PERCENT,  /* parts per million: 1% is 10,000 */
    VALUE_DURATION, /* nanoseconds; ns us ms s min h */
    VALUE_SIZE,     /* bytes; k M G (or KiB MiB GiB): powers of 1,024; kB MB GB: of 1,000 */
    VALUE_RATE,     /* bits per second; bit kbit Mbit Gbit, powers of 1,000 */
};

#define VALUE_PERCENT_MAX 1000000u /* 100% */

#define VALUE_MS 1000000ull
#define VALUE_S 1000000000ull
#define VALUE_MIN (60 * VALUE_S)
#define VALUE_H (60 * VALUE_MIN)

enum value_result {
    VALUE_OK,
    VALUE_MALFORMED, /* no such number, no such unit, or finer than the type can hold */
    VALUE_RANGE,     /* below `min` or above `max` */
};

/* Reads all of `text`. A unit is required where one is listed above, but for a percentage, a size,
 * and 0. `*out` is written on VALUE_OK only. */
enum value_result value_parse(enum value_type type, const char *text, uint64_t min, uint64_t max,
                              uint64_t *out);

#define VALUE_TEXT_MAX 32
/* The shortest exact form, as it could be typed: 40ms. */
void value_format(enum value_type type, uint64_t value, char text[VALUE_TEXT_MAX]);

/* What to type, for a person who did not: "a time such as 40ms". */
const char *value_example(enum value_type type);

struct host_port {
    char host[256]; /* a name or an address, without brackets */
    uint16_t port;
};

/* HOST:PORT; an IPv6 address stands in brackets. Port 0 is allowed: the caller decides. */
enum value_result value_host_port(const char *text, struct host_port *out);

#endif
