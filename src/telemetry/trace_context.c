// SPDX-License-Identifier: MIT
#include "telemetry/trace_context.h"

// Where the parts of a traceparent are.
#define TRACE_AT 3u
#define SPAN_AT  36u
#define FLAGS_AT 53u

// What each digit is worth, and a bit that other bytes do not have: so a text is read
// without a branch for each of them.
#define DIGIT 0x10

static const uint8_t worth[256] = {
    ['0'] = DIGIT | 0,
    ['1'] = DIGIT | 1,
    ['2'] = DIGIT | 2,
    ['3'] = DIGIT | 3,
    ['4'] = DIGIT | 4,
    ['5'] = DIGIT | 5,
    ['6'] = DIGIT | 6,
    ['7'] = DIGIT | 7,
    ['8'] = DIGIT | 8,
    ['9'] = DIGIT | 9,
    ['a'] = DIGIT | 10,
    ['b'] = DIGIT | 11,
    ['c'] = DIGIT | 12,
    ['d'] = DIGIT | 13,
    ['e'] = DIGIT | 14,
    ['f'] = DIGIT | 15,
};

static bool read_hex(const uint8_t *digits, size_t count, uint8_t *bytes)
{
    uint8_t all = DIGIT;
    for (size_t i = 0; i < count; i++) {
        const uint8_t high = worth[digits[2 * i]];
        const uint8_t low = worth[digits[2 * i + 1]];
        all &= high & low;
        bytes[i] = (uint8_t)(high << 4 | (low ^ DIGIT));
    }
    return all == DIGIT;
}

void sp_hex_write(const uint8_t *bytes, size_t count, uint8_t *digits)
{
    static const char of[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        digits[2 * i] = (uint8_t)of[bytes[i] >> 4];
        digits[2 * i + 1] = (uint8_t)of[bytes[i] & 15];
    }
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
    static const uint8_t zero[16];
    return memcmp(bytes, zero, count) == 0;
}

// A later version may have more behind it, after another dash.
static bool has_its_form(struct sp_slice text, uint8_t version)
{
    if (version == 0xff || text.data[2] != '-' || text.data[SPAN_AT - 1] != '-' ||
        text.data[FLAGS_AT - 1] != '-') {
        return false;
    }
    return text.size == SP_TRACEPARENT_SIZE ||
           (version > 0 && text.data[SP_TRACEPARENT_SIZE] == '-');
}

bool sp_traceparent_read(struct sp_slice text, struct sp_trace_context *context)
{
    struct sp_trace_context found;
    uint8_t version;
    if (text.size < SP_TRACEPARENT_SIZE || !read_hex(text.data, 1, &version) ||
        !has_its_form(text, version) ||
        !read_hex(text.data + TRACE_AT, sizeof found.trace, found.trace) ||
        !read_hex(text.data + SPAN_AT, sizeof found.span, found.span) ||
        !read_hex(text.data + FLAGS_AT, 1, &found.flags) ||
        is_zero(found.trace, sizeof found.trace) ||
        is_zero(found.span, sizeof found.span)) {
        return false;
    }
    found.flags &= version == 0 ? SP_TRACE_FLAGS : SP_TRACE_SAMPLED;
    *context = found;
    return true;
}

bool sp_span_read(struct sp_slice digits, uint8_t span[8])
{
    return digits.size == 16 && read_hex(digits.data, 8, span) && !is_zero(span, 8);
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
