/* run_control.c - see run_control.h. */
#include "host/run_control.h"

#include <string.h>

#include "host/run.h"
#include "host/run_tern.h"

static void conn_queues(tern_entry *e, const struct run_tern_view *v)
{
    /* The stack knows of what lies in the pair by whole writes; the socket itself to the byte. */
    int64_t unread = v->unread ? run_unread((void *)(uintptr_t)v->user) : -1;

    if (unread >= 0 && unread <= v->unread && v->unread <= e->recv_q)
        e->recv_q = e->recv_q - v->unread + (uint32_t)unread;
    e->send_q += v->unsent;
}

void run_control_look(void *user, tern_entry *e, struct control_owner *who)
{
    struct run_tern_view v = run_tern_look(e->user);
    struct run_owner owner = {.pid = 0};

    (void)user;
    who->pid = 0;
    if (!v.user)
        return;
    run_owner_find((void *)(uintptr_t)v.user, v.listener, &owner);
    if (e->state == TERN_LISTEN) {
        e->recv_q = v.waiting + run_queued(v.user);
        e->send_q = v.backlog;
    } else if (!v.listener) {
        conn_queues(e, &v);
    }
    who->pid = owner.pid;
    memcpy(who->name, owner.name, sizeof who->name);
}
