// SPDX-License-Identifier: MIT
#include "telemetry/doors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static struct sp_door_figures two[] = {
    {.address = "127.0.0.1:8470",
     .of = {[SP_DOOR_OPEN] = 3, [SP_DOOR_HANDSHAKES] = 7, [SP_DOOR_SENT] = 12345678901},
     .statuses = {[200] = 5, [404] = 2},
     .codes = {[14] = 1}},
    {.address = "unix:/run/snakepit"}};

static char *text_of(bool open)
{
    struct sp_buf out = {0};
    assert_int_equal(sp_doors_write(&out, two, 2, open), SNAKEPIT_OK);
    assert_int_equal(sp_buf_append(&out, "", 1), SNAKEPIT_OK);
    return (char *)out.data;
}

static void assert_holds(const char *text, const char *lines)
{
    if (strstr(text, lines) == NULL) {
        fail_msg("not there: %s", lines);
    }
}

static void each_door_has_a_sample_of_each_row(void **state)
{
    (void)state;
    char *text = text_of(false);
    assert_holds(text,
                 "# TYPE snakepit_door_open_connections gauge\n"
                 "snakepit_door_open_connections{door=\"127.0.0.1:8470\"} 3\n"
                 "snakepit_door_open_connections{door=\"unix:/run/snakepit\"} 0\n");
    assert_holds(text,
                 "# TYPE snakepit_door_handshakes_total counter\n"
                 "snakepit_door_handshakes_total{door=\"127.0.0.1:8470\","
                 "outcome=\"ok\"} 7\n");
    assert_holds(text,
                 "\nsnakepit_door_sent_bytes_total{door=\"127.0.0.1:8470\"} "
                 "12345678901\n");
    sp_free(text);
}

static void answers_are_told_by_the_codes_that_were_sent(void **state)
{
    (void)state;
    char *text = text_of(false);
    assert_holds(
        text,
        "# TYPE snakepit_door_answers_total counter\n"
        "snakepit_door_answers_total{door=\"127.0.0.1:8470\",code=\"200\"} 5\n"
        "snakepit_door_answers_total{door=\"127.0.0.1:8470\",code=\"404\"} 2\n"
        "snakepit_door_answers_total{door=\"unix:/run/snakepit\",code=\"200\"} 0\n"
        "# ");
    assert_holds(
        text,
        "snakepit_door_grpc_answers_total{door=\"127.0.0.1:8470\",code=\"OK\"} 0\n"
        "snakepit_door_grpc_answers_total{door=\"127.0.0.1:8470\","
        "code=\"UNAVAILABLE\"} 1\n");
    sp_free(text);
}

static void openmetrics_names_families_otherwise(void **state)
{
    (void)state;
    char *text = text_of(true);
    assert_holds(text, "# TYPE snakepit_door_answers counter\n");
    sp_free(text);
}

static void memory_that_runs_out_is_told(void **state)
{
    (void)state;
    long nth = 0;
    snakepit_err err;
    do {
        struct sp_buf out = {0};
        sp_memory_fail_at(++nth);
        err = sp_doors_write(&out, two, 2, false);
        assert_int_equal(err,
                         sp_memory_has_failed() ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK);
        sp_memory_fail_at(0);
        sp_buf_fini(&out);
    } while (err != SNAKEPIT_OK);
    assert_true(nth > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_door_has_a_sample_of_each_row),
        cmocka_unit_test(answers_are_told_by_the_codes_that_were_sent),
        cmocka_unit_test(openmetrics_names_families_otherwise),
        cmocka_unit_test(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
