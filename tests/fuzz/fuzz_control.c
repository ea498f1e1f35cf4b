/* fuzz_control.c - the line that a client of a control socket sends.
 *
 * Whatever is asked, the answer is one word set or one complaint; what was understood can be said
 * again in the usual words and means the same.
 */
#include "fuzz.h"

#include "host/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct control_request r, again;
    char said[CONTROL_REQUEST_MAX];
    size_t len;
    char *line = (char *)fuzz_rest(&in, CONTROL_REQUEST_MAX, &len);
    const char *wrong = control_request_read(&r, line, len);

    CHECK(wrong == NULL || strlen(wrong) > 0);
    if (wrong == NULL) {
        CHECK(len >= 6 && memchr(line, '/', len) != NULL);
        int n = snprintf(said, sizeof said, "tern/1%s%s%s", r.sockets ? " sockets" : "",
                         r.info ? " info" : "", r.counters ? " counters" : "");
        CHECK(control_request_read(&again, said, (size_t)n) == NULL);
        CHECK(again.sockets == r.sockets && again.info == r.info && again.counters == r.counters);
    }
    free(line);
    return 0;
}
