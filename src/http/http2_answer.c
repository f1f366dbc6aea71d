// SPDX-License-Identifier: MIT
// nghttp2 copies the fields that it is given.
#include "http/http2_answer.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "http/chars.h"
#include "http/date.h"

#define FEW 24u // fields for which there is always room

// Fields on their way to nghttp2: `few`, or many.
struct list {
    nghttp2_nv *items;
    size_t count;
    nghttp2_nv few[FEW];
};

// Room for `count` fields. NO_MEMORY.
static snakepit_err begin(struct list *list, size_t count)
{
    list->items = count <= FEW ? list->few : sp_alloc_array(count, sizeof *list->items);
    list->count = 0;
    return list->items != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

static void end(struct list *list)
{
    if (list->items != list->few) {
        sp_free(list->items);
    }
}

static void put(struct list *list, struct sp_slice name, struct sp_slice value)
{
    list->items[list->count++] = (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.data,
        .value = (uint8_t *)(uintptr_t)value.data,
        .namelen = name.size,
        .valuelen = value.size,
    };
}

static void put_text(struct list *list, const char *name, const char *value)
{
    put(list, sp_slice_of_text(name), sp_slice_of_text(value));
}

// What nghttp2 says of what was submitted: a stream that is not there any more has
// nobody that waits.
static snakepit_err judge(int rv)
{
    return rv == NGHTTP2_ERR_NOMEM ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK;
}

// Fields of a connection of HTTP/1.1, by their names.
static bool is_of_connection(struct sp_slice name)
{
    static const char *const names[] = {
        "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"};
    size_t i = 0;
    while (i < sizeof names / sizeof names[0] &&
           (strlen(names[i]) != name.size ||
            memcmp(names[i], name.data, name.size) != 0)) {
        i++;
    }
    return i < sizeof names / sizeof names[0];
}

bool sp_http2_may_send(const struct sp_field *field)
{
    return !is_of_connection(field->name) && sp_chars_all(field->value, SP_CHAR_VALUE);
}

snakepit_err sp_http2_submit_answer(nghttp2_session *session,
                                    int32_t id,
                                    const struct sp_reply *reply,
                                    const size_t *length,
                                    const nghttp2_data_provider *body)
{
    struct list list;
    const char status[] = {(char)('0' + reply->status / 100 % 10),
                           (char)('0' + reply->status / 10 % 10),
                           (char)('0' + reply->status % 10),
                           '\0'};
    char digits[24];
    if (begin(&list, reply->field_count + 4) != SNAKEPIT_OK) {
        return SNAKEPIT_NO_MEMORY;
    }
    put_text(&list, ":status", status);
    put_text(&list, "date", sp_http_date_now());
    if (reply->type != NULL) {
        put_text(&list, "content-type", reply->type);
    }
    if (length != NULL && !sp_http2_has_no_body(reply->status)) {
        (void)snprintf(digits, sizeof digits, "%zu", *length);
        put_text(&list, "content-length", digits);
    }
    for (size_t i = 0; i < reply->field_count; i++) {
        if (sp_http2_may_send(&reply->fields[i])) {
            put(&list, reply->fields[i].name, reply->fields[i].value);
        }
    }
    int rv = nghttp2_submit_response(session, id, list.items, list.count, body);
    end(&list);
    return judge(rv);
}

snakepit_err sp_http2_submit_continue(nghttp2_session *session, int32_t id)
{
    struct list list;
    (void)begin(&list, 1);
    put_text(&list, ":status", "100");
    return judge(nghttp2_submit_headers(
        session, NGHTTP2_FLAG_NONE, id, NULL, list.items, list.count, NULL));
}

snakepit_err sp_http2_submit_trailers(nghttp2_session *session,
                                      int32_t id,
                                      const struct sp_http2_fields *trailers)
{
    struct list list;
    struct sp_field field;
    if (begin(&list, trailers->count) != SNAKEPIT_OK) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (size_t at = 0; sp_http2_fields_next(trailers, &at, &field);) {
        put(&list, field.name, field.value);
    }
    int rv = nghttp2_submit_trailer(session, id, list.items, list.count);
    end(&list);
    return judge(rv);
}
