/* fuzz_timeline.c - packets, what becomes of them and records of the stacks, in any order, told
 * to a time line and a capture.
 *
 * Input: the width, flags (bit 0: colours, 1: UTF-8, 2 and 3: which ends are captured), then
 * steps: a byte says what, those after it the rest. Whatever happens, no line is wider than the
 * columns, nothing but text and our own colours is written, and the capture consists of whole
 * blocks.
 */
#include "fuzz.h"

#include "watch/capture.h"
#include "watch/text.h"
#include "wire/icmp.h"
#include "wire/tcp.h"

enum { PACKETS = 16, BYTES = 128, STEPS = 4000 };

struct sent {
    struct timeline_packet p;
    uint8_t data[BYTES];
};

struct world {
    struct fuzz_input in;
    struct timeline *line;
    struct capture *capture;
    uint64_t now, ids;
    uint32_t width;
    bool colour, utf8;
    struct sent sent[PACKETS];
};

/* ---- what is written ------------------------------------------------------------------------- */

/* Skips one of our own colours. */
static size_t colour_at(const struct world *w, const char *s)
{
    if (!w->colour || s[0] != '\033' || s[1] != '[')
        return 0;
    size_t n = 2 + strspn(s + 2, "0123456789");
    return s[n] == 'm' ? n + 1 : 0;
}

static void on_write(void *user, const char *text, size_t len)
{
    const struct world *w = user;
    char line[4096];
    size_t at = 0;
    CHECK(len != 0 && text[len - 1] == '\n' && memchr(text, '\0', len) == NULL);
    for (size_t i = 0; i < len;) {
        size_t skip = colour_at(w, text + i);
        if (skip != 0) {
            i += skip;
            continue;
        }
        uint8_t c = (uint8_t)text[i++];
        if (c == '\n') {
            line[at] = '\0';
            CHECK(text_cols(line, w->utf8) <= w->width);
            at = 0;
            continue;
        }
        CHECK(c >= 0x20 && c != 0x7f && (w->utf8 || c < 0x80) && at + 1 < sizeof(line));
        line[at++] = (char)c;
    }
}

static bool on_block(void *user, const void *p, size_t len)
{
    const uint8_t *b = p;
    (void)user;
    CHECK(len >= 12 && len % 4 == 0 && memcmp(b + 4, b + len - 4, 4) == 0);
    CHECK((b[4] | (size_t)b[5] << 8 | (size_t)b[6] << 16) == len);
    return true;
}

static void on_process(void *user, const tern_addr *local, const tern_addr *peer, char *out,
                       size_t cap)
{
    (void)user;
    (void)peer;
    snprintf(out, cap, "\033[2J%c%c[%u]", local->port & 0xff, local->port >> 8, local->port);
}

/* ---- packets --------------------------------------------------------------------------------- */

static void addresses(struct world *w, int from, struct wire_ip *ip, struct wire_tcp *tcp)
{
    static const uint8_t hosts[2][16] = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1},
                                         {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2}};
    uint16_t port = (uint16_t)(40000 + fuzz_u8(&w->in) % 64);
    memcpy(ip->src, hosts[from], 16);
    memcpy(ip->dst, hosts[!from], 16);
    tcp->sport = from == 0 ? port : 80;
    tcp->dport = from == 0 ? 80 : port;
}

static size_t tcp_packet(struct world *w, int from, uint8_t *out)
{
    struct wire_ip ip = {.version = 4, .proto = WIRE_TCP, .ttl = 64};
    struct wire_tcp tcp = {0};
    addresses(w, from, &ip, &tcp);
    tcp.flags = fuzz_u8(&w->in);
    tcp.seq = fuzz_u16(&w->in) << (fuzz_u8(&w->in) & 16);
    tcp.ack = fuzz_u16(&w->in);
    tcp.wnd = fuzz_u8(&w->in);
    uint8_t have = fuzz_u8(&w->in);
    tcp.opt.have = have & (WIRE_OPT_MSS | WIRE_OPT_WSCALE | WIRE_OPT_SACK_OK | WIRE_OPT_SACK);
    tcp.opt.mss = 1460;
    tcp.opt.wscale = have >> 4;
    tcp.opt.sack_count = 1;
    tcp.opt.sack[0] = (struct wire_sack){fuzz_u16(&w->in), fuzz_u16(&w->in)};
    size_t header = wire_tcp_write(out + WIRE_IP4_HEADER, &tcp);
    size_t len = min_size(fuzz_u8(&w->in) % 48, w->in.left);
    memcpy(out + WIRE_IP4_HEADER + header, w->in.p, len);
    w->in.p += len;
    w->in.left -= len;
    ip.payload_len = (uint16_t)(header + len);
    return wire_ip_write(out, &ip, 0) + ip.payload_len;
}

/* About the packet sent last. */
static size_t icmp_packet(struct world *w, int from, uint8_t *out)
{
    const struct sent *about = &w->sent[w->ids % PACKETS];
    struct wire_ip ip = {.version = 4, .proto = WIRE_ICMP, .ttl = 64};
    struct wire_tcp none;
    uint8_t message[WIRE_ICMP_MAX];
    addresses(w, from, &ip, &none);
    uint8_t code = fuzz_u8(&w->in) % 16;
    size_t len = wire_icmp_write_error(message, 4, 3, code, 1400, ip.src, ip.dst, about->data,
                                       min_size(about->p.len, 60));
    ip.payload_len = (uint16_t)len;
    memcpy(out + WIRE_IP4_HEADER, message, len);
    return wire_ip_write(out, &ip, 0) + len;
}

static void step_send(struct world *w, uint8_t what)
{
    uint8_t data[BYTES];
    int from = what & 1;
    size_t len;
    if ((what & 0x0e) == 0x0e) {
        len = min_size(fuzz_u8(&w->in) % BYTES, w->in.left); /* anything */
        memcpy(data, w->in.p, len);
        w->in.p += len;
        w->in.left -= len;
    } else if ((what & 0x0e) == 0x0c && w->ids != 0) {
        len = icmp_packet(w, from, data);
    } else {
        len = tcp_packet(w, from, data);
    }
    struct sent *s = &w->sent[++w->ids % PACKETS];
    memcpy(s->data, data, len);
    s->p = (struct timeline_packet){.id = w->ids,
                                    .sent = w->now,
                                    .now = w->now,
                                    .from = from,
                                    .marks = (what & 0x10) != 0 ? fuzz_u8(&w->in) & 7 : 0,
                                    .data = s->data,
                                    .len = len};
    timeline_sent(w->line, &s->p);
    capture_sent(w->capture, &s->p);
}

static void step_fate(struct world *w, uint8_t what)
{
    struct sent *s = &w->sent[fuzz_u8(&w->in) % PACKETS];
    enum timeline_fate fate = what % (TIMELINE_PROCESSED + 1);
    if (s->p.data == NULL)
        return;
    s->p.now = w->now;
    timeline_fate(w->line, &s->p, fate);
    capture_fate(w->capture, &s->p, fate);
}

static void step_record(struct world *w, uint8_t what)
{
    struct wire_ip ip;
    struct wire_tcp tcp;
    int end = what & 1;
    addresses(w, end, &ip, &tcp);
    tern_trace r = {.now = w->now, .kind = what >> 1 & 3, .local.port = tcp.sport};
    memcpy(r.local.ip, ip.src, 16);
    memcpy(r.peer.ip, ip.dst, 16);
    r.peer.port = tcp.dport;
    r.from = fuzz_u8(&w->in) % (TERN_STATE_COUNT + 1);
    r.to = fuzz_u8(&w->in) % (TERN_STATE_COUNT + 1);
    r.why = fuzz_u8(&w->in) % (TERN_DROP_COUNT + 1);
    r.seq = fuzz_u16(&w->in);
    r.len = fuzz_u8(&w->in);
    timeline_trace(w->line, end, &r);
    capture_trace(w->capture, end, &r);
}

static void step(struct world *w)
{
    uint8_t what = fuzz_u8(&w->in);
    switch (what >> 5) {
    case 0:
    case 1:
        step_send(w, what);
        break;
    case 2:
    case 3:
    case 4:
        step_fate(w, what);
        break;
    case 5:
        step_record(w, what);
        break;
    case 6:
        w->now += (uint64_t)(what & 31) << (fuzz_u8(&w->in) % 40);
        break;
    default:
        timeline_flush(w->line, w->now);
        capture_flush(w->capture);
        CHECK(timeline_due(w->line) > w->now || timeline_due(w->line) == w->now);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *w = calloc(1, sizeof(*w));
    CHECK(w != NULL);
    w->in = (struct fuzz_input){data, size};
    w->width = fuzz_u8(&w->in);
    uint8_t flags = fuzz_u8(&w->in);
    w->colour = flags & 1;
    w->utf8 = flags & 2;
    w->line = timeline_new(&(struct timeline_config){.width = (int)w->width,
                                                     .colour = w->colour,
                                                     .utf8 = w->utf8,
                                                     .msl = 1000,
                                                     .write = on_write,
                                                     .process = on_process,
                                                     .user = w});
    w->capture = capture_new(&(struct capture_config){.application = "fuzz",
                                                      .name = {"client", "server"},
                                                      .end = {flags & 4, flags & 8},
                                                      .write = on_block});
    CHECK(w->line != NULL && w->capture != NULL);
    w->width = max_u32(w->width, 40);
    for (int i = 0; i < STEPS && w->in.left != 0; i++)
        step(w);
    struct timeline_connection k;
    for (uint32_t i = 0; timeline_connection(w->line, i, &k); i++)
        CHECK(k.number == i + 1 && k.outcome != NULL);
    timeline_free(w->line, w->now);
    capture_free(w->capture);
    free(w);
    return 0;
}
