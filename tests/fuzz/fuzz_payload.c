/* fuzz_payload.c - names of payloads: whatever the bytes, the name is short and printable. */
#include "fuzz.h"

#include "watch/payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    char name[PAYLOAD_NAME];
    size_t len;
    uint8_t *p = fuzz_rest(&in, size, &len);
    size_t n = payload_name(p, len, name);
    CHECK(n < PAYLOAD_NAME && strlen(name) == n);
    for (size_t i = 0; i < n; i++)
        CHECK(name[i] >= 0x20 && name[i] < 0x7f);
    free(p);
    return 0;
}
