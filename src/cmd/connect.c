/* connect.c - `tern connect`: standard input and output on a connection that tern opens. */
#include "cmd/attach.h"
#include "host/run_addr.h"
#include "host/run_errno.h"
#include "host/talk.h"
#include "host/talk_udp.h"

#include <netdb.h>
#include <string.h>
#include <unistd.h>

struct connect_values {
    struct attach_values attach;
    bool verbose, udp;
};

static const struct opt connect_opts[] = {
    ATTACH_OPTS(struct connect_values),
    OPT_HEADING("The protocol"),
    {OPT_FLAG(struct connect_values, udp), .name = "udp", .letter = 'u',
     .help = "UDP: each read of standard input is a datagram"},
    OPT_HEADING("Output"),
    {OPT_FLAG(struct connect_values, verbose), .name = "verbose", .letter = 'v',
     .help = "say on standard error when it is connected"},
};

static bool has_family(const struct attach_addrs *list, bool ip4)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (netif_addr_is4(&list->at[i]) == ip4)
            return true;
    return false;
}

/* Whether there can be an address of that family. */
static bool may_have(const struct attach_values *v, bool ip4)
{
    return has_family(&v->ours, ip4) || (v->slaac && !ip4);
}

static bool over(void *user) { return ((struct talk *)user)->over; }

static bool open_or_over(void *user)
{
    const struct talk *t = user;

    return t->open || t->over;
}

/* Goes on until the talk is over; CMD_FAILED: the interface failed, as has been said. */
static int converse(struct attached *a, struct talk *t, const tern_addr *peer, bool verbose)
{
    char text[NETIF_ADDR_TEXT_MAX];
    struct netif_addr at = {.bits = 128};

    int status = attach_run(a, "connect", open_or_over, t);
    if (status == CMD_OK && t->open && verbose) {
        memcpy(at.ip, peer->ip, 16);
        netif_addr_text(&at, false, text);
        fprintf(stderr, "tern connect: connected to %s port %u by ", text, peer->port);
        attach_describe(a, stderr);
        fputc('\n', stderr);
    }
    return status == CMD_OK ? attach_run(a, "connect", over, t) : status;
}

/* One attempt: what came of it, also after it succeeded; 1: the interface failed. */
static int attempt(struct attached *a, struct talk *t, const struct addrinfo *ai, bool verbose)
{
    tern_addr peer;
    union run_sockaddr sa;
    tern_sock sock;

    memcpy(&sa, ai->ai_addr, ai->ai_addrlen);
    int err = run_addr_read(&peer, ai->ai_family, &sa, ai->ai_addrlen);
    if (err < 0)
        return err;
    err = tern_connect(a->node.stack, &sock, NULL, &peer, NULL);
    if (err < 0)
        return errno_of_tern(err);
    t->over = false;
    talk_to(t, sock, false);
    if (converse(a, t, &peer, verbose) != CMD_OK)
        return 1;
    if (a->signal)
        talk_hang_up(t);
    return t->err;
}

static int connect_to(struct attached *a, const struct connect_values *v, const struct addrinfo *ai,
                      char **argv)
{
    struct talk t;
    int err = talk_start(&t, &a->node, STDIN_FILENO, STDOUT_FILENO);

    if (err)
        return cmd_fail("connect", "%s", strerror(-err));
    err = -ENETUNREACH;
    for (; ai && !t.open && !a->signal; ai = ai->ai_next)
        if (may_have(&v->attach, ai->ai_family == AF_INET)) {
            err = attempt(a, &t, ai, v->verbose);
            if (err > 0)
                break;
        }
    attach_flush(a);
    talk_stop(&t);
    if (err >= 0)
        return err;
    if (t.what)
        return cmd_fail("connect", "%s: %s", t.what, strerror(-err));
    return cmd_fail("connect", "%s port %s: %s", argv[0], argv[1], strerror(-err));
}

static bool udp_over(void *user) { return ((struct talk_udp *)user)->over; }

/* The first address of a family that is ours, too: UDP does not tell whether anybody is there. */
static int udp_to(struct attached *a, const struct connect_values *v, const struct addrinfo *ai,
                  char **argv)
{
    static struct talk_udp t;
    tern_udp_args args = {0};
    union run_sockaddr sa;
    tern_sock sock;
    int err = -ENETUNREACH;

    while (ai && !may_have(&v->attach, ai->ai_family == AF_INET))
        ai = ai->ai_next;
    if (ai) {
        memcpy(&sa, ai->ai_addr, ai->ai_addrlen);
        err = run_addr_read(&args.peer, ai->ai_family, &sa, ai->ai_addrlen);
        if (!err)
            err = errno_of_tern(tern_udp_open(a->node.stack, &sock, &args));
    }
    if (err)
        return cmd_fail("connect", "%s port %s: %s", argv[0], argv[1], strerror(-err));
    err = talk_udp_start(&t, &a->node, sock, &args.peer);
    int status =
        err ? cmd_fail("connect", "%s", strerror(-err)) : attach_run(a, "connect", udp_over, &t);
    attach_flush(a);
    talk_udp_stop(&t);
    if (status != CMD_OK || !t.err)
        return status;
    return cmd_fail("connect", "%s: %s", t.what ? t.what : argv[0], strerror(-t.err));
}

static int run(const void *values, int argc, char **argv)
{
    const struct connect_values *v = values;
    struct addrinfo hints = {.ai_family = AF_UNSPEC}, *ai;
    struct attached a;

    (void)argc;
    hints.ai_socktype = v->udp ? SOCK_DGRAM : SOCK_STREAM;
    int err = getaddrinfo(argv[0], argv[1], &hints, &ai);
    if (err)
        return cmd_fail("connect", "%s port %s: %s", argv[0], argv[1], gai_strerror(err));
    int status = attach_open(&a, "connect", &v->attach);
    if (status == CMD_OK) {
        status = attach_settle(&a, "connect", &v->attach);
        if (status == CMD_OK && !a.signal)
            status = v->udp ? udp_to(&a, v, ai, argv) : connect_to(&a, v, ai, argv);
        attach_close(&a);
    }
    freeaddrinfo(ai);
    if (a.signal)
        attach_die(a.signal);
    return status;
}

const struct command cmd_connect = {
    .name = "connect",
    .summary = "standard input and output on a connection to a server",
    .about =
        "Connects to HOST, by tern's own TCP, and carries standard input there and what comes from "
        "there to standard output. The end of the input is passed on as a half close, and it ends "
        "when both directions have: as nc does.\n"
        "\n"
        "With --udp each read of standard input is a datagram, and it ends when standard input has "
        "ended and nothing has come for a second.\n"
        "\n"
        "It uses a TUN interface, on which tern has an address of its own. The kernel is the host "
        "at its other end; beyond it one gets only as far as the kernel forwards.",
    .status =
        "0 when both directions were closed in good order, else 1, with the error on standard "
        "error in the words of connect(2) and read(2).",
    .operands = "HOST PORT",
    .min_operands = 2,
    .max_operands = 2,
    .opts = connect_opts,
    .opt_count = sizeof(connect_opts) / sizeof(connect_opts[0]),
    .values_size = sizeof(struct connect_values),
    .examples = {{"sudo tern connect --tun tern0 --address 10.9.0.2/24 10.9.0.1 22",
                  "to this machine's own ssh server: its greeting"}},
    .run = run,
};
