/* fuzz_pcapfile.c - a capture file, read, followed, judged and explained as `tern explain` does.
 *
 * Input: the file, pcap or pcapng. Whatever it holds: packets lie within what was read, each is
 * counted at one end of one connection or as ignored, and every sentence about it is text.
 */
#include "fuzz.h"

#include "host/pcapfile.h"
#include "watch/timeline.h"
#include "watch/verdict.h"

enum { PACKETS = 4000 };

static void on_sentence(void *user, const char *sentence)
{
    (void)user;
    CHECK(sentence[0] != '\0' && strchr(sentence, '\n') == NULL && strchr(sentence, '{') == NULL);
}

static void on_finding(void *user, const struct follow_finding *f)
{
    struct verdict_sink sink = {.say = on_sentence};
    uint64_t *findings = user;
    ++*findings;
    verdict_finding(f, &sink);
}

static void on_write(void *user, const char *text, size_t len)
{
    (void)user;
    CHECK(len != 0 && text[len - 1] == '\n' && memchr(text, '\033', len) == NULL);
}

static void line_packet(struct timeline *t, const struct follow_result *r,
                        const struct follow_packet *p)
{
    struct timeline_packet packet = {.id = p->number,
                                     .sent = p->time,
                                     .now = p->time,
                                     .from = r->from,
                                     .data = p->data,
                                     .have = p->have,
                                     .len = p->len};
    if (timeline_due(t) <= p->time)
        timeline_flush(t, p->time);
    timeline_sent(t, &packet);
    timeline_fate(t, &packet, TIMELINE_ARRIVED);
    timeline_fate(t, &packet, TIMELINE_PROCESSED);
}

static void conclude(const struct follow *f, uint64_t packets, uint64_t now)
{
    struct verdict_sink sink = {.say = on_sentence};
    char title[VERDICT_TITLE];
    uint64_t followed = follow_ignored(f);
    for (uint32_t i = 0; i < follow_count(f); i++) {
        const struct follow_conn *k = follow_conn(f, i);
        followed += k->end[0].segments + k->end[1].segments;
        on_sentence(NULL, verdict_title(k, title));
        verdict_states(k, now, &sink);
        verdict_conn(k, now, &sink);
    }
    CHECK(followed <= packets); /* ICMP errors are neither */
    verdict_all(f, &sink);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[PCAPFILE_ERROR] = "";
    uint64_t findings = 0, packets = 0, now = 0, count = 0;
    FILE *file = size != 0 ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
    if (file == NULL)
        return 0;
    struct pcapfile *in = pcapfile_read(file, size % 3 == 0 ? "tcp or icmp" : NULL, error);
    if (in == NULL) {
        CHECK(error[0] != '\0');
        return 0;
    }
    struct follow *f = follow_new(&(struct follow_config){.trust = RULE_ALL | RULE_WIRE,
                                                          .finding = on_finding,
                                                          .user = &findings});
    struct timeline *line =
        timeline_new(&(struct timeline_config){.width = 100, .write = on_write});
    struct pcapfile_packet p;
    struct follow_result r;
    CHECK(f != NULL && line != NULL);
    while (packets < PACKETS && pcapfile_next(in, &p, error) == 1) {
        struct follow_packet packet = {
            .time = p.time, .number = ++packets, .data = p.data, .have = p.have, .len = p.len};
        CHECK(p.have <= p.len && p.have <= size);
        now = p.time > now ? p.time : now;
        follow_packet(f, &packet, &r);
        if (r.conn != NULL)
            line_packet(line, &r, &packet);
    }
    conclude(f, packets, now);
    for (uint32_t i = 0; i < follow_count(f); i++)
        count += follow_conn(f, i)->violations;
    CHECK(count == findings);
    timeline_free(line, now);
    follow_free(f);
    pcapfile_close(in);
    return 0;
}
