// SPDX-License-Identifier: MIT
#include "http/negotiate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define JSON    SP_MEDIA_JSON
#define MSGPACK SP_MEDIA_MSGPACK
#define EVENTS  SP_MEDIA_EVENTS
#define NONE    SP_MEDIA_NONE
#define ALL     (SP_MEDIA_JSON | SP_MEDIA_MSGPACK | SP_MEDIA_EVENTS)

struct row {
    const char *said;
    enum sp_media media;
};

static enum sp_media accepted(const char *said, unsigned offered)
{
    const struct sp_field fields[] = {
        {sp_slice_of_text("host"), sp_slice_of_text("a")},
        {sp_slice_of_text("accept"), sp_slice_of_text(said)}};
    const struct sp_request request = {.fields = fields, .field_count = 2};
    return sp_media_accepted(&request, offered, JSON);
}

static void a_client_gets_what_it_wants_most(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", JSON},
        {"*/*", JSON},
        {"application/json", JSON},
        {"application/*", JSON},
        {"APPLICATION/MsgPack", MSGPACK},
        {"application/x-msgpack", MSGPACK},
        {"application/vnd.msgpack;version=1", MSGPACK},
        {"text/event-stream", EVENTS},
        {"text/*;q=0.5, application/json;q=0.4", EVENTS},
        {"text/event-stream, */*", EVENTS},
        {"application/json;q=0.5,application/msgpack ; q=0.6", MSGPACK},
        {"application/json;q=0, */*", MSGPACK},
        {"*/*;q=0.1, application/json;q=0.05", MSGPACK},
        {"text/html, application/xhtml+xml, */*;q=0.8", JSON},
        {"application/json;q=1.000, application/msgpack;q=0.999", JSON},
        {"application/json;q=abc, application/msgpack;q=0.9", JSON},
        {"application/json;q=0.9, application/msgpack;q=99999999999", MSGPACK},
        {"application/msgpack, application/json", JSON},
        {"text/html", NONE},
        {"application/json;q=0", NONE},
        {"*/*;q=0.000", NONE},
        {";;,,=;q=,", NONE},
        {"jso", NONE},
        {"*", NONE},
        {"application/", NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (accepted(rows[i].said, ALL) != rows[i].media) {
            fail_msg("%s: %d", rows[i].said, (int)accepted(rows[i].said, ALL));
        }
    }
}

static void what_is_not_offered_is_not_chosen(void **state)
{
    (void)state;
    assert_int_equal(accepted("text/event-stream", JSON | MSGPACK), NONE);
    assert_int_equal(accepted("text/event-stream, application/*;q=0.1", JSON), JSON);
    assert_int_equal(accepted("*/*", SP_MEDIA_TEXT), SP_MEDIA_TEXT);
}

static void several_fields_are_one_list(void **state)
{
    (void)state;
    const struct sp_field fields[] = {
        {sp_slice_of_text("accept"), sp_slice_of_text("application/json;q=0.1")},
        {sp_slice_of_text("accept"), sp_slice_of_text("application/msgpack")}};
    const struct sp_request request = {.fields = fields, .field_count = 2};
    assert_int_equal(sp_media_accepted(&request, ALL, JSON), MSGPACK);
    const struct sp_request none = {.fields = fields, .field_count = 0};
    assert_int_equal(sp_media_accepted(&none, ALL, SP_MEDIA_TEXT), SP_MEDIA_TEXT);
}

static void a_body_is_what_its_type_says(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"application/json", JSON},
        {"Application/JSON; charset=utf-8", JSON},
        {" application/msgpack ", MSGPACK},
        {"application/x-www-form-urlencoded", NONE},
        {"text/plain", SP_MEDIA_TEXT},
        {"", NONE},
        {";", NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct sp_field field = {sp_slice_of_text("content-type"),
                                       sp_slice_of_text(rows[i].said)};
        const struct sp_request request = {.fields = &field, .field_count = 1};
        assert_int_equal(sp_media_of_body(&request), rows[i].media);
    }
    assert_int_equal(sp_media_of_body(&(const struct sp_request){.field_count = 0}),
                     NONE);
    assert_string_equal(sp_media_type(MSGPACK), "application/msgpack");
    assert_string_equal(sp_media_type(EVENTS), "text/event-stream");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_gets_what_it_wants_most),
        cmocka_unit_test(what_is_not_offered_is_not_chosen),
        cmocka_unit_test(several_fields_are_one_list),
        cmocka_unit_test(a_body_is_what_its_type_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
