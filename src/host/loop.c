/* loop.c - the epoll loop.
 *
 * Sleeping is precise to what the kernel's timers give: epoll_pwait2() (Linux 5.11) takes
 * nanoseconds; before that a timerfd in the same set does, as epoll_wait() only knows milliseconds.
 */
#include "host/loop.h"

#include "host/run_caps.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000u

struct loop {
    int epoll_fd;
    bool pwait2;
    struct loop_fd timer; /* fd -1 with pwait2 */
    uint64_t timer_at;    /* what the timer is set to */
    struct loop_fd signals;
    loop_signal_fn *signal_fn;
    void *signal_user;
    sigset_t sigmask; /* from before */
    struct loop_hook *hooks;
    uint64_t now;
    struct epoll_event batch[LOOP_BATCH]; /* what this turn reports; data.ptr NULL: deleted */
    int batch_next, batch_count;
};

uint64_t loop_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t loop_now(const struct loop *l) { return l->now; }

static void timer_ready(void *user, uint32_t events)
{
    struct loop *l = user;
    uint64_t count;

    (void)events;
    if (read(l->timer.fd, &count, sizeof count) > 0)
        l->timer_at = LOOP_NEVER;
}

static bool pwait2_works(int epoll_fd)
{
    struct epoll_event ev;
    struct timespec zero = {0, 0};

    if (run_caps_disabled("epoll_pwait2"))
        return false;
    return epoll_pwait2(epoll_fd, &ev, 1, &zero, NULL) >= 0;
}

int loop_new(struct loop **out)
{
    struct loop *l = calloc(1, sizeof *l);

    if (!l)
        return -ENOMEM;
    l->timer.fd = l->signals.fd = -1;
    l->timer_at = LOOP_NEVER;
    l->now = loop_clock();
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll_fd < 0)
        goto fail;
    l->pwait2 = pwait2_works(l->epoll_fd);
    if (!l->pwait2) {
        l->timer = (struct loop_fd){.ready = timer_ready, .user = l};
        l->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (l->timer.fd < 0 || loop_add(l, &l->timer, EPOLLIN) < 0)
            goto fail;
    }
    *out = l;
    return 0;
fail:;
    int err = -errno;
    loop_free(l);
    return err;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    if (l->signals.fd >= 0) {
        close(l->signals.fd);
        sigprocmask(SIG_SETMASK, &l->sigmask, NULL);
    }
    if (l->timer.fd >= 0)
        close(l->timer.fd);
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
    free(l);
}

static int control(struct loop *l, int op, struct loop_fd *w, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = w};

    return epoll_ctl(l->epoll_fd, op, w->fd, &ev) < 0 ? -errno : 0;
}

int loop_add(struct loop *l, struct loop_fd *w, uint32_t events)
{
    assert(w->ready);
    return control(l, EPOLL_CTL_ADD, w, events);
}

int loop_change(struct loop *l, struct loop_fd *w, uint32_t events)
{
    return control(l, EPOLL_CTL_MOD, w, events);
}

void loop_del(struct loop *l, struct loop_fd *w)
{
    (void)control(l, EPOLL_CTL_DEL, w, 0);
    for (int i = l->batch_next; i < l->batch_count; i++)
        if (l->batch[i].data.ptr == w)
            l->batch[i].data.ptr = NULL;
}

void loop_hook_add(struct loop *l, struct loop_hook *h)
{
    struct loop_hook **at = &l->hooks;

    while (*at)
        at = &(*at)->next;
    h->next = NULL;
    *at = h;
}

void loop_hook_del(struct loop *l, struct loop_hook *h)
{
    for (struct loop_hook **at = &l->hooks; *at; at = &(*at)->next)
        if (*at == h) {
            *at = h->next;
            return;
        }
}

static void signals_ready(void *user, uint32_t events)
{
    struct loop *l = user;
    struct signalfd_siginfo info;

    (void)events;
    if (read(l->signals.fd, &info, sizeof info) == (ssize_t)sizeof info)
        l->signal_fn(l->signal_user, &info);
}

int loop_signals(struct loop *l, const sigset_t *set, loop_signal_fn *fn, void *user)
{
    assert(l->signals.fd < 0);
    int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    l->signals = (struct loop_fd){.fd = fd, .ready = signals_ready, .user = l};
    l->signal_fn = fn;
    l->signal_user = user;
    sigprocmask(SIG_BLOCK, set, &l->sigmask);
    return loop_add(l, &l->signals, EPOLLIN);
}

const sigset_t *loop_sigmask(const struct loop *l) { return &l->sigmask; }

static uint64_t deadline(const struct loop *l, uint64_t until)
{
    for (const struct loop_hook *h = l->hooks; h; h = h->next) {
        uint64_t at = h->deadline(h->user);
        until = at < until ? at : until;
    }
    return until;
}

static int wait_timerfd(struct loop *l, uint64_t until, bool at_once)
{
    if (!at_once && until != l->timer_at) {
        struct itimerspec it = {.it_value = {0, 0}};
        if (until != LOOP_NEVER) {
            it.it_value.tv_sec = (time_t)(until / NS_PER_S);
            it.it_value.tv_nsec = (long)(until % NS_PER_S);
        }
        if (timerfd_settime(l->timer.fd, TFD_TIMER_ABSTIME, &it, NULL) < 0)
            return -1;
        l->timer_at = until;
    }
    return epoll_wait(l->epoll_fd, l->batch, LOOP_BATCH, at_once ? 0 : -1);
}

static int wait_pwait2(struct loop *l, uint64_t until, uint64_t now)
{
    struct timespec t = {0, 0};

    if (until > now) {
        t.tv_sec = (time_t)((until - now) / NS_PER_S);
        t.tv_nsec = (long)((until - now) % NS_PER_S);
    }
    return epoll_pwait2(l->epoll_fd, l->batch, LOOP_BATCH, until == LOOP_NEVER ? NULL : &t, NULL);
}

int loop_turn(struct loop *l, uint64_t until)
{
    until = deadline(l, until);
    uint64_t now = until ? loop_clock() : 0;
    int n = l->pwait2 ? wait_pwait2(l, until, now) : wait_timerfd(l, until, until <= now);

    l->now = loop_clock();
    if (n < 0 && errno != EINTR)
        return -errno;
    l->batch_count = n > 0 ? n : 0;
    for (l->batch_next = 0; l->batch_next < l->batch_count;) {
        struct epoll_event *ev = &l->batch[l->batch_next++];
        struct loop_fd *w = ev->data.ptr;
        if (w)
            w->ready(w->user, ev->events);
    }
    l->batch_count = l->batch_next = 0;
    for (struct loop_hook *h = l->hooks, *next; h; h = next) {
        next = h->next;
        h->work(h->user, l->now);
    }
    return 0;
}
