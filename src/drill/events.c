/* events.c - calls, those that wait too, and code. */
#include "drill/play.h"

#include "drill/symbols.h"
#include "drill/tcpinfo.h"

#include <stdlib.h>
#include <string.h>

#define CALL_WAIT_MAX (4 * 3600 * NS_PER_S)

static bool call_failed(struct play *p, const struct drill_event *e, struct drill_calling *c)
{
    const char *why = drill_string(&c->why);
    if (p->conf.non_fatal_call) {
        drill_print(&p->result->message, "%s:%u: warning in %s call: %s\n", p->script->path,
                    e->pos.line, c->call->name, why);
        return true;
    }
    return play_fail(p, e, "runtime error in %s call: %s", c->call->name, why);
}

static void trace_call(struct play *p, const struct drill_calling *c, int64_t result)
{
    const char *error = result < 0 ? drill_errno_name(-result) : NULL;
    play_trace(p, "%9.6f   %s() = %lld%s%s", (double)play_now(p) / 1e9, c->call->name,
               (long long)(result < 0 ? -1 : result), error ? " " : "", error ? error : "");
}

static void keep_fd(struct play *p, const struct drill_calling *c, int64_t result, int fd)
{
    if (fd >= 0 && result >= 0)
        p->names.live_fd[fd] = (int)result;
    const struct drill_expr *arg = c->call->args;
    if (c->nr == DRILL_NR_close && result == 0 && arg->kind == EXPR_INT && arg->number >= 0 &&
        arg->number < DRILL_FDS_MAX)
        p->names.live_fd[arg->number] = -1;
    if ((c->nr == DRILL_NR_pipe || c->nr == DRILL_NR_pipe2) && result == 0) {
        const struct drill_expr *x = arg->first;
        const int *live = (const int *)c->args[0];
        for (int i = 0; i < 2 && x; i++, x = x->next)
            if (x->kind == EXPR_INT && x->number >= 0 && x->number < DRILL_FDS_MAX)
                p->names.live_fd[x->number] = live[i];
    }
}

/* A call has returned. */
static bool call_done(struct play *p, const struct drill_event *e, struct drill_calling *c)
{
    int64_t result = p->sut->ops->result(p->sut);
    int fd;
    bool fine = drill_call_verify(c, result, &fd);
    trace_call(p, c, result);
    keep_fd(p, c, result, fd);
    peer_after_call(p, c, result, fd);
    if (!fine)
        return call_failed(p, e, c);
    p->result->checks.calls++;
    return true;
}

static void calling_free(struct drill_calling *c)
{
    drill_calling_free(c);
    free(c);
}

bool play_call_poll(struct play *p)
{
    struct drill_calling *c = p->pending;
    if (!c || p->sut->ops->busy(p->sut))
        return true;
    p->pending = NULL;
    bool fine = call_done(p, p->pending_event, c);
    if (fine && !play_on_time(p, p->pending_end, p->pending_end, play_now(p))) {
        call_fail(c,
                  "timing error: expected system call return at %.6f sec but happened at "
                  "%.6f sec; tolerance %.6f sec",
                  (double)p->pending_end / 1e9, (double)play_now(p) / 1e9,
                  (double)p->conf.tolerance / 1e9);
        fine = call_failed(p, p->pending_event, c);
    }
    calling_free(c);
    return fine;
}

static bool wait_idle(struct play *p, const char *name, const struct drill_event *e)
{
    int64_t limit = play_now(p) + CALL_WAIT_MAX;
    while (p->sut->ops->busy(p->sut) && play_now(p) < limit)
        play_step(p, limit);
    return !p->sut->ops->busy(p->sut) ||
           play_fail(p, e, "runtime error in %s call: it does not return", name);
}

bool play_call_finish(struct play *p)
{
    if (!p->pending)
        return true;
    const struct drill_event *e = p->pending_event;
    return wait_idle(p, p->pending->call->name, e) && play_call_poll(p);
}

bool play_call(struct play *p, const struct drill_event *e, int64_t from, int64_t end)
{
    struct drill_calling *c = calloc(1, sizeof(*c));
    bool fine;
    (void)from;
    if (!c)
        abort();
    c->names = &p->names;
    c->call = e->call;
    if (!drill_call_prepare(c)) {
        fine = call_failed(p, e, c);
        calling_free(c);
        return fine && p->conf.non_fatal_call;
    }
    peer_before_call(p, c);
    bool done = p->sut->ops->call(p->sut, c->nr, c->args);
    if (e->call->blocking) {
        p->pending = c;
        p->pending_event = e;
        p->pending_end = end;
        if (!done)
            play_trace(p, "%9.6f   %s() ...", (double)play_now(p) / 1e9, e->call->name);
        return play_call_poll(p);
    }
    fine = (done || wait_idle(p, e->call->name, e)) && call_done(p, e, c);
    if (p->sut->ops->busy(p->sut))
        p->pending = c; /* its memory is in use until the end */
    else
        calling_free(c);
    return fine;
}

/* ---- code ------------------------------------------------------------------------------------ */

/* The socket that code looks at: the one under test, or the newest that is open. */
static int code_fd(const struct play *p)
{
    if (p->under_test && p->under_test->script_fd >= 0)
        return p->under_test->script_fd;
    for (const struct peer *peer = p->peers; peer; peer = peer->next)
        if (peer->script_fd >= 0)
            return peer->script_fd;
    return -1;
}

struct looking {
    const void *info; /* TCP_INFO, or NULL */
};

static bool look_up(void *user, const char *name, int64_t *value)
{
    const struct looking *l = user;
    if (l->info && strncmp(name, "tcpi_", 5) == 0 && drill_tcp_info_field(l->info, name, value))
        return true;
    return drill_symbol(name, value);
}

bool play_code(struct play *p, const struct drill_event *e)
{
    char info[DRILL_TCP_INFO_SIZE] = {0};
    int len = sizeof(info), fd = code_fd(p);
    struct looking looking = {NULL};
    struct drill_text error = {0};
    unsigned before = p->code.asserted;
    if (fd >= 0) {
        const intptr_t args[6] = {p->names.live_fd[fd], 6, 11, (intptr_t)info, (intptr_t)&len};
        bool alone = !p->sut->ops->busy(p->sut);
        bool done = p->sut->ops->call(p->sut, DRILL_NR_getsockopt, args);
        if (!done && alone && !wait_idle(p, "getsockopt", e))
            return false;
        if (p->sut->ops->result(p->sut) == 0)
            looking.info = info;
        if (p->names.bsd)
            drill_tcp_info_bsd(info);
    }
    p->code.lookup = look_up;
    p->code.user = &looking;
    bool fine = drill_code_run(&p->code, e->text, &error);
    p->result->checks.assertions += p->code.asserted - before;
    if (!fine && p->request->record) {
        drill_print(&p->result->message, "%s:%u: %s\n", p->script->path, e->pos.line,
                    drill_string(&error));
        fine = true;
    } else if (!fine) {
        size_t n = strcspn(e->text, "\n");
        play_fail(p, e, "error executing code: '%.*s': %s", (int)n, e->text, drill_string(&error));
    }
    drill_text_free(&error);
    return fine;
}
