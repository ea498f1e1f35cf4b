/* netif.c - see netif.h: one ioctl, and two messages of rtnetlink. */
#include "host/netif.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool netif_addr_is4(const struct netif_addr *a) { return memcmp(a->ip, mapped, 12) == 0; }

bool netif_ip_is_link_local(const uint8_t ip[16])
{
    return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

/* ---- addresses ------------------------------------------------------------------------------- */

bool netif_addr_parse(const char *text, struct netif_addr *out)
{
    char ip[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    char *end;

    if (!slash || (size_t)(slash - text) >= sizeof ip || slash[1] < '0' || slash[1] > '9')
        return false;
    memcpy(ip, text, (size_t)(slash - text));
    ip[slash - text] = '\0';
    unsigned long bits = strtoul(slash + 1, &end, 10);
    if (*end != '\0' || bits > 128)
        return false;
    if (inet_pton(AF_INET, ip, out->ip + 12) == 1) {
        memcpy(out->ip, mapped, sizeof mapped);
        out->bits = 96 + (unsigned)bits;
        return bits <= 32;
    }
    out->bits = (unsigned)bits;
    return inet_pton(AF_INET6, ip, out->ip) == 1 && !netif_addr_is4(out);
}

void netif_addr_text(const struct netif_addr *a, bool with_bits, char out[NETIF_ADDR_TEXT_MAX])
{
    char ip[INET6_ADDRSTRLEN];
    bool ip4 = netif_addr_is4(a);

    inet_ntop(ip4 ? AF_INET : AF_INET6, a->ip + (ip4 ? 12 : 0), ip, sizeof ip);
    if (with_bits)
        snprintf(out, NETIF_ADDR_TEXT_MAX, "%s/%u", ip, a->bits - (ip4 ? 96 : 0));
    else
        snprintf(out, NETIF_ADDR_TEXT_MAX, "%s", ip);
}

/* Clears the host's bits. */
static void to_network(struct netif_addr *a)
{
    for (unsigned i = a->bits; i < 128; i++)
        a->ip[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
}

bool netif_addr_together(const struct netif_addr *a, const struct netif_addr *b)
{
    struct netif_addr x = *a, y = *b;

    to_network(&x);
    to_network(&y);
    return x.bits == y.bits && memcmp(x.ip, y.ip, 16) == 0;
}

bool netif_addr_free(const struct netif_addr *a, const struct netif_addr *taken, uint32_t count,
                     struct netif_addr *out)
{
    unsigned host_bits = 128 - a->bits;
    /* Looking through the last byte is enough. The first address is the network's (RFC 4291's
     * anycast) and the last IPv4's broadcast, but in a network of two (RFC 3021, RFC 6164). */
    unsigned end = host_bits >= 8 ? 255 : (1u << host_bits) - (host_bits > 1);
    unsigned first = host_bits > 1;

    *out = *a;
    to_network(out);
    uint8_t base = out->ip[15];
    for (unsigned i = first; i < end; i++) {
        uint32_t k = 0;
        out->ip[15] = (uint8_t)(base + i);
        while (k < count && memcmp(taken[k].ip, out->ip, 16) != 0)
            k++;
        if (k == count)
            return true;
    }
    return false;
}

/* ---- the kernel's side ----------------------------------------------------------------------- */

/* Its flags, with some more switched on. */
static int flags(const char *name, short more, short *out)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;
    struct ifreq r;

    if (fd < 0)
        return -errno;
    memset(&r, 0, sizeof r);
    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    if (ioctl(fd, SIOCGIFFLAGS, &r) < 0)
        err = -errno;
    *out = r.ifr_flags;
    r.ifr_flags |= more;
    if (!err && r.ifr_flags != *out && ioctl(fd, SIOCSIFFLAGS, &r) < 0)
        err = -errno;
    close(fd);
    return err;
}

bool netif_is_up(const char *name)
{
    short now;

    return flags(name, 0, &now) == 0 && now & IFF_UP;
}

int netif_up(const char *name)
{
    short before;

    return flags(name, IFF_UP, &before);
}

struct addr_request {
    struct nlmsghdr header;
    struct ifaddrmsg addr;
    uint8_t attributes[64];
};

static void attribute(struct addr_request *q, uint16_t type, const void *value, uint16_t len)
{
    struct rtattr a = {.rta_type = type, .rta_len = (uint16_t)RTA_LENGTH(len)};
    uint8_t *to = (uint8_t *)q + NLMSG_ALIGN(q->header.nlmsg_len);

    memcpy(to, &a, sizeof a);
    memcpy(to + RTA_LENGTH(0), value, len);
    q->header.nlmsg_len = NLMSG_ALIGN(q->header.nlmsg_len) + RTA_ALIGN(a.rta_len);
}

/* rtnetlink's answer, as far as we read it: attributes may follow. */
struct answer {
    struct nlmsghdr header;
    union {
        struct nlmsgerr error; /* with the request behind it */
        struct ifinfomsg link;
    };
    uint8_t more[256];
};

/* Sends a request to rtnetlink. */
static int ask(const struct nlmsghdr *request, struct answer *answer)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), err = 0;

    if (fd < 0)
        return -errno;
    if (send(fd, request, request->nlmsg_len, 0) < 0)
        err = -errno;
    else if (recv(fd, answer, sizeof *answer, 0) < (ssize_t)NLMSG_LENGTH(sizeof answer->link))
        err = -EIO;
    else if (answer->header.nlmsg_type == NLMSG_ERROR)
        err = answer->error.error;
    close(fd);
    return err;
}

int netif_addr_add(const char *name, const struct netif_addr *a)
{
    bool ip4 = netif_addr_is4(a);
    const uint8_t *ip = a->ip + (ip4 ? 12 : 0);
    uint16_t len = ip4 ? 4 : 16;
    struct addr_request q = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof q.addr),
                   .nlmsg_type = RTM_NEWADDR,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE},
        .addr = {.ifa_family = ip4 ? AF_INET : AF_INET6,
                 .ifa_prefixlen = (uint8_t)(a->bits - (ip4 ? 96 : 0)),
                 .ifa_flags = ip4 ? 0 : IFA_F_NODAD, /* of use at once */
                 .ifa_index = if_nametoindex(name)},
    };
    struct answer answer;

    if (q.addr.ifa_index == 0)
        return -errno;
    attribute(&q, IFA_LOCAL, ip, len);
    attribute(&q, IFA_ADDRESS, ip, len);
    return ask(&q.header, &answer);
}

/* The ioctl's IFF_RUNNING would not do: it comes a moment before the queue. rtnetlink answers when
 * all of a change is done. */
bool netif_is_running(const char *name)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link;
    } q = {
        .header = {.nlmsg_len = sizeof q, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST},
        .link.ifi_index = (int)if_nametoindex(name),
    };
    struct answer answer;

    return q.link.ifi_index > 0 && ask(&q.header, &answer) == 0 &&
           answer.header.nlmsg_type == RTM_NEWLINK && answer.link.ifi_flags & IFF_RUNNING;
}

bool netif_wait_running(const char *name, unsigned ms)
{
    const struct timespec step = {.tv_nsec = 1000000};

    for (; !netif_is_running(name); ms--) {
        if (ms == 0)
            return false;
        nanosleep(&step, NULL);
    }
    return true;
}
