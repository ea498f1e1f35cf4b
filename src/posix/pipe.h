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

/* For splice.c. Until there is something to read: 1; 0: the end; or -errno. */
int pipe_await_bytes(tern_sockets *p, struct file *f, bool no_wait);
/* Until there is room: how many bytes, or -errno. */
int pipe_await_space(tern_sockets *p, struct file *f, bool no_wait);
/* The oldest bytes in one piece, how many there are in all; and away with so many of them. */
size_t pipe_front(const struct file *f, const uint8_t **at);
size_t pipe_holds(const struct file *f);
void pipe_consume(struct file *f, size_t len);
/* Puts in what there is room for. */
void pipe_put(struct file *f, const uint8_t *from, size_t len);
/* Whether both are ends of one pipe. */
bool pipe_same(const struct file *a, const struct file *b);
int pipe_host_fd(const struct file *f);

#endif
