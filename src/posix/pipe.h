/* pipe.h - files that are no sockets: pipes, and files of the host. */
#ifndef TERN_POSIX_PIPE_H
#define TERN_POSIX_PIPE_H

#include "posix/posix.h"

void pipe_free(tern_sockets *p, struct file *f);
ssize_t pipe_readv(tern_sockets *p, struct file *f, const struct iovec *iov, int n);
ssize_t pipe_writev(tern_sockets *p, struct file *f, const struct iovec *iov, int n);
uint32_t pipe_poll(struct file *f);
/* The capacity of a pipe, after setting it if `size` >= 0. -EBADF: no pipe. */
int pipe_size(struct file *f, int size);
int pipe_queued(const struct file *f, int *bytes);

#endif
