// SPDX-License-Identifier: MIT
// Two steps: the end of the head is looked for as bytes come, line by line, and what is
// found is read at once. Only the first step knows how the bytes were split, and all
// that it keeps is where it stopped.
#include "http/http1_parser.h"

#include <string.h>
#include <strings.h>

#include "http/chars.h"
#include "http/target.h"

static const struct sp_refusal fine = {0, NULL};

static struct sp_refusal refuse(unsigned status, const char *why)
{
    return (struct sp_refusal){status, why};
}

// A word that is looked for, with its size.
struct word {
    const char *text;
    size_t size;
};

#define WORD(text) {text, sizeof(text) - 1}

static bool is_word(struct sp_slice slice, struct word word)
{
    return slice.size == word.size && memcmp(slice.data, word.text, word.size) == 0;
}

// Whatever the case of its letters.
static bool is_text(struct sp_slice slice, const char *text)
{
    return slice.size == strlen(text) &&
           strncasecmp((const char *)slice.data, text, slice.size) == 0;
}

// ---- The end of the head --------------------------------------------------------

// The line from `scan->line` to `end`, behind its LF, has ended. True: it is the last
// one.
static bool end_line(struct sp_http1_scan *scan,
                     const uint8_t *data,
                     size_t end,
                     struct sp_refusal *refusal)
{
    size_t size = end - scan->line;
    scan->line = end;
    if (size < 2 || data[end - 2] != '\r') {
        *refusal = refuse(400, "a line ends without a carriage return");
    } else if (size > 2) {
        scan->lines++;
        if (scan->lines > SP_FIELDS_MOST + 1) {
            *refusal = refuse(431, "there are too many header fields");
        }
    } else if (scan->lines > 0) {
        return true;
    } else if (scan->skipped) {
        *refusal = refuse(400, "there are empty lines before the request");
    } else {
        scan->skipped = true;
    }
    return false;
}

// So that what speaks another protocol is not waited for.
static bool begins_well(const struct sp_http1_scan *scan, struct sp_slice bytes)
{
    return scan->lines > 0 || bytes.size == scan->line ||
           sp_char_is(bytes.data[scan->line], SP_CHAR_TOKEN) ||
           bytes.data[scan->line] == '\r';
}

static struct sp_refusal too_long(const struct sp_http1_scan *scan)
{
    return scan->lines == 0 ? refuse(414, "the request line is too long")
                            : refuse(431, "the header is too large");
}

size_t sp_http1_scan(struct sp_http1_scan *scan,
                     struct sp_slice bytes,
                     size_t limit,
                     struct sp_refusal *refusal)
{
    *refusal = fine;
    while (scan->at < bytes.size) {
        if (!begins_well(scan, bytes)) {
            *refusal = refuse(400, "what was sent is not HTTP");
            return 0;
        }
        const uint8_t *lf = memchr(bytes.data + scan->at, '\n', bytes.size - scan->at);
        size_t end = lf != NULL ? (size_t)(lf - bytes.data) + 1 : bytes.size;
        if (end > limit || (lf == NULL && end == limit)) {
            *refusal = too_long(scan);
            return 0;
        }
        scan->at = end;
        if (lf != NULL && end_line(scan, bytes.data, end, refusal)) {
            return end;
        }
        if (refusal->status != 0) {
            return 0;
        }
    }
    return 0;
}

// ---- The first line -------------------------------------------------------------

// "HTTP/1.1"; any other minor version is read as that (RFC 9110, section 6.2).
static struct sp_refusal read_version(struct sp_slice text, unsigned *minor)
{
    if (text.size != 8 || memcmp(text.data, "HTTP/", 5) != 0 ||
        !sp_char_is(text.data[5], SP_CHAR_DIGIT) || text.data[6] != '.' ||
        !sp_char_is(text.data[7], SP_CHAR_DIGIT)) {
        return refuse(400, "the request line does not end with an HTTP version");
    }
    if (text.data[5] != '1') {
        return refuse(505, "this version of HTTP is not spoken here");
    }
    *minor = text.data[7] == '0' ? 0 : 1;
    return fine;
}

static struct sp_refusal read_target(struct sp_slice text, struct sp_http1_head *head)
{
    struct sp_target target;
    if (!sp_target_read(text, &target) ||
        (target.path.data[0] == '*' && head->method != SP_METHOD_OPTIONS)) {
        return refuse(400, "the target of the request is malformed");
    }
    head->path = target.path;
    head->query = target.query;
    head->host = target.authority;
    return fine;
}

static struct sp_refusal read_request_line(struct sp_slice line,
                                           struct sp_http1_head *head)
{
    const uint8_t *end = line.data + line.size;
    const uint8_t *first = memchr(line.data, ' ', line.size);
    const uint8_t *second =
        first != NULL ? memchr(first + 1, ' ', (size_t)(end - first - 1)) : NULL;
    if (second == NULL) {
        return refuse(400, "the request line is not method, target and version");
    }
    struct sp_slice method = {line.data, (size_t)(first - line.data)};
    struct sp_slice target = {first + 1, (size_t)(second - first - 1)};
    struct sp_slice version = {second + 1, (size_t)(end - second - 1)};
    if (method.size == 0 || !sp_chars_all(method, SP_CHAR_TOKEN)) {
        return refuse(400, "the method is malformed");
    }
    struct sp_refusal refusal = read_version(version, &head->minor);
    if (refusal.status != 0) {
        return refusal;
    }
    if (is_word(method, (struct word)WORD("CONNECT"))) {
        return refuse(501, "this is not a proxy");
    }
    head->method = sp_method_of(method);
    return read_target(target, head);
}

// ---- Fields that say what comes next --------------------------------------------

// What was seen of them.
struct seen {
    bool host;
    bool length;
    bool coding;
    bool close;
    bool keep_alive;
    bool expects;
};

// The next element of a list, without the blanks around it; false: there is none.
static bool next_element(struct sp_slice *list, struct sp_slice *element)
{
    if (list->data == NULL) {
        return false;
    }
    const uint8_t *at = list->data;
    const uint8_t *end = at + list->size;
    const uint8_t *comma = list->size != 0 ? memchr(at, ',', list->size) : NULL;
    *list = comma != NULL ? (struct sp_slice){comma + 1, (size_t)(end - comma - 1)}
                          : (struct sp_slice){NULL, 0};
    end = comma != NULL ? comma : end;
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    while (at < end && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    *element = (struct sp_slice){at, (size_t)(end - at)};
    return true;
}

static struct sp_refusal
see_host(struct sp_slice value, struct seen *seen, struct sp_http1_head *head)
{
    if (seen->host || !sp_target_host_is_valid(value)) {
        return refuse(400, "the Host field is malformed or there are several");
    }
    seen->host = true;
    // What an absolute target says goes before (RFC 9112, section 3.2.2).
    if (head->host.data == NULL) {
        head->host = value;
    }
    return fine;
}

// Digits only, and once: "5, 5" is what others have read as 5 or as 55.
static struct sp_refusal
see_length(struct sp_slice value, struct seen *seen, struct sp_http1_head *head)
{
    if (seen->length || !sp_chars_number(value, &head->length)) {
        return refuse(400, "Content-Length is malformed or there are several");
    }
    seen->length = true;
    return fine;
}

static struct sp_refusal
see_coding(struct sp_slice value, struct seen *seen, struct sp_http1_head *head)
{
    struct sp_slice coding = {NULL, 0};
    size_t count = 0;
    bool repeated = seen->coding;
    seen->coding = true;
    for (bool chunked = false; next_element(&value, &coding); count++) {
        // Nothing may follow it, nor may it be there twice.
        repeated = repeated || chunked;
        chunked = is_text(coding, "chunked");
    }
    if (repeated || !is_text(coding, "chunked")) {
        return refuse(400, "Transfer-Encoding does not end with chunked, once");
    }
    if (count > 1) {
        return refuse(501, "no Transfer-Encoding but chunked is known here");
    }
    head->chunked = true;
    return fine;
}

static struct sp_refusal
see_connection(struct sp_slice value, struct seen *seen, struct sp_http1_head *head)
{
    (void)head;
    struct sp_slice option;
    while (next_element(&value, &option)) {
        seen->close = seen->close || is_text(option, "close");
        seen->keep_alive = seen->keep_alive || is_text(option, "keep-alive");
    }
    return fine;
}

static struct sp_refusal
see_expect(struct sp_slice value, struct seen *seen, struct sp_http1_head *head)
{
    // Who asks with HTTP/1.0 would take the interim answer for the final one.
    if (head->minor > 0 && (seen->expects || !is_text(value, "100-continue"))) {
        return refuse(417, "nothing but 100-continue can be expected");
    }
    seen->expects = true;
    head->wants_continue = head->minor > 0;
    return fine;
}

static struct sp_refusal
see(const struct sp_field *field, struct seen *seen, struct sp_http1_head *head)
{
    static const struct {
        struct word name;
        struct sp_refusal (*see)(struct sp_slice value,
                                 struct seen *seen,
                                 struct sp_http1_head *head);
    } rows[] = {
        {WORD("host"), see_host},
        {WORD("connection"), see_connection},
        {WORD("content-length"), see_length},
        {WORD("transfer-encoding"), see_coding},
        {WORD("expect"), see_expect},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (is_word(field->name, rows[i].name)) {
            return rows[i].see(field->value, seen, head);
        }
    }
    return fine;
}

// What fields say together.
static struct sp_refusal judge(const struct seen *seen, struct sp_http1_head *head)
{
    if (head->minor > 0 && !seen->host) {
        return refuse(400, "the Host field is missing");
    }
    if (seen->coding && seen->length) {
        return refuse(400, "there are both Content-Length and Transfer-Encoding");
    }
    if (seen->coding && head->minor == 0) {
        return refuse(400, "there is no Transfer-Encoding in HTTP/1.0");
    }
    head->keep_alive = !seen->close && (head->minor > 0 || seen->keep_alive);
    return fine;
}

// ---- Fields ---------------------------------------------------------------------

// Eight bytes at once: whether one of them is a control code, a tab included.
static bool has_control(const uint8_t *at)
{
    static const uint64_t ones = UINT64_MAX / 255;
    uint64_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    uint64_t deleted = bytes ^ (ones * 127);
    // A borrow can only come from a byte that is one.
    uint64_t below = (bytes - ones * 32) & ~bytes;
    uint64_t is_127 = (deleted - ones) & ~deleted;
    return ((below | is_127) & (ones * 128)) != 0;
}

static bool is_value(struct sp_slice value)
{
    while (value.size >= 8 && !has_control(value.data)) {
        value.data += 8;
        value.size -= 8;
    }
    return sp_chars_all(value, SP_CHAR_VALUE);
}

// The name, which the first colon ends, in lower case; its size. 0: it is malformed.
// A line that begins with a blank was once the next one of the field before.
static size_t read_name(uint8_t *line, size_t size)
{
    size_t at = 0;
    while (at < size && sp_char_is(line[at], SP_CHAR_TOKEN)) {
        line[at] = sp_char_lower(line[at]);
        at++;
    }
    return at < size && line[at] == ':' ? at : 0;
}

static struct sp_refusal read_field(uint8_t *line, size_t size, struct sp_field *field)
{
    size_t name = read_name(line, size);
    if (name == 0) {
        return refuse(400, "the name of a header field is malformed");
    }
    field->name = (struct sp_slice){line, name};
    const uint8_t *at = line + name + 1;
    const uint8_t *end = line + size;
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    while (at < end && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    field->value = (struct sp_slice){at, (size_t)(end - at)};
    return is_value(field->value)
               ? fine
               : refuse(400, "a header field has a byte that may not be there");
}

// The size of the line that `bytes` begin with, without its end.
static size_t line_size(const uint8_t *bytes, const uint8_t *end)
{
    const uint8_t *lf = memchr(bytes, '\n', (size_t)(end - bytes));
    return (size_t)(lf - bytes) - 1;
}

static struct sp_refusal read_fields(uint8_t *at,
                                     const uint8_t *end,
                                     struct sp_field *fields,
                                     struct sp_http1_head *head)
{
    struct seen seen = {0};
    size_t size = 0;
    for (; (size = line_size(at, end)) != 0; at += size + 2) {
        struct sp_field *field = &fields[head->field_count++];
        struct sp_refusal refusal = read_field(at, size, field);
        if (refusal.status == 0) {
            refusal = see(field, &seen, head);
        }
        if (refusal.status != 0) {
            return refusal;
        }
    }
    return judge(&seen, head);
}

struct sp_refusal sp_http1_read_head(uint8_t *bytes,
                                     size_t size,
                                     struct sp_field *fields,
                                     struct sp_http1_head *head)
{
    const uint8_t *end = bytes + size;
    uint8_t *at = bytes[0] == '\r' && bytes[1] == '\n' ? bytes + 2 : bytes;
    *head = (struct sp_http1_head){0};
    struct sp_slice line = {at, line_size(at, end)};
    struct sp_refusal refusal = read_request_line(line, head);
    if (refusal.status != 0) {
        return refusal;
    }
    return read_fields(at + line.size + 2, end, fields, head);
}
