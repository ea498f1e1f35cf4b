/* control_dir.h - the folders in which control sockets lie, and how to get at them safely.
 *
 * A process puts its socket into the first of
 *
 *     $XDG_RUNTIME_DIR/tern      /run/user/UID/tern      /tmp/tern-UID
 *
 * that it can make, or that is there, is its user's and nobody else's (mode 0700), and no symbolic
 * link. Everything in it is then named through the open folder, so that nobody can put another
 * in its place meanwhile. A socket gets its name when it already listens: one with a name that
 * refuses connections belongs to a process that has died, and may be removed by whoever finds it.
 */
#ifndef TERN_HOST_CONTROL_DIR_H
#define TERN_HOST_CONTROL_DIR_H

#include <stddef.h>
#include <sys/types.h>

enum { CONTROL_NAME_MAX = 64 };

struct control_place {
    int dir;                     /* the folder */
    char name[CONTROL_NAME_MAX]; /* the socket in it */
};

/* A listening socket, non-blocking; or a negative errno. */
int control_dir_listen(struct control_place *out);
/* Removes the socket's name and closes the folder. */
void control_dir_leave(struct control_place *place);

/* Connects to every socket of this user's, or of all users' for root, and removes those of dead
 * processes. Each connection is non-blocking and belongs to `found`, as do its process's number and
 * what it means that it could not be made: `fd` is then a negative errno. Stops at `max`. */
struct control_peer {
    int fd;
    pid_t pid;
};
size_t control_dir_connect(struct control_peer *out, size_t max);

#endif
