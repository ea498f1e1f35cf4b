/* fuzz_decisions.c - two stacks face to face, and a decision at each step: what arrives, is lost,
 * comes twice or late, which timer is due, what the programs do. The oracle judges all that is
 * sent; whatever was decided, everything must come to a good end.
 *
 * Input: a byte of options, then one for each decision: which, at which end, and how much.
 */
#include "../unit/exhaustive/net.c"
#include "fuzz.h"

enum { DECISIONS_MAX = 300, WRITE_STEP = 24 };

__attribute__((noreturn)) static void complain(void)
{
    net_tell();
    fprintf(stderr, "%s\n", net.why);
    abort();
}

static void deliver(int dir, uint32_t i, bool keep)
{
    if (net.wire[dir].count != 0)
        net_deliver(dir, i % net.wire[dir].count, keep);
}

static void call(uint32_t op, int end, uint32_t size)
{
    const struct net_end *e = &net.end[end];
    if (e->sock.id == 0)
        return;
    if (op == 0 && !e->shut && e->err == 0)
        net_write(end, 1 + size * WRITE_STEP);
    else if (op == 1 && e->opened && !e->eof)
        net_read(end);
    else if (op == 2 && e->opened && !e->shut && e->err == 0)
        net_shut(end);
    else if (op == 3 && size == 0)
        net_close(end);
    else if (op == 3 && size == 1)
        net_abort(end);
}

static void decide(uint8_t what)
{
    int who = what >> 3 & 1;
    uint32_t much = what >> 4 & 7;
    switch (what & 7) {
    case 0:
        deliver(who, much, false);
        break;
    case 1:
        deliver(who, much, true);
        break;
    case 2:
        if (net.wire[who].count != 0)
            net_drop(who, much % net.wire[who].count);
        break;
    case 3:
        (void)net_timer();
        break;
    default:
        call(what & 3, who, much);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct net_config conf = {.middlebox = NULL};
    uint8_t options = fuzz_u8(&in);
    net_config_default(&conf.tern);
    conf.together = options & 1;
    conf.nodelay = options & 2;
    conf.tern.features = options >> 2 & 7;
    conf.tern.rcvbuf = options & 32 ? 200 : 2048;
    conf.tern.data_retries = conf.tern.syn_retries = conf.tern.synack_retries = UINT8_MAX;
    conf.tern.style = options & 64 ? TERN_STYLE_LINUX : TERN_STYLE_OWN;
    net_begin(&conf);
    for (uint32_t i = 0; i < DECISIONS_MAX && in.left != 0 && net.why[0] == 0; i++) {
        decide(fuzz_u8(&in));
        net_check();
    }
    if (net.why[0] == 0)
        net_finish();
    if (net.why[0] != 0)
        complain();
    net_end();
    return 0;
}
