/* run_control.h - what a program runner can tell of its stack's sockets (control.h). */
#ifndef TERN_HOST_RUN_CONTROL_H
#define TERN_HOST_RUN_CONTROL_H

#include "host/control.h"

/* For struct control_stack.look, of a stack that run_tern.h drives. Recv-Q becomes what the program
 * has not read, wherever it is; Send-Q what it has written and is not acknowledged; a listener's
 * are its accept queue and its backlog. `user` is not used. */
void run_control_look(void *user, tern_entry *e, struct control_owner *who);

#endif
