/* test_pump.c - a pump between a pair of sockets and a stack in virtual time: a reset does not
 * overtake what was written before it. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/pump.h"
#include "lab/world.h"
#include "test.h"

enum { UNREAD = 3, WRITTEN = 5000 };

struct bench {
    struct lab_pair pair;
    struct loop *loop;
    struct pump_set set;
    struct pump pump;
    tern_sock near, far, listener; /* the client's end has the pump */
    int program;                   /* the pair's other end */
    bool open, closed;
    int end; /* what ended() said; 1: nothing */
};

static void on_event(void *user, tern *s, const tern_event *ev)
{
    struct bench *b = user;
    if (s == b->pair.server) {
        if (ev->mask & TERN_EV_ACCEPT)
            assert_int_equal(tern_accept(s, b->listener, &b->far, NULL, NULL), 0);
        return;
    }
    b->open |= (ev->mask & TERN_EV_OPEN) != 0;
    pump_event(&b->pump, ev);
}

static void on_ended(void *user, int err) { ((struct bench *)user)->end = err; }
static void on_closed(void *user) { ((struct bench *)user)->closed = true; }

/* The descriptors' news, the pump's work, then all that the stacks have to say. */
static void turn(struct bench *b)
{
    assert_int_equal(loop_turn(b->loop, 0), 0);
    pump_set_work(&b->set);
    lab_world_run(b->pair.w, lab_world_now(b->pair.w) + 5000000, NULL, NULL);
}

static void begin(struct bench *b)
{
    struct lab_host_config host = {.event = on_event, .user = b};
    tern_iface iface = {.mtu = 1500};
    int fds[2];

    *b = (struct bench){.end = 1};
    tern_config_default(&host.tern);
    assert_int_equal(lab_pair_new(&b->pair, 1, &host, &host, &iface, NULL), 0);
    tern_listen_args args = {.local.port = 80, .backlog = 1};
    assert_int_equal(tern_listen(b->pair.server, &b->listener, &args), 0);
    tern_addr to = {.port = 80};
    memcpy(to.ip, lab_server_ip4, 16);
    assert_int_equal(tern_connect(b->pair.client, &b->near, NULL, &to, NULL), 0);
    lab_world_run(b->pair.w, lab_world_now(b->pair.w) + 5000000, NULL, NULL);
    assert_true(b->open && b->far.id != 0);
    assert_int_equal(loop_new(&b->loop), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    b->program = fds[1];
    pump_set_init(&b->set, b->loop, b->pair.client);
    struct pump_args pump = {.set = &b->set,
                             .sock = b->near,
                             .fd = fds[0],
                             .kind = PUMP_PAIR,
                             .ended = on_ended,
                             .closed = on_closed,
                             .user = b};
    assert_int_equal(pump_start(&b->pump, &pump), 0);
    turn(b);
}

static void finish(struct bench *b)
{
    assert_true(b->closed);
    assert_int_equal(b->end, 1);
    tern_close(b->pair.server, b->far);
    loop_free(b->loop);
    lab_world_free(b->pair.w);
}

static void write_bytes(const struct bench *b)
{
    char data[WRITTEN];
    memset(data, 'w', sizeof data);
    assert_int_equal(write(b->program, data, sizeof data), sizeof data);
}

/* The far end gets all that was written, and then the reset. */
static void expect_all_then_reset(struct bench *b)
{
    char data[2 * WRITTEN];
    for (int i = 0; i < 4; i++)
        turn(b);
    assert_int_equal(tern_recv(b->pair.server, b->far, data, sizeof data), WRITTEN);
    assert_int_equal(tern_recv(b->pair.server, b->far, data, sizeof data), TERN_ERESET);
}

/* What the program has not read lies in the pair. */
static void closed_with_unread_data(void **state)
{
    static struct bench b;
    (void)state;
    begin(&b);
    assert_int_equal(tern_send(b.pair.server, b.far, "abc", UNREAD), UNREAD);
    turn(&b);
    turn(&b);
    write_bytes(&b);
    close(b.program); /* in one turn of the pump's */
    expect_all_then_reset(&b);
    finish(&b);
}

/* It lies in the stack still. */
static void closed_with_data_in_the_stack(void **state)
{
    static struct bench b;
    (void)state;
    begin(&b);
    write_bytes(&b);
    close(b.program);
    assert_int_equal(tern_send(b.pair.server, b.far, "abc", UNREAD), UNREAD);
    lab_world_run(b.pair.w, lab_world_now(b.pair.w) + 5000000, NULL, NULL);
    expect_all_then_reset(&b);
    finish(&b);
}

/* SO_LINGER of 0. */
static void closed_abortively(void **state)
{
    static struct bench b;
    (void)state;
    begin(&b);
    pump_abortive(&b.pump, true);
    write_bytes(&b);
    close(b.program);
    expect_all_then_reset(&b);
    finish(&b);
}

/* Nothing was unread: FIN, after all that was written. */
static void closed_in_order(void **state)
{
    static struct bench b;
    char data[2 * WRITTEN];
    (void)state;
    begin(&b);
    write_bytes(&b);
    close(b.program);
    for (int i = 0; i < 4; i++)
        turn(&b);
    assert_int_equal(tern_recv(b.pair.server, b.far, data, sizeof data), WRITTEN);
    assert_int_equal(tern_recv(b.pair.server, b.far, data, sizeof data), 0);
    finish(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_with_unread_data),
        cmocka_unit_test(closed_with_data_in_the_stack),
        cmocka_unit_test(closed_abortively),
        cmocka_unit_test(closed_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
