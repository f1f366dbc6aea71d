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

static void why_a_file_cannot_be_executed_names_where_its_links_lead(void **state)
{
    (void)state;
    char text[256] = "";
    char folder[] = "/tmp/snakepit-program-XXXXXX";
    char link[64];
    char second[64];
    assert_non_null(mkdtemp(folder));
    snprintf(link, sizeof link, "%s/python", folder);
    snprintf(second, sizeof second, "%s/python3", folder);
    assert_int_equal(symlink("python3", link), 0);
    assert_int_equal(symlink("/nope/bin/python3", second), 0);
    assert_true(sp_program_explain(link, NULL, text, sizeof text));
    assert_string_equal(text, "leads to /nope/bin/python3: No such file or directory");
    text[0] = 0;
    assert_true(sp_program_explain("./python", folder, text, sizeof text));
    assert_string_equal(text, "leads to /nope/bin/python3: No such file or directory");
    assert_true(sp_program_explain("/etc/passwd", NULL, text, sizeof text));
    assert_string_equal(text, "cannot be executed: Permission denied");
    assert_false(sp_program_explain("/nope", NULL, text, sizeof text));
    assert_false(sp_program_explain("sh", NULL, text, sizeof text));
    assert_false(sp_program_explain("/bin/sh", NULL, text, sizeof text));
    unlink(link);
    unlink(second);
    rmdir(folder);
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
        cmocka_unit_test(why_a_file_cannot_be_executed_names_where_its_links_lead),
        cmocka_unit_test(a_copy_of_the_environment_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
