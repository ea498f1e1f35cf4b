/* bench.h - what the stacks compared have in common: the work, its arguments, the clock and the
 * figure that is printed.
 *
 * Printed is a rate per second of processor time, and how many there were in all.
 *
 *   bulk SECONDS                      bytes one way; Gbit/s, bytes
 *   rr CONNECTIONS SECONDS            64-byte requests and replies
 *   crr CONCURRENT TIMEWAIT SECONDS   connect, 64-byte request, reply, close, with so
 *                                     many TIME-WAIT entries at most
 *   syn SECONDS                       SYNs of a flood, while an honest client connects
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

enum {
    MESSAGE = 64,
    PORT = 7,
    WINDOW = 256 * 1024,    /* send and receive buffers */
    BULK_WRITE = 32 * 1024, /* bytes given to the stack at a time */
    TURNS = 64,             /* round trips between two looks at the clock */
};

struct bench {
    enum work { BULK, RR, CRR, SYN } work;
    unsigned connections; /* at a time */
    unsigned timewaits;   /* at most */
    double seconds;
    uint64_t transactions, delivered; /* counted by the two ends */
};

uint64_t bench_clock(void);
_Noreturn void bench_die(const char *what, long value);
void bench_arguments(struct bench *b, int argc, char **argv);
/* Calls `turns` for a moment to warm up, then for the time asked for, and prints the figure. */
void bench_measure(struct bench *b, void (*turns)(void));

#endif
