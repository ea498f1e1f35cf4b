/* text.c - see text.h. */
#include "watch/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "wire/ip.h"

/* ---- characters ------------------------------------------------------------------------------ */

/* What stands for our own characters where only ASCII is understood. */
static const struct {
    const char *utf8, *ascii;
} stand_ins[] = {
    {"─", "-"}, {"═", "="}, {"▸", ">"}, {"◂", "<"},   {"→", ">"}, {"←", "<"},
    {"✗", "x"}, {"–", "-"}, {"·", "-"}, {"…", "..."}, {"⋯", "."}, {"×", "x"},
};

/* Characters of two columns (East Asian wide and full-width, pictures), in order. */
static const struct span {
    uint32_t first, last;
} wide[] = {
    {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xa960, 0xa97c},
    {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff01, 0xff60},
    {0xffe0, 0xffe6},   {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e},
    {0x1f191, 0x1f19a}, {0x1f200, 0x1f320}, {0x1f32d, 0x1f64f}, {0x1f680, 0x1f6ff},
    {0x1f900, 0x1faff}, {0x20000, 0x3fffd},
};

/* Characters that must not reach a terminal from foreign text: controls, those without a width of
 * their own, those that turn the direction of writing. */
static const struct span unwanted[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},       {0xad, 0xad},        {0x300, 0x36f},   {0x483, 0x489},
    {0x591, 0x5c7},   {0x5d0, 0x8ff},     {0x900, 0x10ff},     {0x1160, 0x11ff}, {0x135d, 0x135f},
    {0x1700, 0x18af}, {0x1a00, 0x1cff},   {0x1dc0, 0x1dff},    {0x200b, 0x200f}, {0x2028, 0x202e},
    {0x2060, 0x206f}, {0x20d0, 0x20f0},   {0x302a, 0x302f},    {0x3099, 0x309a}, {0xa66f, 0xa6f1},
    {0xa800, 0xabff}, {0xd7b0, 0xdfff},   {0xe000, 0xf8ff},    {0xfb1d, 0xfe2f}, {0xfe70, 0xfeff},
    {0xfff0, 0xffff}, {0x10000, 0x1f003}, {0xe0000, 0x10ffff},
};

static bool within(uint32_t c, const struct span *spans, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= spans[i].first && c <= spans[i].last)
            return true;
    return false;
}

/* One character of at most `len` bytes; returns its length, 0 when it is ill-formed. */
static size_t utf8_read(const char *s, size_t len, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = (uint8_t)s[0];
    if (first < 0x80) {
        *out = first;
        return 1;
    }
    size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || n > len)
        return 0;
    uint32_t c = first & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | ((uint8_t)s[i] & 0x3fu);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *out = c;
    return n;
}

/* One character as it will be written. */
struct glyph {
    const char *s;
    uint32_t len, cols;
    size_t taken; /* bytes of the source */
};

static struct glyph glyph_of(const char *s, bool utf8)
{
    uint32_t c;
    size_t n = utf8_read(s, strlen(s), &c);
    if (n == 0)
        return (struct glyph){"?", 1, 1, 1};
    if (n == 1)
        return (struct glyph){s, 1, 1, 1};
    if (utf8)
        return (struct glyph){s, (uint32_t)n, within(c, wide, ARRAY_LEN(wide)) ? 2 : 1, n};
    for (size_t i = 0; i < ARRAY_LEN(stand_ins); i++)
        if (strncmp(s, stand_ins[i].utf8, n) == 0) {
            uint32_t len = (uint32_t)strlen(stand_ins[i].ascii);
            return (struct glyph){stand_ins[i].ascii, len, len, n};
        }
    return (struct glyph){"?", 1, 1, n};
}

void text_foreign(char *out, size_t cap, const char *s, size_t len)
{
    size_t at = 0;
    for (size_t i = 0; i < len && s[i] != '\0';) {
        uint32_t c;
        size_t n = utf8_read(s + i, len - i, &c);
        bool fine = n != 0 && !within(c, unwanted, ARRAY_LEN(unwanted));
        size_t need = fine ? n : 1;
        if (at + need >= cap)
            break;
        if (fine)
            memcpy(out + at, s + i, n);
        else
            out[at] = '?';
        at += need;
        i += n != 0 ? n : 1;
    }
    out[at] = '\0';
}

/* ---- texts ----------------------------------------------------------------------------------- */

void text_init(struct text *t, bool utf8, bool colour)
{
    t->s[0] = '\0';
    t->len = t->cols = 0;
    t->style = STYLE_PLAIN;
    t->utf8 = utf8;
    t->colour = colour;
}

/* Room is kept for the code that ends a style. */
static bool append(struct text *t, const char *s, size_t len, uint32_t cols)
{
    if (t->len + len + 5 > TEXT_MAX)
        return false;
    memcpy(t->s + t->len, s, len);
    t->len = (uint16_t)(t->len + len);
    t->cols = (uint16_t)(t->cols + cols);
    t->s[t->len] = '\0';
    return true;
}

void text_add(struct text *t, const char *s) { text_fit(t, s, UINT32_MAX); }

uint32_t text_cols(const char *s, bool utf8)
{
    uint32_t cols = 0;
    while (*s != '\0') {
        struct glyph g = glyph_of(s, utf8);
        cols += g.cols;
        s += g.taken;
    }
    return cols;
}

void text_fit(struct text *t, const char *s, uint32_t cols)
{
    struct glyph dots = glyph_of("…", t->utf8);
    bool cut = cols != UINT32_MAX && text_cols(s, t->utf8) > cols;
    uint32_t room = cut ? (cols > dots.cols ? cols - dots.cols : 0) : cols;
    while (*s != '\0') {
        struct glyph g = glyph_of(s, t->utf8);
        if (g.cols > room || !append(t, g.s, g.len, g.cols))
            break;
        room -= g.cols;
        s += g.taken;
    }
    if (cut && dots.cols <= cols)
        append(t, dots.s, dots.len, dots.cols);
}

void text_repeat(struct text *t, const char *s, uint32_t n)
{
    struct glyph g = glyph_of(s, t->utf8);
    while (n-- != 0 && append(t, g.s, g.len, g.cols))
        continue;
}

void text_pad(struct text *t, uint32_t cols)
{
    while (t->cols < cols && append(t, " ", 1, 1))
        continue;
}

void text_style(struct text *t, enum style style)
{
    static const char *const codes[STYLE_COUNT] = {
        [STYLE_PLAIN] = "\033[0m",  [STYLE_DIM] = "\033[2m",  [STYLE_BOLD] = "\033[1m",
        [STYLE_STATE] = "\033[1m",  [STYLE_OUT] = "\033[36m", [STYLE_IN] = "\033[32m",
        [STYLE_AGAIN] = "\033[33m", [STYLE_BAD] = "\033[31m",
    };
    if (!t->colour || style == t->style)
        return;
    if (t->style != STYLE_PLAIN) { /* into the room kept for it */
        memcpy(t->s + t->len, codes[STYLE_PLAIN], 5);
        t->len = (uint16_t)(t->len + 4);
        t->style = STYLE_PLAIN;
    }
    if (style != STYLE_PLAIN && append(t, codes[style], strlen(codes[style]), 0))
        t->style = (uint8_t)style;
}

/* ---- values ---------------------------------------------------------------------------------- */

char *text_number(char *out, uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
    char *p = out;
    for (int i = 0; i < len; i++) {
        if (i != 0 && (len - i) % 3 == 0)
            *p++ = ',';
        *p++ = digits[i];
    }
    *p = '\0';
    return out;
}

/* Three digits are enough for people: 1.48, 14.8, 148; zeros behind the point say nothing. */
static void three_digits(char *out, double v, const char *unit)
{
    int places = v < 9.995 ? 2 : v < 99.95 ? 1 : 0;
    int len = snprintf(out, TEXT_VALUE, "%.*f", places, v);
    if (places != 0) {
        while (out[len - 1] == '0')
            len--;
        if (out[len - 1] == '.')
            len--;
    }
    snprintf(out + len, (size_t)(TEXT_VALUE - len), " %s", unit);
}

char *text_bytes(char *out, uint64_t n)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double v = (double)n;
    size_t u = 0;
    while (v >= 999.5 && u + 1 < ARRAY_LEN(units)) {
        v /= 1000;
        u++;
    }
    three_digits(out, v, units[u]);
    return out;
}

char *text_duration(char *out, uint64_t ns)
{
    if (ns < 1000000)
        three_digits(out, (double)ns / 1e3, "us");
    else if (ns < 1000000000)
        three_digits(out, (double)ns / 1e6, "ms");
    else
        three_digits(out, (double)ns / 1e9, "s");
    return out;
}

char *text_address(char *out, const tern_addr *a)
{
    char ip[INET6_ADDRSTRLEN] = "?";
    bool ip4 = wire_is_ip4(a->ip);
    inet_ntop(ip4 ? AF_INET : AF_INET6, ip4 ? a->ip + 12 : a->ip, ip, sizeof(ip));
    snprintf(out, TEXT_VALUE, ip4 ? "%s:%u" : "[%s]:%u", ip, a->port);
    return out;
}
