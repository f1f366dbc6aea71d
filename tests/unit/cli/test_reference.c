// SPDX-License-Identifier: MIT
// The pages of docs/ that are made from the table of options.
#include "cli/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

// The bytes of a file, with a zero behind them.
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static void assert_current(const char *path, snakepit_err (*make)(struct sp_buf *))
{
    struct sp_buf made = {0};
    char *found = read_file(path);
    assert_int_equal(make(&made), SNAKEPIT_OK);
    if (strlen(found) != made.size || memcmp(found, made.data, made.size) != 0) {
        fail_msg("%s is not what options.def says; build the target config_docs", path);
    }
    sp_buf_fini(&made);
    free(found);
}

static void the_pages_are_current(void **state)
{
    (void)state;
    assert_current(SP_DOCS "/configuration.md", sp_cli_reference);
    assert_current(SP_DOCS "/snakepit.schema.json", sp_cli_json_schema);
}

static void a_page_without_memory_says_so(void **state)
{
    (void)state;
    struct sp_buf made = {0};
    sp_memory_fail_at(1);
    assert_int_equal(sp_cli_reference(&made), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(2);
    assert_int_equal(sp_cli_json_schema(&made), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    sp_buf_fini(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pages_are_current),
        cmocka_unit_test(a_page_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
