// SPDX-License-Identifier: MIT
// Any bytes as what an HTTP/1.1 client sends: requests one after another, with their
// bodies. However the bytes are split, the same is made of them; what is served obeys
// rules that are checked here once more, by other means.
//
// The first two bytes of the input say how it is split and how long a head may be.
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/slice.h"
#include "fuzz.h"
#include "http/chars.h"
#include "http/http1_chunks.h"
#include "http/http1_parser.h"

// What was made of the bytes, as text.
struct trace {
    struct sp_buf text;
    bool over; // a refusal: nothing is read behind it
};

// A client's connection: what has come of the request that is not whole.
struct stream {
    struct sp_http1_scan scan;
    struct sp_http1_head head;
    struct sp_http1_chunks chunks;
    size_t limit;
    bool in_body;
    uint64_t left; // of a body with a length
};

static struct sp_field fields[SP_FIELDS_MOST];

static void note(struct trace *trace, const char *word, struct sp_slice bytes)
{
    SP_CHECK(sp_buf_printf(&trace->text, "%s %zu:", word, bytes.size) == SNAKEPIT_OK);
    SP_CHECK(sp_buf_append(&trace->text, bytes.data, bytes.size) == SNAKEPIT_OK);
}

static void refuse(struct trace *trace, struct sp_refusal refusal)
{
    SP_CHECK(refusal.status >= 400 && refusal.status <= 505 && refusal.why != NULL);
    SP_CHECK(
        sp_buf_printf(&trace->text, "refused %u %s\n", refusal.status, refusal.why) ==
        SNAKEPIT_OK);
    trace->over = true;
}

// ---- The rules, once more -----------------------------------------------------------

// Each CR has its LF and the other way round, and there are no zeros.
static void check_bytes(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        SP_CHECK(bytes[i] != 0);
        SP_CHECK(bytes[i] != '\n' || (i > 0 && bytes[i - 1] == '\r'));
        SP_CHECK(bytes[i] != '\r' || (i + 1 < size && bytes[i + 1] == '\n'));
    }
    SP_CHECK(memcmp(bytes + size - 4, "\r\n\r\n", 4) == 0);
}

static size_t count_of(const struct sp_http1_head *head, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        count += fields[i].name.size == strlen(name) &&
                 memcmp(fields[i].name.data, name, strlen(name)) == 0;
    }
    return count;
}

static void check_fields(const struct sp_http1_head *head)
{
    for (size_t i = 0; i < head->field_count; i++) {
        struct sp_slice name = fields[i].name;
        struct sp_slice value = fields[i].value;
        SP_CHECK(name.size != 0 && sp_chars_all(name, SP_CHAR_TOKEN));
        for (size_t at = 0; at < name.size; at++) {
            SP_CHECK(sp_char_lower(name.data[at]) == name.data[at]);
        }
        SP_CHECK(value.data == name.data + name.size + 1 || value.data[-1] == ' ' ||
                 value.data[-1] == '\t');
        SP_CHECK(value.size == 0 ||
                 (value.data[0] > ' ' && value.data[value.size - 1] > ' '));
        SP_CHECK(sp_chars_all(value, SP_CHAR_VALUE));
    }
}

static void check_head(const struct sp_http1_head *head)
{
    size_t lengths = count_of(head, "content-length");
    size_t codings = count_of(head, "transfer-encoding");
    SP_CHECK(lengths + codings <= 1);
    SP_CHECK(head->chunked == (codings == 1));
    SP_CHECK(lengths == 1 || head->length == 0);
    SP_CHECK(count_of(head, "host") == 1 ||
             (head->minor == 0 && count_of(head, "host") == 0));
    SP_CHECK(head->path.size != 0 &&
             (head->path.data[0] == '/' || head->path.data[0] == '*'));
}

// ---- One connection -----------------------------------------------------------------

static void begin_body(struct stream *stream)
{
    stream->in_body = true;
    stream->left = stream->head.length;
    stream->chunks = (struct sp_http1_chunks){0};
    stream->scan = (struct sp_http1_scan){0};
}

// Returns how many of the bytes are used up.
static size_t
read_head(struct stream *stream, struct sp_slice bytes, struct trace *trace)
{
    struct sp_refusal refusal;
    size_t size = sp_http1_scan(&stream->scan, bytes, stream->limit, &refusal);
    if (size == 0) {
        if (refusal.status != 0) {
            refuse(trace, refusal);
        }
        return 0;
    }
    SP_CHECK(refusal.status == 0 && size <= stream->limit && size <= bytes.size);
    // A head is read in a block of its size, so that a byte read behind it is seen.
    uint8_t *head = malloc(size);
    SP_CHECK(head != NULL);
    memcpy(head, bytes.data, size);
    refusal = sp_http1_read_head(head, size, fields, &stream->head);
    if (refusal.status != 0) {
        refuse(trace, refusal);
    } else {
        SP_CHECK(stream->head.field_count == sp_http1_scan_fields(&stream->scan));
        check_bytes(head, size);
        check_fields(&stream->head);
        check_head(&stream->head);
        note(trace, "head", (struct sp_slice){head, size});
        note(trace, "path", stream->head.path);
        note(trace, "query", stream->head.query);
        note(trace, "host", stream->head.host);
        begin_body(stream);
    }
    free(head);
    return size;
}

static size_t
read_length(struct stream *stream, struct sp_slice bytes, struct trace *trace)
{
    size_t size = stream->left < bytes.size ? (size_t)stream->left : bytes.size;
    // Piece by piece, but the trace is not to show how it was split.
    SP_CHECK(sp_buf_append(&trace->text, bytes.data, size) == SNAKEPIT_OK);
    stream->left -= size;
    stream->in_body = stream->left != 0;
    return size;
}

static size_t
read_chunks(struct stream *stream, struct sp_slice bytes, struct trace *trace)
{
    struct sp_slice rest = bytes;
    struct sp_slice piece;
    struct sp_refusal refusal = sp_http1_chunks_next(&stream->chunks, &rest, &piece);
    SP_CHECK(rest.data + rest.size == bytes.data + bytes.size);
    SP_CHECK(sp_buf_append(&trace->text, piece.data, piece.size) == SNAKEPIT_OK);
    if (refusal.status != 0) {
        refuse(trace, refusal);
    }
    stream->in_body = stream->chunks.state != SP_HTTP1_CHUNK_END;
    return bytes.size - rest.size;
}

static size_t
read_some(struct stream *stream, struct sp_slice bytes, struct trace *trace)
{
    if (!stream->in_body) {
        return read_head(stream, bytes, trace);
    }
    return stream->head.chunked ? read_chunks(stream, bytes, trace)
                                : read_length(stream, bytes, trace);
}

// Reads on until that needs more bytes. Returns how many are used up.
static size_t read_on(struct stream *stream, struct sp_slice bytes, struct trace *trace)
{
    size_t used = 0;
    for (bool goes_on = true; goes_on && !trace->over;) {
        bool in_body = stream->in_body;
        struct sp_slice rest = {bytes.data + used, bytes.size - used};
        size_t more = read_some(stream, rest, trace);
        used += more;
        // A body of no bytes is over at once.
        goes_on = more != 0 || in_body != stream->in_body;
    }
    return used;
}

// Gives `step` more bytes each time; 0: more and more.
static struct trace read_all(struct sp_slice bytes, size_t limit, size_t step)
{
    struct trace trace = {0};
    struct stream stream = {.limit = limit};
    size_t used = 0;
    size_t there = 0;
    for (size_t turn = 1; there < bytes.size && !trace.over; turn++) {
        size_t more = step != 0 ? step : turn;
        there = more < bytes.size - there ? there + more : bytes.size;
        // In a block of their size, so that a byte read behind them is seen.
        uint8_t *copy = malloc(there - used);
        SP_CHECK(copy != NULL);
        memcpy(copy, bytes.data + used, there - used);
        used += read_on(&stream, (struct sp_slice){copy, there - used}, &trace);
        free(copy);
    }
    SP_CHECK(sp_buf_printf(&trace.text, "used %zu", used) == SNAKEPIT_OK);
    return trace;
}

static void check_same(const struct trace *one, const struct trace *two)
{
    SP_CHECK(one->over == two->over);
    SP_CHECK(one->text.size == two->text.size);
    SP_CHECK(memcmp(one->text.data, two->text.data, one->text.size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    static const size_t limits[] = {64, 256, 1024, 8192};
    size_t limit = limits[data[1] % 4];
    struct sp_slice bytes = {data + 2, size - 2};
    struct trace whole = read_all(bytes, limit, bytes.size);
    const size_t steps[] = {0, 1, (size_t)data[0] + 2};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct trace parts = read_all(bytes, limit, steps[i]);
        check_same(&whole, &parts);
        sp_buf_fini(&parts.text);
    }
    sp_buf_fini(&whole.text);
    return 0;
}
