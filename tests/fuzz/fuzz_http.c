/* fuzz_http.c - the reader of the built-in site's requests.
 *
 * Input: where a body is cut in two, then a request. What is not a whole head stays one when more
 * comes; a body in two pieces ends where the whole one does.
 */
#include "fuzz.h"

#include "host/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    size_t cut = fuzz_u8(&in), len;
    uint8_t *p = fuzz_rest(&in, in.left, &len);
    struct http_request r, shorter;

    int n = http_request_read(&r, (const char *)p, len);
    CHECK(n <= (int)len);
    if (n > 0) {
        CHECK(memchr(r.method, 0, sizeof r.method) && memchr(r.target, 0, sizeof r.target));
        CHECK(r.method[0] && r.target[0] && !(r.chunked && r.length));
        CHECK(http_request_read(&shorter, (const char *)p, (size_t)n) == n);
        CHECK(http_request_read(&shorter, (const char *)p, (size_t)n - 1) == 0);
    }

    struct http_chunks whole = {.stage = 0}, pieces = {.stage = 0};
    size_t end = http_chunks_read(&whole, p, len), at;
    cut = cut < len ? cut : len;
    at = http_chunks_read(&pieces, p, cut);
    if (at == cut)
        at += http_chunks_read(&pieces, p + cut, len - cut);
    CHECK(at == end && whole.done == pieces.done && whole.bad == pieces.bad);
    CHECK(whole.done || whole.bad || end == len);
    free(p);
    return 0;
}
