/* guard.c - see guard.h. */
#include "cmd/guard.h"

#include <stdio.h>
#include <string.h>

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

static bool bits(const char *text, size_t len, uint64_t max, uint32_t *out)
{
    char digits[8];
    uint64_t value;

    if (len == 0 || len >= sizeof digits)
        return false;
    memcpy(digits, text, len);
    digits[len] = 0;
    if (value_parse(VALUE_UINT, digits, 1, max, &value) != VALUE_OK)
        return false;
    *out = (uint32_t)value;
    return true;
}

const char *guard_parse_bits(struct guard_values *v, const char *text)
{
    size_t len = strcspn(text, ",");

    if (text[len] != ',' || !bits(text, len, 32, &v->prefix_bits[0]) ||
        !bits(text + len + 1, strlen(text + len + 1), 128, &v->prefix_bits[1]))
        return "two numbers, of IPv4's 32 bits and of IPv6's 128: 24,56";
    return NULL;
}

const char *guard_parse_rule(struct guard_values *v, const char *text, enum tern_rule rule)
{
    char one[64];

    if (v->rule_count == GUARD_RULES_MAX)
        return "given 64 times at most";
    struct guard_rule *r = &v->rules[v->rule_count];
    snprintf(one, sizeof one, "%.50s/%s", text, strchr(text, ':') ? "128" : "32");
    if (!netif_addr_parse(strchr(text, '/') ? text : one, &r->prefix))
        return "an address or a network, such as 192.0.2.0/24 or 2001:db8::/32";
    r->rule = rule;
    v->rule_count++;
    return NULL;
}

int guard_rules(const struct guard_values *v, tern *s)
{
    int err = 0;

    for (uint32_t i = 0; i < v->rule_count && err >= 0; i++)
        err = tern_rule_set(s, v->rules[i].prefix.ip, v->rules[i].prefix.bits, v->rules[i].rule);
    return err;
}

tern_limits guard_limits(const struct guard_values *v)
{
    return (tern_limits){.halfopen = (uint32_t)v->per_prefix,
                         .conns = (uint32_t)v->per_prefix,
                         .syn_rate = (uint32_t)v->syn_rate};
}

void guard_config(const struct guard_values *v, tern_config *cfg)
{
    cfg->halfopen_max = (uint32_t)v->syn_queue;
    cfg->synack_retries = (uint8_t)v->synack_retries;
    if (v->syn_timeout != 0)
        cfg->synack_retries = retries_within(cfg, v->syn_timeout);
    cfg->cookies = (uint8_t)v->syncookies;
    cfg->orphans_max = (uint32_t)v->orphans;
    cfg->orphan = v->orphan_time;
    cfg->close_wait = v->close_wait;
    if (v->prefix_bits[0] != 0) {
        cfg->source_bits4 = (uint8_t)v->prefix_bits[0];
        cfg->source_bits6 = (uint8_t)v->prefix_bits[1];
    }
}
