// SPDX-License-Identifier: MIT
// What a client says of its trace: a line is its traceparent, the next one a span
// alone, and the rest its tracestate. What was read is the same when it is written and
// read again, and what was not read changes nothing.
#include <string.h>

#include "base/check.h"
#include "base/hex.h"
#include "fuzz.h"
#include "telemetry/trace_context.h"

static struct sp_slice take_line(struct sp_slice *rest)
{
    const uint8_t *end = rest->size == 0 ? NULL : memchr(rest->data, '\n', rest->size);
    const size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    const struct sp_slice line = {rest->data, size};
    const size_t step = end == NULL ? size : size + 1;
    *rest = (struct sp_slice){rest->data + step, rest->size - step};
    return line;
}

static bool is_same(const struct sp_trace_context *one,
                    const struct sp_trace_context *other)
{
    return memcmp(one->trace, other->trace, sizeof one->trace) == 0 &&
           memcmp(one->span, other->span, sizeof one->span) == 0 &&
           one->flags == other->flags;
}

static void check_parent(struct sp_slice text)
{
    static const struct sp_trace_context none;
    static const uint8_t zero[16];
    struct sp_trace_context read = none;
    struct sp_trace_context again = none;
    uint8_t written[SP_TRACEPARENT_SIZE];
    if (!sp_traceparent_read(text, &read)) {
        SP_CHECK(is_same(&read, &none));
        return;
    }
    SP_CHECK(text.size >= SP_TRACEPARENT_SIZE);
    SP_CHECK(sp_trace_is_one(&read) && memcmp(read.trace, zero, sizeof zero) != 0);
    SP_CHECK((read.flags & ~SP_TRACE_FLAGS) == 0);
    sp_traceparent_write(&read, written);
    SP_CHECK(sp_traceparent_read((struct sp_slice){written, sizeof written}, &again));
    SP_CHECK(is_same(&read, &again));
    SP_CHECK(memcmp(written + 2, text.data + 2, SP_TRACEPARENT_SIZE - 4) == 0);
}

static void check_span(struct sp_slice text)
{
    uint8_t span[8];
    uint8_t written[16];
    if (sp_span_read(text, span)) {
        sp_hex_write(span, sizeof span, written);
        SP_CHECK(text.size == sizeof written);
        SP_CHECK(memcmp(written, text.data, sizeof written) == 0);
    }
}

static void check_state(struct sp_slice text)
{
    if (sp_tracestate_is_sound(text)) {
        SP_CHECK(text.size > 0 && text.size <= SP_TRACESTATE_MAX);
        SP_CHECK(memchr(text.data, '\r', text.size) == NULL);
        SP_CHECK(memchr(text.data, '\0', text.size) == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_slice rest = {data, size};
    check_parent(take_line(&rest));
    check_span(take_line(&rest));
    check_state(rest);
    return 0;
}
