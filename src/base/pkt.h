/* pkt.h - the bytes of a packet, which may lie in several pieces. */
#ifndef TERN_BASE_PKT_H
#define TERN_BASE_PKT_H

#include "base/util.h"
#include "tern/tern.h"

/* Copies `len` bytes from byte `skip` on, as far as there are any. */
static inline void pkt_copy_out(const tern_pkt *pkt, size_t skip, size_t len, uint8_t *to)
{
    for (uint32_t i = 0; i < pkt->iov_count && len > 0; i++) {
        const tern_iov *v = &pkt->iov[i];
        if (skip >= v->len) {
            skip -= v->len;
            continue;
        }
        size_t n = min_size(v->len - skip, len);
        memcpy(to, (const uint8_t *)v->base + skip, n);
        to += n;
        len -= n;
        skip = 0;
    }
}

#endif
