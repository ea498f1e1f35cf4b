/* views.h - arithmetic of views (tern_iov) into the stack's memory. */
#ifndef TERN_HOST_VIEWS_H
#define TERN_HOST_VIEWS_H

#include "tern/tern.h"

#include <sys/uio.h>

_Static_assert(sizeof(tern_iov) == sizeof(struct iovec), "views are passed to readv()");

static inline size_t views_total(const tern_iov *iov, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += iov[i].len;
    return sum;
}

/* Shortens the views to `max` bytes; returns how many are left. */
static inline size_t views_shorten(tern_iov *iov, size_t n, size_t max)
{
    size_t i = 0;

    for (; i < n && max > 0; i++) {
        iov[i].len = iov[i].len < max ? iov[i].len : max;
        max -= iov[i].len;
    }
    return i;
}

#endif
