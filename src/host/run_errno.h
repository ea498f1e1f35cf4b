/* run_errno.h - tern's errors in the words of the host. */
#ifndef TERN_HOST_RUN_ERRNO_H
#define TERN_HOST_RUN_ERRNO_H

#include "tern/tern.h"

#include <errno.h>

/* A negative errno for a negative enum tern_err; 0 for a value that is no error. */
static inline int errno_of_tern(int err)
{
    switch (err) {
    case TERN_EAGAIN:
        return -EAGAIN;
    case TERN_ENOMEM:
        return -ENOMEM;
    case TERN_ESTALE:
        return -ENOTCONN;
    case TERN_ELIMIT:
        return -ENOBUFS;
    case TERN_ERESET:
        return -ECONNRESET;
    case TERN_EREFUSED:
        return -ECONNREFUSED;
    case TERN_ETIMEDOUT:
        return -ETIMEDOUT;
    case TERN_EUNREACH:
        return -EHOSTUNREACH;
    case TERN_EADDRINUSE:
        return -EADDRINUSE;
    case TERN_ESHUTDOWN:
        return -EPIPE;
    case TERN_ENOTCONN:
        return -ENOTCONN;
    case TERN_EADDRNOTAVAIL:
        return -EADDRNOTAVAIL;
    case TERN_ENETUNREACH:
        return -ENETUNREACH;
    case TERN_EMSGSIZE:
        return -EMSGSIZE;
    case TERN_EPROTO:
        return -EPROTO;
    default:
        return err < 0 ? -EINVAL : 0;
    }
}

#endif
