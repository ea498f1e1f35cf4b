/* Names of payloads: what each protocol's first bytes are called, what is not called anything, and
 * that no byte of a stranger gets out unprinted. */
#include <stdlib.h>
#include <string.h>

#include "../test.h"
#include "base/util.h"
#include "watch/payload.h"

static void named_bytes(const void *p, size_t len, const char *expected)
{
    char out[PAYLOAD_NAME];
    uint8_t *copy = malloc(len + 1); /* an exact end, for the sanitizers */
    memcpy(copy, p, len);
    size_t n = payload_name(copy, len, out);
    free(copy);
    assert_string_equal(out, expected);
    assert_int_equal(n, strlen(expected));
}

static void named(const char *text, const char *expected)
{
    named_bytes(text, strlen(text), expected);
}

static void test_http(void **state)
{
    (void)state;
    named("GET / HTTP/1.1\r\nHost: a\r\n", "GET /");
    named("POST /a?b=c HTTP/1.1\r\n", "POST /a?b=c");
    named("HEAD /", "HEAD /");
    named("CONNECT host:443 HTTP/1.1\r\n", "CONNECT host:443");
    named("HTTP/1.1 200 OK\r\n", "200 OK");
    named("HTTP/1.0 404 Not Found\r\n", "404 Not Found");
    named("HTTP/1.1 204\r\n", "204");
    named("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2 preface");
    named("GET", "");
    named("GETTING ready", "");
    named("GET ", "");
    named("HTTP/1.1 ", "");
}

/* A ClientHello as curl sends it, shortened: version, random, session, ciphers, compression, and
 * the extensions given. */
static size_t client_hello(uint8_t *out, const uint8_t *ext, size_t ext_len)
{
    size_t body = 2 + 32 + 1 + 2 + 2 + 1 + 1 + 2 + ext_len, at = 0;
    static const uint8_t rest[] = {0, 0, 2, 0x13, 0x01, 1, 0};
    out[at++] = 22;
    store_be16(out + at, 0x0301);
    store_be16(out + at + 2, (uint16_t)(body + 4));
    store_be32(out + at + 4, (uint32_t)(1u << 24 | body));
    at += 8;
    store_be16(out + at, 0x0303);
    memset(out + at + 2, 7, 32);
    at += 34;
    memcpy(out + at, rest, sizeof(rest));
    at += sizeof(rest);
    store_be16(out + at, (uint16_t)ext_len);
    memcpy(out + at + 2, ext, ext_len);
    return at + 2 + ext_len;
}

static void test_tls(void **state)
{
    static const uint8_t sni[] = {0,   43,  0,   3,   2,   3,   4, /* versions come before */
                                  0,   0,   0,   14,  0,   12,  0,   0,   9,
                                  'e', 'x', 'a', 'm', 'p', 'l', 'e', '.', 'o'};
    static const uint8_t other[] = {0, 43, 0, 3, 2, 3, 4};
    static const uint8_t evil[] = {0, 0, 0, 8, 0, 6, 0, 0, 3, 27, '[', 'm'};
    uint8_t hello[256];
    (void)state;
    size_t len = client_hello(hello, sni, sizeof(sni));
    named_bytes(hello, len, "TLS ClientHello example.o");
    for (size_t cut = 10; cut < len; cut++) /* the rest is in the next segment */
        named_bytes(hello, cut, "TLS ClientHello");
    len = client_hello(hello, other, sizeof(other));
    named_bytes(hello, len, "TLS ClientHello");
    len = client_hello(hello, evil, sizeof(evil));
    named_bytes(hello, len, "TLS ClientHello ?[m");
    hello[5] = 2;
    named_bytes(hello, len, "TLS ServerHello");
    named_bytes("\x15\x03\x03\x00\x02\x01\x00", 7, "TLS close_notify");
    named_bytes("\x15\x03\x03\x00\x02\x02\x28", 7, "TLS alert");
    named_bytes("\x16\x03\x09\x00\x10", 5, "");
    named_bytes("\x17\x03\x03\x00\x10xxxxxxxx", 13, "");
}

static void test_lines(void **state)
{
    (void)state;
    named("SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2");
    named("220 mail.example.org ESMTP Postfix\r\n", "220 mail.example.org ESMTP Postfix");
    named("220-several lines\r\n220 end\r\n", "220-several lines");
    named("EHLO me\r\n", "EHLO me");
    named("+OK ready\r\n", "+OK ready");
    named("* OK IMAP4\r\n", "* OK IMAP4");
    named("*2\r\n$4\r\nLLEN\r\n$1\r\na\r\n", "Redis LLEN");
    named("RFB 003.008\n", "RFB 003.008");
    named("620 no such reply\r\n", "");
    named("220 no end of line", "");
    named("*2\r\nx", "");
}

/* What is secret is not shown. */
static void test_secrets(void **state)
{
    (void)state;
    named("USER me\r\n", "USER ***");
    named("PASS hunter2\r\n", "PASS ***");
    named("AUTH PLAIN AGZvbwBiYXI=\r\n", "AUTH ***");
    named("*2\r\n$4\r\nAUTH\r\n$7\r\nhunter2\r\n", "Redis AUTH");
}

static void test_binary(void **state)
{
    (void)state;
    named_bytes("\x4a\0\0\0\x0a"
                "8.0.36\0xxxx",
                16, "MySQL 8.0.36");
    named_bytes("\0\0\0\x08\x04\xd2\x16\x2f", 8, "PostgreSQL SSLRequest");
    named_bytes("\0\0\0\x10\0\3\0\0user", 12, "PostgreSQL startup");
    named_bytes("\x10\x0c\0\4MQTT\4\2", 10, "MQTT CONNECT");
    named_bytes("AMQP\0\0\x09\1", 8, "AMQP");
    named_bytes("\x13"
                "BitTorrent protocol",
                20, "BitTorrent");
    named_bytes("\5\1\0", 3, "SOCKS5 hello");
    named_bytes("\5\1\0\0", 4, "");
    named_bytes("\0\0\0\0\0\0\0\0\0\0\0\0", 12, "");
    named_bytes("", 0, "");
}

/* Long and hostile lines: cut, and printable throughout. */
static void test_hostile(void **state)
{
    char line[1000] = "GET /";
    char out[PAYLOAD_NAME];
    (void)state;
    memset(line + 5, 'x', sizeof(line) - 5);
    assert_int_equal(payload_name((uint8_t *)line, sizeof(line), out), PAYLOAD_NAME - 1);
    for (int c = 0; c < 256; c++) {
        char s[] = "HTTP/1.1 200 a?b\r\n";
        s[14] = (char)c;
        payload_name((uint8_t *)s, sizeof(s) - 1, out);
        for (size_t i = 0; out[i] != '\0'; i++)
            assert_in_range((uint8_t)out[i], 0x20, 0x7e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http),   cmocka_unit_test(test_tls),
        cmocka_unit_test(test_lines),  cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_binary), cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
