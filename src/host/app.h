/* app.h - things inside a tern process that use the sockets of one stack beside each other: the
 * built-in site, the gateway, a connection of `tern connect`.
 *
 * Each socket's `user` points to a struct app, the first member of whatever owns it; whoever
 * collects the stack's events passes each to its app.
 */
#ifndef TERN_HOST_APP_H
#define TERN_HOST_APP_H

#include "tern/tern.h"

struct app {
    void (*event)(struct app *app, const tern_event *ev);
};

/* `ev->user` is an app. */
static inline void app_event(const tern_event *ev)
{
    struct app *app = ev->user;
    if (app)
        app->event(app, ev);
}

#endif
