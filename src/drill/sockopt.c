/* sockopt.c - the values of setsockopt() and getsockopt(). */
#include "drill/call.h"
#include "drill/symbols.h"
#include "drill/tcpinfo.h"

#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum { ROOM = 512, OPT_LINGER = 13, OPT_RCVTIMEO = 20, OPT_SNDTIMEO = 21, OPT_TCP_INFO = 11 };
enum { LEVEL_SOCKET = 1, LEVEL_TCP = 6 };

static bool is(const struct drill_calling *c, int level, int name)
{
    return c->args[1] == level && c->args[2] == name;
}

static bool is_time(const struct drill_calling *c)
{
    return is(c, LEVEL_SOCKET, OPT_RCVTIMEO) || is(c, LEVEL_SOCKET, OPT_SNDTIMEO);
}

static void given(struct drill_calling *c, size_t at, const void *value, size_t len)
{
    memcpy((void *)c->args[at], value, len);
    c->args[at + 1] = (intptr_t)len; /* what the script says replaces it */
}

/* A list of numbers, four bytes each; [1] with a length of 1 is one byte. */
static bool numbers_in(struct drill_calling *c, const struct drill_expr *e, size_t at)
{
    int v[ROOM / sizeof(int)] = {0};
    size_t n = 0;
    for (const struct drill_expr *x = e->first; x; x = x->next) {
        int64_t value;
        if (n == sizeof(v) / sizeof(v[0]))
            return call_fail(c, "too many numbers");
        if (!drill_value(c, x, &value))
            return false;
        v[n++] = (int)value;
    }
    given(c, at, v, n * sizeof(int));
    return true;
}

static bool struct_in(struct drill_calling *c, const struct drill_expr *e, size_t at)
{
    int64_t a = 0, b = 0;
    if (is_time(c)) {
        if (!call_number(c, e, "tv_sec", &a) || !call_number(c, e, "tv_usec", &b))
            return false;
        struct timeval tv = {.tv_sec = a, .tv_usec = b};
        given(c, at, &tv, sizeof(tv));
        return true;
    }
    if (is(c, LEVEL_SOCKET, OPT_LINGER)) {
        const struct drill_expr *x = call_member(e, "l_onoff");
        const char *prefix = x ? "l_onoff" : "onoff", *second = x ? "l_linger" : "linger";
        if (!call_number(c, e, prefix, &a) || !call_number(c, e, second, &b))
            return false;
        int v[2] = {(int)a, (int)b};
        given(c, at, v, sizeof(v));
        return true;
    }
    if (call_member(e, "function_set_name"))
        return true; /* FreeBSD: which of its stacks; here is one */
    if (call_member(e, "tcpm_keylen") || call_member(e, "tcpm_key")) {
        /* struct tcp_md5sig: address, flags, prefix, key length, interface, key */
        uint8_t sig[216] = {0};
        const struct drill_expr *key = call_member(e, "tcpm_key");
        int64_t keylen = key ? (int64_t)key->len : 0;
        if (call_member(e, "tcpm_keylen") && !call_number(c, e, "tcpm_keylen", &keylen))
            return false;
        struct sockaddr_storage kept = c->target;
        const struct drill_expr any = {.kind = EXPR_ANY}, *to = call_member(e, "tcpm_addr");
        intptr_t pointer = c->args[at];
        if (!call_address(c, to ? to : &any, false, at))
            return false;
        memcpy(sig, &c->target, sizeof(c->target));
        c->target = kept;
        c->args[at] = pointer;
        uint16_t len = (uint16_t)keylen;
        int64_t flags = 0, prefix = 0;
        if ((call_member(e, "tcpm_flags") && !call_number(c, e, "tcpm_flags", &flags)) ||
            (call_member(e, "tcpm_prefixlen") && !call_number(c, e, "tcpm_prefixlen", &prefix)))
            return false;
        sig[128] = (uint8_t)flags;
        sig[129] = (uint8_t)prefix;
        memcpy(sig + 130, &len, 2);
        if (key && key->kind == EXPR_STRING)
            memcpy(sig + 136, key->text, key->len < 80 ? key->len : 80);
        given(c, at, sig, sizeof(sig));
        return true;
    }
    return call_fail(c, "a struct that is no option's value");
}

bool call_option_in(struct drill_calling *c, const struct drill_expr *e, size_t at)
{
    int64_t value;
    c->args[at] = (intptr_t)drill_alloc(&c->arena, ROOM + (e->kind == EXPR_STRING ? e->len : 0));
    switch (e->kind) {
    case EXPR_ANY:
        return true;
    case EXPR_LIST:
        return numbers_in(c, e, at);
    case EXPR_STRUCT:
        return struct_in(c, e, at);
    case EXPR_STRING:
        given(c, at, e->text, e->len);
        return true;
    default:
        if (e->kind == EXPR_WORD && strcmp(e->text, "NULL") == 0) {
            c->args[at] = 0;
            return true;
        }
        if (!drill_value(c, e, &value))
            return false;
        int v = (int)value;
        given(c, at, &v, sizeof(v));
        return true;
    }
}

/* The length follows; a script that gives none has room for everything. */
bool call_option_out(struct drill_calling *c, const struct drill_expr *e, size_t at)
{
    int *len = drill_alloc(&c->arena, sizeof(*len));
    (void)e;
    *len = ROOM;
    c->args[at] = (intptr_t)drill_alloc(&c->arena, ROOM);
    c->args[at + 1] = (intptr_t)len;
    return true;
}

static bool info_check(struct drill_calling *c, const struct drill_expr *e, const void *info)
{
    for (const struct drill_expr *m = e->first; m; m = m->next) {
        int64_t actual;
        if (!m->field)
            continue;
        if (!drill_tcp_info_field(info, m->field, &actual))
            return call_fail(c, "an unknown field of TCP_INFO: %s", m->field);
        if (!call_check(c, e, m->field, actual))
            return false;
    }
    return true;
}

static bool struct_check(struct drill_calling *c, const struct drill_expr *e, char *p)
{
    if (is_time(c)) {
        struct timeval tv;
        memcpy(&tv, p, sizeof(tv));
        return call_check(c, e, "tv_sec", tv.tv_sec) && call_check(c, e, "tv_usec", tv.tv_usec);
    }
    if (is(c, LEVEL_TCP, OPT_TCP_INFO)) {
        if (c->names->bsd)
            drill_tcp_info_bsd(p);
        return info_check(c, e, p);
    }
    if (is(c, LEVEL_SOCKET, OPT_LINGER)) {
        int v[2];
        memcpy(v, p, sizeof(v));
        return call_check(c, e, "onoff", v[0]) && call_check(c, e, "linger", v[1]) &&
               call_check(c, e, "l_onoff", v[0]) && call_check(c, e, "l_linger", v[1]);
    }
    return call_fail(c, "a struct that is no option's value");
}

bool call_option_check(struct drill_calling *c, const struct drill_expr *e, size_t at)
{
    char *p = (char *)c->args[at];
    int len = *(const int *)c->args[at + 1], i = 0;
    if (e->kind == EXPR_STRUCT)
        return struct_check(c, e, p);
    if (e->kind == EXPR_STRING) {
        size_t n = strnlen(p, (size_t)len);
        return (n == e->len && memcmp(p, e->text, n) == 0) ||
               call_fail(c, "expected \"%s\" but got \"%.*s\"", e->text, (int)n, p);
    }
    if (e->kind != EXPR_LIST)
        return true;
    for (const struct drill_expr *x = e->first; x; x = x->next, i++) {
        int64_t expected;
        int actual = 0;
        if (x->kind == EXPR_ANY)
            continue;
        if (!drill_value(c, x, &expected))
            return false;
        memcpy(&actual, p + 4 * i, len == 1 ? 1 : sizeof(actual));
        if ((int)expected != actual)
            return call_fail(c, "Bad getsockopt optval: expected: %d actual: %d", (int)expected,
                             actual);
    }
    return true;
}
