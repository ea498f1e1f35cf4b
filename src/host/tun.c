/* tun.c - see tun.h.
 *
 * A read takes one packet. Small ones are collected, one behind the other, until the kernel has no
 * more or the arena might not hold the next one; the stack copies their payload. A super-packet has
 * a buffer of its own, which is donated to the stack, so that nothing is copied. Which it will be
 * is not known before the read: after a large one, another is expected among the next few.
 */
#include "host/tun.h"

#include "host/run_caps.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    HEADER = sizeof(struct virtio_net_hdr),
    ETHERNET = 14,
    /* the largest IP packet, IPv6's header being outside its length, in a frame */
    PACKET_MAX = ETHERNET + 40 + UINT16_MAX,
    ARENA = 8 * 65536,
    LINE = 64,                /* packets begin on a cache line, their virtio header before it */
    SLOT = PACKET_MAX + LINE, /* what the next one may need, from a line on */
    LARGE = 40000,            /* the stack keeps what fills more than half of its buffer */
    FEW = 16,
    BUFS = 256, /* buffers for large packets, at most: a large receive window */
};

_Static_assert(LINE >= HEADER + sizeof(struct device_buf), "both lie before the packet");

#ifndef TUN_F_USO4 /* headers older than Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#define TSO_FLAGS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)
#define TSO_CAPS (TERN_CAP_CSUM | TERN_CAP_TSO4 | TERN_CAP_TSO6)

static const struct rung {
    const char *text;
    const char *cap;    /* its name in TERN_DISABLE */
    unsigned long take; /* TUNSETOFFLOAD: what the kernel may leave to us */
    uint32_t caps;      /* what we may leave to the kernel */
} rungs[] = {
    [TUN_RUNG_USO] = {"segmentation of TCP and UDP", "tun_uso", TSO_FLAGS | TUN_F_USO4 | TUN_F_USO6,
                      TSO_CAPS},
    [TUN_RUNG_TSO] = {"segmentation of TCP", "tun_tso", TSO_FLAGS, TSO_CAPS},
    [TUN_RUNG_CHECKSUM] = {"checksums", "tun_checksum", TUN_F_CSUM, TERN_CAP_CSUM},
    [TUN_RUNG_NONE] = {"nothing", "", 0, 0},
};

const char *tun_rung_text(enum tun_rung rung) { return rungs[rung].text; }

static struct tun *tun_of(struct device *d) { return (struct tun *)(void *)d; }

/* ---- packets --------------------------------------------------------------------------------- */

static void describe(tern_pkt *pkt, const struct virtio_net_hdr *h, uint8_t *packet, size_t len)
{
    pkt->iov_count = 1;
    pkt->iov[0] = (tern_iov){packet, len};
    pkt->len = (uint32_t)len;
    pkt->flags = 0;
    if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        pkt->flags = TERN_PKT_CSUM_PARTIAL;
    else if (h->flags & VIRTIO_NET_HDR_F_DATA_VALID)
        pkt->flags = TERN_PKT_CSUM_OK;
    pkt->csum_start = h->csum_start;
    pkt->csum_offset = h->csum_offset;
    pkt->gso_ecn = (h->gso_type & VIRTIO_NET_HDR_GSO_ECN) != 0;
    pkt->gso_type = h->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
    pkt->gso_size = h->gso_size;
    pkt->gso_segs = 0;
    pkt->hdr_len = h->hdr_len;
    pkt->hash = 0;
    pkt->truesize = 0;
    pkt->tx_time = 0;
    pkt->cookie = NULL;
}

static bool again(int err) { return err == EAGAIN || err == EWOULDBLOCK; }

static struct device_buf *take_buf(struct tun *t)
{
    struct device_buf *b = t->bufs;

    if (b) {
        t->bufs = b->next;
    } else if (t->buf_count < BUFS) {
        b = aligned_alloc(LINE, (SLOT + LINE - 1) / LINE * LINE);
        t->buf_count += b != NULL;
    }
    return b;
}

static void borrow(struct tun *t, struct device_buf *b)
{
    b->next = t->borrowed;
    t->borrowed = b;
}

static void give_bufs_back(struct tun *t)
{
    for (struct device_buf *b = t->borrowed, *next; b; b = next) {
        next = b->next;
        b->next = t->bufs;
        t->bufs = b;
    }
    t->borrowed = NULL;
}

/* Reads one packet to `to`, its virtio header before it. 0: there is none. */
static size_t read_packet(struct device *d, uint8_t *to)
{
    ssize_t got;

    while ((got = read(d->fd, to - HEADER, HEADER + PACKET_MAX)) <= HEADER) {
        if (got >= 0 || errno == EINTR)
            continue;
        d->readable = false;
        if (!again(errno))
            d->err = -errno;
        return 0;
    }
    return (size_t)got - HEADER;
}

static size_t receive(struct device *d, tern_pkt *pkts, size_t max)
{
    struct tun *t = tun_of(d);
    struct virtio_net_hdr h;
    size_t n = 0, at = 0;

    give_bufs_back(t);
    while (n < max && ARENA - at >= SLOT) {
        struct device_buf *b = t->small < FEW ? take_buf(t) : NULL;
        uint8_t *packet = b ? (uint8_t *)b + LINE : t->arena + at + LINE;
        size_t len = read_packet(d, packet);
        if (len > 0) {
            memcpy(&h, packet - HEADER, HEADER);
            describe(&pkts[n], &h, packet, len);
        }
        if (len > 0)
            t->small = len >= LARGE ? 0 : t->small + (t->small < FEW);
        if (b && len >= LARGE) {
            b->list = &t->bufs;
            pkts[n].flags |= TERN_PKT_DONATED;
            pkts[n].truesize = SLOT;
            pkts[n].cookie = b;
        } else if (b) {
            borrow(t, b);
        } else {
            at += (LINE + len + LINE - 1) / LINE * LINE;
        }
        if (len == 0)
            break;
        n++;
    }
    return n;
}

/* What a packet of the stack looks like to virtio. */
static struct virtio_net_hdr header_of(const tern_pkt *pkt)
{
    struct virtio_net_hdr h = {.gso_type = pkt->gso_type};

    if (pkt->flags & TERN_PKT_CSUM_PARTIAL) {
        h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        h.csum_start = pkt->csum_start;
        h.csum_offset = pkt->csum_offset;
    }
    if (pkt->gso_type != TERN_GSO_NONE) {
        h.gso_type |= pkt->gso_ecn ? VIRTIO_NET_HDR_GSO_ECN : 0;
        h.gso_size = pkt->gso_size;
        h.hdr_len = pkt->hdr_len;
    }
    return h;
}

static size_t send_all(struct device *d, const tern_pkt *pkts, size_t n)
{
    struct tun *t = tun_of(d);
    struct iovec v[1 + TERN_PKT_IOV];

    for (size_t i = 0; i < n; i++) {
        struct virtio_net_hdr h = header_of(&pkts[i]);
        v[0] = (struct iovec){&h, HEADER};
        for (uint16_t k = 0; k < pkts[i].iov_count; k++)
            v[1 + k] = (struct iovec){pkts[i].iov[k].base, pkts[i].iov[k].len};
        while (writev(d->fd, v, 1 + pkts[i].iov_count) < 0) {
            if (errno == EINTR)
                continue;
            if (again(errno)) {
                d->writable = false;
                return i;
            }
            if (errno == EBADFD) /* the interface was removed */
                d->err = -errno;
            t->lost++; /* EIO: it is down */
            break;
        }
    }
    return n;
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool in_container(void)
{
    return access("/run/.containerenv", F_OK) == 0 || access("/.dockerenv", F_OK) == 0 ||
           access("/run/systemd/container", F_OK) == 0;
}

#define FOR_CONTAINERS                                                                             \
    "this is a container; start it with --device /dev/net/tun --cap-add NET_ADMIN"

static int explain_open(int err, char error[TUN_ERROR_MAX])
{
    const char *why = strerror(err), *what = "";

    switch (err) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        why = "there is no such device";
        what = in_container() ? FOR_CONTAINERS : "load the kernel's module: sudo modprobe tun";
        break;
    case EACCES:
    case EPERM:
        why = "no right to open it";
        what = in_container() ? FOR_CONTAINERS : "run tern as root (sudo)";
        break;
    }
    snprintf(error, TUN_ERROR_MAX, "/dev/net/tun: %s%s%s", why, *what ? "; " : "", what);
    return -err;
}

static int explain_attach(const char *name, bool tap, int err, char error[TUN_ERROR_MAX])
{
    switch (err) {
    case EPERM:
        if (if_nametoindex(name) == 0)
            snprintf(error, TUN_ERROR_MAX, "%s: creating an interface needs CAP_NET_ADMIN; %s",
                     name,
                     in_container() ? FOR_CONTAINERS
                                    : "run tern as root (sudo), or let root make it for you: sudo "
                                      "ip tuntap add dev NAME mode tun|tap user USER");
        else
            snprintf(error, TUN_ERROR_MAX,
                     "%s: that interface is another user's; run tern as its owner or as root",
                     name);
        break;
    case EBUSY:
        snprintf(error, TUN_ERROR_MAX,
                 "%s: another program uses that interface; end it, or choose another name", name);
        break;
    case EINVAL:
        snprintf(error, TUN_ERROR_MAX, "%s: that interface is no %s device; choose another name",
                 name, tap ? "TAP" : "TUN");
        break;
    default:
        snprintf(error, TUN_ERROR_MAX, "%s: %s", name, strerror(err));
    }
    return -err;
}

/* An interface made for several queues is attached to as such. */
static int attach(int fd, const char *name, bool tap)
{
    struct ifreq r;

    memset(&r, 0, sizeof r);
    memcpy(r.ifr_name, name, strlen(name) + 1);
    r.ifr_flags = (short)((tap ? IFF_TAP : IFF_TUN) | IFF_NO_PI | IFF_VNET_HDR);
    if (ioctl(fd, TUNSETIFF, &r) == 0)
        return 0;
    if (errno == EINVAL && if_nametoindex(name) != 0) {
        r.ifr_flags |= IFF_MULTI_QUEUE;
        if (ioctl(fd, TUNSETIFF, &r) == 0)
            return 0;
        errno = EINVAL;
    }
    return -errno;
}

/* Down the ladder until the kernel agrees. */
static int climb_down(int fd, const struct tun_config *cfg, enum tun_rung *out)
{
    for (unsigned i = cfg->highest; i <= TUN_RUNG_NONE; i++) {
        bool disabled = run_caps_disabled(rungs[i].cap);
        if (!disabled && ioctl(fd, TUNSETOFFLOAD, rungs[i].take) == 0) {
            *out = (enum tun_rung)i;
            return 0;
        }
        if (!disabled && errno != EINVAL)
            return -errno;
        if (cfg->exactly)
            break;
    }
    return -EINVAL;
}

/* The interface's MTU, changed before when another is wanted. */
static int settle_mtu(const char *name, uint32_t want, uint32_t *mtu)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;
    struct ifreq r;

    if (fd < 0)
        return -errno;
    memset(&r, 0, sizeof r);
    memcpy(r.ifr_name, name, strlen(name) + 1);
    if (ioctl(fd, SIOCGIFMTU, &r) < 0)
        err = -errno;
    if (!err && want && (uint32_t)r.ifr_mtu != want) {
        r.ifr_mtu = (int)want;
        if (ioctl(fd, SIOCSIFMTU, &r) < 0)
            err = -errno;
    }
    *mtu = (uint32_t)r.ifr_mtu;
    close(fd);
    return err;
}

/* An address of the kind that anyone may make up: locally administered, and no group's. */
static int make_up_mac(uint8_t mac[6])
{
    if (getrandom(mac, 6, 0) != 6)
        return -EIO;
    mac[0] = (uint8_t)((mac[0] & 0xfc) | 2);
    return 0;
}

static int set_up(struct tun *t, int fd, const struct tun_config *cfg, enum tun_rung rung,
                  uint32_t mtu)
{
    const bool tap = cfg->tap;
    const uint32_t most = tap ? UINT16_MAX - ETHERNET : UINT16_MAX;

    if (tap && make_up_mac(t->mac) < 0)
        return -EIO;
    t->arena = aligned_alloc(LINE, ARENA);
    if (!t->arena)
        return -ENOMEM;
    t->rung = rung;
    t->small = FEW;
    t->device = (struct device){
        .iface = {.mac = tap ? t->mac : NULL,
                  .mtu = mtu < most ? mtu : most,
                  .caps = rungs[rung].caps,
                  .flags = cfg->flags},
        .fd = fd,
        .receive = receive,
        .send = send_all,
    };
    if (rungs[rung].caps & TERN_CAP_TSO4)
        t->device.iface.gso_max = most;
    return 0;
}

/* The rest of tun_open(), once there is a descriptor. */
static int begin(struct tun *t, int fd, const struct tun_config *cfg, char error[TUN_ERROR_MAX])
{
    enum tun_rung rung = TUN_RUNG_NONE;
    uint32_t mtu = 0;

    t->created = if_nametoindex(cfg->name) == 0;
    int err = attach(fd, cfg->name, cfg->tap);
    if (err)
        return explain_attach(cfg->name, cfg->tap, -err, error);
    memcpy(t->name, cfg->name, strlen(cfg->name) + 1);
    err = climb_down(fd, cfg, &rung);
    if (err) {
        snprintf(error, TUN_ERROR_MAX, "%s: the kernel does not offload %s (%s)", cfg->name,
                 rungs[cfg->highest].text, strerror(-err));
        return err;
    }
    err = settle_mtu(cfg->name, cfg->mtu, &mtu);
    if (err) {
        snprintf(error, TUN_ERROR_MAX, "%s: the interface cannot have an MTU of %u: %s", cfg->name,
                 cfg->mtu, strerror(-err));
        return err;
    }
    err = set_up(t, fd, cfg, rung, mtu);
    if (err)
        snprintf(error, TUN_ERROR_MAX, "%s", strerror(-err));
    return err;
}

int tun_open(struct tun *t, const struct tun_config *cfg, char error[TUN_ERROR_MAX])
{
    *t = (struct tun){.device.fd = -1};
    if (cfg->name[0] == '\0' || strlen(cfg->name) >= IFNAMSIZ || strpbrk(cfg->name, "/:% \t\n")) {
        snprintf(error, TUN_ERROR_MAX,
                 "%s: no name for an interface: it must have 1 to %d characters, none of them a "
                 "space, / : or %%",
                 cfg->name, IFNAMSIZ - 1);
        return -EINVAL;
    }
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return explain_open(errno, error);
    int err = begin(t, fd, cfg, error);
    if (err)
        close(fd);
    return err;
}

int tun_adopt(struct tun *t, int fd, const struct tun_config *cfg)
{
    *t = (struct tun){.device.fd = -1};
    assert(cfg->mtu != 0);
    return set_up(t, fd, cfg, cfg->highest, cfg->mtu);
}

void tun_close(struct tun *t)
{
    if (t->device.fd >= 0)
        close(t->device.fd);
    t->device.fd = -1;
    give_bufs_back(t);
    for (struct device_buf *b = t->bufs, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    t->bufs = NULL;
    free(t->arena);
    t->arena = NULL;
}
