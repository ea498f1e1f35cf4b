/* test_netif.c - the kernel's side of a TUN interface: whoever has attached to it waits until the
 * kernel sends into it, as it would lose what it sends before. */
#include "test.h"

#include "host/netif.h"
#include "host/tun.h"
#include "netns.h"

#include <arpa/inet.h>
#include <sys/socket.h>

enum { TIMES = 50 };

/* The kernel follows an attachment in work of its own; then nothing of what it sends is lost. */
static void attached_and_waited_nothing_is_lost(void **state)
{
    (void)state;
    struct tun_config cfg = {.name = "t0"};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    to.sin_addr.s_addr = htonl(0x0a090002);
    for (int i = 0; i < TIMES; i++) {
        char error[TUN_ERROR_MAX];
        uint8_t packet[256];
        struct tun t;
        assert_int_equal(tun_open(&t, &cfg, error), 0);
        assert_true(netif_wait_running("t0", 5000));
        assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
        bool heard = false; /* the kernel says things of its own, too: what it sent must be there */
        for (ssize_t n; (n = read(t.device.fd, packet, sizeof packet)) > 0;)
            heard |= n > 20 && packet[n - 1] == 'x';
        assert_true(heard);
        tun_close(&t);
    }
    close(fd);
}

static void an_interface_that_is_not_there_does_not_run(void **state)
{
    (void)state;
    assert_false(netif_is_running("none0"));
    assert_false(netif_wait_running("none0", 3));
    assert_false(netif_is_running("lo"));      /* down, in a new namespace */
    assert_false(netif_wait_running("t0", 3)); /* nobody is attached */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attached_and_waited_nothing_is_lost),
        cmocka_unit_test(an_interface_that_is_not_there_does_not_run),
    };
    int fd;
    const char *why = kernel_tun(
        "own0",
        "ip tuntap add dev t0 mode tun && ip addr add 10.9.0.1/24 dev t0 && ip link set t0 up",
        &fd);
    if (why != NULL)
        return kernel_skip(why);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
