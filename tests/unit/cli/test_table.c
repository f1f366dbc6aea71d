// SPDX-License-Identifier: MIT
#include "cli/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"

static void add_rows(struct sp_cli_table *table)
{
    static const char *const cells[] = {"pool",
                                        "version",
                                        "path",
                                        "a longer name",
                                        "3.14",
                                        "/x",
                                        "ü",
                                        "",
                                        "",
                                        "b",
                                        "1",
                                        ""};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        sp_cli_cell(table, "%s", cells[i]);
    }
}

static void assert_printed(struct sp_cli_table *table, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    struct sp_cli cli = {.out = open_memstream(&text, &size)};
    assert_non_null(cli.out);
    sp_cli_print_table(&cli, table);
    assert_int_equal(fclose(cli.out), 0);
    assert_string_equal(text, expected);
    free(text);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    struct sp_cli_table table = {.columns = 3};
    add_rows(&table);
    assert_printed(&table,
                   "  pool           version  path\n"
                   "  a longer name  3.14     /x\n"
                   "  ü\n"
                   "  b              1\n");
    assert_printed(&table, "");
    sp_cli_cell(&table, "%d", 7); // and it can be used again
    assert_printed(&table, "  7\n");
}

static void whatever_there_is_no_memory_for_is_told(void **state)
{
    (void)state;
    bool failed = true;
    for (long n = 1; failed; n++) {
        char *text = NULL;
        size_t size = 0;
        struct sp_cli_table table = {.columns = 3};
        struct sp_cli cli = {.out = open_memstream(&text, &size)};
        sp_memory_fail_at(n);
        add_rows(&table);
        failed = sp_memory_has_failed() != 0;
        sp_memory_fail_at(0);
        assert_int_equal(table.err, failed ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK);
        sp_cli_print_table(&cli, &table);
        assert_int_equal(fclose(cli.out), 0);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(whatever_there_is_no_memory_for_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
