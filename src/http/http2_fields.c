// SPDX-License-Identifier: MIT
#include "http/http2_fields.h"

#include <string.h>
#include <strings.h>

#include "http/chars.h"
#include "http/target.h"

#define OVERHEAD 32u // of a field (RFC 9113, section 6.5.2)

// ---- A list of fields -----------------------------------------------------------

// What stands before the bytes of a field.
struct sizes {
    size_t name;
    size_t value;
};

snakepit_err sp_http2_fields_add(struct sp_http2_fields *fields,
                                 struct sp_slice name,
                                 struct sp_slice value)
{
    const struct sizes sizes = {name.size, value.size};
    struct sp_buf *bytes = &fields->bytes;
    snakepit_err err = sp_buf_reserve(bytes, sizeof sizes + name.size + value.size);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    (void)sp_buf_append(bytes, &sizes, sizeof sizes);
    (void)sp_buf_append(bytes, name.data, name.size);
    (void)sp_buf_append(bytes, value.data, value.size);
    fields->count++;
    fields->size += name.size + value.size + OVERHEAD;
    return SNAKEPIT_OK;
}

bool sp_http2_fields_next(const struct sp_http2_fields *fields,
                          size_t *at,
                          struct sp_field *field)
{
    struct sizes sizes;
    if (*at == fields->bytes.size) {
        return false; // also where there is no memory yet
    }
    const uint8_t *from = fields->bytes.data + *at;
    memcpy(&sizes, from, sizeof sizes);
    from += sizeof sizes;
    field->name = (struct sp_slice){from, sizes.name};
    field->value = (struct sp_slice){from + sizes.name, sizes.value};
    *at += sizeof sizes + sizes.name + sizes.value;
    return true;
}

void sp_http2_fields_fini(struct sp_http2_fields *fields)
{
    sp_buf_fini(&fields->bytes);
    *fields = (struct sp_http2_fields){0};
}

// ---- What a request asks for ----------------------------------------------------

static const struct sp_refusal fine = {0, NULL};

static struct sp_refusal refuse(unsigned status, const char *why)
{
    return (struct sp_refusal){status, why};
}

static bool is_text(struct sp_slice slice, const char *text)
{
    return slice.size == strlen(text) && memcmp(slice.data, text, slice.size) == 0;
}

static bool is_same(struct sp_slice one, struct sp_slice other)
{
    return one.size == other.size &&
           strncasecmp((const char *)one.data, (const char *)other.data, one.size) == 0;
}

// What was seen of fields that are there once.
struct seen {
    struct sp_slice authority;
    struct sp_slice host;
    struct sp_slice target;
};

static struct sp_refusal
see_pseudo(const struct sp_field *field, struct seen *seen, struct sp_http2_head *head)
{
    if (is_text(field->name, ":method")) {
        if (is_text(field->value, "CONNECT")) {
            return refuse(501, "this is not a proxy");
        }
        head->method = sp_method_of(field->value);
    } else if (is_text(field->name, ":path")) {
        seen->target = field->value;
    } else if (is_text(field->name, ":authority")) {
        seen->authority = field->value;
    }
    return fine;
}

static struct sp_refusal
see_field(const struct sp_field *field, struct seen *seen, struct sp_http2_head *head)
{
    if (is_text(field->name, "host")) {
        seen->host = field->value;
    } else if (is_text(field->name, "content-length")) {
        (void)sp_chars_number(field->value, &head->length);
    } else if (is_text(field->name, "expect")) {
        if (!is_same(field->value, sp_slice_of_text("100-continue"))) {
            return refuse(417, "nothing but 100-continue can be expected");
        }
        head->wants_continue = true;
    }
    return fine;
}

// What fields say together.
static struct sp_refusal judge(const struct seen *seen, struct sp_http2_head *head)
{
    struct sp_target target;
    if (seen->target.size == 0 || !sp_target_read(seen->target, &target) ||
        target.authority.data != NULL ||
        (target.path.data[0] == '*' && head->method != SP_METHOD_OPTIONS)) {
        return refuse(400, "the :path of the request is malformed");
    }
    bool both = seen->authority.data != NULL && seen->host.data != NULL;
    if (both && !is_same(seen->authority, seen->host)) {
        return refuse(400, "Host is not what :authority says");
    }
    head->path = target.path;
    head->query = target.query;
    head->host = seen->authority.data != NULL ? seen->authority : seen->host;
    if (head->host.data == NULL) {
        head->host = sp_slice_of_text("");
    }
    if (!sp_target_host_is_valid(head->host)) {
        return refuse(400, "the host of the request is malformed");
    }
    return fine;
}

struct sp_refusal sp_http2_read_head(const struct sp_http2_fields *list,
                                     struct sp_field *fields,
                                     struct sp_http2_head *head)
{
    struct seen seen = {0};
    struct sp_field field;
    *head = (struct sp_http2_head){.method = SP_METHOD_OTHER};
    for (size_t at = 0; sp_http2_fields_next(list, &at, &field);) {
        bool pseudo = field.name.size != 0 && field.name.data[0] == ':';
        struct sp_refusal refusal =
            pseudo ? see_pseudo(&field, &seen, head) : see_field(&field, &seen, head);
        if (refusal.status != 0) {
            return refusal;
        }
        if (!pseudo) {
            fields[head->field_count++] = field;
        }
    }
    return judge(&seen, head);
}
