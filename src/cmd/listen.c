/* listen.c - `tern listen`: standard input and output on the first connection that comes. */
#include "cmd/attach.h"
#include "host/run_errno.h"
#include "host/talk.h"
#include "host/talk_udp.h"

#include <string.h>
#include <unistd.h>

struct listen_values {
    struct attach_values attach;
    bool verbose, udp;
};

static const struct opt listen_opts[] = {
    ATTACH_OPTS(struct listen_values),
    OPT_HEADING("The protocol"),
    {OPT_FLAG(struct listen_values, udp), .name = "udp", .letter = 'u',
     .help = "UDP: the first who sends a datagram is the peer"},
    OPT_HEADING("Output"),
    {OPT_FLAG(struct listen_values, verbose), .name = "verbose", .letter = 'v',
     .help = "say on standard error when it listens, and who has come"},
};

struct listening {
    struct app app; /* the listener's `user` */
    struct attached attached;
    struct talk talk;
    tern_sock listener;
    bool verbose;
};

static void arrived(struct app *app, const tern_event *ev)
{
    struct listening *l = (struct listening *)(void *)app;
    tern *s = l->attached.node.stack;
    tern_sock sock;
    tern_addr peer;
    struct netif_addr from = {.bits = 128};
    char text[NETIF_ADDR_TEXT_MAX];

    if (!(ev->mask & TERN_EV_ACCEPT) || l->talk.open ||
        tern_accept(s, l->listener, &sock, &peer, NULL) < 0)
        return;
    memcpy(from.ip, peer.ip, 16);
    netif_addr_text(&from, false, text);
    if (l->verbose)
        fprintf(stderr, "tern listen: connection from %s port %u\n", text, peer.port);
    talk_to(&l->talk, sock, true);
    (void)tern_close(s, l->listener); /* one is enough: others are refused from now on */
}

static bool over(void *user) { return ((struct listening *)user)->talk.over; }

static int talk(struct listening *l, uint16_t port)
{
    tern_listen_args args = {.local.port = port, .backlog = 1, .user = &l->app};
    int err = talk_start(&l->talk, &l->attached.node, STDIN_FILENO, STDOUT_FILENO);

    if (!err)
        err = errno_of_tern(tern_listen(l->attached.node.stack, &l->listener, &args));
    if (err)
        return cmd_fail("listen", "%s", strerror(-err));
    if (l->verbose) {
        fprintf(stderr, "tern listen: port %u on ", port);
        attach_describe(&l->attached, stderr);
        fputc('\n', stderr);
    }
    int status = attach_run(&l->attached, "listen", over, l);
    if (l->attached.signal)
        talk_hang_up(&l->talk);
    attach_flush(&l->attached);
    talk_stop(&l->talk);
    if (status != CMD_OK || !l->talk.err)
        return status;
    return cmd_fail("listen", "%s: %s", l->talk.what ? l->talk.what : "the connection",
                    strerror(-l->talk.err));
}

static bool udp_over(void *user) { return ((struct talk_udp *)user)->over; }

static int talk_datagrams(struct attached *a, uint16_t port, bool verbose)
{
    static struct talk_udp t;
    static const tern_addr nobody;
    tern_udp_args args = {.local.port = port};
    tern_sock sock;
    int err = errno_of_tern(tern_udp_open(a->node.stack, &sock, &args));

    if (err)
        return cmd_fail("listen", "%s", strerror(-err));
    err = talk_udp_start(&t, &a->node, sock, &nobody);
    if (!err && verbose) {
        fprintf(stderr, "tern listen: UDP port %u on ", port);
        attach_describe(a, stderr);
        fputc('\n', stderr);
    }
    int status =
        err ? cmd_fail("listen", "%s", strerror(-err)) : attach_run(a, "listen", udp_over, &t);
    attach_flush(a);
    talk_udp_stop(&t);
    if (status != CMD_OK || !t.err)
        return status;
    return cmd_fail("listen", "%s: %s", t.what ? t.what : "the peer", strerror(-t.err));
}

static int run(const void *values, int argc, char **argv)
{
    const struct listen_values *v = values;
    struct listening l = {.app.event = arrived, .verbose = v->verbose};
    uint64_t port;

    (void)argc;
    if (value_parse(VALUE_UINT, argv[0], 1, UINT16_MAX, &port) != VALUE_OK) {
        cmd_fail("listen", "%s: a port must be 1 to 65535", argv[0]);
        return CMD_USAGE;
    }
    int status = attach_open(&l.attached, "listen", &v->attach);
    if (status != CMD_OK)
        return status;
    status =
        v->udp ? talk_datagrams(&l.attached, (uint16_t)port, v->verbose) : talk(&l, (uint16_t)port);
    attach_close(&l.attached);
    if (l.attached.signal)
        attach_die(l.attached.signal);
    return status;
}

const struct command cmd_listen = {
    .name = "listen",
    .summary = "standard input and output on a connection that a client opens",
    .about =
        "Waits for a connection on PORT of tern's address on a TUN interface, takes the first one, "
        "refuses others, and carries standard input there and what comes from there to standard "
        "output. The end of the input is passed on as a half close, and it ends when both "
        "directions have: as nc -l does.\n"
        "\n"
        "With --udp the first who sends a datagram is the peer, each read of standard input is a "
        "datagram to it, and it ends when standard input has ended and nothing has come for a "
        "second.",
    .status =
        "0 when both directions were closed in good order, else 1, with the error on standard "
        "error in the words of read(2).",
    .operands = "PORT",
    .min_operands = 1,
    .max_operands = 1,
    .opts = listen_opts,
    .opt_count = sizeof(listen_opts) / sizeof(listen_opts[0]),
    .values_size = sizeof(struct listen_values),
    .examples = {{"sudo tern listen --tun tern0 --address 10.9.0.2/24 7000 > received",
                  "then: nc -N 10.9.0.2 7000 < file"}},
    .run = run,
};
