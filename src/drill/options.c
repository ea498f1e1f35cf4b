/* options.c - the options of packetdrill, on the command line and in scripts. */
#include "drill/play.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* Name, what is done with it, and what it says. Those that configure a network device or print
 * have no effect here: there is none, and --trace prints. */
#define OPTIONS(X)                                                                                 \
    X("ip_version", FAMILY, "ipv4, ipv6 or ipv4-mapped-ipv6")                                      \
    X("mtu", MTU, "largest IP packet of the link (1500; 1520 for IPv6)")                           \
    X("mss", IGNORED, "accepted: segments are compared by what they add up to")                    \
    X("local_ip", LOCAL, "address of the stack")                                                   \
    X("remote_ip", REMOTE, "address of the script's side")                                         \
    X("bind_port", BIND_PORT, "port that ... stands for in bind() (8080)")                         \
    X("connect_port", CONNECT_PORT, "port that ... stands for in connect() (8080)")                \
    X("tolerance_usecs", TOLERANCE, "how far a time may be off, in us (4000)")                     \
    X("tolerance_percent", PERCENT, "or in percent of its distance from the event before (0)")     \
    X("tcp_ts_tick_usecs", TICK, "check that timestamps advance by one in so many us")             \
    X("non_fatal", NON_FATAL, "packet, syscall or both: go on after such failures, and pass")      \
    X("strict_segments", STRICT, "segments must be cut as in the script")                          \
    X("init_scripts", INIT, "shell scripts to run first, separated by commas")                     \
    X("define", DEFINE, "NAME=VALUE for use in calls")                                             \
    X("D", DEFINE, "the same")                                                                     \
    X("gateway_ip", IGNORED, "accepted: there is one link")                                        \
    X("netmask_ip", IGNORED, "accepted: there is one link")                                        \
    X("local_linklocal_ip", IGNORED, "accepted: there is one link")                                \
    X("remote_linklocal_ip", IGNORED, "accepted: there is one link")                               \
    X("speed", IGNORED, "accepted: the link takes no time")                                        \
    X("persistent_tun_dev", IGNORED, "accepted: there is no device")                               \
    X("code_command", IGNORED, "accepted: code is run by the drill itself")                        \
    X("code_format", IGNORED, "accepted: code is run by the drill itself")                         \
    X("code_sockopt", IGNORED, "accepted: TCP_INFO is what code sees")                             \
    X("send_omit_free", IGNORED, "accepted: memory is never lent to the script")                   \
    X("tun_dev", IGNORED, "accepted: there is no device")                                          \
    X("verbose", IGNORED, "accepted: see --trace")                                                 \
    X("v", IGNORED, "accepted: see --trace")                                                       \
    X("debug", IGNORED, "accepted: see --trace")                                                   \
    X("dry_run", DRY, "only read the script")

enum option_use {
    USE_FAMILY,
    USE_MTU,
    USE_LOCAL,
    USE_REMOTE,
    USE_BIND_PORT,
    USE_CONNECT_PORT,
    USE_TOLERANCE,
    USE_PERCENT,
    USE_TICK,
    USE_NON_FATAL,
    USE_STRICT,
    USE_INIT,
    USE_DEFINE,
    USE_DRY,
    USE_IGNORED,
};

static const struct drill_option_help helps[] = {
#define X(name, use, help) {name, help},
    OPTIONS(X)
#undef X
};
static const enum option_use uses[] = {
#define X(name, use, help) USE_##use,
    OPTIONS(X)
#undef X
};
enum { COUNT = sizeof(helps) / sizeof(helps[0]) };

static const char *const family_names[] = {"ipv4", "ipv6", "ipv4-mapped-ipv6"};

const struct drill_option_help *drill_option_help(size_t n) { return n < COUNT ? &helps[n] : NULL; }

bool drill_family_parse(const char *name, enum drill_family *out)
{
    for (int i = 0; i < DRILL_FAMILIES; i++)
        if (strcmp(name, family_names[i]) == 0) {
            *out = (enum drill_family)i;
            return true;
        }
    return false;
}

const char *drill_family_name(enum drill_family family) { return family_names[family]; }

static const char *number(const struct drill_option *o, int64_t most, int64_t *out)
{
    char *end;
    if (!o->value || *o->value == '\0')
        return "needs a number";
    *out = strtoll(o->value, &end, 0);
    return *end != '\0' || *out < 0 || *out > most ? "needs a number in its range" : NULL;
}

static const char *percent(const struct drill_option *o, unsigned *permille)
{
    char *end = NULL;
    double value = o->value ? strtod(o->value, &end) : -1;
    if (!(value >= 0 && value <= 1000) || *end != '\0')
        return "needs a number up to 1000";
    *permille = (unsigned)(value * 10);
    return NULL;
}

static const char *address(const struct drill_option *o, uint8_t out[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (o->value && inet_pton(AF_INET6, o->value, out) == 1)
        return NULL;
    memcpy(out, mapped, 12);
    return o->value && inet_pton(AF_INET, o->value, out + 12) == 1 ? NULL : "needs an IP address";
}

static const char *define(struct drill_config *c, struct drill_arena *a,
                          const struct drill_option *o)
{
    const char *equal = o->value ? strchr(o->value, '=') : NULL;
    if (!equal)
        return "needs NAME=VALUE";
    struct drill_define *d = drill_alloc(a, sizeof(*d));
    d->name = drill_copy(a, o->value, (size_t)(equal - o->value));
    d->value = equal + 1;
    d->next = c->defines;
    c->defines = d;
    return NULL;
}

static const char *non_fatal(struct drill_config *c, const char *value)
{
    for (const char *p = value; p && *p;) {
        size_t n = strcspn(p, ",");
        if (n == 6 && memcmp(p, "packet", n) == 0)
            c->non_fatal_packet = true;
        else if (n == 7 && memcmp(p, "syscall", n) == 0)
            c->non_fatal_call = true;
        else
            return "is packet, syscall or both";
        p += n + (p[n] == ',');
    }
    return NULL;
}

static bool find(const char *name, size_t *at)
{
    *at = 0;
    while (*at < COUNT && strcmp(helps[*at].name, name) != 0)
        ++*at;
    return *at < COUNT;
}

static const char *apply(struct drill_config *c, struct drill_arena *a,
                         const struct drill_option *o)
{
    size_t at;
    int64_t n = 0;
    const char *why = NULL;
    if (!find(o->name, &at))
        return "is not supported";
    switch (uses[at]) {
    case USE_MTU:
        why = number(o, 65535, &n);
        c->mtu = (uint32_t)n;
        break;
    case USE_LOCAL:
        return address(o, c->local);
    case USE_REMOTE:
        return address(o, c->remote);
    case USE_BIND_PORT:
        why = number(o, 65535, &n);
        c->bind_port = (uint16_t)n;
        break;
    case USE_CONNECT_PORT:
        why = number(o, 65535, &n);
        c->connect_port = (uint16_t)n;
        break;
    case USE_TOLERANCE:
        why = number(o, INT64_C(3600000000), &n);
        c->tolerance = n * NS_PER_US;
        break;
    case USE_PERCENT:
        return percent(o, &c->tolerance_permille);
    case USE_TICK:
        why = number(o, INT64_C(3600000000), &n);
        c->ts_tick = n * NS_PER_US;
        break;
    case USE_NON_FATAL:
        return o->value ? non_fatal(c, o->value) : "needs a value";
    case USE_STRICT:
        c->strict_segments = !o->value || (strcmp(o->value, "false") != 0 && *o->value != '0');
        break;
    case USE_INIT:
        c->init_scripts = o->value;
        break;
    case USE_DEFINE:
        return define(c, a, o);
    case USE_FAMILY: /* read before */
    case USE_DRY:
    case USE_IGNORED:
        break;
    }
    return why;
}

const char *drill_option_check(const struct drill_option *o)
{
    struct drill_config c = {0};
    struct drill_arena a = {0};
    enum drill_family family;
    const char *why =
        strcmp(o->name, "ip_version") == 0 && !(o->value && drill_family_parse(o->value, &family))
            ? "is ipv4, ipv6 or ipv4-mapped-ipv6"
            : apply(&c, &a, o);
    drill_arena_free(&a);
    return why;
}

static void predefine(struct drill_config *c, struct drill_arena *a, const char *name,
                      const char *value)
{
    struct drill_define *d = drill_alloc(a, sizeof(*d));
    d->name = name;
    d->value = value;
    d->next = c->defines;
    c->defines = d;
}

static void defaults(struct drill_config *c, struct drill_arena *a)
{
    static const uint8_t local4[16] = {[10] = 0xff, 0xff, 192, 168, 0, 1},
                         remote4[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1},
                         local6[16] = {0xfd, 0x3d, 0x0a, 0x0b, 0x17, 0xd6, [15] = 1},
                         remote6[16] = {0xfd, 0x3d, 0xfa, 0x7b, 0xd1, 0x7d, [15] = 1};
    bool v6 = c->family == DRILL_IPV6, in6 = c->family != DRILL_IPV4;
    memcpy(c->local, v6 ? local6 : local4, 16);
    memcpy(c->remote, v6 ? remote6 : remote4, 16);
    c->mtu = v6 ? 1520 : 1500; /* so that the MSS is the same in both */
    c->bind_port = c->connect_port = 8080;
    c->tolerance = 4000 * NS_PER_US;
    predefine(c, a, "CMSG_LEVEL_IP", in6 ? "SOL_IPV6" : "SOL_IP");
    predefine(c, a, "CMSG_TYPE_RECVERR", in6 ? "IPV6_RECVERR" : "IP_RECVERR");
    /* Fast Open's cookies between the addresses above, with the key that scripts use and with
     * zeros: SipHash-2-4 as Linux takes it */
    predefine(c, a, "TFO_COOKIE", v6 ? "c1d1e9742a47a9bc" : "3021b9d889017eeb");
    predefine(c, a, "TFO_COOKIE_ZERO", v6 ? "82af1a8f9a205c34" : "b7c12350a90dc8f5");
}

/* An option's name becomes the bytes that its definition says in hexadecimal. */
static bool resolve(const struct drill_config *c, struct drill_opt *o)
{
    const struct drill_define *d = c->defines;
    while (d && (strlen(d->name) != o->symbol_len || memcmp(d->name, o->symbol, o->symbol_len)))
        d = d->next;
    if (!d)
        return false;
    o->len = 0;
    return drill_opt_hex(o, d->value, strlen(d->value)) == NULL;
}

static const char *resolve_all(const struct drill_config *c, struct drill_script *s,
                               struct drill_pos *pos)
{
    for (const struct drill_event *e = s->events; e; e = e->next)
        for (unsigned i = 0; e->kind == DRILL_PACKET && i < e->packet->opt_count; i++)
            if (e->packet->opt[i].symbol && !resolve(c, &e->packet->opt[i])) {
                *pos = e->pos;
                return "an option's name that no --define gives hexadecimal digits";
            }
    return NULL;
}

const char *config_read(struct drill_config *c, struct drill_script *s,
                        const struct drill_request *request, struct drill_pos *pos)
{
    const char *why;
    /* a recording goes on, and says what was otherwise than written */
    *c = (struct drill_config){.family = request->family, .non_fatal_call = request->record};
    for (const struct drill_option *o = s->options; o; o = o->next)
        if (strcmp(o->name, "ip_version") == 0) {
            *pos = o->pos;
            if (!o->value || !drill_family_parse(o->value, &c->family))
                return "--ip_version is ipv4, ipv6 or ipv4-mapped-ipv6";
        }
    defaults(c, &s->arena);
    for (int i = 0; i < 2; i++)
        for (const struct drill_option *o = i ? request->options : s->options; o; o = o->next)
            if ((why = apply(c, &s->arena, o)) != NULL) {
                struct drill_text t = {0};
                drill_print(&t, "--%s %s", o->name, why);
                why = drill_copy(&s->arena, t.s, t.len);
                drill_text_free(&t);
                *pos = o->pos;
                return why;
            }
    return resolve_all(c, s, pos);
}
