/* getsockopt() and setsockopt(): every row of the table, with good values and bad ones, on sockets
 * in several states, in both systems; and that what the kernel has and this room has not is
 * listed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "os.h"
#include "posix/opts.h"
#include "test.h"

/* What depends on how a host is configured, or on sizes nobody promises. */
static bool host_decides(const struct posix_option *o)
{
    static const struct {
        int level, name;
    } its[] = {
        {SOL_SOCKET, SO_SNDBUF},
        {SOL_SOCKET, SO_RCVBUF},
        {IPPROTO_IP, IP_MTU},
        {IPPROTO_IPV6, IPV6_MTU},
        {IPPROTO_TCP, TCP_MAXSEG},
        {IPPROTO_TCP, TCP_TIMESTAMP},
        {IPPROTO_TCP, TCP_WINDOW_CLAMP},
        {SOL_SOCKET, SO_INCOMING_CPU},
    };
    for (size_t i = 0; i < sizeof its / sizeof its[0]; i++)
        if (its[i].level == o->level && its[i].name == o->name)
            return true;
    return false;
}

static void note_get(struct os *os, enum side side, int fd, const struct posix_option *o)
{
    int value = 0x55555555;
    socklen_t len = sizeof value;
    long result = os_getsockopt(os, side, fd, o->level, o->name, &value, &len);

    note(os, "  get %s = %s", o->text, result_name(result));
    if (result == 0)
        note(os, " len %u value %d", len, host_decides(o) ? 0 : value);
    note(os, "\n");
}

static const int values[] = {INT_MIN, -2, -1,  0,   1,   2,   3,   5,    6,     7,     63,     64,
                             87,      88, 100, 127, 128, 255, 256, 1000, 32767, 32768, INT_MAX};

/* Each value, set and read back. */
static void note_sets(struct os *os, enum side side, int fd, const struct posix_option *o)
{
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        long result = os_setsockopt(os, side, fd, o->level, o->name, &values[i], sizeof(int));
        note(os, "  set %s %d = %s\n", o->text, values[i], result_name(result));
        if (result == 0)
            note_get(os, side, fd, o);
    }
    /* lengths */
    int one = 1;
    for (socklen_t len = 0; len <= 4; len++)
        note(os, "  set %s len %u = %s\n", o->text, len,
             result_name(os_setsockopt(os, side, fd, o->level, o->name, &one, len)));
    for (socklen_t len = 0; len <= 5; len++) {
        unsigned char to[8] = {0};
        socklen_t got = len;
        long result = os_getsockopt(os, side, fd, o->level, o->name, to, &got);
        note(os, "  get %s len %u = %s len %u %d\n", o->text, len, result_name(result), got,
             host_decides(o) ? 0 : to[0]);
    }
    note(os, "  negative lengths: %s",
         result_name(os_setsockopt(os, side, fd, o->level, o->name, &one, (socklen_t)-1)));
    socklen_t minus = (socklen_t)-1;
    note(os, " %s\n", result_name(os_getsockopt(os, side, fd, o->level, o->name, &one, &minus)));
}

/* Privileges differ: the kernel's process may be root. */
static bool left_out(const struct posix_option *o)
{
    return o->kind == OPT_OWN || o->kind == OPT_DENY || o->name == SO_SNDBUFFORCE ||
           o->name == SO_RCVBUFFORCE ||
           (o->level == SOL_SOCKET &&
            (o->name == SO_PRIORITY || o->name == SO_MARK || o->name == SO_BUSY_POLL)) ||
           (o->level == IPPROTO_IPV6 && o->name == IPV6_MTU);
}

static const struct posix_option *row; /* the one a scene is about */
static int domain;

static void fresh(struct os *os)
{
    int fd = os_socket(os, CLIENT, domain, SOCK_STREAM, 0);

    note_get(os, CLIENT, fd, row);
    note_sets(os, CLIENT, fd, row);
    os_close(os, CLIENT, fd);
}

static void connected(struct os *os)
{
    int fd[3];

    os_pair(os, domain, fd);
    note_get(os, CLIENT, fd[CLIENT], row);
    note_sets(os, CLIENT, fd[CLIENT], row);
    note_get(os, SERVER, fd[SERVER], row);
    for (int i = 0; i < 3; i++)
        os_close(os, i == CLIENT ? CLIENT : SERVER, fd[i]);
}

static void every_row(void (*scene)(struct os *), int of)
{
    char why[2048];
    int differ = 0;

    domain = of;
    for (size_t i = 0; i < posix_options_count; i++) {
        row = &posix_options[i];
        if (!left_out(row) && os_differs(scene, why, sizeof why)) {
            print_error("%s: %.*s\n", row->text, (int)(strstr(why, "\nafter") - why), why);
            differ++;
        }
    }
    assert_int_equal(differ, 0);
}

static void test_fresh_ip4(void **state)
{
    (void)state;
    every_row(fresh, AF_INET);
}
static void test_fresh_ip6(void **state)
{
    (void)state;
    every_row(fresh, AF_INET6);
}
static void test_connected_ip4(void **state)
{
    (void)state;
    every_row(connected, AF_INET);
}
static void test_connected_ip6(void **state)
{
    (void)state;
    every_row(connected, AF_INET6);
}

/* ---- structures ------------------------------------------------------------------------------ */

static void structures(struct os *os)
{
    static const struct timeval times[] = {{0, 0}, {1, 500000}, {0, 1000000}, {0, -1}, {-1, 0}};
    static const int names[] = {SO_RCVTIMEO, SO_SNDTIMEO};
    struct linger l = {5, 7};
    char name[32] = "";
    int fd = os_socket(os, CLIENT, AF_INET, SOCK_STREAM, 0);

    for (int n = 0; n < 2; n++) {
        for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
            struct timeval t = {9, 9};
            socklen_t len = sizeof t;
            noted(os, "set", os_setsockopt(os, CLIENT, fd, SOL_SOCKET, names[n], &times[i], len));
            noted(os, "get", os_getsockopt(os, CLIENT, fd, SOL_SOCKET, names[n], &t, &len));
            note(os, "%ld %ld %u\n", (long)t.tv_sec, (long)t.tv_usec, len);
        }
        noted(os, "short", os_setsockopt(os, CLIENT, fd, SOL_SOCKET, names[n], &times[0], 8));
    }
    socklen_t len = sizeof l;
    noted(os, "linger", os_setsockopt(os, CLIENT, fd, SOL_SOCKET, SO_LINGER, &l, sizeof l));
    noted(os, "linger", os_setsockopt(os, CLIENT, fd, SOL_SOCKET, SO_LINGER, &l, 4));
    noted(os, "linger", os_getsockopt(os, CLIENT, fd, SOL_SOCKET, SO_LINGER, &l, &len));
    note(os, "%d %d %u\n", l.l_onoff, l.l_linger, len);
    len = sizeof name;
    noted(os, "cc", os_setsockopt(os, CLIENT, fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
    noted(os, "cc", os_setsockopt(os, CLIENT, fd, IPPROTO_TCP, TCP_CONGESTION, "reno\0xyz", 8));
    noted(os, "cc", os_setsockopt(os, CLIENT, fd, IPPROTO_TCP, TCP_CONGESTION, "nothing", 7));
    noted(os, "cc", os_setsockopt(os, CLIENT, fd, IPPROTO_TCP, TCP_CONGESTION, "", 0));
    noted(os, "cc", os_getsockopt(os, CLIENT, fd, IPPROTO_TCP, TCP_CONGESTION, name, &len));
    note(os, "%s %u\n", name, len);
    len = 3;
    noted(os, "cc", os_getsockopt(os, CLIENT, fd, IPPROTO_TCP, TCP_CONGESTION, name, &len));
    note(os, "%u\n", len);
    noted(os, "level", os_setsockopt(os, CLIENT, fd, 77, 1, &len, 4));
    noted(os, "level", os_getsockopt(os, CLIENT, fd, 77, 1, &l, &len));
    noted(os, "name", os_setsockopt(os, CLIENT, fd, IPPROTO_TCP, 200, &len, 4));
    noted(os, "name", os_getsockopt(os, CLIENT, fd, IPPROTO_TCP, 200, &l, &len));
    noted(os, "name", os_setsockopt(os, CLIENT, fd, SOL_SOCKET, 200, &len, 4));
    noted(os, "name", os_getsockopt(os, CLIENT, fd, SOL_SOCKET, 200, &l, &len));
    noted(os, "six", os_setsockopt(os, CLIENT, fd, IPPROTO_IPV6, IPV6_V6ONLY, &len, 4));
    noted(os, "six", os_getsockopt(os, CLIENT, fd, IPPROTO_IPV6, IPV6_V6ONLY, &l, &len));
    noted(os, "closed", os_setsockopt(os, CLIENT, 900, SOL_SOCKET, SO_KEEPALIVE, &len, 4));
    noted(os, "closed", os_getsockopt(os, CLIENT, 900, SOL_SOCKET, SO_KEEPALIVE, &l, &len));
    os_close(os, CLIENT, fd);
}

static void test_structures(void **state)
{
    (void)state;
    os_compare(structures);
}

/* ---- DF -------------------------------------------------------------------------------------- */

struct seen {
    unsigned last;  /* flags and ID of the client's last packet */
    unsigned id;    /* and of the one before */
    bool sums_well; /* its header */
};

static void see(void *user, const struct lab_event *e)
{
    struct seen *s = user;
    uint32_t sum = 0;

    if (e->fate != LAB_SENT || e->dir != 0 || e->len < 20)
        return;
    for (int i = 0; i < 20; i += 2)
        sum += (uint32_t)(e->data[i] << 8 | e->data[i + 1]);
    s->sums_well = (sum & 0xffff) + (sum >> 16) == 0xffff;
    s->id = s->last & 0xffff;
    s->last = (unsigned)(e->data[6] << 24 | e->data[7] << 16 | e->data[4] << 8 | e->data[5]);
}

/* IP_MTU_DISCOVER: what DONT, PROBE, INTERFACE and OMIT send may be broken up on its way, and has
 * an ID for it; urgent data between two changes nothing about that. */
static void test_df(void **state)
{
    static struct os os;
    struct seen seen = {0};
    const struct lab_config link = {.tap = see, .user = &seen};
    int fd[3];

    (void)state;
    os_begin(&os, &link, NULL);
    os_pair(&os, AF_INET, fd);
    for (int how = 0; how <= 5; how++) {
        bool df = how == IP_PMTUDISC_DO || how == IP_PMTUDISC_WANT;
        assert_int_equal(os_setsockopt(&os, CLIENT, fd[CLIENT], IPPROTO_IP, IP_MTU_DISCOVER, &how,
                                       sizeof how),
                         0);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(os_send(&os, CLIENT, fd[CLIENT], "x", 1, i == 1 ? MSG_OOB : 0), 1);
            os_settle(&os);
            assert_int_equal(seen.last >> 16, df ? 0x4000 : 0);
            assert_true(seen.sums_well);
        }
        assert_int_equal(seen.last & 0xffff, df ? 0 : (seen.id + 1) & 0xffff);
    }
    for (int i = 0; i < 3; i++)
        os_close(&os, i == CLIENT ? CLIENT : SERVER, fd[i]);
    os_end(&os);
}

/* ---- nothing is missing silently ------------------------------------------------------------- */

static void test_what_the_kernel_has_is_known(void **state)
{
    static const int levels[] = {SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6};
    int fd = socket(AF_INET6, SOCK_STREAM, 0), unknown = 0;

    (void)state;
    assert_true(fd >= 0);
    for (size_t l = 0; l < sizeof levels / sizeof levels[0]; l++) {
        for (int name = 0; name < 128; name++) {
            bool ip = levels[l] == IPPROTO_IP || levels[l] == IPPROTO_IPV6;
            bool filters = name >= 80 || (name >= 64 && name <= 69 && name != IPV6_TCLASS);
            if (ip && (filters || (levels[l] == IPPROTO_IP && name >= 64)))
                continue; /* netfilter's, not the socket's */
            char to[1024];
            socklen_t len = sizeof to;
            bool has = getsockopt(fd, levels[l], name, to, &len) == 0 || errno != ENOPROTOOPT;
            if (has && opts_find(levels[l], name) == NULL &&
                opts_refused(levels[l], name) == NULL) {
                print_error("the kernel has option %d of level %d\n", name, levels[l]);
                unknown++;
            }
        }
    }
    assert_int_equal(unknown, 0);
}

static void test_refused_ones_are_refused(void **state)
{
    static struct os os;
    char value[256] = {1};

    (void)state;
    os_begin(&os, NULL, NULL);
    int fd = os_socket(&os, CLIENT, AF_INET6, SOCK_STREAM, 0);
    for (size_t i = 0; i < posix_refused_count; i++) {
        const struct posix_refused *r = &posix_refused[i];
        socklen_t len = sizeof value;
        assert_null(opts_find(r->level, r->name));
        assert_int_equal(os_setsockopt(&os, CLIENT, fd, r->level, r->name, value, 4), -ENOPROTOOPT);
        assert_int_equal(os_getsockopt(&os, CLIENT, fd, r->level, r->name, value, &len),
                         -ENOPROTOOPT);
    }
    os_close(&os, CLIENT, fd);
    os_end(&os);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fresh_ip4),
        cmocka_unit_test(test_fresh_ip6),
        cmocka_unit_test(test_connected_ip4),
        cmocka_unit_test(test_connected_ip6),
        cmocka_unit_test(test_structures),
        cmocka_unit_test(test_df),
        cmocka_unit_test(test_what_the_kernel_has_is_known),
        cmocka_unit_test(test_refused_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
