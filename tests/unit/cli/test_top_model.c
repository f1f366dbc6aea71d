// SPDX-License-Identifier: MIT
#include "cli/top_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "cli/value.h"
#include "top_scene.h"

static uint64_t number(const struct sp_top_list *list, size_t at, const char *key)
{
    assert_true(at < list->count);
    const snakepit_reader map = sp_top_row_reader(&list->rows[at]);
    return sp_cli_value_number(&map, key);
}

static void a_snapshot_is_all_that_is_known(void **state)
{
    (void)state;
    struct sp_top_model model = {.known = false};
    top_take(&model, "snapshot", top_snapshot);
    assert_true(model.known);
    assert_int_equal(model.time_ms, TOP_NOW);
    assert_int_equal(model.uptime_ms, 3723000);
    assert_string_equal(model.version, "0.6.0");
    assert_int_equal(model.pools.count, 2);
    assert_int_equal(model.workers.count, 3);
    assert_int_equal(model.ended.count, 2);
    assert_int_equal(model.deaths.count, 1);
    assert_int_equal(model.workers.rows[2].id, 3);
    assert_int_equal(number(&model.pools, 0, "waiting"), 3);
    sp_top_model_fini(&model);
}

static void a_delta_replaces_the_rows_that_it_has(void **state)
{
    (void)state;
    struct sp_top_model model = {.known = false};
    top_take(&model, "snapshot", top_snapshot);
    top_take(
        &model,
        "delta",
        "{\"time_ms\":1700000000250,\"pools\":[{\"name\":\"text\",\"waiting\":7},"
        "{\"name\":\"new\",\"waiting\":1}],\"workers\":[{\"pool\":\"text\",\"id\":2,"
        "\"load\":1},{\"pool\":\"text\",\"id\":7,\"load\":0}]}");
    assert_int_equal(model.time_ms, TOP_NOW + 250);
    assert_int_equal(model.uptime_ms, 3723000); // it did not say another
    assert_int_equal(model.pools.count, 3);
    assert_int_equal(number(&model.pools, 0, "waiting"), 7);
    assert_int_equal(number(&model.pools, 0, "calls"), 0); // rows are whole
    assert_int_equal(number(&model.pools, 1, "calls"), 123456);
    assert_int_equal(model.workers.count, 4);
    assert_int_equal(number(&model.workers, 1, "load"), 1);
    assert_int_equal(model.workers.rows[1].seen_ms, TOP_NOW + 250);
    assert_int_equal(model.workers.rows[0].seen_ms, TOP_NOW);
    sp_top_model_fini(&model);
}

static void what_is_gone_is_forgotten(void **state)
{
    (void)state;
    struct sp_top_model model = {.known = false};
    top_take(&model, "snapshot", top_snapshot);
    top_take(&model,
             "delta",
             "{\"gone\":{\"pools\":[\"text\",\"never\"],\"workers\":[1,0,99,2]}}");
    assert_int_equal(model.pools.count, 1);
    assert_int_equal(number(&model.pools, 0, "calls"), 123456);
    assert_int_equal(model.workers.count, 1);
    assert_int_equal(model.workers.rows[0].id, 3);
    sp_top_model_fini(&model);
}

static void another_snapshot_replaces_all_but_the_past(void **state)
{
    (void)state;
    struct sp_top_model model = {.known = false};
    top_take(&model, "snapshot", top_snapshot);
    top_take(&model, "delta", "{\"calls\":[{\"call\":12,\"outcome\":\"ok\"}]}");
    top_take(&model, "snapshot", top_snapshot);
    assert_int_equal(model.pools.count, 2);
    assert_int_equal(model.workers.count, 3);
    assert_int_equal(model.ended.count, 3); // none twice
    assert_int_equal(model.deaths.count, 1);
    top_take(&model, "snapshot", "{\"pools\":[]}");
    assert_int_equal(model.pools.count + model.workers.count, 0);
    assert_int_equal(model.ended.count, 3);
    sp_top_model_fini(&model);
}

static void the_past_is_bounded_and_its_oldest_goes_first(void **state)
{
    (void)state;
    struct sp_top_model model = {.known = false};
    top_take(&model, "snapshot", "{}");
    for (unsigned i = 1; i <= SP_TOP_ENDED_MAX + 5; i++) {
        char json[160];
        (void)snprintf(json,
                       sizeof json,
                       "{\"calls\":[{\"call\":%u}],\"calls_left_out\":2,\"deaths\":[{"
                       "\"worker\":%u}]}",
                       i,
                       i);
        top_take(&model, "delta", json);
    }
    assert_int_equal(model.ended.count, SP_TOP_ENDED_MAX);
    assert_int_equal(model.ended.rows[0].id, 6);
    assert_int_equal(model.deaths.count, SP_TOP_DEATHS_MAX);
    assert_int_equal(model.left_out, 2 * (SP_TOP_ENDED_MAX + 5));
    sp_top_model_fini(&model);
}

static void what_is_no_event_of_ours_changes_nothing(void **state)
{
    (void)state;
    struct sp_top_model model = {.known = false};
    top_take(&model, "delta", "{\"pools\":[{\"name\":\"early\"}]}");
    assert_false(model.known);
    top_take(&model, "later", "no json");
    top_take(&model,
             "snapshot",
             "{\"pools\":[{},7,{\"name\":3},null],\"workers\":{\"id\":1},\"gone\":[]}");
    assert_true(model.known);
    assert_int_equal(model.pools.count + model.workers.count, 0);
    assert_int_equal(sp_top_model_take(&model, "delta", sp_slice_of_text("[1]")),
                     SNAKEPIT_MALFORMED);
    assert_int_equal(sp_top_model_take(&model, "delta", sp_slice_of_text("{")),
                     SNAKEPIT_MALFORMED);
    sp_top_model_fini(&model);
}

static void whatever_there_is_no_memory_for_is_told(void **state)
{
    (void)state;
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    for (long n = 1; err != SNAKEPIT_OK; n++) {
        struct sp_top_model model = {.known = false};
        sp_memory_fail_at(n);
        err = sp_top_model_take(&model, "snapshot", sp_slice_of_text(top_snapshot));
        const bool failed = sp_memory_has_failed() != 0;
        sp_memory_fail_at(0);
        assert_int_equal(err, failed ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK);
        sp_top_model_fini(&model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_is_all_that_is_known),
        cmocka_unit_test(a_delta_replaces_the_rows_that_it_has),
        cmocka_unit_test(what_is_gone_is_forgotten),
        cmocka_unit_test(another_snapshot_replaces_all_but_the_past),
        cmocka_unit_test(the_past_is_bounded_and_its_oldest_goes_first),
        cmocka_unit_test(what_is_no_event_of_ours_changes_nothing),
        cmocka_unit_test(whatever_there_is_no_memory_for_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
