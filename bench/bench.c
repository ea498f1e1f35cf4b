/* bench.c - arguments, clock and figure of mem_tern and mem_lwip. */
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WARM_UP_NS = 100000000 };

static uint64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t bench_clock(void) { return clock_ns(CLOCK_MONOTONIC); }

void bench_die(const char *what, long value)
{
    fprintf(stderr, "%s: %ld\n", what, value);
    exit(1);
}

void bench_arguments(struct bench *b, int argc, char **argv)
{
    static const struct {
        const char *name;
        int argc;
    } works[] = {[BULK] = {"bulk", 3}, [RR] = {"rr", 4}, [CRR] = {"crr", 5}, [SYN] = {"syn", 3}};
    for (int i = BULK; i <= SYN; i++) {
        if (argc != works[i].argc || strcmp(argv[1], works[i].name) != 0)
            continue;
        b->work = (enum work)i;
        b->connections = argc > 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
        b->timewaits = argc > 4 ? (unsigned)strtoul(argv[3], NULL, 10) : 128;
        b->seconds = strtod(argv[argc - 1], NULL);
        return;
    }
    bench_die("usage: bulk SECONDS | rr CONNECTIONS SECONDS | crr CONCURRENT TIMEWAIT SECONDS | "
              "syn SECONDS",
              0);
}

/* Time is that of the process: what others take of the processor is not counted. */
static uint64_t run(void (*turns)(void), uint64_t ns)
{
    uint64_t start = clock_ns(CLOCK_PROCESS_CPUTIME_ID), end;
    do
        turns();
    while ((end = clock_ns(CLOCK_PROCESS_CPUTIME_ID)) - start < ns);
    return end - start;
}

void bench_measure(struct bench *b, void (*turns)(void))
{
    run(turns, WARM_UP_NS);
    uint64_t transactions = b->transactions, delivered = b->delivered;
    double took = (double)run(turns, (uint64_t)(b->seconds * 1e9));
    if (b->work == BULK)
        printf("%.3f %" PRIu64 "\n", (double)(b->delivered - delivered) * 8 / took, b->delivered);
    else
        printf("%.0f %" PRIu64 "\n", (double)(b->transactions - transactions) * 1e9 / took,
               b->transactions);
}
