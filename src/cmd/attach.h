/* attach.h - what verbs have in common that put a stack beside the kernel's, on a TUN interface:
 * options, the interface, the stack's addresses, and the kernel's side of it. */
#ifndef TERN_CMD_ATTACH_H
#define TERN_CMD_ATTACH_H

#include "cmd/algorithm.h"
#include "cmd/cmd.h"
#include "cmd/guard.h"
#include "host/control.h"
#include "host/netif.h"
#include "host/node.h"
#include "host/tun.h"

enum { ATTACH_ADDRS = 8 };

struct attach_addrs {
    struct netif_addr at[ATTACH_ADDRS];
    uint32_t count;
};

/* The first member of the verb's values. */
struct attach_values {
    const char *tun, *tap;
    struct attach_addrs ours, kernels;
    uint64_t mtu; /* 0: not given */
    bool dad, slaac;
    unsigned offload;                 /* index into attach_offloads */
    unsigned cc;                      /* index into algorithm_names */
    const struct guard_values *guard; /* NULL: as without these options */
};

extern const char *const attach_offloads[];
const char *attach_parse_address(void *values, const char *text);
const char *attach_parse_kernel(void *values, const char *text);

/* The rows of a verb whose values begin with `struct attach_values attach`. */
#define ATTACH_OPTS(values)                                                                        \
    OPT_HEADING("The interface"),                                                                  \
        {OPT_STRING(values, attach.tun), .name = "tun", .arg = "NAME",                             \
         .help = "use this TUN interface; one that does not exist is made, and set up"},           \
        {OPT_STRING(values, attach.tap), .name = "tap", .arg = "NAME",                             \
         .help = "the same with a TAP interface: Ethernet, with ARP and Neighbour Discovery"},     \
        {OPT_CALL(attach_parse_address), .name = "address", .arg = "ADDRESS/BITS",                 \
         .help = "tern's address and the size of its network; may be given again"},                \
        {OPT_CALL(attach_parse_kernel), .name = "kernel-address", .arg = "ADDRESS/BITS",           \
         .help = "the kernel's address on it; of an interface that tern makes, by default "        \
                 "the first other one of each network"},                                           \
        {OPT_FLAG(values, attach.dad), .name = "dad",                                              \
         .help = "with --tap: use an address only when nobody else says that it is theirs "        \
                 "(duplicate address detection)"},                                                 \
        {OPT_FLAG(values, attach.slaac), .name = "slaac",                                          \
         .help = "with --tap: also make addresses and routes of what IPv6 routers advertise; "     \
                 "--address may then be left out"},                                                \
        {OPT_UINT(values, attach.mtu),                                                             \
         .name = "mtu",                                                                            \
         .arg = "BYTES",                                                                           \
         .help = "the largest packet; by default what the interface has",                          \
         .min = 68,                                                                                \
         .max = 65535,                                                                             \
         .unset = 0},                                                                              \
        {OPT_CHOICE(values, attach.offload, attach_offloads), .name = "offload",                   \
         .help = "what tern and the kernel leave to each other; auto: all that the kernel can",    \
         .fallback = "auto"},                                                                      \
    {                                                                                              \
        OPT_CHOICE(values, attach.cc, algorithm_names),                                            \
            .name = "cc", .help = "congestion control", .fallback = "cubic"                        \
    }

enum { ATTACH_TOLD = 32 };

struct attached {
    const char *verb;
    struct {
        uint8_t ip[16], state;
    } told[ATTACH_TOLD]; /* what was said last of each address that is asked about */
    uint32_t told_count;
    /* One of which a router has told can be used from now on; or NULL. */
    void (*ready)(void *user, const struct netif_addr *at);
    void *ready_user;
    struct loop *loop;
    struct node node;
    struct tun tun;
    struct control *control; /* for `tern ss`; or NULL */
    int signal;              /* SIGINT, SIGTERM or SIGHUP came, or 0 */
};

/* CMD_OK, or the exit status after saying on stderr what is wrong. */
int attach_open(struct attached *a, const char *verb, const struct attach_values *v);
void attach_close(struct attached *a);

/* Turns of the loop until nobody is asked any more whose our addresses are and, with --slaac, a
 * router has made one, too; for some seconds at most. As attach_run(). */
int attach_settle(struct attached *a, const char *verb, const struct attach_values *v);
/* Turns of the loop until a signal comes, the interface is lost (CMD_FAILED, after saying so) or
 * `done` says so (CMD_OK). */
int attach_run(struct attached *a, const char *verb, bool (*done)(void *user), void *user);
/* What waits to be sent goes out, within bounds. */
void attach_flush(struct attached *a);
/* Ends the process by the signal that came, as if it had not been caught. */
void attach_die(int signal);

/* "tern0, MTU 1500, offload: checksums" */
void attach_describe(const struct attached *a, FILE *f);

#endif
