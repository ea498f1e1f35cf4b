/* test_run_opts.c - getsockopt() and setsockopt() of a program under `tern run` give what
 * tern_socket_getsockopt() and tern_socket_setsockopt() give: for every row of the table of
 * options, and every one that is refused, the defaults, good values and bad ones, short and long
 * lengths and bad pointers, on sockets that are fresh, listen, have connected and were accepted.
 *
 * valgrind: knows no seccomp
 */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/world.h"
#include "posix/opts.h"
#include "runner.h"

#include "../test.h"

enum { CLIENT, SERVER };

/* Where the calls go: the kernel, which under `tern run` is tern, or a table of sockets. */
struct system {
    tern_sockets *p[2]; /* NULL: this process's own calls */
    struct lab_pair pair;
    FILE *out;
};

static int get(struct system *y, int side, int fd, const int id[2], void *value, socklen_t *len)
{
    if (y->p[side] != NULL)
        return tern_socket_getsockopt(y->p[side], fd, id[0], id[1], value, len);
    return getsockopt(fd, id[0], id[1], value, len) == 0 ? 0 : -errno;
}

static int set(struct system *y, int side, int fd, const int id[2], const void *value,
               socklen_t len)
{
    if (y->p[side] != NULL)
        return tern_socket_setsockopt(y->p[side], fd, id[0], id[1], value, len);
    return setsockopt(fd, id[0], id[1], value, len) == 0 ? 0 : -errno;
}

/* ---- what is tried --------------------------------------------------------------------------- */

/* What the path decides, or the clock: only that there is a value, and its length. */
static bool is_variable(const int id[2])
{
    static const int its[][2] = {
        {SOL_SOCKET, SO_COOKIE},
        {IPPROTO_TCP, TCP_TIMESTAMP},
        {IPPROTO_TCP, TCP_INFO},
        {IPPROTO_TCP, TCP_QUICKACK},
    };
    for (size_t i = 0; i < sizeof its / sizeof its[0]; i++)
        if (its[i][0] == id[0] && its[i][1] == id[1])
            return true;
    return false;
}

static void note_get(struct system *y, int side, int fd, const int id[2], socklen_t room)
{
    unsigned char value[512];
    socklen_t len = room;

    memset(value, 0x55, sizeof value);
    int err = get(y, side, fd, id, value, &len);
    fprintf(y->out, "  get %d = %d", (int)room, err);
    if (err == 0)
        fprintf(y->out, " len %u:", len);
    for (socklen_t i = 0; err == 0 && i < len && !is_variable(id); i++)
        fprintf(y->out, " %02x", value[i]);
    fprintf(y->out, "\n");
}

static void one_option(struct system *y, int side, int fd, const int id[2])
{
    static const int values[] = {INT_MIN, -1, 0, 1, 5, 64, 100, 256, 70000, INT_MAX};
    static const socklen_t lengths[] = {0, 1, 3, 4, 8, 16, 400, UINT32_MAX};
    int long_one[128] = {1, 0, 5};
    socklen_t len = sizeof long_one;

    note_get(y, side, fd, id, 4);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        fprintf(y->out, " set %d = %d\n", values[i], set(y, side, fd, id, &values[i], 4));
        note_get(y, side, fd, id, 4);
    }
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        int err = set(y, side, fd, id, long_one, lengths[i]);
        fprintf(y->out, " set len %d = %d\n", (int)lengths[i], err);
        note_get(y, side, fd, id, lengths[i]);
    }
    fprintf(y->out, " nowhere %d", set(y, side, fd, id, NULL, 32));
    fprintf(y->out, " %d", get(y, side, fd, id, NULL, &len));
    fprintf(y->out, " %d\n", get(y, side, fd, id, long_one, NULL));
}

static void every_option(struct system *y, int side, int fd, const char *which)
{
    fprintf(y->out, "== %s\n", which);
    for (size_t i = 0; i < posix_options_count; i++) {
        const struct posix_option *o = &posix_options[i];
        /* set in the connection's last call but one, these decide about the calls that follow */
        if (o->queue)
            continue;
        fprintf(y->out, "%s\n", o->text);
        one_option(y, side, fd, (const int[2]){o->level, o->name});
    }
    for (size_t i = 0; i < posix_refused_count; i++) {
        const struct posix_refused *r = &posix_refused[i];
        int one = 1, id[2] = {r->level, r->name};
        socklen_t len = sizeof one;
        fprintf(y->out, "%s %d", r->text, set(y, side, fd, id, &one, len));
        fprintf(y->out, " %d\n", get(y, side, fd, id, &one, &len));
    }
}

/* ---- the two systems ------------------------------------------------------------------------- */

static void settle(struct system *y)
{
    struct lab_world *w = y->pair.w;
    uint64_t until = lab_world_now(w) + 100000000;

    while (lab_world_next(w) <= until)
        lab_world_turn(w, lab_world_next(w));
    lab_world_turn(w, until);
    for (int side = 0; side < 2; side++)
        tern_sockets_now(y->p[side], until);
}

static socklen_t address(struct sockaddr_storage *out, int domain, const uint8_t ip[16])
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(7777)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(7777)};

    memcpy(&in.sin_addr, ip + 12, 4);
    memcpy(&in6.sin6_addr, ip, 16);
    memset(out, 0, sizeof *out);
    memcpy(out, domain == AF_INET ? (void *)&in : (void *)&in6,
           domain == AF_INET ? sizeof in : sizeof in6);
    return domain == AF_INET ? sizeof in : sizeof in6;
}

/* A connection over `y`: listener, connected and accepted. */
static void connection(struct system *y, int domain, int fd[3])
{
    struct sockaddr_storage to;

    if (y->p[0] == NULL) {
        static const uint8_t lo4[16] = {[12] = 127, [15] = 1}, lo6[16] = {[15] = 1};
        socklen_t len = address(&to, domain, domain == AF_INET ? lo4 : lo6);
        fd[0] = socket(domain, SOCK_STREAM, 0);
        fd[1] = socket(domain, SOCK_STREAM, 0);
        if (bind(fd[0], (struct sockaddr *)&to, len) < 0 || listen(fd[0], 8) < 0 ||
            connect(fd[1], (struct sockaddr *)&to, len) < 0 ||
            (fd[2] = accept(fd[0], NULL, NULL)) < 0)
            _exit(3);
        return;
    }
    socklen_t len = address(&to, domain, domain == AF_INET ? lab_server_ip4 : lab_server_ip6);
    fd[0] = tern_socket(y->p[SERVER], domain, SOCK_STREAM, 0);
    fd[1] = tern_socket(y->p[CLIENT], domain, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(tern_socket_bind(y->p[SERVER], fd[0], &to, len), 0);
    assert_int_equal(tern_socket_listen(y->p[SERVER], fd[0], 8), 0);
    assert_int_equal(tern_socket_connect(y->p[CLIENT], fd[1], &to, len), -EINPROGRESS);
    settle(y);
    assert_int_equal(tern_socket_connect(y->p[CLIENT], fd[1], &to, len), 0);
    fd[2] = tern_socket_accept(y->p[SERVER], fd[0], NULL, NULL);
    assert_true(fd[2] >= 0);
}

static void done(struct system *y, int side, int fd)
{
    if (y->p[side] != NULL)
        tern_socket_close(y->p[side], fd);
    else
        close(fd);
}

static void everything(struct system *y)
{
    for (int i = 0; i < 2; i++) {
        int domain = i == 0 ? AF_INET : AF_INET6, fd[3];
        int fresh = y->p[0] != NULL ? tern_socket(y->p[CLIENT], domain, SOCK_STREAM, 0)
                                    : socket(domain, SOCK_STREAM, 0);
        every_option(y, CLIENT, fresh, "fresh");
        done(y, CLIENT, fresh);
        connection(y, domain, fd);
        every_option(y, CLIENT, fd[1], "connected");
        every_option(y, SERVER, fd[2], "accepted");
        every_option(y, SERVER, fd[0], "listening");
        done(y, CLIENT, fd[1]);
        done(y, SERVER, fd[2]);
        done(y, SERVER, fd[0]);
        if (y->p[0] != NULL)
            settle(y);
    }
}

/* ---- the comparison -------------------------------------------------------------------------- */

static void on_event(void *user, tern *s, const tern_event *ev)
{
    struct system *y = user;

    for (int side = 0; side < 2; side++)
        if (y->p[side] != NULL && s == (side == CLIENT ? y->pair.client : y->pair.server))
            tern_sockets_events(y->p[side], ev, 1);
}

static char *over_sockets(void)
{
    struct system y = {.out = NULL};
    struct lab_host_config host = {.event = on_event, .user = &y};
    tern_iface iface = {.mtu = 1500};
    char *text;
    size_t len;

    tern_config_default(&host.tern);
    host.tern.stats = true;
    assert_int_equal(lab_pair_new(&y.pair, 1, &host, &host, &iface, NULL), 0);
    for (int side = 0; side < 2; side++) {
        tern_sockets_config c = {.stack = side == CLIENT ? y.pair.client : y.pair.server,
                                 .now = lab_world_now(y.pair.w),
                                 .seed = 1};
        assert_int_equal(tern_sockets_new(&y.p[side], &c), 0);
        tern_sockets_tuning(y.p[side])->tcp_fastopen = 0; /* as a run has it */
    }
    y.out = open_memstream(&text, &len);
    everything(&y);
    fclose(y.out);
    for (int side = 0; side < 2; side++)
        tern_sockets_free(y.p[side]);
    lab_world_free(y.pair.w);
    return text;
}

static char *self;

static char *under_run(void)
{
    char path[] = "/tmp/tern-opts-XXXXXX", *text = calloc(1, 4 << 20);
    char *argv[] = {self, "--dump", path, NULL};
    struct outcome out;
    int fd = mkstemp(path);

    assert_true(fd >= 0 && text != NULL);
    setenv("TEST_OVER_TERN", "1", 1);
    runner_run(argv, true, NULL, &out);
    assert_string_equal(out.text, "");
    assert_int_equal(out.status, 0);
    assert_true(read(fd, text, (4 << 20) - 1) > 0);
    close(fd);
    unlink(path);
    return text;
}

static void same_answers(void **state)
{
    char *want = over_sockets(), *got = under_run(), *a = want, *b = got;
    char option[64] = "", place[64] = "";
    int differ = 0;

    (void)state;
    while (*a != 0 && *b != 0) {
        size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
        if (*a == '=')
            snprintf(place, sizeof place, "%.*s", (int)n, a);
        else if (*a != ' ')
            snprintf(option, sizeof option, "%.*s", (int)n, a);
        if ((n != m || memcmp(a, b, n) != 0) && differ++ < 40)
            print_error("%s, %s:\n  %.*s\n  under run\n  %.*s\n", place, option, (int)n, a, (int)m,
                        b);
        a += n + 1;
        b += m + 1;
    }
    assert_true(strlen(want) > 100000);
    assert_int_equal(*a, *b);
    assert_int_equal(differ, 0);
    free(want);
    free(got);
}

/* What is told through recvmsg() is refused, so that nobody waits for it in vain. */
static void refused(FILE *out)
{
    for (int domain = 0; domain < 2; domain++) {
        int fd = socket(domain == 0 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
        for (size_t i = 0; i < posix_options_count; i++) {
            const struct posix_option *o = &posix_options[i];
            int value = 0;
            socklen_t len = sizeof value;
            if (o->queue)
                fprintf(out, "%d%d ",
                        setsockopt(fd, o->level, o->name, &value, len) == -1 &&
                            errno == ENOPROTOOPT,
                        getsockopt(fd, o->level, o->name, &value, &len) == -1 &&
                            errno == ENOPROTOOPT);
        }
        close(fd);
    }
}

static void queues_are_refused(void **state)
{
    char *argv[] = {self, "--refused", NULL};
    struct outcome out;

    (void)state;
    setenv("TEST_OVER_TERN", "1", 1);
    runner_run(argv, true, NULL, &out);
    assert_string_equal(out.text, "11 11 11 11 11 11 11 11 ");
}

/* Whether it is what those get who do not pace. */
static bool by_window(const struct tern_linux_tcp_info *i)
{
    uint64_t rate = UINT64_C(2000000) * i->tcpi_snd_cwnd * i->tcpi_snd_mss / i->tcpi_rtt;

    return i->tcpi_pacing_rate > rate - rate / 8 && i->tcpi_pacing_rate < rate + rate / 8;
}

/* The algorithm is changed in the stack, not only remembered: BBR paces, CUBIC does not. */
static void paced(FILE *out)
{
    static const char *const names[] = {"cubic", "bbr"};
    struct system y = {.out = out};
    int fd[3];

    connection(&y, AF_INET, fd);
    for (int i = 0; i < 2; i++) {
        struct tern_linux_tcp_info info;
        socklen_t len = sizeof info;
        char byte = 0;
        bool ok = setsockopt(fd[1], IPPROTO_TCP, TCP_CONGESTION, names[i], 5) == 0 &&
                  write(fd[1], "x", 1) == 1 && read(fd[2], &byte, 1) == 1 &&
                  getsockopt(fd[1], IPPROTO_TCP, TCP_INFO, &info, &len) == 0;
        fprintf(out, "%s %d %d\n", names[i], ok, by_window(&info));
    }
}

static void the_algorithm_changes(void **state)
{
    char *argv[] = {self, "--paced", NULL};
    struct outcome out;

    (void)state;
    setenv("TEST_OVER_TERN", "1", 1);
    runner_run(argv, true, NULL, &out);
    assert_string_equal(out.text, "cubic 1 1\nbbr 1 0\n");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_answers),
        cmocka_unit_test(queues_are_refused),
        cmocka_unit_test(the_algorithm_changes),
    };
    self = argv[0];
    if (argc == 2 && strcmp(argv[1], "--refused") == 0) {
        refused(stdout);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--paced") == 0) {
        paced(stdout);
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--dump") == 0) {
        struct system y = {.out = fopen(argv[2], "w")};
        everything(&y);
        return fclose(y.out);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
