// SPDX-License-Identifier: MIT
// What a client sends before the door knows it: a path, a query, and the fields that
// are read by hand. Whatever it is, what comes out is within its bounds, and what was
// decoded is found again when it is encoded. The parts of an input end with a line.
#include <string.h>

#include "api/call_names.h"
#include "api/query.h"
#include "api/router.h"
#include "base/check.h"
#include "fuzz.h"
#include "http/negotiate.h"
#include "http/percent.h"
#include "http/screen.h"

#define OFFERED (SP_MEDIA_JSON | SP_MEDIA_MSGPACK | SP_MEDIA_EVENTS)

static struct sp_slice take_line(struct sp_slice *rest)
{
    const uint8_t *end = rest->size == 0 ? NULL : memchr(rest->data, '\n', rest->size);
    const size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    const struct sp_slice line = {rest->data, size};
    const size_t step = end == NULL ? size : size + 1;
    *rest = (struct sp_slice){rest->data + step, rest->size - step};
    return line;
}

static void check_param(const char *param)
{
    struct sp_buf encoded = {0};
    char again[SP_PARAM_SIZE];
    SP_CHECK(memchr(param, 0, SP_PARAM_SIZE) != NULL);
    SP_CHECK(sp_percent_encode(&encoded, param) == SNAKEPIT_OK);
    const struct sp_slice bytes = {encoded.data, encoded.size};
    SP_CHECK(sp_percent_decode(bytes, again, sizeof again));
    SP_CHECK(strcmp(again, param) == 0);
    sp_buf_fini(&encoded);
}

static void check_route(struct sp_slice path)
{
    char allow[SP_ALLOW_SIZE];
    bool found = false;
    (void)sp_route_allowed(path, allow);
    for (int i = 0; i <= (int)SP_METHOD_OTHER; i++) {
        enum sp_route_id route = SP_ROUTES;
        struct sp_params params = {{""}};
        const enum sp_match match =
            sp_route_find((enum sp_method)i, path, &route, &params);
        SP_CHECK((match == SP_MATCH_NO_PATH) == (allow[0] == '\0'));
        found = found || match == SP_MATCH_FOUND || match == SP_MATCH_MALFORMED;
        if (match == SP_MATCH_FOUND) {
            SP_CHECK(route < SP_ROUTES);
            check_param(params.of[0]);
            check_param(params.of[1]);
        }
    }
    SP_CHECK(found == (allow[0] != '\0'));
}

// Which parameters a row takes, and what those of GET /v1/events are.
static void check_query(struct sp_slice query)
{
    static const char *const names[] = {"level", "name", "pool", "last", "ttl_ms"};
    char why[128] = "";
    const enum sp_route_id route = (enum sp_route_id)(query.size % SP_ROUTES);
    const bool fits = sp_query_fits(route, query, why, sizeof why);
    SP_CHECK(memchr(why, 0, sizeof why) != NULL && (fits || why[0] != '\0'));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char room[SP_PARAM_SIZE];
        const struct sp_slice value = sp_query_find(query, names[i]);
        SP_CHECK(value.data == NULL ||
                 (value.data >= query.data &&
                  value.data + value.size <= query.data + query.size));
        if (value.data != NULL && sp_percent_decode(value, room, sizeof room)) {
            check_param(room);
        }
    }
}

static void check_fields(struct sp_slice accept, struct sp_slice type)
{
    const struct sp_field fields[] = {{sp_slice_of_text("accept"), accept},
                                      {sp_slice_of_text("content-type"), type}};
    const struct sp_request request = {.fields = fields, .field_count = 2};
    const enum sp_media media = sp_media_accepted(&request, OFFERED, SP_MEDIA_JSON);
    SP_CHECK(media == SP_MEDIA_NONE || (media & OFFERED) == media);
    (void)sp_media_of_body(&request);
}

static void check_screen(struct sp_slice host, struct sp_slice origin)
{
    static char named[] = "https://app.example.com:8443";
    static char *items[] = {named};
    const struct sp_texts origins = {items, 1};
    if (sp_origin_is_named(origin, &origins)) {
        SP_CHECK(origin.size == strlen(named));
    }
    if (sp_origin_is_own(origin, false, host)) {
        SP_CHECK(origin.size == host.size + strlen("http://"));
    }
    (void)sp_host_is_ours(host, "127.0.0.1:8470", &origins);
}

static void check_name(struct sp_slice text)
{
    static struct sp_call_names names;
    struct sp_call_name entry = {.call = 0};
    char copy[SP_CALL_NAME_MAX + 1];
    bool later;
    if (!sp_call_name_is_valid(text)) {
        return;
    }
    sp_call_names_init(&names);
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    SP_CHECK(sp_call_name_add(&names, &entry, "", text) == SNAKEPIT_OK);
    SP_CHECK(!sp_call_name_set(&names, &entry, 7));
    SP_CHECK(sp_call_name_cancel(&names, "", copy, &later) == 7);
    sp_call_name_remove(&names, &entry);
    SP_CHECK(sp_call_name_cancel(&names, "", copy, &later) == 0);
    sp_call_names_fini(&names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_slice rest = {data, size};
    const struct sp_slice path = take_line(&rest);
    const struct sp_slice query = take_line(&rest);
    const struct sp_slice accept = take_line(&rest);
    const struct sp_slice type = take_line(&rest);
    const struct sp_slice host = take_line(&rest);
    const struct sp_slice origin = take_line(&rest);
    check_route(path);
    check_query(query);
    check_fields(accept, type);
    check_screen(host, origin);
    check_name(rest);
    return 0;
}
