/* calls.c - the table of calls: which arguments each takes, and what of them is looked at after. */
#include "drill/call.h"

#include "drill/symbols.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

/* Codes of arguments, one letter each:
 *   i number          f descriptor        d domain           s string, a path
 *   b data to send    r room to receive   v array of buffers to send   w ... to receive
 *   B address to bind A address to call   a room for an address   l its length
 *   t address of sendto(), or NULL
 *   m message to send M message to receive
 *   o option's value  O room for one      n length in          N length in and out
 *   p array of pollfd e epoll_event in    E array of epoll_events out
 *   F two descriptors out   P offset in, and perhaps what it is after, or NULL   g ioctl's argument
 * A `?` in front: may be missing. `result`: f a new descriptor. */
static const struct call_spec {
    const char *name;
    enum drill_nr nr;
    const char *args;
    char result;
} specs[] = {
#define CALL(name, args, result)                                                                   \
    {                                                                                              \
#name, DRILL_NR_##name, args, result                                                       \
    }
    CALL(socket, "dii", 'f'),
    CALL(bind, "fBl", 'i'),
    CALL(listen, "fi", 'i'),
    CALL(accept, "fal", 'f'),
    CALL(accept4, "fali", 'f'),
    CALL(connect, "fAl", 'i'),
    CALL(shutdown, "fi", 'i'),
    CALL(close, "f", 'i'),
    CALL(getsockname, "fal", 'i'),
    CALL(getpeername, "fal", 'i'),
    CALL(getsockopt, "fiiON", 'i'),
    CALL(setsockopt, "fiion", 'i'),
    CALL(read, "fri", 'i'),
    CALL(write, "fbi", 'i'),
    CALL(readv, "fwi", 'i'),
    CALL(writev, "fvi", 'i'),
    CALL(recv, "frii", 'i'),
    CALL(send, "fbii", 'i'),
    CALL(recvfrom, "friial", 'i'),
    CALL(sendto, "fbiitl", 'i'),
    CALL(recvmsg, "fMi", 'i'),
    CALL(sendmsg, "fmi", 'i'),
    CALL(dup, "f", 'f'),
    CALL(dup2, "ff", 'f'),
    CALL(fcntl, "fi?i", 'i'),
    CALL(ioctl, "fi?g", 'i'),
    CALL(pipe, "F", 'i'),
    CALL(pipe2, "Fi", 'i'),
    CALL(open, "si?i", 'f'),
    CALL(sendfile, "ffPi", 'i'),
    CALL(splice, "fPfPii", 'i'),
    CALL(poll, "pii", 'i'),
    CALL(epoll_create, "i", 'f'),
    CALL(epoll_create1, "i", 'f'),
    CALL(epoll_ctl, "fife", 'i'),
    CALL(epoll_wait, "fEii", 'i'),
#undef CALL
};

enum { SPECS = sizeof(specs) / sizeof(specs[0]), BUFFER_MAX = 64 << 20 };

const char *drill_call_name(size_t n) { return n < SPECS ? specs[n].name : NULL; }

static const struct call_spec *spec_of(const char *name)
{
    for (size_t i = 0; i < SPECS; i++)
        if (strcmp(specs[i].name, name) == 0)
            return &specs[i];
    return NULL;
}

int call_fd(const struct drill_calling *c, int64_t script)
{
    return script >= 0 && script < DRILL_FDS_MAX ? c->names->live_fd[script] : -1;
}

/* ---- before ---------------------------------------------------------------------------------- */

/* Data to send (the script's bytes, or zeros) or room to receive; its size is the next argument. */
static bool buffer(struct drill_calling *c, const struct drill_expr *e, size_t at)
{
    int64_t size = 0;
    if (e->next && !drill_value(c, e->next, &size))
        return false;
    if (size < 0 || size > BUFFER_MAX)
        return call_fail(c, "a buffer of %lld bytes", (long long)size);
    char *p = drill_alloc(&c->arena, (size_t)size + (e->kind == EXPR_STRING ? e->len : 0) + 1);
    if (e->kind == EXPR_STRING)
        memcpy(p, e->text, e->len);
    c->args[at] = (intptr_t)p;
    return true;
}

static bool vector(struct drill_calling *c, const struct drill_expr *e, size_t at)
{
    size_t count;
    return call_iov(c, e, &c->args[at], &count);
}

static bool poll_array(struct drill_calling *c, const struct drill_expr *e, size_t at)
{
    size_t n = 0;
    for (const struct drill_expr *x = e->first; x; x = x->next)
        n++;
    struct pollfd *p = drill_alloc(&c->arena, (n + 1) * sizeof(*p));
    c->args[at] = (intptr_t)p;
    for (const struct drill_expr *x = e->first; x; x = x->next, p++) {
        int64_t fd = 0, events = 0;
        if (!call_number(c, x, "fd", &fd) || !call_number(c, x, "events", &events))
            return false;
        p->fd = call_fd(c, fd);
        p->events = (short)events;
    }
    return true;
}

static bool epoll_in(struct drill_calling *c, const struct drill_expr *e, size_t at)
{
    int64_t events = 0, data = 0;
    static const char *const names[] = {"fd", "u32", "u64", "ptr"};
    if (e->kind != EXPR_STRUCT)
        return true; /* NULL, of EPOLL_CTL_DEL */
    struct epoll_event *p = drill_alloc(&c->arena, sizeof(*p));
    c->args[at] = (intptr_t)p;
    if (!call_number(c, e, "events", &events))
        return false;
    for (size_t i = 0; i < 4; i++)
        if (call_member(e, names[i]) && !call_number(c, e, names[i], &data))
            return false;
    p->events = (uint32_t)events;
    p->data.u64 = (uint64_t)data;
    return true;
}

static bool epoll_out(struct drill_calling *c, const struct drill_expr *e, size_t at)
{
    int64_t max = 0;
    if (!e->next || !drill_value(c, e->next, &max))
        return call_fail(c, "epoll_wait needs the number of events");
    if (max > 0 && max < 1 << 20)
        c->args[at] = (intptr_t)drill_alloc(&c->arena, (size_t)max * sizeof(struct epoll_event));
    return true;
}

/* A pointer to a number: [4], or NULL. */
static bool number_at(struct drill_calling *c, const struct drill_expr *e, size_t at, size_t size)
{
    int64_t value = 0;
    if (e->kind == EXPR_LIST) {
        if (e->first && e->first->kind != EXPR_ANY && !drill_value(c, e->first, &value))
            return false;
        char *p = drill_alloc(&c->arena, sizeof(value));
        if (size == sizeof(value)) {
            memcpy(p, &value, size);
        } else {
            int small = (int)value;
            memcpy(p, &small, sizeof(small));
        }
        c->args[at] = (intptr_t)p;
        return true;
    }
    return e->kind == EXPR_ANY || drill_value(c, e, &value);
}

/* The length of an address: in for bind() and connect(), in and out for others. */
static bool address_length(struct drill_calling *c, const struct drill_expr *e, size_t at)
{
    int64_t value = 0;
    bool in = c->nr == DRILL_NR_bind || c->nr == DRILL_NR_connect || c->nr == DRILL_NR_sendto;
    if (in) {
        if (e->kind == EXPR_ANY)
            c->args[at] = c->target_len;
        else if (drill_value(c, e, &value))
            c->args[at] = (intptr_t)value;
        else
            return false;
        return true;
    }
    if (c->args[at - 1] == 0)
        return true;
    socklen_t *p = drill_alloc(&c->arena, sizeof(*p));
    *p = sizeof(struct sockaddr_storage);
    if (e->kind == EXPR_LIST && e->first && e->first->kind != EXPR_ANY) {
        if (!drill_value(c, e->first, &value))
            return false;
        *p = (socklen_t)value;
    }
    c->args[at] = (intptr_t)p;
    return true;
}

static bool domain(struct drill_calling *c, const struct drill_expr *e, size_t at)
{
    int64_t value = c->names->family == DRILL_IPV4 ? AF_INET : AF_INET6;
    if (e->kind != EXPR_ANY && !drill_value(c, e, &value))
        return false;
    c->args[at] = (intptr_t)value;
    return true;
}

static bool plain(struct drill_calling *c, const struct drill_expr *e, size_t at, bool fd)
{
    int64_t value = 0;
    if (e->kind == EXPR_ANY)
        return true;
    if (e->kind == EXPR_LIST && e->first && !e->first->next)
        e = e->first;
    if (!drill_value(c, e, &value))
        return false;
    c->args[at] = fd ? call_fd(c, value) : (intptr_t)value;
    return true;
}

static bool no_name(const struct drill_expr *e)
{
    return e->kind == EXPR_WORD && strcmp(e->text, "NULL") == 0;
}

static bool prepare(struct drill_calling *c, const struct drill_expr *e, size_t at)
{
    int64_t ignored;
    switch (c->codes[at]) {
    case 'f':
        return plain(c, e, at, true);
    case 'd':
        return domain(c, e, at);
    case 's':
        c->args[at] = (intptr_t)(e->kind == EXPR_STRING ? e->text : NULL);
        return e->kind == EXPR_STRING || call_fail(c, "expected a string");
    case 'b':
    case 'r':
        return no_name(e) || buffer(c, e, at);
    case 'v':
    case 'w':
        return vector(c, e, at);
    case 'B':
    case 'A':
        return call_address(c, e, c->codes[at] == 'B', at);
    case 't':
        return no_name(e) || (e->kind == EXPR_INT && e->number == 0) ||
               call_address(c, e, false, at);
    case 'a':
        if (no_name(e))
            return true;
        c->args[at] = (intptr_t)drill_alloc(&c->arena, sizeof(struct sockaddr_storage));
        return true;
    case 'l':
        return no_name(e) || address_length(c, e, at);
    case 'm':
    case 'M':
        return call_message(c, e, at, c->codes[at] == 'M');
    case 'o':
        return call_option_in(c, e, at);
    case 'O':
        return call_option_out(c, e, at);
    case 'n':
        return e->kind == EXPR_ANY || plain(c, e, at, false);
    case 'N':
        if (e->kind == EXPR_LIST && e->first && e->first->kind != EXPR_ANY)
            return number_at(c, e, at, sizeof(int));
        return e->kind != EXPR_INT || drill_value(c, e, &ignored);
    case 'p':
        return poll_array(c, e, at);
    case 'e':
        return epoll_in(c, e, at);
    case 'E':
        return epoll_out(c, e, at);
    case 'F':
        c->args[at] = (intptr_t)drill_alloc(&c->arena, 2 * sizeof(int));
        return true;
    case 'P':
        return number_at(c, e, at, sizeof(int64_t));
    case 'g':
        return number_at(c, e, at, sizeof(int));
    default:
        return plain(c, e, at, false);
    }
}

/* The codes without `?`, and how many arguments there must be. */
static size_t required(struct drill_calling *c, const struct call_spec *spec)
{
    size_t n = strlen(spec->args), k = 0, least = 0;
    char *codes = drill_alloc(&c->arena, n + 1);
    for (size_t i = 0; i < n; i++)
        if (spec->args[i] == '?')
            least = k;
        else
            codes[k++] = spec->args[i];
    c->codes = codes;
    return least ? least : k;
}

bool drill_call_prepare(struct drill_calling *c)
{
    const struct call_spec *spec = spec_of(c->call->name);
    if (!spec)
        return call_fail(c, "the call %s is not supported", c->call->name);
    c->nr = spec->nr;
    size_t least = required(c, spec), most = strlen(c->codes), at = 0;
    if (c->call->arg_count < least || c->call->arg_count > most)
        return call_fail(c, "%s takes %zu arguments", spec->name, most);
    for (const struct drill_expr *e = c->call->args; e; e = e->next, at++)
        if (!prepare(c, e, at))
            return false;
    return true;
}

/* ---- after ----------------------------------------------------------------------------------- */

static bool polled(struct drill_calling *c, const struct drill_expr *e, size_t at)
{
    const struct pollfd *p = (const struct pollfd *)c->args[at];
    for (const struct drill_expr *x = e->first; x; x = x->next, p++)
        if (!call_check(c, x, "revents", p->revents))
            return false;
    return true;
}

static bool epolled(struct drill_calling *c, const struct drill_expr *e, size_t at, int64_t count)
{
    const struct epoll_event *p = (const struct epoll_event *)c->args[at];
    static const char *const names[] = {"fd", "u32", "u64", "ptr"};
    const struct drill_expr *x = e->kind == EXPR_LIST ? e->first : e;
    for (int64_t i = 0; i < count && x && x->kind == EXPR_STRUCT; i++, p++, x = x->next) {
        if (!call_check(c, x, "events", p->events))
            return false;
        for (size_t k = 0; k < 4; k++)
            if (!call_check(c, x, names[k], (int64_t)p->data.u64))
                return false;
        if (e->kind != EXPR_LIST)
            break;
    }
    return true;
}

/* A number that was stored, and what it is expected to be; NULL: anything. */
static bool stored(struct drill_calling *c, const struct drill_expr *e, size_t at, size_t size)
{
    int64_t expected, actual = 0;
    if (!e || e->kind == EXPR_ANY || c->args[at] == 0)
        return true;
    if (!drill_value(c, e, &expected))
        return false;
    if (size == sizeof(int)) {
        int small;
        memcpy(&small, (const void *)c->args[at], sizeof(small));
        actual = small;
    } else {
        memcpy(&actual, (const void *)c->args[at], sizeof(actual));
    }
    return expected == actual ||
           call_fail(c, "expected [%lld] but got [%lld]", (long long)expected, (long long)actual);
}

/* Data that the script gives by its bytes. */
static bool received(struct drill_calling *c, const struct drill_expr *e, size_t at, int64_t result)
{
    if (e->kind != EXPR_STRING || result <= 0)
        return true;
    size_t n = (size_t)result < e->len ? (size_t)result : e->len;
    return memcmp((const void *)c->args[at], e->text, n) == 0 ||
           call_fail(c, "the data received differs from the script's");
}

static bool address_out(struct drill_calling *c, const struct drill_expr *e, size_t at)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)c->args[at];
    if (e->kind != EXPR_STRUCT || !in)
        return true;
    int64_t port = 0;
    const struct drill_expr *m = call_member(e, "sin_port");
    m = m ? m : call_member(e, "sin6_port");
    if (!call_check(c, e, "sa_family", in->sin_family))
        return false;
    if (m && m->kind != EXPR_ANY) {
        if (!drill_value(c, m, &port))
            return false;
        if (port != in->sin_port)
            return call_fail(c, "expected port %u but got %u", ntohs((uint16_t)port),
                             ntohs(in->sin_port));
    }
    m = call_member(e, "sin_addr");
    if (m && m->kind != EXPR_ANY && in->sin_family == AF_INET) {
        if (!drill_value(c, m, &port))
            return false;
        if ((uint32_t)port != in->sin_addr.s_addr)
            return call_fail(c, "expected address %08x but got %08x", ntohl((uint32_t)port),
                             ntohl(in->sin_addr.s_addr));
    }
    return true;
}

static bool verify(struct drill_calling *c, const struct drill_expr *e, size_t at, int64_t result)
{
    const struct drill_expr *first = e->kind == EXPR_LIST ? e->first : NULL;
    switch (c->codes[at]) {
    case 'r':
        return received(c, e, at, result);
    case 'a':
        return address_out(c, e, at);
    case 'M':
        return call_message_check(c, e, at);
    case 'O':
        return call_option_check(c, e, at);
    case 'N':
        return stored(c, first, at, sizeof(int));
    case 'p':
        return polled(c, e, at);
    case 'E':
        return epolled(c, e, at, result);
    case 'g':
        return stored(c, first, at, sizeof(int));
    case 'P':
        return stored(c, first ? first->next : NULL, at, sizeof(int64_t));
    default:
        return true;
    }
}

static bool result_matches(struct drill_calling *c, const struct call_spec *spec, int64_t result,
                           int *fd)
{
    const struct drill_call *call = c->call;
    int64_t expected = 0, error = 0;
    if (call->result->kind == EXPR_ANY)
        return true;
    if (!drill_value(c, call->result, &expected))
        return false;
    if (call->error && !drill_symbol(call->error, &error))
        return call_fail(c, "an unknown error name: %s", call->error);
    if (result < 0) {
        const char *name = drill_errno_name(-result);
        if (expected != -1)
            return call_fail(c, "Expected result %lld but got -1 with errno %lld (%s)",
                             (long long)expected, (long long)-result, name ? name : "unknown");
        return !call->error || -result == error ||
               call_fail(c, "Expected errno %lld (%s) but got %lld (%s)", (long long)error,
                         call->error, (long long)-result, name ? name : "unknown");
    }
    if (spec->result == 'f' && expected >= 0) {
        *fd = (int)expected;
        return expected < DRILL_FDS_MAX || call_fail(c, "a descriptor that is too large");
    }
    return expected == result || call_fail(c, "Expected result %lld but got %lld",
                                           (long long)expected, (long long)result);
}

bool drill_call_verify(struct drill_calling *c, int64_t result, int *fd)
{
    size_t at = 0;
    *fd = -1;
    if (!result_matches(c, spec_of(c->call->name), result, fd))
        return false;
    /* getsockopt() of an option that is refused stores nothing */
    for (const struct drill_expr *e = c->call->args; e && result >= 0; e = e->next, at++)
        if (!verify(c, e, at, result))
            return false;
    return true;
}

void drill_calling_free(struct drill_calling *c)
{
    drill_arena_free(&c->arena);
    drill_text_free(&c->why);
}
