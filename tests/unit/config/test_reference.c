// SPDX-License-Identifier: MIT
#include <stdio.h>

#include "support.h"

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
        fail_msg("%s is not what src/config says; build the target config_docs", path);
    }
    sp_buf_fini(&made);
    free(found);
}

static void the_pages_are_current(void **state)
{
    (void)state;
    assert_current(SP_DOCS "/configuration.md", sp_config_reference);
    assert_current(SP_DOCS "/snakepit.schema.json", sp_config_json_schema);
}

static void a_page_without_memory_says_so(void **state)
{
    (void)state;
    struct sp_buf made = {0};
    sp_memory_fail_at(1);
    assert_int_equal(sp_config_reference(&made), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(2);
    assert_int_equal(sp_config_json_schema(&made), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    sp_buf_fini(&made);
}

static void the_example_is_right(void **state)
{
    (void)state;
    struct sp_config *config = NULL;
    snakepit_message why = {0};
    sp_config_read_file(SP_EXAMPLES "/hybrid.yaml", &config, &why);
    assert_string_equal(why.text, "");
    assert_int_equal(config->count, 2);
    assert_string_equal(sp_config_pool(config, NULL)->name, "text");
    sp_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_pages_are_current, set_environment),
        cmocka_unit_test_setup(a_page_without_memory_says_so, set_environment),
        cmocka_unit_test_setup(the_example_is_right, set_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
