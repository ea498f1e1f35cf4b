/* control_reply.c - the lines of an answer: what a stack knows of its sockets, as JSON.
 *
 * Addresses are texts, times are nanoseconds, amounts are bytes; a time that is not known is left
 * out. The names of counters and drop reasons are those of tern/info.h in lower case.
 */
#include "host/control.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/run_addr.h"

/* Takes the object. */
static size_t line(char *buf, size_t size, json_t *o)
{
    size_t n = o && size > 0 ? json_dumpb(o, buf, size - 1, JSON_COMPACT) : 0;

    json_decref(o);
    if (n == 0 || n > size - 1)
        return 0;
    buf[n] = '\n';
    return n + 1;
}

static void number(json_t *o, const char *name, uint64_t value)
{
    (void)json_object_set_new_nocheck(o, name, json_integer((json_int_t)value));
}

/* What comes from elsewhere need not be UTF-8, as JSON wants it. */
static json_t *text(const char *from)
{
    char clean[256];
    size_t n = 0;
    json_t *as_is = json_string(from);

    if (as_is)
        return as_is;
    for (; *from && n < sizeof clean - 1; from++)
        clean[n++] = (*from & 0x80) ? '?' : *from;
    clean[n] = 0;
    return json_string(clean);
}

static json_t *address(const tern_addr *a)
{
    char buf[INET6_ADDRSTRLEN + 12];
    bool v4 = run_addr_is4(a);

    if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->ip + 12 : a->ip, buf, INET6_ADDRSTRLEN))
        buf[0] = 0;
    if (a->scope)
        snprintf(buf + strlen(buf), 12, "%%%u", a->scope);
    return json_string(buf);
}

static json_t *info_of(const tern_tcp_info *t)
{
    json_t *o = json_object();

    if (!o)
        return NULL;
#define N(field) number(o, #field, t->field)
#define NS(field) number(o, #field "_ns", t->field)
#define YES(field, is) (void)json_object_set_new_nocheck(o, field, json_boolean(is))
    YES("timestamps", t->options & TERN_INFO_TIMESTAMPS);
    YES("sack", t->options & TERN_INFO_SACK);
    YES("wscale", t->options & TERN_INFO_WSCALE);
    YES("in_recovery", t->in_recovery);
    N(snd_wscale), N(rcv_wscale), N(retransmits);
    N(snd_mss), N(rcv_mss), N(mss_peer);
    N(iss), N(irs), N(snd_una), N(snd_nxt), N(snd_wnd), N(rcv_nxt), N(rcv_wnd);
    if (t->cc)
        (void)json_object_set_new(o, "cc", text(t->cc));
    N(cwnd), N(ssthresh), N(pacing_rate);
    NS(rto), NS(srtt), NS(rttvar), NS(min_rtt);
    N(rx_queued), N(tx_queued), N(tx_unsent), N(rcvbuf), N(sndbuf);
    N(bytes_sent), N(bytes_received), N(bytes_retransmitted);
    N(segs_out), N(segs_in), N(retransmits_total), N(out_of_order);
#undef N
#undef NS
#undef YES
    return o;
}

size_t control_reply_head(char *buf, size_t size, const struct control_config *cfg)
{
    json_t *stacks = json_array();

    for (uint32_t i = 0; i < cfg->stack_count; i++)
        (void)json_array_append_new(stacks, json_string(cfg->stacks[i].name));
    return line(buf, size,
                json_pack("{s:i, s:i, s:s, s:o, s:s, s:o}", "tern", CONTROL_VERSION, "pid",
                          (int)getpid(), "verb", cfg->verb, "program",
                          cfg->program ? text(cfg->program) : json_null(), "version", cfg->version,
                          "stacks", stacks));
}

size_t control_reply_socket(char *buf, size_t size, const struct control_config *cfg,
                            uint32_t stack, tern_entry *e, bool info)
{
    const struct control_stack *s = &cfg->stacks[stack];
    struct control_owner who = {.pid = getpid(), .name = "tern"};
    uint64_t now = loop_now(cfg->loop);
    tern_tcp_info t = {.state = 0};

    if (s->look && e->user)
        s->look(s->user, e, &who);
    json_t *o =
        json_pack("{s:I, s:s, s:I, s:I, s:o, s:i, s:o, s:i}", "stack", (json_int_t)stack, "state",
                  tern_state_name(e->state), "recv_q", (json_int_t)e->recv_q, "send_q",
                  (json_int_t)e->send_q, "local", address(&e->local), "lport", (int)e->local.port,
                  "peer", address(&e->peer), "pport", (int)e->peer.port);
    if (!o)
        return 0;
    if (e->user && who.pid) {
        (void)json_object_set_new(o, "process", text(who.name));
        number(o, "pid", (uint64_t)who.pid);
    }
    if (s->own)
        (void)json_object_set_new(o, "own", json_true());
    if (e->timer != TERN_NEVER)
        number(o, "timer_ns", e->timer > now ? e->timer - now : 0);
    if (info && e->sock.id && e->state != TERN_LISTEN &&
        tern_info(s->stack, e->sock, &t, sizeof t) == 0)
        (void)json_object_set_new(o, "info", info_of(&t));
    return line(buf, size, o);
}

static void lower(char *out, size_t size, const char *name)
{
    size_t n = 0;

    for (; *name && n < size - 1; name++)
        out[n++] = (char)tolower((unsigned char)*name);
    out[n] = 0;
}

size_t control_reply_counters(char *buf, size_t size, const struct control_config *cfg,
                              uint32_t stack)
{
    static const char *const drop_names[] = {
#define X(id, text) #id,
        TERN_DROPS(X)
#undef X
    };
    const tern_counters *c = tern_counters_of(cfg->stacks[stack].stack);
    json_t *counters = json_object(), *drops = json_object(), *memory = json_object();
    tern_memory m;
    char name[64];

    for (int i = 0; i < TERN_COUNTER_COUNT; i++) {
        lower(name, sizeof name, tern_counter_name((enum tern_counter)i));
        number(counters, name, c->count[i]);
    }
    for (int i = 1; i < TERN_DROP_COUNT; i++) {
        lower(name, sizeof name, drop_names[i]);
        number(drops, name, c->drop[i]);
    }
    tern_memory_of(cfg->stacks[stack].stack, &m);
#define N(field) number(memory, #field, m.field)
    N(bytes), N(bytes_peak), N(conns), N(halfopen), N(timewaits), N(listeners), N(active);
    N(orphans), N(pages), N(outputs);
#undef N
    return line(buf, size,
                json_pack("{s:I, s:s, s:o, s:o, s:o}", "stack", (json_int_t)stack, "name",
                          cfg->stacks[stack].name, "counters", counters, "drops", drops, "memory",
                          memory));
}

size_t control_reply_end(char *buf, size_t size)
{
    return line(buf, size, json_pack("{s:b}", "end", 1));
}

size_t control_reply_error(char *buf, size_t size, const char *error)
{
    return line(buf, size, json_pack("{s:i, s:s}", "tern", CONTROL_VERSION, "error", error));
}
