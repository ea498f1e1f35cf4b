/* guard.c - see guard.h. */
#include "cmd/guard.h"

const char *const guard_cookies[] = {"auto", "always", "never", NULL};

/* How often a SYN-ACK can be sent again, in intervals that double, until `timeout` is over. */
static uint8_t retries_within(const tern_config *cfg, uint64_t timeout)
{
    uint64_t wait = cfg->rto_initial, end = wait;
    uint8_t n = 0;

    while (n < cfg->synack_retries) {
        wait = 2 * wait < cfg->rto_max ? 2 * wait : cfg->rto_max;
        end += wait;
        if (end > timeout)
            break;
        n++;
    }
    return n;
}

void guard_config(const struct guard_values *v, tern_config *cfg)
{
    cfg->halfopen_max = (uint32_t)v->syn_queue;
    cfg->synack_retries = (uint8_t)v->synack_retries;
    if (v->syn_timeout != 0)
        cfg->synack_retries = retries_within(cfg, v->syn_timeout);
    cfg->cookies = (uint8_t)v->syncookies;
}
