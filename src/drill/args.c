/* args.c - values, addresses, buffers, messages and their control data. */
#include "drill/call.h"

#include "drill/symbols.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

enum { CONTROL_SIZE = 1024, ERR_STRUCT = 16, BUFFERS_MAX = 64 << 20 };

bool call_fail(struct drill_calling *c, const char *format, ...)
{
    va_list args;
    if (c->why.len > 0)
        return false;
    va_start(args, format);
    drill_vprint(&c->why, format, args);
    va_end(args);
    return false;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static bool word(struct drill_calling *c, const char *name, int64_t *out)
{
    for (int depth = 0; depth < 8; depth++) {
        const struct drill_define *d = c->names->defines;
        while (d && strcmp(d->name, name) != 0)
            d = d->next;
        if (!d)
            return drill_symbol(name, out) || call_fail(c, "an unknown symbol: %s", name);
        char *end;
        name = d->value;
        *out = strtoll(name, &end, 0);
        if (end != name && *end == '\0')
            return true;
    }
    return call_fail(c, "a definition that leads in a circle");
}

static bool call_value(struct drill_calling *c, const struct drill_expr *e, int64_t *out)
{
    const struct drill_expr *arg = e->first;
    int64_t v = 0;
    if (strcmp(e->text, "inet_addr") == 0 && arg && arg->kind == EXPR_STRING) {
        *out = inet_addr(arg->text);
        return true;
    }
    if (!arg || !drill_value(c, arg, &v))
        return call_fail(c, "%s() needs a number", e->text);
    if (strcmp(e->text, "htons") == 0 || strcmp(e->text, "ntohs") == 0)
        *out = htons((uint16_t)v);
    else if (strcmp(e->text, "htonl") == 0 || strcmp(e->text, "ntohl") == 0)
        *out = htonl((uint32_t)v);
    else
        return call_fail(c, "an unknown function: %s", e->text);
    return true;
}

static bool operate(struct drill_calling *c, const struct drill_expr *e, int64_t *out)
{
    int64_t a = 0, b = 0;
    if (!drill_value(c, e->first, &a) ||
        (e->kind == EXPR_BINARY && !drill_value(c, e->first->next, &b)))
        return false;
    uint64_t x = (uint64_t)a, y = (uint64_t)b;
    char op = e->text[0];
    if (e->kind == EXPR_UNARY)
        *out = (int64_t)(op == '-' ? 0 - x : op == '~' ? ~x : x == 0);
    else if (op == '/' && (b == 0 || b == -1))
        return call_fail(c, "a division that has no result");
    else
        *out = (int64_t)(op == '|'   ? x | y
                         : op == '&' ? x & y
                         : op == '^' ? x ^ y
                         : op == '<' ? x << (y & 63)
                         : op == '>' ? x >> (y & 63)
                         : op == '+' ? x + y
                         : op == '-' ? x - y
                         : op == '*' ? x * y
                                     : (uint64_t)(a / b));
    return true;
}

bool drill_value(struct drill_calling *c, const struct drill_expr *e, int64_t *out)
{
    switch (e->kind) {
    case EXPR_INT:
        *out = e->number;
        return true;
    case EXPR_WORD:
        return word(c, e->text, out);
    case EXPR_CALL:
        return call_value(c, e, out);
    case EXPR_UNARY:
    case EXPR_BINARY:
        return operate(c, e, out);
    case EXPR_ANY:
        *out = 0;
        return true;
    default:
        return call_fail(c, "expected a number");
    }
}

/* ---- structs --------------------------------------------------------------------------------- */

const struct drill_expr *call_member(const struct drill_expr *e, const char *name)
{
    const struct drill_expr *m = e->kind == EXPR_STRUCT ? e->first : NULL;
    while (m && !(m->field && strcmp(m->field, name) == 0))
        m = m->next;
    return m;
}

bool call_number(struct drill_calling *c, const struct drill_expr *e, const char *name,
                 int64_t *out)
{
    const struct drill_expr *m = call_member(e, name);
    *out = 0;
    return !m || drill_value(c, m, out);
}

bool call_check(struct drill_calling *c, const struct drill_expr *e, const char *name,
                int64_t actual)
{
    int64_t expected;
    const struct drill_expr *m = call_member(e, name);
    if (!m || m->kind == EXPR_ANY)
        return true;
    if (!drill_value(c, m, &expected))
        return false;
    return expected == actual || call_fail(c, "expected %s=%lld (0x%llx) but got %lld (0x%llx)",
                                           name, (long long)expected, (unsigned long long)expected,
                                           (long long)actual, (unsigned long long)actual);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static void set_address(struct drill_calling *c, const uint8_t ip[16], uint16_t port_be)
{
    memset(&c->target, 0, sizeof(c->target));
    if (c->names->family == DRILL_IPV4) {
        struct sockaddr_in *in = (struct sockaddr_in *)&c->target;
        in->sin_family = AF_INET;
        in->sin_port = port_be;
        memcpy(&in->sin_addr, ip + 12, 4);
        c->target_len = sizeof(*in);
        return;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&c->target;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = port_be;
    memcpy(&in6->sin6_addr, ip, 16);
    c->target_len = sizeof(*in6);
}

/* inet_addr("...") and inet_pton(AF_INET6, "...") as bytes. */
static bool ip_of(struct drill_calling *c, const struct drill_expr *e, void *out, bool v6)
{
    const struct drill_expr *text = e->first;
    while (text && text->kind != EXPR_STRING)
        text = text->next;
    if (e->kind == EXPR_CALL && text)
        return inet_pton(v6 ? AF_INET6 : AF_INET, text->text, out) == 1 ||
               call_fail(c, "not an address: %s", text->text);
    if (e->kind == EXPR_STRING)
        return inet_pton(v6 ? AF_INET6 : AF_INET, e->text, out) == 1 ||
               call_fail(c, "not an address: %s", e->text);
    int64_t v = 0;
    if (e->kind == EXPR_ANY || v6)
        return true;
    uint32_t ip;
    if (!drill_value(c, e, &v))
        return false;
    ip = (uint32_t)v;
    memcpy(out, &ip, 4);
    return true;
}

static bool address_struct(struct drill_calling *c, const struct drill_expr *e)
{
    int64_t family = 0, port = 0;
    const struct drill_expr *ip;
    memset(&c->target, 0, sizeof(c->target));
    if (!call_number(c, e, "sa_family", &family))
        return false;
    if (family == AF_INET6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&c->target;
        in6->sin6_family = AF_INET6;
        ip = call_member(e, "sin6_addr");
        if (!call_number(c, e, "sin6_port", &port) || (ip && !ip_of(c, ip, &in6->sin6_addr, true)))
            return false;
        in6->sin6_port = (uint16_t)port;
        c->target_len = sizeof(*in6);
        return true;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)&c->target;
    in->sin_family = (sa_family_t)family;
    ip = call_member(e, "sin_addr");
    if (!call_number(c, e, "sin_port", &port) || (ip && !ip_of(c, ip, &in->sin_addr, false)))
        return false;
    in->sin_port = (uint16_t)port;
    c->target_len = sizeof(*in);
    return true;
}

bool call_address(struct drill_calling *c, const struct drill_expr *e, bool local, size_t at)
{
    if (e->kind == EXPR_STRUCT) {
        if (!address_struct(c, e))
            return false;
    } else if (e->kind == EXPR_ANY) {
        set_address(c, local ? c->names->local : c->names->remote,
                    htons(local ? c->names->bind_port : c->names->connect_port));
    } else {
        return call_fail(c, "expected an address");
    }
    c->args[at] = (intptr_t)&c->target;
    return true;
}

/* ---- buffers and messages -------------------------------------------------------------------- */

bool call_iov(struct drill_calling *c, const struct drill_expr *e, intptr_t *array, size_t *count)
{
    size_t n = 0, i = 0, total = 0;
    if (e->kind != EXPR_LIST)
        return e->kind == EXPR_ANY || call_fail(c, "expected a list of buffers");
    for (const struct drill_expr *x = e->first; x; x = x->next)
        n++;
    struct iovec *v = drill_alloc(&c->arena, (n + 1) * sizeof(*v));
    *array = (intptr_t)v;
    *count = n;
    for (const struct drill_expr *x = e->first; x; x = x->next, i++) {
        const struct drill_expr *len = call_member(x, "iov_len");
        int64_t size = 0;
        if (!len && x->kind == EXPR_STRUCT && x->first)
            len = x->first->next;
        if (!len)
            return call_fail(c, "a buffer needs its length: {..., 100}");
        if (!drill_value(c, len, &size))
            return false;
        total += (size_t)size;
        if (size < 0 || total > BUFFERS_MAX)
            return call_fail(c, "buffers that are too large");
        v[i].iov_len = (size_t)size;
        v[i].iov_base = drill_alloc(&c->arena, (size_t)size + x->first->len + 1);
        if (x->first->kind == EXPR_STRING)
            memcpy(v[i].iov_base, x->first->text, x->first->len);
    }
    return true;
}

/* Control messages to be sent: numbers of four bytes. */
static bool control_in(struct drill_calling *c, const struct drill_expr *list, struct msghdr *m)
{
    size_t used = 0;
    char *p = drill_alloc(&c->arena, CONTROL_SIZE);
    for (const struct drill_expr *x = list->first; x; x = x->next) {
        int64_t level, type, value = 0;
        struct cmsghdr *h = (struct cmsghdr *)(p + used);
        if (used + CMSG_SPACE(sizeof(int)) > CONTROL_SIZE)
            return call_fail(c, "too many control messages");
        const struct drill_expr *data = call_member(x, "cmsg_data");
        if (!call_number(c, x, "cmsg_level", &level) || !call_number(c, x, "cmsg_type", &type))
            return false;
        if (data && data->kind == EXPR_LIST)
            data = data->first;
        if (data && !drill_value(c, data, &value))
            return false;
        int small = (int)value;
        h->cmsg_level = (int)level;
        h->cmsg_type = (int)type;
        h->cmsg_len = CMSG_LEN(sizeof(small));
        memcpy(CMSG_DATA(h), &small, sizeof(small));
        used += CMSG_SPACE(sizeof(small));
    }
    m->msg_control = p;
    m->msg_controllen = used;
    return true;
}

bool call_message(struct drill_calling *c, const struct drill_expr *e, size_t at, bool receive)
{
    struct msghdr *m = drill_alloc(&c->arena, sizeof(*m));
    const struct drill_expr *x;
    int64_t flags = 0;
    c->args[at] = (intptr_t)m;
    if (e->kind != EXPR_STRUCT)
        return call_fail(c, "expected a message: {msg_iov(1)=[{..., 100}]}");
    x = call_member(e, "msg_iov");
    if (x) {
        intptr_t array = 0;
        size_t count = 0;
        if (!call_iov(c, x, &array, &count))
            return false;
        m->msg_iov = (struct iovec *)array;
        m->msg_iovlen = count;
    }
    if (!call_number(c, e, "msg_flags", &flags))
        return false;
    m->msg_flags = (int)flags;
    x = call_member(e, "msg_name");
    if (x && x->kind == EXPR_STRUCT) {
        if (!call_address(c, x, false, at))
            return false;
        m->msg_name = &c->target;
        m->msg_namelen = c->target_len;
        c->args[at] = (intptr_t)m;
    }
    if (receive) {
        m->msg_control = drill_alloc(&c->arena, CONTROL_SIZE);
        m->msg_controllen = CONTROL_SIZE;
        return true;
    }
    x = call_member(e, "msg_control");
    return !x || x->kind != EXPR_LIST || control_in(c, x, m);
}

/* The first of three timestamps, in the script's time. */
static bool timestamp(struct drill_calling *c, const struct drill_expr *data, const void *bytes)
{
    int64_t sec, nsec;
    struct timespec ts;
    memcpy(&ts, bytes, sizeof(ts));
    if (!call_number(c, data, "scm_sec", &sec) || !call_number(c, data, "scm_nsec", &nsec))
        return false;
    int64_t expected = sec * 1000000000 + nsec;
    int64_t actual = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec - c->names->start;
    if (llabs(expected - actual) <= c->names->tolerance)
        return true;
    return call_fail(c, "bad timestamp: expected: %lld.%09lld vs actual: %lld.%09lld",
                     (long long)sec, (long long)nsec, (long long)(actual / 1000000000),
                     (long long)(actual % 1000000000));
}

static bool extended_error(struct drill_calling *c, const struct drill_expr *data,
                           const void *bytes)
{
    struct {
        uint32_t error;
        uint8_t origin, type, code, pad;
        uint32_t info, data;
    } ee;
    _Static_assert(sizeof(ee) == ERR_STRUCT, "as struct sock_extended_err");
    memcpy(&ee, bytes, sizeof(ee));
    return call_check(c, data, "ee_errno", ee.error) &&
           call_check(c, data, "ee_origin", ee.origin) && call_check(c, data, "ee_type", ee.type) &&
           call_check(c, data, "ee_code", ee.code) && call_check(c, data, "ee_info", ee.info) &&
           call_check(c, data, "ee_data", ee.data);
}

static bool control_data(struct drill_calling *c, const struct drill_expr *data,
                         const struct cmsghdr *h)
{
    size_t len = h->cmsg_len - CMSG_LEN(0);
    if (data->kind == EXPR_ANY)
        return true;
    if (data->kind == EXPR_STRUCT) {
        bool time = call_member(data, "scm_sec") || call_member(data, "scm_nsec");
        size_t least = time ? sizeof(struct timespec) : (size_t)ERR_STRUCT;
        if (len < least)
            return call_fail(c, "a control message of %zu bytes", len);
        return time ? timestamp(c, data, CMSG_DATA(h)) : extended_error(c, data, CMSG_DATA(h));
    }
    if (data->kind == EXPR_LIST)
        data = data->first;
    int64_t expected = 0, actual;
    int small = 0;
    if (!data || !drill_value(c, data, &expected))
        return data == NULL;
    memcpy(&small, CMSG_DATA(h), len < sizeof(small) ? len : sizeof(small));
    actual = small;
    return expected == actual || call_fail(c, "expected cmsg_data %lld but got %lld",
                                           (long long)expected, (long long)actual);
}

bool call_message_check(struct drill_calling *c, const struct drill_expr *e, size_t at)
{
    struct msghdr *m = (struct msghdr *)c->args[at];
    const struct drill_expr *list = call_member(e, "msg_control");
    if (!call_check(c, e, "msg_flags", m->msg_flags))
        return false;
    if (!list || list->kind != EXPR_LIST)
        return true;
    struct cmsghdr *h = CMSG_FIRSTHDR(m);
    for (const struct drill_expr *x = list->first; x; x = x->next) {
        if (!h)
            return call_fail(c, "fewer control messages than expected");
        const struct drill_expr *data = call_member(x, "cmsg_data");
        if (!call_check(c, x, "cmsg_level", h->cmsg_level) ||
            !call_check(c, x, "cmsg_type", h->cmsg_type) || (data && !control_data(c, data, h)))
            return false;
        h = CMSG_NXTHDR(m, h);
    }
    return !h || call_fail(c, "more control messages than expected: level %d, type %d",
                           h->cmsg_level, h->cmsg_type);
}
