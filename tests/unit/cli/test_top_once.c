// SPDX-License-Identifier: MIT
#include "cli/top_once.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "top_scene.h"

#define FIRST 1000u // of the calls that have ended in add_ended()

// The scene's model, and what of it was printed. Owner: one test.
struct printed {
    struct sp_top_model model;
    char *text;
    size_t size;
};

static void begin(struct printed *printed)
{
    *printed = (struct printed){.text = NULL};
    top_take(&printed->model, "snapshot", top_snapshot);
}

static void end(struct printed *printed)
{
    free(printed->text);
    sp_top_model_fini(&printed->model);
}

// So many calls end, one after the other.
static void add_ended(struct printed *printed, unsigned count)
{
    char delta[256];
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(delta,
                       sizeof delta,
                       "{\"calls\":[{\"call\":%u,\"pool\":\"text\",\"tool\":\"order\","
                       "\"worker\":1,\"executor\":0,\"started_ms\":1699999999500,"
                       "\"waited_us\":35,\"ran_us\":1500,\"outcome\":\"OK\"}]}",
                       FIRST + i);
        top_take(&printed->model, "delta", delta);
    }
}

static snakepit_err print(struct printed *printed, bool json)
{
    struct sp_cli cli = {.out = NULL};
    free(printed->text);
    printed->text = NULL;
    cli.out = open_memstream(&printed->text, &printed->size);
    assert_non_null(cli.out);
    snakepit_err err = sp_top_print_once(&cli, &printed->model, json);
    fclose(cli.out);
    return err;
}

// How many lines begin with that call.
static unsigned lines_of(const struct printed *printed, unsigned call)
{
    unsigned found = 0;
    const char *line = printed->text;
    while (line != NULL) {
        found += strtoul(line, NULL, 10) == call;
        const char *last = strchr(line, '\n');
        line = last == NULL ? NULL : last + 1;
    }
    return found;
}

static void assert_says(const struct printed *printed, const char *part)
{
    if (strstr(printed->text, part) == NULL) {
        fail_msg("no \"%s\" in %s", part, printed->text);
    }
}

static void a_few_calls_are_all_printed(void **state)
{
    struct printed printed;
    (void)state;
    begin(&printed);
    add_ended(&printed, 18); // besides the two of the scene
    assert_int_equal(print(&printed, false), SNAKEPIT_OK);
    assert_int_equal(lines_of(&printed, 10), 1);
    assert_int_equal(lines_of(&printed, FIRST + 17), 1);
    assert_null(strstr(printed.text, "more have ended"));
    end(&printed);
}

static void calls_under_way_stand_before_the_newest_that_have_ended(void **state)
{
    static const unsigned under_way[] = {4096, 5000, 5001};
    struct printed printed;
    (void)state;
    begin(&printed);
    add_ended(&printed, 50);
    assert_int_equal(print(&printed, false), SNAKEPIT_OK);
    for (size_t i = 0; i < sizeof under_way / sizeof under_way[0]; i++) {
        assert_int_equal(lines_of(&printed, under_way[i]), 1);
    }
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(lines_of(&printed, FIRST + i), i >= 30);
    }
    assert_says(&printed, "\n32 more have ended; --json tells all\n");
    end(&printed);
}

static void the_object_has_all(void **state)
{
    struct printed printed;
    (void)state;
    begin(&printed);
    add_ended(&printed, 50);
    assert_int_equal(print(&printed, true), SNAKEPIT_OK);
    assert_says(&printed, "\"call\":10,");
    assert_says(&printed, "\"call\":1000,");
    assert_says(&printed, "\"call\":1049,");
    end(&printed);
}

static void without_memory_it_says_so(void **state)
{
    struct printed printed;
    unsigned failed = 0;
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    (void)state;
    begin(&printed);
    for (long n = 1; err != SNAKEPIT_OK; n++) {
        sp_memory_fail_at(n);
        err = print(&printed, false);
        sp_memory_fail_at(0);
        assert_true(err == SNAKEPIT_OK || err == SNAKEPIT_NO_MEMORY);
        failed += err != SNAKEPIT_OK;
    }
    assert_true(failed > 3);
    end(&printed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_calls_are_all_printed),
        cmocka_unit_test(calls_under_way_stand_before_the_newest_that_have_ended),
        cmocka_unit_test(the_object_has_all),
        cmocka_unit_test(without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
