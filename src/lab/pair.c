/* pair.c - two hosts and a link between them; see world.h. */
#include "base/util.h"
#include "lab/world.h"

#define IP4(d)                                                                                     \
    {                                                                                              \
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, d                                      \
    }
#define IP6(d)                                                                                     \
    {                                                                                              \
        0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, d                                          \
    }

const uint8_t lab_client_ip4[16] = IP4(1), lab_server_ip4[16] = IP4(2);
const uint8_t lab_client_ip6[16] = IP6(1), lab_server_ip6[16] = IP6(2);

enum { IP6_MTU_MIN = 1280 };

static int add_iface(tern *s, const tern_iface *iface, const uint8_t *const ip[2])
{
    int err = tern_iface_add(s, iface);
    if (err >= 0)
        err = tern_iface_addr(s, 0, ip[0], 96 + 24);
    if (err >= 0 && iface->mtu >= IP6_MTU_MIN)
        err = tern_iface_addr(s, 0, ip[1], 64);
    return err < 0 ? err : 0;
}

int lab_pair_restart(struct lab_world *w, int host, const tern_iface *iface)
{
    const uint8_t *client_ip[2] = {lab_client_ip4, lab_client_ip6};
    const uint8_t *server_ip[2] = {lab_server_ip4, lab_server_ip6};
    int err = lab_world_restart(w, host);
    if (err < 0)
        return err;
    lab_world_spare(w, host, true);
    err = add_iface(lab_world_tern(w, host), iface, host == 0 ? client_ip : server_ip);
    lab_world_spare(w, host, false);
    return err;
}

static int add_host(struct lab_world *w, const struct lab_host_config *conf, const char *name,
                    const tern_iface *iface, const uint8_t *const ip[2])
{
    struct lab_host_config named = *conf;
    if (named.name == NULL)
        named.name = name;
    int host = lab_world_host(w, &named);
    if (host < 0)
        return host;
    return add_iface(lab_world_tern(w, host), iface, ip);
}

static int build(struct lab_pair *p, const struct lab_host_config *client,
                 const struct lab_host_config *server, const tern_iface *iface,
                 const struct lab_config *link)
{
    const uint8_t *client_ip[2] = {lab_client_ip4, lab_client_ip6};
    const uint8_t *server_ip[2] = {lab_server_ip4, lab_server_ip6};
    int err = add_host(p->w, client, "client", iface, client_ip);
    if (err >= 0)
        err = add_host(p->w, server, "server", iface, server_ip);
    if (err >= 0)
        err = lab_world_link(p->w, 0, 0, 1, 0, link);
    return err;
}

int lab_pair_new(struct lab_pair *p, uint64_t seed, const struct lab_host_config *client,
                 const struct lab_host_config *server, const tern_iface *iface,
                 const struct lab_config *link)
{
    static const struct lab_config perfect;
    *p = (struct lab_pair){.w = lab_world_new(seed, LAB_PAIR_START)};
    if (p->w == NULL)
        return TERN_ENOMEM;
    int err = build(p, client, server, iface, link != NULL ? link : &perfect);
    if (err < 0) {
        lab_world_free(p->w);
        p->w = NULL;
        return err;
    }
    p->client = lab_world_tern(p->w, 0);
    p->server = lab_world_tern(p->w, 1);
    return 0;
}
