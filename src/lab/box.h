/* box.h - a middlebox: what devices on the way do to a packet that they let through. They strip or
 * rewrite options, clamp the MSS, bleach or mark ECN, renumber sequences, rename ports, cut streams
 * into other segments, and thin out acknowledgements.
 *
 * A box changes whole packets of a wire, whose checksums are right, and leaves them right. What
 * must stay the same for a connection's life (renumbering, what a SYN loses) is the caller's to
 * keep: a box remembers nothing but how many bytes it has seen.
 */
#ifndef TERN_LAB_BOX_H
#define TERN_LAB_BOX_H

#include "lab/random.h"

#include <stddef.h>

enum lab_strip { /* options that are overwritten with NOPs */
                 LAB_STRIP_MSS = 1,
                 LAB_STRIP_WSCALE = 2,
                 LAB_STRIP_SACK_OK = 4,
                 LAB_STRIP_SACK = 8,
                 LAB_STRIP_TS = 16,
                 LAB_STRIP_OTHER = 32, /* all that are not among these */
                 LAB_STRIP_ALL = 63,
};

enum lab_ecn {
    LAB_ECN_KEEP,
    LAB_ECN_BLEACH, /* ECT and CE become not-ECT */
    LAB_ECN_MARK,   /* ECT becomes CE */
    LAB_ECN_FLAGS,  /* ECE and CWR are taken off */
    LAB_ECN_TOS,    /* the whole octet is cleared */
    LAB_ECN_MODES
};

/* One direction. All zero: nothing is changed. */
struct lab_box {
    uint8_t strip_syn, strip_synack; /* enum lab_strip */
    uint8_t strip_data;              /* from other segments, with chance strip_chance */
    uint8_t ecn;                     /* enum lab_ecn */
    uint8_t ttl;                     /* it becomes this; 0: as it was */
    bool drop_ecn_syn;               /* SYNs that ask for ECN are lost */
    bool keep_sacks;                 /* blocks are not renumbered: they are wrong then */
    bool ack_newest;                 /* an acknowledgement right behind another takes its place */
    uint16_t mss_max;                /* the MSS option is lowered to this; 0: not */
    uint16_t port_shift;             /* added to the port of end 0 */
    uint16_t split;                  /* payload that one segment has at most; 0: as many as come */
    uint16_t join;                   /* packets that go on become one, so long at most; 0: not */
    double strip_chance, truncate;   /* ... and frames cut off, or padded */
    double ack_loss;                 /* of segments that only acknowledge */
    uint32_t shift[2];               /* added to the sequence numbers of end 0, and of end 1 */
};

static inline bool lab_box_none(const struct lab_box *b)
{
    return !(b->strip_syn | b->strip_synack | b->strip_data | b->ecn | b->ttl | b->drop_ecn_syn |
             b->ack_newest) &&
           !(b->mss_max | b->port_shift | b->split | b->join) && b->truncate <= 0 &&
           b->ack_loss <= 0 && (b->shift[0] | b->shift[1]) == 0;
}

/* Changes a packet from end `dir`. false: it is lost. */
bool box_pass(const struct lab_box *b, struct lab_random *r, int dir, uint8_t *data, size_t len);
/* Cuts a frame, or makes it longer (up to `room` bytes); its new length. */
size_t box_cut(const struct lab_box *b, struct lab_random *r, uint8_t *data, size_t len,
               size_t room);
/* How many segments its payload becomes; writes number `i` of them to `out`, returns its length. */
size_t box_pieces(const struct lab_box *b, const uint8_t *data, size_t len);
size_t box_piece(const struct lab_box *b, const uint8_t *data, size_t len, size_t i, uint8_t *out);
/* Puts a packet into one that is ahead of it on the same way, if it continues that; the length then
 * (at most `room`), 0: they stay apart. */
size_t box_join(const struct lab_box *b, uint8_t *ahead, size_t ahead_len, const uint8_t *data,
                size_t len, size_t room);

#endif
