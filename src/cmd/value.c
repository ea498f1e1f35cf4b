/* value.c - reads and writes numbers with units.
 *
 * A number is digits with an optional fraction, then a unit from the type's table. The value is
 * whole * unit + fraction * unit / 10^digits; it must come out even and fit 64 bits.
 */
#include "cmd/value.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    uint64_t factor;
};

#define KI 1024ull
#define K 1000ull

/* The first entry of a factor is the one that is written. Ends with a null name. */
static const struct unit uint_units[] = {{"", 1}, {NULL, 0}};
static const struct unit percent_units[] = {{"%", VALUE_PERCENT_MAX / 100},
                                            {"", VALUE_PERCENT_MAX / 100},
                                            {NULL, 0}};
static const struct unit duration_units[] = {{"h", VALUE_H},   {"min", VALUE_MIN}, {"s", VALUE_S},
                                             {"ms", VALUE_MS}, {"us", K},          {"ns", 1},
                                             {NULL, 0}};
static const struct unit size_units[] = {
    {"G", KI *KI *KI},   {"M", KI *KI},   {"k", KI},   {"", 1},
    {"GiB", KI *KI *KI}, {"MiB", KI *KI}, {"KiB", KI}, {"GB", K *K *K},
    {"MB", K *K},        {"kB", K},       {"B", 1},    {NULL, 0}};
static const struct unit rate_units[] = {
    {"Gbit", K *K *K}, {"Mbit", K *K}, {"kbit", K}, {"bit", 1}, {NULL, 0}};

struct type {
    const struct unit *units;
    const char *example;
};

static const struct type types[] = {
    [VALUE_UINT] = {uint_units, "a whole number"},
    [VALUE_PERCENT] = {percent_units, "a percentage such as 1% or 0.5%"},
    [VALUE_DURATION] = {duration_units, "a time such as 40ms (ns, us, ms, s, min or h)"},
    [VALUE_SIZE] = {size_units, "a size in bytes such as 1500 or 64k (k, M or G)"},
    [VALUE_RATE] = {rate_units, "a rate such as 10Mbit (bit, kbit, Mbit or Gbit)"},
};

const char *value_example(enum value_type type) { return types[type].example; }

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* A decimal number as it was typed. */
struct decimal {
    uint64_t whole, fraction;
    uint64_t scale; /* the fraction is fraction / scale */
};

/* Reads digits[.digits]; NULL when there is none or it is too long. */
static const char *read_decimal(const char *p, struct decimal *d)
{
    *d = (struct decimal){.scale = 1};
    if (!is_digit(*p))
        return NULL;
    for (; is_digit(*p); p++)
        if (__builtin_mul_overflow(d->whole, 10, &d->whole) ||
            __builtin_add_overflow(d->whole, (uint64_t)(*p - '0'), &d->whole))
            return NULL;
    if (*p != '.')
        return p;
    p++;
    if (!is_digit(*p))
        return NULL;
    for (; is_digit(*p); p++) {
        if (d->scale > UINT64_MAX / 100)
            return NULL;
        d->fraction = d->fraction * 10 + (uint64_t)(*p - '0');
        d->scale *= 10;
    }
    return p;
}

/* d * factor, if that is a whole number of 64 bits. */
static bool scale(const struct decimal *d, uint64_t factor, uint64_t *out)
{
    __extension__ typedef unsigned __int128 wide;
    wide fraction = (wide)d->fraction * factor;
    if (fraction % d->scale != 0)
        return false;
    wide sum = (wide)d->whole * factor + fraction / d->scale;
    *out = (uint64_t)sum;
    return sum <= UINT64_MAX;
}

enum value_result value_parse(enum value_type type, const char *text, uint64_t min, uint64_t max,
                              uint64_t *out)
{
    struct decimal d;
    uint64_t value = 0;
    const char *unit = read_decimal(text, &d);
    if (!unit)
        return VALUE_MALFORMED;
    if (d.whole != 0 || d.fraction != 0 || *unit != '\0') {
        const struct unit *u = types[type].units;
        while (u->name && strcasecmp(u->name, unit) != 0)
            u++;
        if (!u->name)
            return VALUE_MALFORMED;
        if (!scale(&d, u->factor, &value))
            return VALUE_MALFORMED;
    }
    if (value < min || value > max)
        return VALUE_RANGE;
    *out = value;
    return VALUE_OK;
}

/* A percentage has up to four decimals; everything else is written in the largest unit that
 * divides it. */
static void format_percent(uint64_t ppm, char text[VALUE_TEXT_MAX])
{
    uint64_t one = VALUE_PERCENT_MAX / 100;
    int n = snprintf(text, VALUE_TEXT_MAX, "%" PRIu64 ".%04" PRIu64, ppm / one, ppm % one);
    while (text[n - 1] == '0')
        n--;
    if (text[n - 1] == '.')
        n--;
    snprintf(text + n, VALUE_TEXT_MAX - (size_t)n, "%%");
}

void value_format(enum value_type type, uint64_t value, char text[VALUE_TEXT_MAX])
{
    if (type == VALUE_PERCENT) {
        format_percent(value, text);
        return;
    }
    if (value == 0) {
        snprintf(text, VALUE_TEXT_MAX, "0");
        return;
    }
    const struct unit *u = types[type].units;
    while (value % u->factor != 0)
        u++;
    snprintf(text, VALUE_TEXT_MAX, "%" PRIu64 "%s", value / u->factor, u->name);
}

/* The end of the host part and the start of the port, or false. */
static bool split_host(const char *text, const char **host, size_t *len, const char **port)
{
    const char *end;
    *host = text;
    if (*text == '[') {
        *host = text + 1;
        end = strchr(text, ']');
        if (!end || end[1] != ':')
            return false;
        *port = end + 2;
    } else {
        end = strchr(text, ':');
        if (!end || strchr(end + 1, ':'))
            return false;
        *port = end + 1;
    }
    *len = (size_t)(end - *host);
    return *len > 0;
}

enum value_result value_host_port(const char *text, struct host_port *out)
{
    const char *host, *port;
    size_t len;
    uint64_t number;
    if (!split_host(text, &host, &len, &port) || len >= sizeof(out->host))
        return VALUE_MALFORMED;
    enum value_result result = value_parse(VALUE_UINT, port, 0, UINT16_MAX, &number);
    if (result != VALUE_OK)
        return result;
    memcpy(out->host, host, len);
    out->host[len] = '\0';
    out->port = (uint16_t)number;
    return VALUE_OK;
}
