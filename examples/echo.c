/* echo.c - a server: whatever comes to port 7 goes back (RFC 862), for any number of connections.
 *
 * All there is to it are the events of its sockets; loop.c does the rest.
 *
 *     ip tuntap add mode tun tern0 && ip addr add 10.9.0.1/24 dev tern0 && ip link set tern0 up
 *     ./echo tern0 10.9.0.2 &
 *     nc 10.9.0.2 7
 */
#define LOOP_WITHOUT_MAIN
#include "loop.c"

/* Back from where it was received, without a buffer of our own, until one side has to wait. */
static void echo(tern *s, tern_sock k)
{
    for (;;) {
        tern_iov view;
        ptrdiff_t views = tern_recv_peek(s, k, &view, 1, 0);
        if (views == 0) { /* the peer's FIN: ours follows what is queued */
            tern_close(s, k);
            return;
        }
        if (views < 0)
            return; /* TERN_EV_READ will come */
        ptrdiff_t sent = tern_send(s, k, view.base, view.len);
        if (sent <= 0)
            return; /* TERN_EV_WRITE will; meanwhile the window closes, and the peer waits */
        tern_recv_consume(s, k, (size_t)sent);
    }
}

static void event(tern *s, const tern_event *ev)
{
    tern_sock k;
    if (ev->mask & TERN_EV_ACCEPT)
        while (tern_accept(s, ev->sock, &k, NULL, NULL) >= 0)
            echo(s, k); /* it may have been waiting with data */
    else if (ev->mask & TERN_EV_ERROR)
        tern_close(s, ev->sock); /* reset or timed out: only the handle is left */
    else if (ev->mask & (TERN_EV_READ | TERN_EV_WRITE | TERN_EV_EOF))
        echo(s, ev->sock);
}

int main(int argc, char **argv)
{
    tern_listen_args args = {.local.port = 7, .backlog = 128};
    tern_sock listener;
    int fd = argc == 3 ? tun_open(argv[1]) : -1;
    tern *s = fd >= 0 ? stack_new(argv[2]) : NULL;
    if (s == NULL || tern_listen(s, &listener, &args) < 0) {
        fprintf(stderr, "usage: echo INTERFACE ADDRESS (a TUN interface that we may open)\n");
        return 1;
    }
    loop(s, fd, event);
    return 1;
}
