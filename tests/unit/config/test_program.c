// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

#include "base/memory.h"
#include "config/program.h"

static void
assert_found(const char *command, const char *directory, const char *expected)
{
    char *path = NULL;
    assert_int_equal(sp_program_find(command, directory, &path), SNAKEPIT_OK);
    assert_string_equal(path, expected);
    sp_free(path);
}

static void a_command_is_looked_up_on_path(void **state)
{
    (void)state;
    setenv("PATH", "::/nope:relative:/bin", 1);
    assert_found("sh", NULL, "/bin/sh");
    char *path = NULL;
    assert_int_equal(sp_program_find("no-such-command", NULL, &path),
                     SNAKEPIT_NOT_FOUND);
    assert_int_equal(sp_program_find("", NULL, &path), SNAKEPIT_NOT_FOUND);
    setenv("PATH", "", 1);
    assert_int_equal(sp_program_find("sh", NULL, &path), SNAKEPIT_NOT_FOUND);
    assert_null(path);
    unsetenv("PATH");
    assert_int_equal(sp_program_find("sh", NULL, &path), SNAKEPIT_OK);
    sp_free(path);
}

static void a_path_counts_from_the_directory(void **state)
{
    (void)state;
    assert_found("/bin/sh", "/nope", "/bin/sh");
    assert_found("./sh", "/bin", "/bin/./sh");
    assert_int_equal(chdir("/bin"), 0);
    char *current = NULL;
    assert_int_equal(sp_program_directory(&current), SNAKEPIT_OK);
    char expected[64];
    snprintf(expected, sizeof(expected), "%s/./sh", current);
    assert_found("./sh", NULL, expected);
    sp_free(current);
}

static void what_cannot_be_executed_is_not_found(void **state)
{
    (void)state;
    char *path = NULL;
    assert_int_equal(sp_program_find("/etc/passwd", NULL, &path), SNAKEPIT_NOT_FOUND);
    assert_int_equal(sp_program_find("/bin", NULL, &path), SNAKEPIT_NOT_FOUND);
    assert_int_equal(sp_program_find("/nope", NULL, &path), SNAKEPIT_NOT_FOUND);
}

static void a_copy_of_the_environment_stays_as_it_is(void **state)
{
    (void)state;
    char **copy;
    size_t count = 0;
    setenv("OF_THE_TEST", "before", 1);
    assert_int_equal(sp_program_environment(&copy), SNAKEPIT_OK);
    setenv("OF_THE_TEST", "after", 1);
    for (char **entry = copy; *entry != NULL; entry++) {
        count += strcmp(*entry, "OF_THE_TEST=before") == 0;
    }
    assert_int_equal(count, 1);
    unsetenv("OF_THE_TEST");
    sp_program_environment_free(copy);
    sp_program_environment_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_is_looked_up_on_path),
        cmocka_unit_test(a_path_counts_from_the_directory),
        cmocka_unit_test(what_cannot_be_executed_is_not_found),
        cmocka_unit_test(a_copy_of_the_environment_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
