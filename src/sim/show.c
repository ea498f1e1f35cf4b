/* show.c - a world's time line and its capture. */
#include <stdlib.h>

#include "sim/play.h"
#include "watch/capture.h"
#include "watch/timeline.h"

struct show {
    struct sim_sink sink;
    struct timeline *line;
    struct capture *capture;
};

static void on_text(void *user, const char *text, size_t len)
{
    struct show *w = user;
    w->sink.text(w->sink.user, text, len);
}

static bool on_block(void *user, const void *block, size_t len)
{
    struct show *w = user;
    return w->sink.capture(w->sink.user, block, len);
}

struct show *show_new(const struct sim_sink *sink)
{
    struct show *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return NULL;
    w->sink = *sink;
    if (sink->text != NULL)
        w->line = timeline_new(&(struct timeline_config){
            .width = 100, .start = LAB_PAIR_START, .msl = 30 * SIM_S, .write = on_text, .user = w});
    if (sink->capture != NULL)
        w->capture =
            capture_new(&(struct capture_config){.application = "tern sim",
                                                 .name = {"host 0", "host 1"},
                                                 .end = {!sink->unseen[0], !sink->unseen[1]},
                                                 .start = LAB_PAIR_START,
                                                 .write = on_block,
                                                 .user = w});
    return w;
}

void show_packet(struct show *w, const struct lab_event *ev)
{
    static const uint8_t fates[] = {
        [LAB_LOST] = TIMELINE_LOST,         [LAB_DROPPED] = TIMELINE_DROPPED,
        [LAB_OVERFLOW] = TIMELINE_OVERFLOW, [LAB_TOO_BIG] = TIMELINE_TOO_BIG,
        [LAB_ARRIVED] = TIMELINE_ARRIVED,   [LAB_PROCESSED] = TIMELINE_PROCESSED};
    static const uint8_t marks[][2] = {{LAB_DUPLICATE, TIMELINE_DUPLICATE},
                                       {LAB_CORRUPTED, TIMELINE_CORRUPTED},
                                       {LAB_LATE, TIMELINE_LATE}};
    struct timeline_packet p = {.id = ev->id,
                                .sent = ev->sent,
                                .now = ev->now,
                                .from = ev->dir,
                                .data = ev->data,
                                .len = ev->len};
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (ev->marks & marks[i][0])
            p.marks |= marks[i][1];
    if (w->line != NULL && timeline_due(w->line) <= ev->now)
        timeline_flush(w->line, ev->now);
    if (ev->fate == LAB_SENT) {
        if (w->line != NULL)
            timeline_sent(w->line, &p);
        if (w->capture != NULL)
            capture_sent(w->capture, &p);
        return;
    }
    if (w->line != NULL)
        timeline_fate(w->line, &p, fates[ev->fate]);
    if (w->capture != NULL)
        capture_fate(w->capture, &p, fates[ev->fate]);
}

void show_trace(struct show *w, int host, const tern_trace *record)
{
    if (w->line != NULL)
        timeline_trace(w->line, host, record);
    if (w->capture != NULL)
        capture_trace(w->capture, host, record);
}

void show_free(struct show *w, uint64_t now)
{
    if (w == NULL)
        return;
    timeline_free(w->line, now);
    capture_free(w->capture);
    free(w);
}
