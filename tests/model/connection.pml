/* connection.pml - connection management between two ends, small enough for every run of it to be
 * looked at: opening by one or both, closing in any order, segments that get lost or come twice,
 * SYN, SYN-ACK and FIN sent again, and one end that crashes and forgets everything.
 *
 * There is no data, and a sequence number is which incarnation of an end it belongs to. What a
 * segment does to a state stands nowhere in here: it is WATCH_TRANSITIONS of src/watch/states.h, by
 * which the observer follows packets. What is decided here is who sends what, and when.
 *
 * tests/e2e/model.sh runs it, also with mistakes put in (MISTAKE_*), which must be found.
 */
#include "watch/states.h"

#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef COPIES
#define COPIES 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#define TRIES 3 /* SYNs sent again before it gives up: the other may be in TIME-WAIT for long */
#define ROOM 3 /* segments under way in one direction */

mtype = { CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT,
          CLOSING, LAST_ACK, TIME_WAIT };
mtype = { SHOWS, CAUSES };
mtype = { SYN, SYN_ACK, ACK_SYN, ACK_UNSEEN, ACK_FIN, FIN, ACK, RST };

/* What kind, of which incarnation, of which one it acknowledges the SYN (0: of none), whether it
 * acknowledges the FIN as well. */
chan way[2] = [ROOM] of { mtype, byte, byte, bool };

mtype state[2] = CLOSED;
byte self[2];  /* which incarnation it is; 0: none */
byte peer[2];  /* which one it talks with, as far as it knows */
bool fin[2];   /* it has sent a FIN; */
bool fin_acked[2];
bool heard[2]; /* it has received one */
bool shut[2];  /* its program has nothing to say any more */
bool over[2];  /* its program is done with it */
byte tries[2]; /* SYNs sent again */
byte born = 1; /* the next incarnation */
byte losses = LOSSES, copies = COPIES, crashes = CRASHES;

/* The table: hidden, as it is no part of what changes. */
#define KEY(how, sign, from) ((how == CAUSES) * 576 + sign * 24 + from)
hidden byte next[1152];
#define X(how, from, sign, to) next[KEY(how, sign, from)] = to;
inline learn()
{
    WATCH_TRANSITIONS(X)
}

inline follow(i, how, sign)
{
    if
    :: next[KEY(how, sign, state[i])] != 0 -> state[i] = next[KEY(how, sign, state[i])]
    :: else
    fi
}

/* A segment leaves, or gets lost, or leaves twice. Without room it is lost, too. */
inline put(i, k, w, a, f)
{
    if
    :: nfull(way[i]) -> way[i]!k, w, a, f
    :: full(way[i])
    :: losses > 0 -> losses--
    :: copies > 0 && len(way[i]) < ROOM - 1 -> copies--; way[i]!k, w, a, f;
       way[i]!k, w, a, f
    fi
}

/* Of the connection it is in: what it acknowledges goes without saying. */
inline say(i, kind)
{
    put(i, kind, self[i], peer[i], heard[i]);
    if
    :: kind == SYN || kind == SYN_ACK || kind == FIN -> follow(i, SHOWS, kind)
    :: else
    fi;
    if
    :: kind != SYN && kind != SYN_ACK && heard[i] -> follow(i, SHOWS, ACK_FIN)
    :: else
    fi
}

inline forget(i)
{
    state[i] = CLOSED; self[i] = 0; peer[i] = 0; fin[i] = false; fin_acked[i] = false;
    heard[i] = false; tries[i] = 0
}

/* To what fits no connection: RFC 9293 3.10.7.1. */
inline refuse(i, whose, acks)
{
    put(i, RST, acks, whose, false)
}

inline opening_arrives(i, kind, whose, acks)
{
    if
    :: acks != 0 && acks != self[i] && kind != RST -> refuse(i, whose, acks)
    :: acks != 0 && acks != self[i] && kind == RST
    :: kind == RST && acks == self[i] -> forget(i); over[i] = true
    :: kind == SYN_ACK && acks == self[i] -> peer[i] = whose; follow(i, SHOWS, ACK_SYN); say(i, ACK)
    :: kind == SYN && acks == 0 -> peer[i] = whose; say(i, SYN_ACK)
    :: else
    fi
}

/* The acknowledgements in a segment that fits. */
inline acks_arrive(i, acks, acks_fin)
{
    if
    :: acks == self[i] -> follow(i, CAUSES, ACK_SYN)
    :: else
    fi;
    if
    :: acks == self[i] && acks_fin && fin[i] -> fin_acked[i] = true; follow(i, CAUSES, ACK_FIN)
    :: else
    fi
}

inline segment_arrives(i, kind, whose, acks, acks_fin)
{
    if
#ifdef MISTAKE_RST
    :: kind == RST -> forget(i); over[i] = true
#else
    :: kind == RST && whose == peer[i] && state[i] != TIME_WAIT -> forget(i); over[i] = true
    :: kind == RST && !(whose == peer[i] && state[i] != TIME_WAIT)
#endif
    :: kind == SYN && whose == peer[i] && state[i] == SYN_RECEIVED -> say(i, SYN_ACK)
#ifdef MISTAKE_SYN
    :: kind == SYN && whose != peer[i] -> peer[i] = whose; say(i, SYN_ACK)
#else
    :: kind == SYN && whose != peer[i] -> say(i, ACK) /* RFC 5961 4 */
#endif
    :: kind == SYN && whose == peer[i] && state[i] != SYN_RECEIVED -> say(i, ACK)
    :: kind != RST && kind != SYN && whose != peer[i] -> say(i, ACK)
    :: kind != RST && kind != SYN && whose == peer[i] && acks != self[i] && state[i] == SYN_RECEIVED ->
       refuse(i, whose, acks)
    :: kind != RST && kind != SYN && whose == peer[i] && (acks == self[i] || state[i] != SYN_RECEIVED) ->
       acks_arrive(i, acks, acks_fin);
       if
       :: kind == FIN && state[i] != SYN_RECEIVED && state[i] != CLOSED ->
          heard[i] = true; say(i, ACK)
       :: kind == SYN_ACK && state[i] != CLOSED -> say(i, ACK)
       :: else
       fi
    fi;
    if
    :: state[i] == CLOSED && self[i] != 0 -> forget(i); over[i] = true
    :: else
    fi
}

inline arrives(i, kind, whose, acks, acks_fin)
{
    if
    :: state[i] == CLOSED && kind != RST -> refuse(i, whose, acks)
    :: (state[i] == CLOSED || state[i] == LISTEN) && kind == RST
    :: state[i] == LISTEN && kind == SYN ->
       self[i] = born; born++; peer[i] = whose; say(i, SYN_ACK)
    :: state[i] == LISTEN && kind != SYN && kind != RST -> refuse(i, whose, acks)
    :: state[i] == SYN_SENT -> opening_arrives(i, kind, whose, acks)
    :: else -> segment_arrives(i, kind, whose, acks, acks_fin)
    fi
}

#define SYNCHRONIZED(i) (state[i] != CLOSED && state[i] != LISTEN && state[i] != SYN_SENT &&       \
                         state[i] != SYN_RECEIVED)
#define QUIET (empty(way[0]) && empty(way[1]))

/* One end: `opens`, or waits for the other. Its program shuts when it likes, once connected. A timer
 * is due when nothing is under way any more; 2 MSL are long enough for that. */
proctype End(byte i; bool opens)
{
    mtype kind;
    byte whose, acks, was;
    bool acks_fin;

    atomic {
        if
        :: opens -> self[i] = born; born++; say(i, SYN)
        :: !opens -> state[i] = LISTEN
        fi
    }
end:
    do
    :: atomic { way[1 - i]?kind, whose, acks, acks_fin ->
                was = (SYNCHRONIZED(i) -> peer[i] : 0);
                arrives(i, kind, whose, acks, acks_fin);
                assert(was == 0 || self[i] == 0 || peer[i] == was) /* nobody slips in */ }
    :: atomic { (state[i] == ESTABLISHED || state[i] == CLOSE_WAIT) && !fin[i] ->
                shut[i] = true; fin[i] = true; say(i, FIN) }
    :: atomic { QUIET && state[i] == SYN_SENT && tries[i] < TRIES -> tries[i]++; say(i, SYN) }
    :: atomic { QUIET && state[i] == SYN_SENT && tries[i] == TRIES -> forget(i); over[i] = true }
    :: atomic { QUIET && state[i] == SYN_RECEIVED -> say(i, SYN_ACK) }
#ifndef MISTAKE_TIMER
    :: atomic { QUIET && fin[i] && !fin_acked[i] && state[i] != CLOSED -> say(i, FIN) }
#endif
    :: atomic { QUIET && state[i] == TIME_WAIT -> forget(i); over[i] = true }
    :: atomic { crashes > 0 && !over[i] && state[i] != LISTEN && self[i] != 0 ->
                crashes--; forget(i);
                if
                :: over[i] = true
                :: self[i] = born; born++; say(i, SYN) /* it comes back, and asks again */
                fi }
    od
}

/* Who waits although nobody will come any more (the other has crashed, or was refused) gives up: so
 * do programs. */
proctype Program()
{
end:
    do
    :: atomic { QUIET && state[0] == LISTEN && over[1] -> state[0] = CLOSED; over[0] = true }
    :: atomic { QUIET && state[1] == LISTEN && over[0] -> state[1] = CLOSED; over[1] = true }
    :: atomic { QUIET && state[0] == FIN_WAIT_2 && over[1] -> forget(0); over[0] = true }
    :: atomic { QUIET && state[1] == FIN_WAIT_2 && over[0] -> forget(1); over[1] = true }
    od
}

/* Two ends that both think to be connected are so with each other. */
ltl agreed { [] (state[0] == ESTABLISHED && state[1] == ESTABLISHED ->
                 peer[0] == self[1] && peer[1] == self[0]) }
/* The end of the stream comes only when the other has sent it. */
ltl ends { [] (state[0] == CLOSE_WAIT && state[1] != CLOSED && self[1] == peer[0] -> fin[1]) }
/* TIME-WAIT is entered when both FINs are known to have arrived. */
ltl waits { [] ((state[0] == TIME_WAIT -> fin_acked[0] && heard[0]) &&
                (state[1] == TIME_WAIT -> fin_acked[1] && heard[1])) }
/* Whatever happened, it comes to an end. */
ltl closes { <> (over[0] && over[1]) }

init {
    atomic {
        learn();
        if
        :: run End(0, true); run End(1, false)
        :: run End(0, true); run End(1, true)
        fi;
        run Program()
    }
}
