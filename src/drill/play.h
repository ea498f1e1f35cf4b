/* play.h - a script while it is played: what the files that play it share. */
#ifndef TERN_DRILL_PLAY_H
#define TERN_DRILL_PLAY_H

#include "drill/call.h"
#include "drill/code.h"
#include "drill/drill.h"
#include "drill/packet.h"

#define NS_PER_US INT64_C(1000)
#define NS_PER_S INT64_C(1000000000)

/* ---- options (options.c) --------------------------------------------------------------------- */

struct drill_config {
    enum drill_family family;
    uint32_t mtu;
    uint8_t local[16], remote[16];
    uint16_t bind_port, connect_port;
    int64_t tolerance;           /* ns, or ... */
    unsigned tolerance_permille; /* ... so much of the time since the event before, if it is more */
    int64_t ts_tick;             /* ns; 0: the clock of timestamps is not checked */
    bool strict_segments;
    bool non_fatal_packet, non_fatal_call;
    const char *init_scripts;
    struct drill_define *defines;
};

/* From the script's options and the command line's. NULL, or why not; *pos says where. */
const char *config_read(struct drill_config *c, struct drill_script *s,
                        const struct drill_request *request, struct drill_pos *pos);

/* ---- sockets followed (peers.c) -------------------------------------------------------------- */

enum peer_state { PEER_NEW, PEER_LISTENING, PEER_CONNECTING, PEER_CONNECTED };

/* A timestamp of ours: as the script calls it, and as it was. */
struct peer_ts {
    uint32_t script, live;
};
enum { PEER_TS_MAX = 256 };

struct peer {
    struct peer *next; /* the one made before */
    enum peer_state state;
    int script_fd;            /* -1: none (yet) */
    bool child, tuple;        /* `child`: by a listener; `tuple`: `flow` is complete */
    struct drill_flow flow;   /* ours first */
    bool isn_known, isn_open; /* `isn_open`: the next SYN of ours sets `offset` */
    uint32_t offset;          /* live minus script, of our sequence numbers */
    struct peer_ts ts[PEER_TS_MAX];
    unsigned ts_count; /* ever noted; the latest are kept */
    struct peer_ts ts_first;
};

struct play {
    struct drill_script *script;
    const struct drill_request *request;
    struct drill_result *result;
    struct drill_config conf;
    struct drill_settings settings;
    uint32_t settings_told; /* the generation that the system under test knows */
    struct drill_sut *sut;  /* NULL: not started */
    struct drill_names names;
    struct drill_code code;
    struct peer *peers, *under_test;
    unsigned ports;                 /* given to peers so far */
    struct drill_out *first, *last; /* sent, and not yet looked for */
    const struct drill_event *event;
    struct drill_calling *pending; /* a call that waits */
    const struct drill_event *pending_event;
    int64_t pending_end;        /* when it should return */
    uint64_t counters_base[64]; /* of nstat, by its table */
    int last_win;
    bool failed;
    int64_t event_base; /* when the event under way could first have happened */
    int64_t recorded;   /* when what was written down last happened */
};

/* The present, ns since the start. */
int64_t play_now(const struct play *p);
/* Starts the system under test, if it is not yet. */
bool play_start(struct play *p);
/* Lets time pass up to `until`; what is sent meanwhile is queued. */
void play_pass(struct play *p, int64_t until);
/* The same, but only to the next packet that is sent or call that returns. */
void play_step(struct play *p, int64_t until);
/* A check has failed, or something is not supported. Always false. */
bool play_fail(struct play *p, const struct drill_event *e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A line of the trace. */
void play_trace(struct play *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether something that was due at `e`'s time is on time at `actual`. */
bool play_on_time(struct play *p, int64_t from, int64_t to, int64_t actual);

/* peers.c */
struct peer *peer_new(struct play *p);
/* Whom the script's packets concern; one is made for a packet that opens a connection. */
struct peer *peer_inbound(struct play *p, const struct drill_packet *packet);
struct peer *peer_outbound(struct play *p);
/* Whether a packet that was sent is this one's; completes its tuple with a SYN. */
bool peer_owns(struct peer *peer, const struct drill_packet *live, const struct drill_flow *flow);
void peer_to_live(const struct peer *peer, struct drill_packet *packet);
void peer_to_script(const struct peer *peer, struct drill_packet *packet);
/* Which of our numbers the script's stand for shows in a SYN. */
void peer_learn(struct peer *peer, const struct drill_packet *script,
                const struct drill_packet *live);
void peer_note_ts(struct peer *peer, uint32_t script, uint32_t live);
/* Before a call is made, and after it has succeeded. */
void peer_before_call(struct play *p, const struct drill_calling *c);
void peer_after_call(struct play *p, const struct drill_calling *c, int64_t result, int fd);

/* expect.c, events.c, shell.c */
bool play_expect(struct play *p, const struct drill_event *e, int64_t from, int64_t to);
bool play_inject(struct play *p, const struct drill_event *e);
bool play_call(struct play *p, const struct drill_event *e, int64_t from, int64_t end);
/* A call that waits must be over: lets time pass, and looks at what it returned. */
bool play_call_finish(struct play *p);
/* Looks whether a call that waits has returned. */
bool play_call_poll(struct play *p);
bool play_code(struct play *p, const struct drill_event *e);
/* Commands of a shell. false: `why` says which is unknown or failed. */
bool shell_run(struct play *p, const char *text, struct drill_text *why);
void play_ignore(struct play *p, struct drill_out *o);
struct drill_out *play_take(struct play *p);

/* record.c: what comes before the first event, the packets sent so far, an event at its time. */
void record_head(struct play *p);
void record_packets(struct play *p);
void record_event(struct play *p, const struct drill_event *e, int64_t end);

#endif
