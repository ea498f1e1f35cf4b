/* pcapng.c - see pcapng.h. Everything is little-endian on every machine, so that the same packets
 * make the same file. */
#include "watch/pcapng.h"

#include <string.h>

#include "base/util.h"

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 6,
    BYTE_ORDER = 0x1a2b3c4d,
    LINK_RAW = 101,

    OPT_END = 0,
    OPT_COMMENT = 1,
    SHB_APPLICATION = 4,
    IDB_NAME = 2,
    IDB_DESCRIPTION = 3,
    IDB_TIME_RESOLUTION = 9,
    EPB_FLAGS = 2,
    INBOUND = 1,
    OUTBOUND = 2,

    TEXT = 256,                       /* bytes of an option's text, at most */
    PACKET_OVERHEAD = 28 + 8 + 4 + 4, /* header, flags, end of options, trailing length */
    BLOCK_MAX = PACKET_OVERHEAD + PCAPNG_SNAP + 4 + PCAPNG_COMMENTS * (4 + TEXT),
};

/* A block under construction; its length is filled in at the end, in both places. */
struct block {
    uint8_t p[BLOCK_MAX];
    size_t len;
};

static void put16(struct block *b, uint32_t v)
{
    b->p[b->len++] = (uint8_t)v;
    b->p[b->len++] = (uint8_t)(v >> 8);
}

static void put32(struct block *b, uint32_t v)
{
    put16(b, v & 0xffff);
    put16(b, v >> 16);
}

static void put_padded(struct block *b, const void *data, size_t len)
{
    memcpy(b->p + b->len, data, len);
    b->len += len;
    while (b->len % 4 != 0)
        b->p[b->len++] = 0;
}

static void put_option(struct block *b, uint32_t code, const void *data, size_t len)
{
    put16(b, code);
    put16(b, (uint32_t)len);
    put_padded(b, data, len);
}

/* Cut between characters. */
static void put_text(struct block *b, uint32_t code, const char *s)
{
    size_t len = strlen(s), most = code == OPT_COMMENT ? PCAPNG_COMMENT : TEXT;
    if (len > most)
        for (len = most; len != 0 && ((uint8_t)s[len] & 0xc0) == 0x80;)
            len--;
    put_option(b, code, s, len);
}

static void begin(struct block *b, uint32_t type)
{
    b->len = 0;
    put32(b, type);
    put32(b, 0);
}

static void finish(struct pcapng *p, struct block *b)
{
    uint32_t total = (uint32_t)b->len + 4;
    put32(b, total);
    size_t len = b->len;
    b->len = 4;
    put32(b, total);
    TERN_ASSERT(len <= sizeof(b->p));
    if (!p->failed && !p->write(p->user, b->p, len))
        p->failed = true;
}

void pcapng_begin(struct pcapng *p, const char *application)
{
    struct block b;
    begin(&b, BLOCK_SECTION);
    put32(&b, BYTE_ORDER);
    put16(&b, 1); /* version 1.0 */
    put16(&b, 0);
    put32(&b, UINT32_MAX); /* the section's length is not said */
    put32(&b, UINT32_MAX);
    put_text(&b, SHB_APPLICATION, application);
    put32(&b, OPT_END);
    finish(p, &b);
}

uint32_t pcapng_interface(struct pcapng *p, const char *name, const char *description)
{
    static const uint8_t nanoseconds = 9; /* 10^-9 */
    struct block b;
    begin(&b, BLOCK_INTERFACE);
    put16(&b, LINK_RAW);
    put16(&b, 0);
    put32(&b, 0); /* packets are not cut */
    put_text(&b, IDB_NAME, name);
    if (description != NULL)
        put_text(&b, IDB_DESCRIPTION, description);
    put_option(&b, IDB_TIME_RESOLUTION, &nanoseconds, 1);
    put32(&b, OPT_END);
    finish(p, &b);
    return p->interfaces++;
}

void pcapng_packet(struct pcapng *p, const struct pcapng_packet *packet)
{
    struct block b;
    size_t len = min_size(packet->len, PCAPNG_SNAP);
    TERN_ASSERT(packet->interface < p->interfaces);
    if (p->failed)
        return;
    begin(&b, BLOCK_PACKET);
    put32(&b, packet->interface);
    put32(&b, (uint32_t)(packet->unix_ns >> 32));
    put32(&b, (uint32_t)packet->unix_ns);
    put32(&b, (uint32_t)len);
    put32(&b, (uint32_t)packet->len);
    put_padded(&b, packet->data, len);
    for (size_t i = 0; i < min_size(packet->comment_count, PCAPNG_COMMENTS); i++)
        put_text(&b, OPT_COMMENT, packet->comments[i]);
    put16(&b, EPB_FLAGS);
    put16(&b, 4);
    put32(&b, packet->outbound ? OUTBOUND : INBOUND);
    put32(&b, OPT_END);
    finish(p, &b);
}
