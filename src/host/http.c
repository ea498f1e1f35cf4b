/* http.c - see http.h. */
#include "host/http.h"

#include <string.h>
#include <strings.h>

/* One line or one word of the head, not terminated. */
struct piece {
    const char *at;
    size_t len;
};

static bool is(struct piece p, const char *text)
{
    return p.len == strlen(text) && strncasecmp(p.at, text, p.len) == 0;
}

static struct piece trimmed(struct piece p)
{
    while (p.len && (*p.at == ' ' || *p.at == '\t')) {
        p.at++;
        p.len--;
    }
    while (p.len && (p.at[p.len - 1] == ' ' || p.at[p.len - 1] == '\t'))
        p.len--;
    return p;
}

/* Takes what stands before `end` off `p`; false: there is no such character. */
static bool split(struct piece *p, char end, struct piece *before)
{
    const char *at = p->len ? memchr(p->at, end, p->len) : NULL;

    if (!at)
        return false;
    *before = (struct piece){p->at, (size_t)(at - p->at)};
    p->len -= before->len + 1;
    p->at = at + 1;
    return true;
}

static bool has_word(struct piece list, const char *word)
{
    struct piece one;

    while (split(&list, ',', &one))
        if (is(trimmed(one), word))
            return true;
    return is(trimmed(list), word);
}

static bool copy(char *to, size_t room, struct piece p)
{
    if (p.len == 0 || p.len >= room)
        return false;
    for (size_t i = 0; i < p.len; i++)
        if (p.at[i] <= ' ' || p.at[i] > '~')
            return false;
    memcpy(to, p.at, p.len);
    to[p.len] = 0;
    return true;
}

static int first_line(struct http_request *r, struct piece line)
{
    struct piece method, target;

    if (!split(&line, ' ', &method) || !split(&line, ' ', &target))
        return -400;
    if (!copy(r->method, sizeof r->method, method))
        return -501;
    if (target.len >= sizeof r->target)
        return -414;
    if (!copy(r->target, sizeof r->target, target))
        return -400;
    if (is(line, "HTTP/1.1"))
        r->keep = true;
    else if (!is(line, "HTTP/1.0"))
        return -505;
    return 0;
}

static bool number(struct piece p, uint64_t *out)
{
    uint64_t n = 0;

    if (p.len == 0 || p.len > 18)
        return false;
    for (size_t i = 0; i < p.len; i++) {
        if (p.at[i] < '0' || p.at[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(p.at[i] - '0');
    }
    *out = n;
    return true;
}

static int field(struct http_request *r, struct piece line)
{
    struct piece name;

    if (!split(&line, ':', &name) || name.len == 0 || trimmed(name).len != name.len)
        return -400;
    struct piece value = trimmed(line);
    if (is(name, "Connection")) {
        if (has_word(value, "close"))
            r->keep = false;
        else if (has_word(value, "keep-alive"))
            r->keep = r->keep_asked = true;
    } else if (is(name, "Content-Length")) {
        uint64_t before = r->length;
        if (!number(value, &r->length) || (before != 0 && before != r->length))
            return -400;
    } else if (is(name, "Transfer-Encoding")) {
        if (!is(value, "chunked"))
            return -501;
        r->chunked = true;
    } else if (is(name, "Expect")) {
        r->expect = is(value, "100-continue");
    }
    return 0;
}

int http_request_read(struct http_request *out, const char *text, size_t len)
{
    struct piece rest = {text, len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX}, line;
    bool first = true;

    memset(out, 0, sizeof *out);
    while (split(&rest, '\n', &line)) {
        if (line.len && line.at[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0 && !first) {
            if (out->chunked && out->length != 0)
                return -400; /* RFC 9112 6.3: somebody wants to be misread */
            return (int)(rest.at - text);
        }
        if (line.len == 0)
            continue; /* RFC 9112 2.2: empty lines before the request */
        int status = first ? first_line(out, line) : field(out, line);
        if (status)
            return status;
        first = false;
    }
    return len >= HTTP_HEAD_MAX ? -431 : 0;
}

/* ---- chunks (RFC 9112 7.1) ------------------------------------------------------------------- */

enum { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER };

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void size_ends(struct http_chunks *c)
{
    c->bad |= c->digits == 0;
    c->digits = 0;
    c->empty = true;
    c->stage = c->left ? CHUNK_DATA : CHUNK_TRAILER;
}

static void one_byte(struct http_chunks *c, uint8_t byte)
{
    int value = digit(byte);

    switch (c->stage) {
    case CHUNK_SIZE:
        if (value >= 0 && c->digits < 15) {
            c->left = c->left << 4 | (unsigned)value;
            c->digits++;
        } else if (byte == '\n') {
            size_ends(c);
        } else if (byte == '\r' || byte == ';' || byte == ' ') {
            c->stage = CHUNK_EXTENSION;
        } else {
            c->bad = true;
        }
        break;
    case CHUNK_EXTENSION:
        if (byte == '\n')
            size_ends(c);
        break;
    case CHUNK_END:
        if (byte == '\n')
            c->stage = CHUNK_SIZE;
        else
            c->bad |= byte != '\r';
        break;
    default: /* CHUNK_TRAILER */
        if (byte == '\n') {
            c->done = c->empty;
            c->empty = true;
        } else if (byte != '\r') {
            c->empty = false;
        }
    }
}

size_t http_chunks_read(struct http_chunks *c, const uint8_t *p, size_t len)
{
    size_t at = 0;

    while (at < len && !c->done && !c->bad) {
        if (c->stage == CHUNK_DATA) {
            size_t n = len - at < c->left ? len - at : (size_t)c->left;
            at += n;
            c->left -= n;
            if (c->left == 0)
                c->stage = CHUNK_END;
        } else {
            one_byte(c, p[at++]);
        }
    }
    return at;
}
