// SPDX-License-Identifier: MIT
// What a collector answers: any bytes are at most a count and one line for the log.
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "otlp/otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_otlp_rejected rejected;
    const bool tells = sp_otlp_read_answer((struct sp_slice){data, size}, &rejected);
    const char *end = memchr(rejected.because, 0, sizeof rejected.because);
    SP_CHECK(end != NULL && rejected.count <= INT64_MAX);
    SP_CHECK(tells == (rejected.count > 0 || end > rejected.because));
    for (const char *at = rejected.because; at < end; at++) {
        SP_CHECK((uint8_t)*at >= ' ' && *at != 0x7f);
    }
    return 0;
}
