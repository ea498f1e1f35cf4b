/* tun.h - a TUN or TAP interface of Linux as a device: what the kernel routes into it arrives here,
 * what is sent here the kernel takes in from it. TUN carries IP packets; TAP carries Ethernet
 * frames, as between two hosts on a cable, of which tern is one and the kernel the other.
 *
 * Every packet has a header of virtio (IFF_VNET_HDR), by which checksums and segmentation are left
 * to the other side, in both directions: super-packets of 64 KB pass in one system call. How much
 * of that the kernel can do is probed from the top of a ladder (enum tun_rung) downwards.
 */
#ifndef TERN_HOST_TUN_H
#define TERN_HOST_TUN_H

#include "host/device.h"

#include <net/if.h>

/* What kernel and stack leave to each other, from the most to the least. */
enum tun_rung {
    TUN_RUNG_USO,      /* segmentation of TCP and of UDP (Linux 6.2) */
    TUN_RUNG_TSO,      /* segmentation of TCP */
    TUN_RUNG_CHECKSUM, /* checksums */
    TUN_RUNG_NONE,     /* nothing */
};

struct tun_config {
    const char *name;
    bool tap;
    enum tun_rung highest; /* where the ladder begins */
    bool exactly;          /* and where it ends */
    uint32_t mtu;          /* 68..65535; 0: what the interface has */
    uint32_t flags;        /* TAP: those of tern_iface */
};

#define TUN_ERROR_MAX 512

struct tun {
    struct device device;
    char name[IFNAMSIZ];
    enum tun_rung rung;
    uint8_t mac[6]; /* TAP: tern's own, made up */
    bool created;   /* the interface did not exist, and goes with the device */
    uint64_t lost;  /* packets that the kernel would not have: it is down, say */
    uint8_t *arena; /* what arrived last, and is small */
    uint32_t small; /* packets since the last large one: few, and the next one may be large */
    uint32_t buf_count;
    struct device_buf *bufs;     /* for large packets, free */
    struct device_buf *borrowed; /* with a small packet after all, until the next receive() */
};

/* Attaches to that interface, or creates it: 0, or a negative errno, and a sentence on what is
 * wrong and what to do about it. The interface is left as it is, up or down, but for a new MTU. */
int tun_open(struct tun *t, const struct tun_config *cfg, char error[TUN_ERROR_MAX]);
/* The same on a descriptor that is attached already (or stands for one). Takes it over. */
int tun_adopt(struct tun *t, int fd, const struct tun_config *cfg);
void tun_close(struct tun *t);

/* "segmentation of TCP" */
const char *tun_rung_text(enum tun_rung rung);

#endif
