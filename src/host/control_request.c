/* control_request.c - reads the one line that a client of a control socket sends. */
#include "host/control.h"

#include <string.h>

static bool is(const char *word, size_t len, const char *what)
{
    return strlen(what) == len && memcmp(word, what, len) == 0;
}

/* The next word, and how long it is; 0: there is none. */
static size_t word(const char **at, const char *end)
{
    const char *p = *at;

    while (p < end && *p == ' ')
        p++;
    *at = p;
    while (p < end && *p != ' ')
        p++;
    return (size_t)(p - *at);
}

const char *control_request_read(struct control_request *out, const char *line, size_t len)
{
    const char *at = line, *end = line + len;
    size_t n = word(&at, end);

    *out = (struct control_request){.sockets = false};
    if (n < 5 || memcmp(at, "tern/", 5) != 0)
        return "no request of tern's";
    if (!is(at, n, "tern/1"))
        return "another version of this protocol; mine is 1";
    for (at += n; (n = word(&at, end)) > 0; at += n) {
        if (is(at, n, "sockets"))
            out->sockets = true;
        else if (is(at, n, "info"))
            out->info = true;
        else if (is(at, n, "counters"))
            out->counters = true;
        else
            return "a word that is not known; I know sockets, info and counters";
    }
    return NULL;
}
