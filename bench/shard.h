/* shard.h - shards of tern as the benchmarks use them: one interface each, and a link between two
 * that hands packets over by reference.
 */
#ifndef BENCH_SHARD_H
#define BENCH_SHARD_H

#include "bench.h"
#include "tern/info.h"

enum { SHARD_BATCH = 64 };

struct shard {
    tern *s;
    tern_sock listener;
};

/* The defaults, with memory that is given back to the system when the shard gives it back. */
void shard_config(tern_config *cfg, uint8_t host);
/* Starts a shard as 10.0.0.`host` on a link with MTU 1500. */
void shard_make(struct shard *e, const tern_config *cfg, uint8_t host, uint64_t now);
void shard_listen(struct shard *e);
/* Connects to PORT of 10.0.0.`host`. */
tern_sock shard_connect(struct shard *e, uint8_t host);
/* Carries what one has to send to the other, until it has no more. */
void shard_move(struct shard *from, struct shard *to, uint64_t now);

#endif
