// SPDX-License-Identifier: MIT
// What a worker says of itself on its channel.
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "process/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_worker_info info;
    char text[512];
    sp_worker_read_info(&info, data, size);
    SP_CHECK(memchr(info.python, 0, sizeof info.python) != NULL);
    SP_CHECK(memchr(info.adapter, 0, sizeof info.adapter) != NULL);
    sp_worker_read_failure(text, sizeof text, data, size);
    SP_CHECK(memchr(text, 0, sizeof text) != NULL);
    return 0;
}
