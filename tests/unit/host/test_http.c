/* test_http.c - requests as people, programs and attackers send them. */
#include "test.h"

#include "host/http.h"

#include <string.h>

static int head(struct http_request *r, const char *text)
{
    return http_request_read(r, text, strlen(text));
}

static void reads_what_curl_sends(void **state)
{
    static const char text[] = "POST /echo?x=1 HTTP/1.1\r\nHost: 192.0.2.80\r\nUser-Agent: curl\r\n"
                               "content-LENGTH:  1234\t\r\nExpect: 100-continue\r\n\r\nBODY";
    struct http_request r;
    (void)state;
    assert_int_equal(head(&r, text), sizeof(text) - 1 - 4);
    assert_string_equal(r.method, "POST");
    assert_string_equal(r.target, "/echo?x=1");
    assert_true(r.keep && r.expect && !r.chunked);
    assert_int_equal(r.length, 1234);
}

static void knows_whether_the_connection_stays(void **state)
{
    static const struct {
        const char *text;
        bool keep;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nConnection: Upgrade, Close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
        {"\r\nGET / HTTP/1.1\n\n", true},
    };
    struct http_request r;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(head(&r, cases[i].text), strlen(cases[i].text));
        assert_int_equal(r.keep, cases[i].keep);
    }
}

static void waits_for_the_end_of_the_head(void **state)
{
    static const char text[] = "GET /bytes/10 HTTP/1.1\r\nHost: x\r\n\r\n";
    struct http_request r;
    (void)state;
    for (size_t n = 0; n < sizeof text - 1; n++)
        assert_int_equal(http_request_read(&r, text, n), 0);
    assert_int_equal(http_request_read(&r, text, sizeof text - 1), sizeof text - 1);
}

static void refuses_what_is_no_request(void **state)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"hello\r\n\r\n", -400},
        {"GET /\r\n\r\n", -400},
        {"GET / HTTP/2.0\r\n\r\n", -505},
        {"GET / HTTP/1.1 \r\n\r\n", -505},
        {"ANUNUSUALLYLONGMETHOD / HTTP/1.1\r\n\r\n", -501},
        {"GET  HTTP/1.1\r\n\r\n", -400},
        {"GET /\x01 HTTP/1.1\r\n\r\n", -400},
        {"GET / HTTP/1.1\r\nNo colon\r\n\r\n", -400},
        {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", -400},
        {"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", -400},
        {"GET / HTTP/1.1\r\nContent-Length: 9999999999999999999\r\n\r\n", -400},
        {"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", -400},
        {"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", -400},
        {"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", -501},
    };
    struct http_request r;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(head(&r, cases[i].text), cases[i].status);
}

static void has_limits(void **state)
{
    static char text[HTTP_HEAD_MAX + 100];
    struct http_request r;
    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, "GET /", 5);
    assert_int_equal(http_request_read(&r, text, HTTP_HEAD_MAX - 1), 0);
    assert_int_equal(http_request_read(&r, text, HTTP_HEAD_MAX), -431);
    assert_int_equal(http_request_read(&r, text, sizeof text), -431);
    memcpy(text + 4 + HTTP_TARGET_MAX, " HTTP/1.1\r\n\r\n", 13); /* "/aaa" of the largest length */
    assert_int_equal(http_request_read(&r, text, sizeof text), 4 + HTTP_TARGET_MAX + 13);
    assert_int_equal(strlen(r.target), HTTP_TARGET_MAX);
    text[4 + HTTP_TARGET_MAX] = 'a';
    memcpy(text + 5 + HTTP_TARGET_MAX, " HTTP/1.1\r\n\r\n", 13);
    assert_int_equal(http_request_read(&r, text, sizeof text), -414);
}

/* The same body in pieces of every size. */
static void finds_the_end_of_chunks(void **state)
{
    static const char text[] = "5\r\nhello\r\n1a;name=value\r\nabcdefghijklmnopqrstuvwxyz\r\n"
                               "0\r\nTrailer: x\r\n\r\nGET /";
    size_t body = sizeof text - 1 - 5;
    (void)state;
    for (size_t piece = 1; piece <= sizeof text; piece++) {
        struct http_chunks c = {.stage = 0};
        size_t at = 0;
        while (!c.done && at < sizeof text - 1) {
            size_t n = sizeof text - 1 - at < piece ? sizeof text - 1 - at : piece;
            at += http_chunks_read(&c, (const uint8_t *)text + at, n);
        }
        assert_true(c.done && !c.bad);
        assert_int_equal(at, body);
    }
}

static void refuses_malformed_chunks(void **state)
{
    static const char *const texts[] = {"x\r\n", "\r\n", "-1\r\n", "5\r\nhello!\r\n",
                                        "1111111111111111\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct http_chunks c = {.stage = 0};
        (void)http_chunks_read(&c, (const uint8_t *)texts[i], strlen(texts[i]));
        assert_true(c.bad && !c.done);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_curl_sends),
        cmocka_unit_test(knows_whether_the_connection_stays),
        cmocka_unit_test(waits_for_the_end_of_the_head),
        cmocka_unit_test(refuses_what_is_no_request),
        cmocka_unit_test(has_limits),
        cmocka_unit_test(finds_the_end_of_chunks),
        cmocka_unit_test(refuses_malformed_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
