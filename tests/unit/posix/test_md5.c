/* test_md5.c - signatures (RFC 2385): the digest, segments that Linux has signed, and what the
 * sockets API makes of keys, beside the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "os.h"
#include "tcp/tcp.h"
#include "test.h"

/* RFC 1321 A.5, in one piece and byte by byte. */
static void digests(void **state)
{
    static const struct {
        const char *text, *digest;
    } suite[] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", "0cc175b9c0f1b6a831c399e269772661"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"1234567890123456789012345678901234567890123456789012345678901234567890123456789"
         "0",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof suite / sizeof suite[0]; i++) {
        tern_iov iov[80];
        size_t len = strlen(suite[i].text);
        uint8_t out[2][16];
        char text[33];
        for (size_t n = 0; n < len; n++)
            iov[n] = (tern_iov){(void *)(uintptr_t)(suite[i].text + n), 1};
        tern_sockets_md5(NULL, iov, len, out[0]);
        iov[0].len = len;
        tern_sockets_md5(NULL, iov, len != 0, out[1]);
        assert_memory_equal(out[0], out[1], 16);
        for (unsigned n = 0; n < 16; n++)
            snprintf(text + 2 * n, 3, "%02x", out[0][n]);
        assert_string_equal(text, suite[i].digest);
    }
}

/* What Linux 6.18 has sent over loopback, as IP packets: a SYN, and data in both families. */
static const char *const packets[] = {
    "4500004864ae40004006d7ff7f0000017f000001bc74a3ed91e2f3bb00000000d002ffd7fe3c0000"
    "01011312c04faf635852989b709d6648dd289ea00204ffd7010104020103030a",
    "4500005764b040004006d7ee7f0000017f000001bc74a3ed91e2f3bc5035f024a0180040fe4b0000"
    "010113122e43a7691ff942740e4310e75d3616327369676e656420646174612c206f66206f646420"
    "6c656e6774682e",
    "6004cf58004306400000000000000000000000000000000100000000000000000000000000000001"
    "b660cfab07ea8fb1efe70ef7a0180040004b0000010113120f72a7aebbe06b3c1bda2119a43d189c"
    "7369676e656420646174612c206f66206f6464206c656e6774682e",
};
#define KEY "a key of some length"

static size_t bytes_of(const char *hex, uint8_t *to)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        to[i] = (uint8_t)byte;
    }
    return n;
}

static void of_linux(void **state)
{
    static struct tcp t;
    static tern_config cfg = {.md5 = tern_sockets_md5};
    (void)state;
    t.cfg = &cfg;
    for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
        uint8_t p[256], local[16] = {[10] = 0xff, 0xff}, remote[16] = {[10] = 0xff, 0xff};
        uint8_t digest[16];
        size_t n = bytes_of(packets[i], p), ip = p[0] >> 4 == 4 ? 20 : 40;
        struct md5_key key = {.len = sizeof KEY - 1};
        memcpy(key.key, KEY, sizeof KEY - 1);
        memcpy(ip == 20 ? local + 12 : local, ip == 20 ? p + 12 : p + 8, ip == 20 ? 4 : 16);
        memcpy(ip == 20 ? remote + 12 : remote, ip == 20 ? p + 16 : p + 24, ip == 20 ? 4 : 16);
        uint16_t header = (uint16_t)(p[ip + 12] >> 4 << 2);
        struct chunk chunk = {.data = p + ip + header, .len = (uint32_t)(n - ip - header)};
        struct tcp_out out = {.tcp = p + ip,
                              .tcp_len = header,
                              .chunk = &chunk,
                              .len = chunk.len,
                              .local = local,
                              .remote = remote};
        memcpy(digest, p + ip + 24, 16);
        memset(p + ip + 24, 0, 16);
        md5_sign(&t, &key, &out);
        assert_memory_equal(p + ip + 24, digest, 16);
    }
}

/* ---- beside the kernel ----------------------------------------------------------------------- */

struct key_args {
    int family, option;
    uint8_t flags, prefix;
    uint16_t len;
    socklen_t size; /* 0: the structure's */
};

/* For the other end's address, or for all of its family with a prefix of 0 bits. */
static int set_key(struct os *os, enum side side, int fd, const struct key_args *a)
{
    struct tcp_md5sig m = {.tcpm_flags = a->flags,
                           .tcpm_prefixlen = a->prefix,
                           .tcpm_keylen = a->len};
    struct sockaddr_storage addr;
    os_address(os, a->family, false, 0, &addr);
    if (!os->kernel && side == SERVER) { /* the client's: the last byte differs */
        const uint8_t *ip = a->family == AF_INET ? lab_client_ip4 + 12 : lab_client_ip6;
        memcpy((char *)&addr + (a->family == AF_INET ? 4 : 8), ip, a->family == AF_INET ? 4 : 16);
    }
    memcpy(&m.tcpm_addr, &addr, sizeof addr);
    memset(m.tcpm_key, 'k', sizeof m.tcpm_key);
    return os_setsockopt(os, side, fd, IPPROTO_TCP, a->option, &m, a->size ? a->size : sizeof m);
}

static void key_errors(struct os *os)
{
    static const struct key_args tries[] = {
        {AF_INET, TCP_MD5SIG, 0, 0, 5, 0},
        {AF_INET, TCP_MD5SIG, 0, 0, 80, 0},
        {AF_INET, TCP_MD5SIG, 0, 0, 81, 0},
        {AF_INET, TCP_MD5SIG, 0, 0, 5, 215},
        {AF_INET, TCP_MD5SIG, 0, 0, 5, 217},
        {AF_INET, TCP_MD5SIG, 0, 0, 0, 0},
        {AF_INET, TCP_MD5SIG, 0, 0, 0, 0},
        {AF_INET6, TCP_MD5SIG, 0, 0, 5, 0},
        {AF_INET, TCP_MD5SIG, TCP_MD5SIG_FLAG_PREFIX, 33, 5, 0},
        {AF_INET, TCP_MD5SIG_EXT, TCP_MD5SIG_FLAG_PREFIX, 33, 5, 0},
        {AF_INET, TCP_MD5SIG_EXT, TCP_MD5SIG_FLAG_PREFIX, 32, 5, 0},
        {AF_INET, TCP_MD5SIG_EXT, TCP_MD5SIG_FLAG_PREFIX, 0, 5, 0},
        {AF_INET, TCP_MD5SIG_EXT, TCP_MD5SIG_FLAG_PREFIX, 8, 0, 0},
        {AF_INET, TCP_MD5SIG_EXT, TCP_MD5SIG_FLAG_PREFIX, 0, 0, 0},
        {AF_INET, TCP_MD5SIG_EXT, 0, 0, 81, 0},
        {AF_INET, TCP_MD5SIG_EXT, 0, 7, 0, 0},
        {AF_INET, TCP_MD5SIG_EXT, 0, 7, 0, 0},
    };
    for (int domain = AF_INET; domain <= AF_INET6; domain += AF_INET6 - AF_INET) {
        int fd = os_socket(os, CLIENT, domain, SOCK_STREAM, 0);
        for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
            note(os, "%d %zu ", domain, i);
            noted(os, "set", set_key(os, CLIENT, fd, &tries[i]));
        }
        char got[256];
        socklen_t len = sizeof got;
        noted(os, "get", os_getsockopt(os, CLIENT, fd, IPPROTO_TCP, TCP_MD5SIG, got, &len));
        os_close(os, CLIENT, fd);
    }
}

/* Who has a key, of which length (0: none), and whether they then speak. */
static void meet(struct os *os, int family, uint16_t client, uint16_t server, int prefix)
{
    struct sockaddr_storage a;
    uint16_t port;
    int listener = os_listener(os, family, 8, &port);
    socklen_t len = os_address(os, family, false, port, &a);
    int fd = os_socket(os, CLIENT, family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct key_args key = {.family = family, .option = TCP_MD5SIG_EXT};
    char buf[4000] = "";

    if (prefix >= 0)
        key.flags = TCP_MD5SIG_FLAG_PREFIX, key.prefix = (uint8_t)prefix;
    if ((key.len = client) != 0)
        noted(os, "client's", set_key(os, CLIENT, fd, &key));
    if ((key.len = server) != 0)
        noted(os, "server's", set_key(os, SERVER, listener, &key));
    noted(os, "connect", os_connect(os, CLIENT, fd, &a, len));
    os_sleep(os, 40);
    note_poll(os, CLIENT, "client", fd);
    noted(os, "send", os_send(os, CLIENT, fd, buf, sizeof buf, MSG_DONTWAIT));
    os_sleep(os, 20);
    note_poll(os, SERVER, "listener", listener);
    os_fcntl(os, SERVER, listener, F_SETFL, O_RDWR | O_NONBLOCK);
    int end = os_accept4(os, SERVER, listener, NULL, NULL, SOCK_NONBLOCK);
    noted(os, "accept", end < 0 ? end : 0);
    if (end >= 0) {
        noted(os, "recv", os_recv(os, SERVER, end, buf, sizeof buf, 0));
        noted(os, "back", os_send(os, SERVER, end, buf, 100, 0));
        os_sleep(os, 20);
        noted(os, "recv", os_recv(os, CLIENT, fd, buf, sizeof buf, 0));
        os_close(os, SERVER, end);
        os_sleep(os, 20);
        noted(os, "end", os_recv(os, CLIENT, fd, buf, sizeof buf, 0));
    }
    os_close(os, CLIENT, fd);
    os_close(os, SERVER, listener);
}

static void same_key(struct os *os)
{
    meet(os, AF_INET, 7, 7, -1);
    meet(os, AF_INET6, 7, 7, -1);
    meet(os, AF_INET, 80, 80, 0);
    meet(os, AF_INET6, 80, 80, 64);
}

static void other_key(struct os *os) { meet(os, AF_INET, 7, 8, -1); }
static void client_only(struct os *os) { meet(os, AF_INET, 7, 0, -1); }
static void server_only(struct os *os) { meet(os, AF_INET6, 0, 7, -1); }

static void beside_the_kernel(void **state)
{
    (void)state;
    os_compare(key_errors);
    os_compare(same_key);
    os_compare(other_key);
    os_compare(client_only);
    os_compare(server_only);
}

/* What is dropped is counted by its reason, and one byte makes the difference. */
static void counted(void **state)
{
    static struct os os;
    (void)state;
    for (int i = 0; i < 3; i++) {
        os_begin(&os, NULL, NULL);
        meet(&os, AF_INET, i == 1 ? 0 : 7, i == 2 ? 0 : 8, -1);
        const tern_counters *c = tern_counters_of(os.pair.server);
        static const enum tern_drop why[3] = {TERN_DROP_TCP_FORGED, TERN_DROP_TCP_UNSIGNED,
                                              TERN_DROP_TCP_SIGNED};
        assert_true(c->drop[why[i]] != 0);
        os_end(&os);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests),
        cmocka_unit_test(of_linux),
        cmocka_unit_test(beside_the_kernel),
        cmocka_unit_test(counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
