/* lwipopts.h - how lwIP is built for comparison: as fast as its options make it, with the same
 * features as tern in the same run. Built with -O3; what is not named here is lwIP's default.
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

/* the raw API on bare metal: one thread, no locks, no checks, no statistics */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_NOASSERT
#define LWIP_STATS 0

/* IPv4 only: it saves lwIP a branch in many places (tern always has both) */
#ifndef LWIP_IPV6
#define LWIP_IPV6 0
#endif
#define LWIP_ARP 0
#define LWIP_ETHERNET 0
#define LWIP_UDP 0
#define LWIP_DNS 0
#define LWIP_RAW 0
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define LWIP_NETIF_LOOPBACK 0
#define LWIP_HAVE_LOOPIF 0

/* TCP: full-sized segments, 256 KiB windows, SACK. RFC 7323 timestamps are off on both sides. */
#define TCP_MSS 1460
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 3
#define TCP_WND (256 * 1024)
#define TCP_SND_BUF (256 * 1024)
#define TCP_SND_QUEUELEN 1024
#define TCP_SNDLOWAT 32768
#define LWIP_TCP_SACK_OUT 1
#define TCP_OVERSIZE TCP_MSS
#define TCP_LISTEN_BACKLOG 0

/* checksums: all computed, by the one of lwIP's functions that gcc makes the most of */
#define LWIP_CHKSUM_ALGORITHM 2

/* memory: pools that never run out, and lwIP's own heap, faster here than the C library's */
#define MEM_ALIGNMENT 16
#define MEM_LIBC_MALLOC 0
#define MEM_SIZE (16 * 1024 * 1024)
#ifndef MEMP_NUM_TCP_PCB /* over this the oldest TIME-WAIT gives way */
#define MEMP_NUM_TCP_PCB (128 + 8192)
#endif
#define MEMP_NUM_TCP_SEG 32768
#define PBUF_POOL_SIZE 8192
#define PBUF_POOL_BUFSIZE 1536

#endif
