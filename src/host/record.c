/* record.c - see record.h. */
#include "host/record.h"

#include "watch/capture.h"
#include "watch/timeline.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_ROOM = 1 << 16 };
#define FLUSH_NS UINT64_C(200000000) /* a capture that is being watched is this late at most */

struct record {
    struct record_config cfg;
    struct timeline *line;
    char *text; /* of the time line, not written yet */
    size_t text_len;
    bool line_failed;
    FILE *file; /* of the capture; NULL: there is none, or it has ended */
    struct capture *capture;
    uint64_t flush_at;
};

/* ---- the time line's text -------------------------------------------------------------------- */

static void say(struct record *r, const char *what, int err)
{
    char text[256];

    if (!r->cfg.say)
        return;
    snprintf(text, sizeof text, "%s ends here: %s", what, strerror(err));
    r->cfg.say(r->cfg.user, text);
}

static void text_out(struct record *r)
{
    size_t done = 0;

    while (done < r->text_len && !r->line_failed) {
        ssize_t n = write(r->cfg.timeline_fd, r->text + done, r->text_len - done);
        struct pollfd room = {.fd = r->cfg.timeline_fd, .events = POLLOUT};
        if (n > 0) {
            done += (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            (void)poll(&room, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            r->line_failed = true;
            say(r, "the time line", errno);
        }
    }
    r->text_len = 0;
}

static void text_add(void *user, const char *text, size_t len)
{
    struct record *r = user;

    while (r->cfg.timeline_fd >= 0 && len != 0) {
        size_t n = TEXT_ROOM - r->text_len < len ? TEXT_ROOM - r->text_len : len;
        memcpy(r->text + r->text_len, text, n);
        r->text_len += n;
        text += n;
        len -= n;
        if (r->text_len == TEXT_ROOM)
            text_out(r);
    }
}

static void process_of(void *user, const tern_addr *local, const tern_addr *peer, char *out,
                       size_t cap)
{
    struct record *r = user;

    out[0] = 0;
    if (r->cfg.process)
        r->cfg.process(r->cfg.user, local, peer, out, cap);
}

/* ---- the capture ----------------------------------------------------------------------------- */

static void capture_end(struct record *r, int err)
{
    if (!r->file)
        return;
    if (fclose(r->file) != 0 && err == 0)
        err = errno;
    r->file = NULL;
    if (err)
        say(r, r->cfg.pcapng, err);
}

static bool capture_write(void *user, const void *p, size_t len)
{
    struct record *r = user;

    errno = 0;
    if (r->file && fwrite(p, 1, len, r->file) != len)
        capture_end(r, errno ? errno : EIO);
    return r->file != NULL;
}

/* ---- what is told ---------------------------------------------------------------------------- */

static const enum timeline_fate fates[] = {
    [LAB_LOST] = TIMELINE_LOST,         [LAB_DROPPED] = TIMELINE_DROPPED,
    [LAB_OVERFLOW] = TIMELINE_OVERFLOW, [LAB_TOO_BIG] = TIMELINE_TOO_BIG,
    [LAB_ARRIVED] = TIMELINE_ARRIVED,   [LAB_PROCESSED] = TIMELINE_PROCESSED,
};

_Static_assert((int)LAB_DUPLICATE == (int)TIMELINE_DUPLICATE, "marks are the same bits");
_Static_assert((int)LAB_CORRUPTED == (int)TIMELINE_CORRUPTED, "marks are the same bits");
_Static_assert((int)LAB_LATE == (int)TIMELINE_LATE, "marks are the same bits");

void record_tap(void *record, const struct lab_event *event)
{
    struct record *r = record;
    struct timeline_packet p = {.id = event->id,
                                .sent = event->sent,
                                .now = event->now,
                                .from = event->dir,
                                .marks = event->marks,
                                .data = event->data,
                                .len = event->len};

    if (event->fate == LAB_SENT) {
        if (r->line)
            timeline_sent(r->line, &p);
        if (r->capture)
            capture_sent(r->capture, &p);
        return;
    }
    if (r->line)
        timeline_fate(r->line, &p, fates[event->fate]);
    if (r->capture)
        capture_fate(r->capture, &p, fates[event->fate]);
}

void record_trace(void *record, int host, const tern_trace *trace)
{
    struct record *r = record;

    if (r->line)
        timeline_trace(r->line, host, trace);
    if (r->capture)
        capture_trace(r->capture, host, trace);
}

void record_work(struct record *r, uint64_t now)
{
    if (r->line && timeline_due(r->line) <= now)
        timeline_flush(r->line, now);
    text_out(r);
    if (r->capture)
        capture_flush(r->capture);
    if (!r->file)
        return;
    if (r->flush_at == 0)
        r->flush_at = now + FLUSH_NS;
    if (now < r->flush_at)
        return;
    r->flush_at = 0;
    errno = 0;
    if (fflush(r->file) != 0)
        capture_end(r, errno);
}

uint64_t record_deadline(const struct record *r)
{
    return r->line ? timeline_due(r->line) : TERN_NEVER;
}

const struct timeline *record_timeline(const struct record *r) { return r->line; }

/* ---- beginning and end ----------------------------------------------------------------------- */

static int capture_begin(struct record *r, uint64_t now)
{
    struct capture_config conf = {.application = r->cfg.application,
                                  .name = {"client", "server"},
                                  .end = {r->cfg.pcapng_end != RECORD_SERVER,
                                          r->cfg.pcapng_end != RECORD_CLIENT},
                                  .start = now,
                                  .write = capture_write,
                                  .user = r};
    struct timespec t;

    r->file = fopen(r->cfg.pcapng, "wbe");
    if (!r->file)
        return -errno;
    clock_gettime(CLOCK_REALTIME, &t);
    conf.unix_start = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
    r->capture = capture_new(&conf);
    return r->capture ? 0 : -ENOMEM;
}

int record_new(struct record **out, const struct record_config *cfg, uint64_t now)
{
    struct record *r = calloc(1, sizeof *r);
    struct timeline_config line = {.width = cfg->width,
                                   .colour = cfg->colour,
                                   .utf8 = cfg->utf8,
                                   .start = now,
                                   .msl = cfg->msl,
                                   .write = text_add,
                                   .process = process_of,
                                   .user = r};
    int err = 0;

    if (!r)
        return -ENOMEM;
    r->cfg = *cfg;
    r->text = malloc(TEXT_ROOM);
    if (cfg->timeline_fd >= 0 || cfg->facts)
        r->line = timeline_new(&line);
    if (!r->text || (!r->line && (cfg->timeline_fd >= 0 || cfg->facts)))
        err = -ENOMEM;
    else if (cfg->pcapng)
        err = capture_begin(r, now);
    if (err) {
        r->line_failed = true;
        record_free(r, now);
        return err;
    }
    *out = r;
    return 0;
}

void record_free(struct record *r, uint64_t now)
{
    if (!r)
        return;
    if (r->line)
        timeline_free(r->line, now);
    if (r->text)
        text_out(r);
    if (r->capture)
        capture_free(r->capture);
    capture_end(r, 0);
    free(r->text);
    free(r);
}
