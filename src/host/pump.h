/* pump.h - carries bytes between a stream descriptor and a connection of a stack.
 *
 * The descriptor is one end of an AF_UNIX pair whose other end is a program's socket (PUMP_PAIR),
 * or a TCP socket of the host (PUMP_TCP). Bytes are read straight into the stack's memory and
 * written straight from it. Half closes, resets and back-pressure pass through in both directions:
 *
 *   end of file on the descriptor  -> FIN               FIN -> shutdown(SHUT_WR)
 *   reset, or closed with unread   -> RST               RST -> owner told, then closed (TCP: RST)
 *   send buffer full               -> not read          descriptor full -> receive window closes
 *
 * What a program has not read yet out of its end of a pair counts against the stack's receive
 * buffer (tern_recv_owed), so that the window closes as early as if it were still in the stack.
 *
 * The pumps of a stack are a set. Its owner passes on events, and lets the set work after the
 * stack's input and before its output; a turn of work is bounded.
 */
#ifndef TERN_HOST_PUMP_H
#define TERN_HOST_PUMP_H

#include "host/loop.h"
#include "tern/tern.h"

#include <stdbool.h>

enum {
    PUMP_TURN = 262144, /* bytes moved each way by one pump in one turn */
    PUMP_OWED = 32,     /* writes remembered until they are read */
};

struct pump;

struct pump_set {
    struct loop *loop;
    tern *stack;
    struct pump *first, *last; /* those with something to do */
    uint32_t count;            /* how many */
    uint64_t rest_until;       /* out of memory: not before; 0: at once */
};

enum pump_kind { PUMP_PAIR, PUMP_TCP };

struct pump_args {
    struct pump_set *set;
    tern_sock sock; /* established; its events are passed to pump_event() */
    int fd;         /* the pump's to close */
    enum pump_kind kind;
    /* One of them ends it; the pump is over then, and its owner gives up the handle. Not a moment
     * to free the pump: its memory must stay until the set's work, or the dispatch of events, is
     * done.
     *
     * The connection is over while the descriptor still lives: 0 after both directions were shut,
     * else the negative errno of a reset or time-out. The pump closes both right after the call. */
    void (*ended)(void *user, int err);
    /* The descriptor was closed at its other end, or failed. The pump has told the stack, which
     * delivers what is left. */
    void (*closed)(void *user);
    void *user;
};

/* Part of its owner, zeroed before pump_start(). */
struct pump {
    struct pump_args args;
    struct loop_fd watch;
    struct pump *next; /* in the set's list */
    bool listed, active;
    bool starved;                  /* the stack had no memory */
    bool fd_readable, fd_writable; /* as far as is known */
    bool up_eof, down_eof;         /* fd -> stack, stack -> fd: the end has been passed on */
    bool rdhup;     /* the descriptor's end of file can be read, behind what is in it */
    bool hup;       /* it hangs up */
    bool deaf;      /* the program has shut its receiving side: what comes is dropped */
    bool told_shut; /* pump_shut(): a hang-up need not be a close */
    bool marked;    /* pump_shut(): the last byte is no data */
    bool abortive;  /* pump_abortive() */
    /* The descriptor's other end was reset, or closed with something unread; what it has written
     * before that goes first. */
    enum pump_reset {
        PUMP_RESET_NONE,
        PUMP_RESET_DRAIN, /* what is in the descriptor is to be read */
        PUMP_RESET_SENT,  /* the stack has had a turn to send it */
    } reset;
    int err; /* the stack's connection is over: a negative errno */
    /* Written to a pair and perhaps not read: sizes as written and as the kernel counts them. */
    struct {
        uint32_t bytes, truesize;
    } owed[PUMP_OWED];
    uint32_t owed_first, owed_count, owed_bytes, outq;
};

void pump_set_init(struct pump_set *set, struct loop *loop, tern *stack);
/* Moves bytes. */
void pump_set_work(struct pump_set *set);
/* When it wants to work again: 0 at once, LOOP_NEVER: when something happens. */
uint64_t pump_set_deadline(const struct pump_set *set);

/* Begins. 0 or -errno; the descriptor is the pump's in any case. */
int pump_start(struct pump *p, const struct pump_args *args);
/* An event of the connection. */
void pump_event(struct pump *p, const tern_event *ev);
/* Ends without a word: closes the descriptor, leaves the connection. */
void pump_stop(struct pump *p);

/* Does the work now: before an option changes that shapes what is sent. */
void pump_now(struct pump *p);
/* The program is about to shut its sending side (run_net.h: shut). */
void pump_shut(struct pump *p, bool marked);
/* SO_LINGER with 0 seconds: the other end's close is a reset. */
void pump_abortive(struct pump *p, bool on);
/* Bytes in the descriptor on their way to the stack; and those the program has yet to read. */
uint32_t pump_unsent(const struct pump *p);
uint32_t pump_unread(const struct pump *p);

#endif
