/* scene.h - a fixture: a client and a server in a world, with a time line that watches the link
 * between them and collects what it writes. */
#ifndef TERN_TEST_SCENE_H
#define TERN_TEST_SCENE_H

#include "lab/world.h"
#include "watch/capture.h"
#include "watch/timeline.h"

#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

enum { SCENE_CLIENTS = 1100, SCENE_PORT = 80 };

struct output {
    char *text;
    size_t len, room;
};

/* What a server does once it has the request and has answered. */
enum server_close {
    SERVER_CLOSES,  /* at once: the active close, unless the client was first */
    SERVER_FOLLOWS, /* when the client has closed, at once: FIN and ACK joined */
    SERVER_LATER,   /* some time after the client: apart */
    SERVER_RESETS,
    SERVER_STAYS,
};

struct scene_config {
    int width;
    bool colour, ascii, silent; /* silent: the time line is fed, its text is thrown away */
    bool ip6;
    const char *process; /* of end 0, NULL: unknown */
    struct lab_config link;
    tern_config tern[2];  /* size 0: the default, with ISNs 10000 and 20000 */
    const char *request;  /* NULL: none */
    const char *response; /* head of the answer, NULL: none */
    uint64_t body;        /* bytes that follow it */
    enum server_close close;
    uint64_t later; /* SERVER_LATER: ns */
    bool deaf;      /* the server does not read, */
    bool stays;     /* and the client does not close after the answer */
    bool no_listener, no_records;
    bool capture[2]; /* these ends, into scene.pcap */
};

struct scene;

/* One end of a connection. */
struct actor {
    struct scene *scene;
    tern *s;
    tern_sock sock;
    bool server, opened, asked, eof, shut, ended;
    uint64_t to_send, received;
    uint64_t head;             /* bytes of the head not yet sent */
    uint64_t ask_at, close_at; /* when it sends its request, when it closes; 0: not planned */
    int err;
};

struct scene {
    struct scene_config conf;
    struct lab_pair pair;
    struct timeline *line;
    struct capture *capture;
    struct output out, pcap;
    tern_sock listener;
    struct actor client[SCENE_CLIENTS], server[SCENE_CLIENTS];
    uint32_t clients, servers;
};

#define SCENE_REQUEST "GET / HTTP/1.1\r\nHost: 10.0.0.2\r\n\r\n"
#define SCENE_RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

/* curl fetches a page of 1,000 bytes over a link of 10 ms, and closes first. */
struct scene_config scene_page(int width);
/* A world with a listening server. */
void scene_begin(struct scene *x, const struct scene_config *conf);
/* One more client connects. */
struct actor *scene_connect(struct scene *x);
/* Lets the time pass. */
void scene_run(struct scene *x, uint64_t ns);
/* All of one connection, with so much time. */
void scene_play(struct scene *x, const struct scene_config *conf, uint64_t ns);
/* The same in memory of its own; to be freed after scene_free(). */
struct scene *scene_played(const struct scene_config *conf, uint64_t ns);
/* Ends the time line, then the world; the text stays. */
void scene_end(struct scene *x);
void scene_free(struct scene *x);

/* Things an actor does on its own account. */
void actor_send(struct actor *a, const char *text);
void actor_shut(struct actor *a);
void actor_close(struct actor *a);
void actor_abort(struct actor *a);
void actor_read(struct actor *a);

void output_add(void *output, const char *text, size_t len);

#endif
