/* talk.h - a fixture: two hosts, a link, and a conversation over it. Each side sends a number of
 * bytes that its key and their offset determine, shuts, reads the other's to the end, checks each
 * byte, and closes. */
#ifndef TERN_TEST_TALK_H
#define TERN_TEST_TALK_H

#include "lab/world.h"
#include "tern/info.h"

/* One end. */
struct talker {
    struct talk *talk;
    tern *s;
    tern_sock sock;
    uint64_t key;      /* of the bytes it sends */
    uint64_t peer_key; /* of the bytes it expects */
    uint64_t send, sent;
    uint64_t receive, received; /* bytes that are to come, and that came */
    bool opened, shut, eof, ended;
    int err;           /* why it ended early */
    uint64_t wrong_at; /* the first byte that was wrong, counted from 1; 0: none */
};

struct talk {
    struct lab_pair pair;
    struct talker side[2]; /* client, server */
    tern_sock listener;
    uint64_t ended_at; /* both had ended */
};

struct talk_config {
    uint64_t seed;
    uint64_t up, down; /* bytes from client and from server */
    bool ip6;
    struct lab_config link;
    tern_iface iface; /* mtu 0: 1500, no offload */
    tern_config tern; /* size 0: the default */
    uint64_t fail_first[2], fail_count[2];
    void (*trace)(void *user, int host, const tern_trace *record);
};

/* 0, or why it could not begin: that of lab_pair_new(), tern_listen() or tern_connect(). */
int talk_begin(struct talk *t, const struct talk_config *conf);
/* Both sides have ended, one way or the other. A `done` of lab_world_run(). */
bool talk_over(void *talk);
/* Nothing is left but the listener. */
bool talk_forgotten(void *talk);
/* Fails the test unless all bytes came and both closed in good order. */
void talk_check(const struct talk *t);
/* Fails the test if something of the connection is left in memory or on the link. */
void talk_check_clean(struct talk *t);
/* Says how far both sides have come. */
void talk_describe(const struct talk *t);
void talk_end(struct talk *t);

/* All of it; the seconds (virtual) it may take. Returns what it took in ns. */
uint64_t talk_all(const struct talk_config *conf, uint64_t seconds);

/* Bytes `offset` to `offset + len` of a stream. */
void talk_bytes(uint64_t key, uint64_t offset, uint8_t *to, size_t len);

#endif
