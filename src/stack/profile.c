/* profile.c - what a shard is like on the wire, as a whole: tern_config_default() is like Linux;
 * the others change what is different. */
#include "stack/stack.h"

#define MS(n) ((n)*NS_PER_MS)
#define SECONDS(n) ((n)*NS_PER_S)

/* The letter, where Linux's habits are not: the numbers of RFC 6298 and RFC 9293, and what
 * TERN_STYLE_RFC does. */
static void rfc(tern_config *cfg)
{
    cfg->style = TERN_STYLE_RFC;
    cfg->rto_min = SECONDS(1);
    cfg->msl = SECONDS(120);
    cfg->syn_retries = 7; /* 255 s: MUST-23 */
    cfg->delack = MS(200);
}

static void freebsd(tern_config *cfg)
{
    cfg->style = TERN_STYLE_BSD;
    cfg->features &= ~(uint32_t)(TERN_FEATURE_PROBE | TERN_FEATURE_FRTO);
    cfg->rcvbuf = 65536;
    cfg->rcvbuf_max = 2097152;
    cfg->sndbuf = 32768;
    cfg->sndbuf_max = 2097152;
    cfg->syn_retries = 12;
    cfg->synack_retries = 3;
    cfg->syn_linear = 0;
}

int tern_config_profile(tern_config *cfg, enum tern_profile profile)
{
    tern_config like;
    tern_config_default(&like);
    switch (profile) {
    case TERN_PROFILE_LINUX:
        break;
    case TERN_PROFILE_RFC:
        rfc(&like);
        break;
    case TERN_PROFILE_FREEBSD:
        freebsd(&like);
        break;
    default:
        return TERN_EINVAL;
    }
    cfg->style = like.style;
    cfg->features = like.features;
    cfg->rcvbuf = like.rcvbuf, cfg->rcvbuf_max = like.rcvbuf_max;
    cfg->sndbuf = like.sndbuf, cfg->sndbuf_max = like.sndbuf_max;
    cfg->rto_initial = like.rto_initial, cfg->rto_min = like.rto_min;
    cfg->rto_max = like.rto_max;
    cfg->delack = like.delack;
    cfg->msl = like.msl;
    cfg->fin_wait2 = like.fin_wait2;
    cfg->syn_retries = like.syn_retries, cfg->syn_linear = like.syn_linear;
    cfg->synack_retries = like.synack_retries;
    cfg->data_retries = like.data_retries;
    return 0;
}
