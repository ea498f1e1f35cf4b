/* payload.c - see payload.h.
 *
 * Each protocol has one function that looks at the first bytes and says whether they are its own;
 * the first one that does so names them. Readers go through `struct bytes`, which cannot run past
 * its end: what is not there reads as zero and sets `over`.
 */
#include "watch/payload.h"

#include <stdio.h>
#include <string.h>

#include "base/util.h"

struct bytes {
    const uint8_t *p;
    size_t len;
    bool over; /* something was asked for beyond the end */
};

static struct bytes take(struct bytes *b, size_t n)
{
    struct bytes part = {b->p, n, false};
    if (n > b->len) {
        b->over = true;
        part.len = b->len;
    }
    b->p += part.len;
    b->len -= part.len;
    return part;
}

static uint32_t number(struct bytes *b, size_t n)
{
    struct bytes part = take(b, n);
    uint32_t v = 0;
    for (size_t i = 0; i < part.len; i++)
        v = v << 8 | part.p[i];
    return b->over ? 0 : v;
}

static bool starts(const struct bytes *b, const char *with)
{
    size_t n = strlen(with);
    return b->len >= n && memcmp(b->p, with, n) == 0;
}

static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
static bool is_upper(uint8_t c) { return c >= 'A' && c <= 'Z'; }

/* ---- names ----------------------------------------------------------------------------------- */

static void put(char *out, const char *s) { snprintf(out, PAYLOAD_NAME, "%s", s); }

/* Adds bytes up to the end of the line. */
static void put_line(char *out, struct bytes b)
{
    size_t at = strlen(out);
    for (size_t i = 0; i < b.len && at + 1 < PAYLOAD_NAME; i++) {
        if (b.p[i] == '\r' || b.p[i] == '\n')
            break;
        out[at++] = b.p[i] >= 0x20 && b.p[i] < 0x7f ? (char)b.p[i] : '?';
    }
    while (at != 0 && out[at - 1] == ' ')
        at--;
    out[at] = '\0';
}

/* Up to the first space or the end of the line. */
static struct bytes word(const struct bytes *b)
{
    struct bytes w = {b->p, 0, false};
    while (w.len < b->len && b->p[w.len] > ' ')
        w.len++;
    return w;
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

static bool http_request(struct bytes b, char *out)
{
    static const char *const methods[] = {"GET ",     "HEAD ",    "POST ",  "PUT ",   "DELETE ",
                                          "OPTIONS ", "CONNECT ", "PATCH ", "TRACE ", "PROPFIND "};
    if (starts(&b, "PRI * HTTP/2.0\r\n")) {
        put(out, "HTTP/2 preface");
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (!starts(&b, methods[i]))
            continue;
        put(out, methods[i]);
        take(&b, strlen(methods[i]));
        struct bytes target = word(&b);
        put_line(out, target);
        return target.len != 0;
    }
    return false;
}

static bool http_response(struct bytes b, char *out)
{
    if (!starts(&b, "HTTP/1.") || b.len < 12 || b.p[8] != ' ' || !is_digit(b.p[9]))
        return false;
    take(&b, 9);
    put_line(out, b);
    return true;
}

/* ---- TLS (RFC 8446 4.1.2, RFC 6066 3) -------------------------------------------------------- */

enum { TLS_ALERT = 21, TLS_HANDSHAKE = 22, CLIENT_HELLO = 1, SERVER_HELLO = 2, EXT_SNI = 0 };

/* The host in a server_name extension. */
static struct bytes sni_host(struct bytes ext)
{
    struct bytes none = {ext.p, 0, false};
    take(&ext, 2); /* of the list */
    bool host_name = number(&ext, 1) == 0;
    struct bytes host = take(&ext, number(&ext, 2));
    return host_name && !ext.over ? host : none;
}

/* A ClientHello whose rest lies in the next segment may not have come to the name yet. */
static void client_hello(struct bytes b, char *out)
{
    put(out, "TLS ClientHello");
    take(&b, 2 + 32); /* version, random */
    take(&b, number(&b, 1));
    take(&b, number(&b, 2));
    take(&b, number(&b, 1));
    take(&b, 2);
    while (!b.over && b.len >= 4) {
        uint32_t type = number(&b, 2);
        struct bytes ext = take(&b, number(&b, 2));
        if (type != EXT_SNI || b.over)
            continue;
        struct bytes host = sni_host(ext);
        if (host.len != 0) {
            put(out, "TLS ClientHello ");
            put_line(out, host);
        }
        return;
    }
}

static bool tls(struct bytes b, char *out)
{
    uint32_t type = number(&b, 1), version = number(&b, 2), len = number(&b, 2);
    if (b.over || version < 0x0300 || version > 0x0304 || len == 0 || len > 16384 + 2048)
        return false;
    uint32_t message = number(&b, 1);
    if (type == TLS_ALERT && len == 2 && (message == 1 || message == 2)) {
        put(out, number(&b, 1) == 0 ? "TLS close_notify" : "TLS alert");
        return true;
    }
    uint32_t message_len = number(&b, 3);
    if (type != TLS_HANDSHAKE || b.over || message_len == 0)
        return false;
    if (message == CLIENT_HELLO)
        client_hello(b, out);
    else if (message == SERVER_HELLO)
        put(out, "TLS ServerHello");
    else
        return false;
    return true;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* Greetings that are shown as they are. */
static bool greeting(struct bytes b, char *out)
{
    static const char *const known[] = {"SSH-",       "RFB 00",   "+OK",   "-ERR ", "+PONG",
                                        "* OK ",      "EHLO ",    "HELO ", "LHLO ", "STARTTLS",
                                        "MAIL FROM:", "RCPT TO:", "QUIT",  "PING",  "PROXY TCP"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (starts(&b, known[i])) {
            put_line(out, b);
            return true;
        }
    return false;
}

/* Commands whose argument is nobody's business. */
static bool secret(struct bytes b, char *out)
{
    static const char *const known[] = {"USER ", "PASS ", "AUTH ", "LOGIN "};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (starts(&b, known[i])) {
            put(out, known[i]);
            put_line(out, (struct bytes){(const uint8_t *)"***", 3, false});
            return true;
        }
    return false;
}

/* "220 mail.example.org ESMTP": SMTP and FTP. */
static bool reply_code(struct bytes b, char *out)
{
    if (b.len < 5 || b.p[0] < '1' || b.p[0] > '5' || !is_digit(b.p[1]) || !is_digit(b.p[2]) ||
        (b.p[3] != ' ' && b.p[3] != '-') || memchr(b.p, '\n', b.len) == NULL)
        return false;
    put_line(out, b);
    return true;
}

/* "*2\r\n$5\r\nHELLO\r\n...": the command, not its arguments. */
static bool redis(struct bytes b, char *out)
{
    if (b.len < 8 || b.p[0] != '*' || !is_digit(b.p[1]))
        return false;
    const uint8_t *end = memchr(b.p, '\n', min_size(b.len, 8));
    if (end == NULL)
        return false;
    take(&b, (size_t)(end - b.p) + 1);
    if (b.len < 4 || b.p[0] != '$' || !is_digit(b.p[1]) ||
        (end = memchr(b.p, '\n', min_size(b.len, 6))) == NULL)
        return false;
    take(&b, (size_t)(end - b.p) + 1);
    struct bytes command = word(&b);
    if (command.len == 0 || command.len > 16)
        return false;
    for (size_t i = 0; i < command.len; i++)
        if (!is_upper(command.p[i] & 0xdf))
            return false;
    put(out, "Redis ");
    put_line(out, command);
    return true;
}

/* ---- binary hellos --------------------------------------------------------------------------- */

static bool mysql(struct bytes b, char *out)
{
    if (b.len < 12 || b.p[2] != 0 || b.p[3] != 0 || b.p[4] != 10 || !is_digit(b.p[5]))
        return false;
    take(&b, 5);
    const uint8_t *end = memchr(b.p, 0, min_size(b.len, 64));
    if (end == NULL)
        return false;
    put(out, "MySQL ");
    put_line(out, (struct bytes){b.p, (size_t)(end - b.p), false});
    return true;
}

static bool postgres(struct bytes b, char *out)
{
    uint32_t len = number(&b, 4), code = number(&b, 4);
    if (b.over || len < 8 || len > 10000)
        return false;
    if (len == 8 && code == 80877103)
        put(out, "PostgreSQL SSLRequest");
    else if (code == 3 << 16 && starts(&b, "user"))
        put(out, "PostgreSQL startup");
    else
        return false;
    return true;
}

static bool mqtt(struct bytes b, char *out)
{
    if (b.len < 8 || b.p[0] != 0x10 || memcmp(b.p + 2, "\0\4MQTT", 6) != 0)
        return false;
    put(out, "MQTT CONNECT");
    return true;
}

/* Few bytes that mean little by themselves: only when they are all there is. */
static bool socks(struct bytes b, char *out)
{
    if (b.len < 3 || b.p[0] != 5 || b.p[1] == 0 || b.len != 2u + b.p[1])
        return false;
    put(out, "SOCKS5 hello");
    return true;
}

static bool magic(struct bytes b, char *out)
{
    static const struct {
        const char *bytes, *name;
        size_t len;
    } known[] = {
        {"AMQP\0", "AMQP", 5},
        {"\x13"
         "BitTorrent protocol",
         "BitTorrent", 20},
        {"\r\n\r\n\0\r\nQUIT\n", "PROXY protocol 2", 12},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (b.len >= known[i].len && memcmp(b.p, known[i].bytes, known[i].len) == 0) {
            put(out, known[i].name);
            return true;
        }
    return false;
}

size_t payload_name(const uint8_t *p, size_t len, char out[PAYLOAD_NAME])
{
    static bool (*const protocols[])(struct bytes, char *) = {
        http_request, http_response, tls,   greeting, secret, reply_code,
        redis,        mysql,         magic, postgres, mqtt,   socks,
    };
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        out[0] = '\0';
        if (protocols[i]((struct bytes){p, len, false}, out))
            return strlen(out);
    }
    out[0] = '\0';
    return 0;
}
