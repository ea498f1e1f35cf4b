/* fuzz_drill.c - the readers of the drill: scripts, code, and packets.
 *
 * Input: which of them, then its text. A packet of a script that could be read is written and taken
 * apart again. */
#include "fuzz.h"

#include "drill/code.h"
#include "drill/packet.h"
#include "drill/script.h"

static uint8_t bytes[DRILL_PACKET_MAX + 64];

static void write_packet(const struct drill_packet *p)
{
    struct drill_flow flow = {.src = {[15] = 1}, .dst = {[15] = 2}, .sport = 1, .dport = 2}, got;
    struct drill_quoted quoted = {.flow = flow};
    struct drill_packet back;
    struct drill_text t = {0};
    const char *why;
    drill_show_packet(&t, p);
    drill_text_free(&t);
    size_t len = drill_encode(p, &flow, &quoted, bytes, &why);
    CHECK(len <= DRILL_PACKET_MAX);
    if (len == 0)
        return;
    const char *bad = drill_decode(bytes, len, &back, &got);
    CHECK(p->proto != DRILL_TCP || bad == NULL || p->flags == 0 || p->opts != DRILL_OPTS_NONE ||
          !p->has_ack || !(p->flags & DRILL_ACK));
}

static void read_script(const char *text, size_t len)
{
    struct drill_script s;
    if (drill_read(&s, "fuzz.pkt", text, len)) {
        for (const struct drill_event *e = s.events; e; e = e->next)
            if (e->kind == DRILL_PACKET)
                write_packet(e->packet);
    } else {
        CHECK(s.error[0] != '\0');
    }
    drill_script_free(&s);
}

static void run_code(const char *text)
{
    struct drill_code code = {.lookup = NULL};
    struct drill_text error = {0};
    CHECK(drill_code_run(&code, text, &error) == (error.len == 0));
    drill_code_free(&code);
    drill_text_free(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t which = fuzz_u8(&in);
    struct drill_packet packet;
    struct drill_flow flow;
    if (which == 'p') {
        size_t len;
        uint8_t *p = fuzz_rest(&in, 4096, &len);
        if (drill_decode(p, len, &packet, &flow) == NULL) {
            struct drill_text t = {0};
            drill_show_packet(&t, &packet);
            drill_text_free(&t);
        }
        free(p);
        return 0;
    }
    char *text = malloc(in.left + 1);
    CHECK(text != NULL);
    memcpy(text, in.p, in.left);
    text[in.left] = '\0';
    if (which == 'c')
        run_code(text);
    else
        read_script(text, in.left);
    free(text);
    return 0;
}
