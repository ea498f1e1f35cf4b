/* control_ask.c - see control_ask.h. */
#include "host/control_ask.h"

#include "host/control.h"
#include "host/control_dir.h"
#include "host/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 4 * CONTROL_REPLY_LINE, MS = 1000000 };

struct talk {
    struct control_answer *answer;
    int fd; /* -1: it is over */
    size_t len, taken;
    char buf[BUFFER];
};

__attribute__((format(printf, 2, 3))) static void over(struct talk *t, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(t->answer->wrong, sizeof t->answer->wrong, format, args);
    va_end(args);
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void first_line(struct talk *t, json_t *o)
{
    const char *error = json_string_value(json_object_get(o, "error"));

    if (error)
        over(t, "answers: %.80s", error);
    else if (json_integer_value(json_object_get(o, "tern")) != CONTROL_VERSION)
        over(t, "does not speak tern's protocol");
    else
        t->answer->head = json_incref(o);
}

static void line(struct talk *t, const char *text, size_t len)
{
    json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(o))
        over(t, "does not speak tern's protocol");
    else if (!t->answer->head)
        first_line(t, o);
    else if (json_is_true(json_object_get(o, "end")))
        over(t, "%s", "");
    else if (json_object_get(o, "state"))
        (void)json_array_append(t->answer->sockets, o);
    else if (json_object_get(o, "counters"))
        (void)json_array_append(t->answer->counters, o);
    json_decref(o);
}

static void lines(struct talk *t)
{
    size_t at = 0;
    const char *end;

    while (t->fd >= 0 && (end = memchr(t->buf + at, '\n', t->len - at))) {
        line(t, t->buf + at, (size_t)(end - t->buf) - at);
        at = (size_t)(end - t->buf) + 1;
    }
    t->len -= at;
    memmove(t->buf, t->buf + at, t->len);
}

static void hear(struct talk *t)
{
    if (t->len == sizeof t->buf || t->taken > CONTROL_ASK_BYTES) {
        over(t, "says more than it may");
        return;
    }
    ssize_t n = recv(t->fd, t->buf + t->len, sizeof t->buf - t->len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        over(t, "ended in the middle of its answer");
        return;
    }
    t->len += (size_t)n;
    t->taken += (size_t)n;
    lines(t);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void begin(struct talk *t, struct control_answer *a, const struct control_peer *peer,
                  const char *words)
{
    char request[CONTROL_REQUEST_MAX];
    int len = snprintf(request, sizeof request, "tern/%d %s\n", CONTROL_VERSION, words);

    t->answer = a;
    t->fd = peer->fd;
    a->pid = peer->pid;
    a->sockets = json_array();
    a->counters = json_array();
    if (t->fd == -EAGAIN) /* its queue of clients is full */
        over(t, "does not answer");
    else if (t->fd < 0)
        over(t, "cannot be asked: %s", strerror(-t->fd));
    else if (send(t->fd, request, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) != len)
        over(t, "does not listen");
}

static bool wait_for(struct talk *talks, size_t n, struct pollfd *polls, uint64_t deadline)
{
    uint64_t now = loop_clock();
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        polls[i] = (struct pollfd){.fd = talks[i].fd, .events = POLLIN};
        any |= talks[i].fd >= 0;
    }
    if (!any || now >= deadline)
        return false;
    return poll(polls, n, (int)((deadline - now) / MS) + 1) > 0 || errno == EINTR;
}

static void talk_to_all(struct talk *talks, size_t n, struct pollfd *polls, uint64_t timeout_ns)
{
    uint64_t deadline = loop_clock() + timeout_ns;

    while (wait_for(talks, n, polls, deadline))
        for (size_t i = 0; i < n; i++)
            if (polls[i].revents && talks[i].fd >= 0)
                hear(&talks[i]);
    for (size_t i = 0; i < n; i++)
        if (talks[i].fd >= 0)
            over(&talks[i], "does not answer in time");
}

size_t control_ask(struct control_answer **out, const char *words, uint64_t timeout_ns)
{
    struct control_peer peers[CONTROL_ASK_MAX];
    size_t n = control_dir_connect(peers, CONTROL_ASK_MAX);
    struct control_answer *answers = calloc(n + 1, sizeof *answers);
    struct talk *talks = calloc(n + 1, sizeof *talks);
    struct pollfd *polls = calloc(n + 1, sizeof *polls);

    *out = NULL;
    if (!answers || !talks || !polls) {
        for (size_t i = 0; i < n; i++)
            if (peers[i].fd >= 0)
                close(peers[i].fd);
        free(answers);
        answers = NULL;
        n = 0;
    }
    for (size_t i = 0; i < n; i++)
        begin(&talks[i], &answers[i], &peers[i], words);
    if (n > 0)
        talk_to_all(talks, n, polls, timeout_ns);
    free(talks);
    free(polls);
    if (n > 0)
        *out = answers;
    else
        free(answers);
    return n;
}

void control_answers_free(struct control_answer *answers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_decref(answers[i].head);
        json_decref(answers[i].sockets);
        json_decref(answers[i].counters);
    }
    free(answers);
}
