/* attach.c - see attach.h. */
#include "cmd/attach.h"

#include "host/run_addr.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { FLUSH_TURNS = 1000, RUNNING_MS = 1000 };
#define GRACE_NS 20000000u
/* Routers are asked three times (RFC 4861 6.3.7), and DAD. */
#define SETTLE_NS UINT64_C(15000000000)

const char *const attach_offloads[] = {"auto", "tso", "checksum", "none", NULL};
static const enum tun_rung rung_of_offload[] = {TUN_RUNG_USO, TUN_RUNG_TSO, TUN_RUNG_CHECKSUM,
                                                TUN_RUNG_NONE};

static const char *parse(struct attach_addrs *list, const char *text)
{
    if (list->count == ATTACH_ADDRS)
        return "given 8 times at most";
    if (!netif_addr_parse(text, &list->at[list->count]))
        return "an address with its network's size, such as 10.9.0.2/24 or fd00:9::2/64";
    list->count++;
    return NULL;
}

const char *attach_parse_address(void *values, const char *text)
{
    return parse(&((struct attach_values *)values)->ours, text);
}

const char *attach_parse_kernel(void *values, const char *text)
{
    return parse(&((struct attach_values *)values)->kernels, text);
}

/* ---- the stack ------------------------------------------------------------------------------- */

/* Who on an Ethernet passes on what is for elsewhere: the kernel, in the network of `ours`. */
static const uint8_t *kernel_in(const struct attach_values *v, const struct netif_addr *ours,
                                struct netif_addr *out)
{
    for (uint32_t i = 0; i < v->kernels.count; i++)
        if (netif_addr_together(&v->kernels.at[i], ours)) {
            *out = v->kernels.at[i];
            return out->ip;
        }
    return netif_addr_free(ours, v->ours.at, v->ours.count, out) ? out->ip : NULL;
}

/* Its addresses, and a route to everywhere in each of their families. */
static int give_addresses(struct attached *a, const struct attach_values *v)
{
    tern *s = a->node.stack;
    int id = a->tun.device.id, err = 0;
    bool routed[2] = {false, false};

    for (uint32_t i = 0; i < v->ours.count && err >= 0; i++) {
        const struct netif_addr *at = &v->ours.at[i];
        bool ip4 = netif_addr_is4(at);
        tern_addr any = run_addr_wildcard(ip4 ? AF_INET : AF_INET6);
        struct netif_addr kernels;
        const uint8_t *via = v->tap ? kernel_in(v, at, &kernels) : NULL;
        err = tern_iface_addr(s, id, at->ip, at->bits);
        if (err >= 0 && !routed[ip4])
            err = tern_route_add(s, any.ip, ip4 ? 96 : 0, via, id);
        routed[ip4] = true;
    }
    return err;
}

static int start_stack(struct attached *a, const char *verb, const struct attach_values *v)
{
    tern_config cfg;
    int err = loop_new(&a->loop);

    if (!err)
        err = node_config(&cfg);
    if (!err)
        cfg.cc = algorithm_of(v->cc);
    if (!err && v->guard)
        guard_config(v->guard, &cfg);
    if (!err)
        err = node_start(&a->node, a->loop, &cfg);
    if (!err && v->guard)
        err = guard_rules(v->guard, a->node.stack);
    if (!err)
        err = node_device_add(&a->node, &a->tun.device);
    if (err < 0)
        return cmd_fail(verb, "%s", strerror(-err));
    if (give_addresses(a, v) < 0)
        return cmd_fail(verb,
                        "the addresses do not go together with an MTU of %u: at least 1280 "
                        "for IPv6",
                        a->tun.device.iface.mtu);
    return CMD_OK;
}

/* ---- the kernel's side ----------------------------------------------------------------------- */

static int add_kernel_addr(const char *verb, const char *tun, const struct netif_addr *at)
{
    char text[NETIF_ADDR_TEXT_MAX];
    int err = netif_addr_add(tun, at);

    if (!err)
        return CMD_OK;
    netif_addr_text(at, true, text);
    if (!netif_addr_is4(at) && (err == -EACCES || err == -EPERM || err == -EOPNOTSUPP) &&
        geteuid() == 0)
        return cmd_fail(verb,
                        "%s: the kernel does not take %s: IPv6 is off; sysctl "
                        "net.ipv6.conf.default.disable_ipv6=0, or its MTU is below 1280",
                        tun, text);
    return cmd_fail(verb, "%s: the kernel does not take %s: %s%s", tun, text, strerror(-err),
                    err == -EPERM ? "; that needs CAP_NET_ADMIN (sudo)" : "");
}

/* Is one of the addresses before it in the same network? */
static bool seen(const struct attach_addrs *list, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (netif_addr_together(&list->at[k], &list->at[i]))
            return true;
    return false;
}

static int add_default_addrs(const struct attached *a, const char *verb,
                             const struct attach_values *v)
{
    struct netif_addr free_one;
    char text[NETIF_ADDR_TEXT_MAX];
    int status = CMD_OK;

    for (uint32_t i = 0; i < v->ours.count && status == CMD_OK; i++) {
        if (seen(&v->ours, i))
            continue;
        if (netif_addr_free(&v->ours.at[i], v->ours.at, v->ours.count, &free_one)) {
            status = add_kernel_addr(verb, a->tun.name, &free_one);
            continue;
        }
        netif_addr_text(&v->ours.at[i], true, text);
        status = cmd_fail(verb,
                          "%s: no other address in that network for the kernel; give tern's a "
                          "larger one, or the kernel its own by --kernel-address",
                          text);
    }
    return status;
}

/* An interface that tern has made is set up; another one is its owner's. */
static int set_up_kernel(const struct attached *a, const char *verb, const struct attach_values *v)
{
    int status = CMD_OK;

    if (a->tun.created || v->kernels.count > 0) {
        int err = netif_up(a->tun.name);
        if (err)
            return cmd_fail(verb, "%s: cannot be brought up: %s", a->tun.name, strerror(-err));
    } else if (!netif_is_up(a->tun.name)) {
        fprintf(stderr,
                "tern %s: %s is down, and nothing passes until somebody does this: sudo ip link "
                "set %s up\n",
                verb, a->tun.name, a->tun.name);
    }
    if (a->tun.created && v->kernels.count == 0)
        return add_default_addrs(a, verb, v);
    for (uint32_t i = 0; i < v->kernels.count && status == CMD_OK; i++)
        status = add_kernel_addr(verb, a->tun.name, &v->kernels.at[i]);
    return status;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static int missing(const char *verb, const struct attach_values *v)
{
    if ((v->dad || v->slaac) && !v->tap) {
        cmd_fail(verb, "--dad and --slaac are about Ethernet: --tap");
        return CMD_USAGE;
    }
    if (v->tun && v->tap) {
        cmd_fail(verb, "either --tun or --tap");
        return CMD_USAGE;
    }
    if ((v->tun || v->tap) && (v->ours.count > 0 || v->slaac))
        return CMD_OK;
    cmd_fail(verb,
             "%s; tern %s talks over a TUN interface of its own, for example: sudo tern %s --tun "
             "tern0 --address 10.9.0.2/24",
             v->tun || v->tap ? "--address is missing" : "--tun is missing", verb, verb);
    return CMD_USAGE;
}

/* Whether that is news about the address; it is remembered. */
static bool is_news(struct attached *a, const tern_addr_entry *e)
{
    uint32_t i = 0;

    while (i < a->told_count && memcmp(a->told[i].ip, e->ip, 16) != 0)
        i++;
    if (i == ATTACH_TOLD || (i < a->told_count && a->told[i].state == e->state))
        return false;
    a->told_count += i == a->told_count;
    memcpy(a->told[i].ip, e->ip, 16);
    a->told[i].state = e->state;
    return true;
}

/* Addresses that have become ready, or are not to be had. */
static void tell_addresses(void *user)
{
    static const char *const states[] = {
        [TERN_ADDR_PREFERRED] = "ready",
        [TERN_ADDR_DEPRECATED] = "deprecated",
        [TERN_ADDR_DUPLICATE] = "somebody else has it",
    };
    struct attached *a = user;
    tern_addr_entry e;
    uint32_t cursor = 0;
    char text[NETIF_ADDR_TEXT_MAX];

    while (tern_addrs(a->node.stack, &cursor, &e, 1) == 1) {
        if (e.state == TERN_ADDR_TENTATIVE || !is_news(a, &e))
            continue;
        struct netif_addr at = {.bits = e.bits};
        memcpy(at.ip, e.ip, 16);
        netif_addr_text(&at, true, text);
        fprintf(stderr, "tern %s: address %s: %s\n", a->verb, text, states[e.state]);
        if (e.automatic && e.state == TERN_ADDR_PREFERRED && a->ready)
            a->ready(a->ready_user, &at);
    }
}

static void on_signal(void *user, const struct signalfd_siginfo *info)
{
    struct attached *a = user;

    a->signal = (int)info->ssi_signo;
}

int attach_open(struct attached *a, const char *verb, const struct attach_values *v)
{
    char error[TUN_ERROR_MAX];
    struct tun_config cfg = {.name = v->tap ? v->tap : v->tun,
                             .tap = v->tap != NULL,
                             .flags = (v->dad || v->slaac ? 0 : TERN_IFACE_NO_DAD) |
                                      (v->slaac ? TERN_IFACE_AUTO : 0),
                             .highest = rung_of_offload[v->offload],
                             .exactly = v->offload != 0,
                             .mtu = (uint32_t)v->mtu};
    sigset_t set;

    *a = (struct attached){.tun.device.fd = -1};
    int status = missing(verb, v);
    if (status != CMD_OK)
        return status;
    if (tun_open(&a->tun, &cfg, error) < 0)
        return cmd_fail(verb, "%s", error);
    a->verb = verb;
    status = start_stack(a, verb, v);
    if (status == CMD_OK && (v->dad || v->slaac)) {
        a->node.addrs = tell_addresses;
        a->node.addrs_user = a;
    }
    if (status == CMD_OK)
        status = set_up_kernel(a, verb, v);
    if (status != CMD_OK) {
        attach_close(a);
        return status;
    }
    if (netif_is_up(a->tun.name))
        (void)netif_wait_running(a->tun.name, RUNNING_MS);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    (void)loop_signals(a->loop, &set, on_signal, a);
    return CMD_OK;
}

void attach_close(struct attached *a)
{
    control_free(a->control);
    a->control = NULL;
    node_stop(&a->node);
    loop_free(a->loop);
    tun_close(&a->tun);
    a->loop = NULL;
}

/* After privileges were dropped: whoever runs us then may ask. Well without, if need be. */
static void start_control(struct attached *a, const char *verb)
{
    struct control_config cfg = {.loop = a->loop,
                                 .verb = verb,
                                 .version = cmd_version(),
                                 .stacks = {{.name = a->tun.name, .stack = a->node.stack}},
                                 .stack_count = 1};

    if (!a->control)
        (void)control_new(&a->control, &cfg);
}

static int turns(struct attached *a, const char *verb, uint64_t end, bool (*done)(void *user),
                 void *user)
{
    start_control(a, verb);
    while (!a->signal && !done(user) && loop_clock() < end) {
        int err = loop_turn(a->loop, end);
        const struct device *lost = node_lost(&a->node);
        if (err)
            return cmd_fail(verb, "%s", strerror(-err));
        if (lost && lost->err == -EBADFD)
            return cmd_fail(verb, "%s: the interface was removed", a->tun.name);
        if (lost)
            return cmd_fail(verb, "%s: %s", a->tun.name, strerror(-lost->err));
    }
    return CMD_OK;
}

int attach_run(struct attached *a, const char *verb, bool (*done)(void *user), void *user)
{
    return turns(a, verb, LOOP_NEVER, done, user);
}

struct settling {
    const tern *stack;
    bool slaac;
};

static bool settled(void *user)
{
    const struct settling *w = user;
    tern_addr_entry e;
    uint32_t cursor = 0;
    bool routed = !w->slaac;

    while (tern_addrs(w->stack, &cursor, &e, 1) == 1) {
        if (e.state == TERN_ADDR_TENTATIVE)
            return false;
        routed |= e.automatic && e.state == TERN_ADDR_PREFERRED && !netif_ip_is_link_local(e.ip);
    }
    return routed;
}

int attach_settle(struct attached *a, const char *verb, const struct attach_values *v)
{
    struct settling w = {.stack = a->node.stack, .slaac = v->slaac};

    return turns(a, verb, loop_clock() + SETTLE_NS, settled, &w);
}

void attach_flush(struct attached *a)
{
    uint64_t end = loop_clock() + GRACE_NS;

    for (int i = 0; i < FLUSH_TURNS && loop_clock() < end; i++)
        if (loop_turn(a->loop, end))
            return;
}

void attach_die(int sig)
{
    signal(sig, SIG_DFL);
    raise(sig);
}

void attach_describe(const struct attached *a, FILE *f)
{
    fprintf(f, "%s, MTU %u, offload: %s", a->tun.name, a->tun.device.iface.mtu,
            tun_rung_text(a->tun.rung));
}
