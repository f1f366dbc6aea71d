// SPDX-License-Identifier: MIT
#include "telemetry/trace_context.h"

#include "base/hex.h"

// Where the parts of a traceparent are.
#define TRACE_AT 3u
#define SPAN_AT  36u
#define FLAGS_AT 53u

// What stands around the ids. A later version may have more behind it, after another
// dash, and only one flag that is known. False: it has not that form.
static bool read_rest(struct sp_slice text, uint8_t *flags)
{
    const unsigned version = sp_hex_two(text.data);
    const unsigned found = sp_hex_two(text.data + FLAGS_AT);
    if (version >= 0xff || found > 0xff || text.data[TRACE_AT - 1] != '-' ||
        text.data[FLAGS_AT - 1] != '-' ||
        (text.size > SP_TRACEPARENT_SIZE &&
         (version == 0 || text.data[SP_TRACEPARENT_SIZE] != '-'))) {
        return false;
    }
    *flags = found & (version == 0 ? SP_TRACE_FLAGS : SP_TRACE_SAMPLED);
    return true;
}

// The same where it is as nearly all are: "00-" and "-00" to "-03".
static bool read_usual_rest(struct sp_slice text, uint8_t *flags)
{
    *flags = text.data[FLAGS_AT + 1] ^ '0';
    return text.size == SP_TRACEPARENT_SIZE && memcmp(text.data, "00-", 3) == 0 &&
           memcmp(text.data + FLAGS_AT - 1, "-0", 2) == 0 && *flags <= SP_TRACE_FLAGS;
}

bool sp_traceparent_read(struct sp_slice text, struct sp_trace_context *context)
{
    if (text.size < SP_TRACEPARENT_SIZE || text.data[SPAN_AT - 1] != '-') {
        return false;
    }
    uint8_t flags;
    uint64_t wrong = 0;
    const uint64_t trace[2] = {sp_hex_sixteen(text.data + TRACE_AT, &wrong),
                               sp_hex_sixteen(text.data + TRACE_AT + 16, &wrong)};
    const uint64_t span = sp_hex_sixteen(text.data + SPAN_AT, &wrong);
    if (wrong != 0 || (trace[0] | trace[1]) == 0 || span == 0 ||
        (!read_usual_rest(text, &flags) && !read_rest(text, &flags))) {
        return false;
    }
    memcpy(context->trace, trace, sizeof trace);
    memcpy(context->span, &span, sizeof span);
    context->flags = flags;
    return true;
}

bool sp_span_read(struct sp_slice digits, uint8_t span[8])
{
    uint64_t wrong = 0;
    if (digits.size != 16) {
        return false;
    }
    const uint64_t bytes = sp_hex_sixteen(digits.data, &wrong);
    memcpy(span, &bytes, sizeof bytes);
    return wrong == 0 && bytes != 0;
}

void sp_traceparent_write(const struct sp_trace_context *context,
                          uint8_t text[SP_TRACEPARENT_SIZE])
{
    static const uint8_t version[TRACE_AT] = {'0', '0', '-'};
    memcpy(text, version, sizeof version);
    sp_hex_write(context->trace, sizeof context->trace, text + TRACE_AT);
    text[SPAN_AT - 1] = '-';
    sp_hex_write(context->span, sizeof context->span, text + SPAN_AT);
    text[FLAGS_AT - 1] = '-';
    sp_hex_write(&context->flags, 1, text + FLAGS_AT);
}

bool sp_tracestate_is_sound(struct sp_slice text)
{
    if (text.size == 0 || text.size > SP_TRACESTATE_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~') {
            return false;
        }
    }
    return true;
}
