/* serve.c - `tern serve`: the built-in site on a TUN interface. */
#include "cmd/attach.h"
#include "host/privilege.h"
#include "host/site.h"

#include <string.h>

struct serve_values {
    struct attach_values attach;
    struct guard_values guard;
    const char *user;
    uint64_t port;
    bool quiet;
};

static const char *parse_bits(void *values, const char *text)
{
    return guard_parse_bits(&((struct serve_values *)values)->guard, text);
}

static const char *parse_allow(void *values, const char *text)
{
    return guard_parse_rule(&((struct serve_values *)values)->guard, text, TERN_RULE_ALLOW);
}

static const char *parse_deny(void *values, const char *text)
{
    return guard_parse_rule(&((struct serve_values *)values)->guard, text, TERN_RULE_DENY);
}

static const struct opt serve_opts[] = {
    ATTACH_OPTS(struct serve_values),
    OPT_HEADING("Connections that are being opened"),
    {OPT_UINT(struct serve_values, guard.backlog), .name = "backlog",
     .help = "how many may wait to be accepted", .min = 1, .max = 65535, .fallback = "511"},
    GUARD_OPTS(struct serve_values),
    OPT_HEADING("Serving"),
    {OPT_UINT(struct serve_values, port), .name = "port", .letter = 'p', .help = "listen there",
     .min = 1, .max = 65535, .fallback = "80"},
    {OPT_STRING(struct serve_values, user), .name = "user", .arg = "USER",
     .help = "become that user once the interface is open"},
    {OPT_FLAG(struct serve_values, quiet), .name = "quiet", .letter = 'q',
     .help = "do not say what is served where"},
};

struct serving {
    struct attached attached;
    struct site *site;
    struct loop_hook hook;
    const struct serve_values *values;
};

static void work(void *user, uint64_t now) { site_work(((struct serving *)user)->site, now); }

static uint64_t deadline(void *user) { return site_deadline(((struct serving *)user)->site); }

static void flood(bool on)
{
    fprintf(stderr, "tern serve: %s\n",
            on ? "a flood of SYNs: those over the limits are dropped, or answered with cookies"
               : "the flood of SYNs is over");
}

static int open_site(struct serving *s, const struct serve_values *v)
{
    tern_addr addrs[ATTACH_ADDRS];
    struct site_config cfg = {.stack = s->attached.node.stack,
                              .addrs = addrs,
                              .addr_count = v->attach.ours.count,
                              .port = (uint16_t)v->port,
                              .backlog = (uint32_t)v->guard.backlog,
                              .limits = guard_limits(&v->guard),
                              .flood = v->quiet ? NULL : flood};

    for (uint32_t i = 0; i < cfg.addr_count; i++) {
        addrs[i] = (tern_addr){.port = 0};
        memcpy(addrs[i].ip, v->attach.ours.at[i].ip, 16);
    }
    if (v->attach.slaac) { /* wherever it is to be found */
        addrs[0] = (tern_addr){.port = 0};
        cfg.addr_count = 1;
    }
    int err = site_new(&s->site, &cfg);
    if (err < 0)
        return cmd_fail("serve", "the site cannot listen%s",
                        err == TERN_EADDRINUSE ? ": port 82 is the silent one" : "");
    s->hook = (struct loop_hook){.work = work, .deadline = deadline, .user = s};
    node_hook_add(&s->attached.node, &s->hook);
    return CMD_OK;
}

/* Where one can reach it; a link-local address needs the interface's name (RFC 6874). */
static void print_url(const struct serving *s, const struct netif_addr *at)
{
    char text[NETIF_ADDR_TEXT_MAX];

    netif_addr_text(at, false, text);
    fprintf(stderr, netif_addr_is4(at) ? " http://%s" : " http://[%s", text);
    if (netif_ip_is_link_local(at->ip))
        fprintf(stderr, "%%25%s", s->attached.tun.name);
    if (!netif_addr_is4(at))
        fputc(']', stderr);
    if (s->values->port != SITE_PORT)
        fprintf(stderr, ":%u", (unsigned)s->values->port);
    fputc('/', stderr);
}

/* A router has made an address possible. */
static void found(void *user, const struct netif_addr *at)
{
    fprintf(stderr, "tern serve:");
    print_url(user, at);
    fputc('\n', stderr);
}

static void announce(const struct serving *s, const struct attach_addrs *ours)
{
    fprintf(stderr, "tern serve:");
    for (uint32_t i = 0; i < ours->count; i++)
        print_url(s, &ours->at[i]);
    fprintf(stderr, " on ");
    attach_describe(&s->attached, stderr);
    fputc('\n', stderr);
}

static bool never(void *user)
{
    (void)user;
    return false;
}

static int serve(const void *values, int argc, char **argv)
{
    const struct serve_values *v = values;
    struct serving s = {.values = v};
    struct attach_values attach = v->attach;
    char error[PRIVILEGE_ERROR_MAX];

    (void)argc, (void)argv;
    attach.guard = &v->guard;
    int status = attach_open(&s.attached, "serve", &attach);
    if (status != CMD_OK)
        return status;
    if (v->user && privilege_drop(v->user, error) < 0)
        status = cmd_fail("serve", "%s", error);
    if (status == CMD_OK)
        status = open_site(&s, v);
    if (status == CMD_OK) {
        if (!v->quiet) {
            announce(&s, &v->attach.ours);
            s.attached.ready = found;
            s.attached.ready_user = &s;
        }
        status = attach_run(&s.attached, "serve", never, NULL);
    }
    if (s.site) {
        node_hook_del(&s.attached.node, &s.hook);
        site_free(s.site); /* whose connections are reset */
        attach_flush(&s.attached);
    }
    attach_close(&s.attached);
    return status;
}

const struct command cmd_serve = {
    .name = "serve",
    .summary = "serve a small site to the kernel, over a TUN interface",
    .about =
        "Makes a TUN interface (or uses one), gives tern an address on it, and serves the built-in "
        "site there: / explains the handshake just made, /bytes/N sends N bytes, /echo sends back "
        "what it gets, /close/server, /close/together, /close/apart?after=3, /close/never and "
        "/reset end in different ways, /slow stops reading. Port 82 never answers; other ports "
        "refuse.\n"
        "\n"
        "Every program on this machine can reach it, through the kernel's own TCP. An interface "
        "that tern makes is brought up, and the kernel gets the first other address of each "
        "network; it disappears with tern. One that is there already is left as it is.\n"
        "\n"
        "With --tap the interface is an Ethernet with two hosts on it, tern and the kernel, who "
        "find each other by ARP and Neighbour Discovery; with --slaac tern makes itself addresses "
        "of what a router there advertises, and says under which URL the site is then.\n"
        "\n"
        "SIGINT or SIGTERM ends it.",
    .status = "0 after SIGINT or SIGTERM; 1 if the interface could not be had or was lost.",
    .opts = serve_opts,
    .opt_count = sizeof(serve_opts) / sizeof(serve_opts[0]),
    .values_size = sizeof(struct serve_values),
    .examples = {{"sudo tern serve --tun tern0 --address 10.9.0.2/24",
                  "then: curl http://10.9.0.2/"},
                 {"sudo tern serve --tun tern0 --address 10.9.0.2/24 --address fd00:9::2/64 "
                  "--user nobody",
                  "in both families, without root's rights; then: curl http://[fd00:9::2]/"}},
    .run = serve,
};
