/* http.h - as much of HTTP/1.1 (RFC 9112) as the built-in site needs: the head of a request, and
 * where a body ends. Bounded, and without memory of its own. */
#ifndef TERN_HOST_HTTP_H
#define TERN_HOST_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_HEAD_MAX = 8192, /* bytes of a request's head */
    HTTP_TARGET_MAX = 255,
};

struct http_request {
    char method[16];
    char target[HTTP_TARGET_MAX + 1]; /* as sent, "/bytes/10?x=1" */
    bool keep;                        /* the connection may carry another request, ... */
    bool keep_asked;                  /* ... which was asked for: HTTP/1.0 wants to be told so */
    bool expect;                      /* the client waits for 100 Continue */
    bool chunked;                     /* the body comes in chunks, ... */
    uint64_t length;                  /* ... else it has so many bytes */
};

/* Reads a head that begins at `text`. Its length; 0 when it is not complete yet; or, negative, the
 * status to answer with (-400, -414, -431, -501, -505), after which nothing more can be read. */
int http_request_read(struct http_request *out, const char *text, size_t len);

/* Where a chunked body is; all zero: at its beginning. */
struct http_chunks {
    uint64_t left; /* of this chunk's data */
    uint8_t stage;
    uint8_t digits;
    bool done, bad, empty; /* `empty`: the trailer's line has nothing on it so far */
};

/* How many of the bytes at `p` belong to the body, framing included. */
size_t http_chunks_read(struct http_chunks *c, const uint8_t *p, size_t len);

#endif
