// SPDX-License-Identifier: MIT
#include "support.h"

#include "base/memory.h"
#include "interpreter/interpreter.h"

// Only the programs of this test are on PATH; /bin serves the scripts themselves.
static void isolate(void **state)
{
    struct programs *programs = *state;
    char path[128];
    snprintf(path, sizeof(path), "%s", programs->folder);
    setenv("PATH", path, 1);
    unsetenv("SNAKEPIT_PYTHON");
    unsetenv("SNAKEPIT_PYTHON_FT");
}

// A Python whose `executable` is `executable`, whatever it is called.
static void make_named(void **state, const char *name, const char *executable)
{
    char rest[256];
    snprintf(rest, sizeof(rest), ", \"executable\": \"%s\"", executable);
    make_python(state, name, "3.11.2", rest);
}

static void one_interpreter_of_several_names_is_listed_once(void **state)
{
    struct sp_interpreter_list list = {0};
    isolate(state);
    make_named(state, "python3", "/bin/sh");
    make_named(state, "python3.11", "/bin/sh");
    make_named(state, "python3.12", "/bin/cat");
    assert_int_equal(sp_interpreter_find(&list), SNAKEPIT_OK);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].found_as, "python3");
    assert_string_equal(list.items[1].found_as, "python3.12");
    sp_interpreter_list_fini(&list);
    sp_interpreter_list_fini(&list);
}

static void a_broken_one_is_listed_only_if_a_variable_names_it(void **state)
{
    struct sp_interpreter_list list = {0};
    isolate(state);
    make_program(state, "python3", "#!/bin/sh\nexit 1\n");
    setenv("SNAKEPIT_PYTHON_FT", "/nope/python", 1);
    setenv("SNAKEPIT_PYTHON", "", 1);
    assert_int_equal(sp_interpreter_find(&list), SNAKEPIT_OK);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].found_as, "SNAKEPIT_PYTHON_FT");
    assert_string_equal(list.items[0].problem,
                        "/nope/python was not found or may not be executed");
    sp_interpreter_list_fini(&list);
}

static void without_memory_nothing_leaks(void **state)
{
    isolate(state);
    make_named(state, "python3", "/bin/sh");
    setenv("SNAKEPIT_PYTHON", "/nope/python", 1);
    for (long n = 1;; n++) {
        struct sp_interpreter_list list = {0};
        sp_memory_fail_at(n);
        snakepit_err err = sp_interpreter_find(&list);
        int failed = sp_memory_has_failed();
        sp_memory_fail_at(0);
        assert_int_equal(err, failed ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK);
        sp_interpreter_list_fini(&list);
        if (!failed) {
            return;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_interpreter_of_several_names_is_listed_once,
                                        make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(
            a_broken_one_is_listed_only_if_a_variable_names_it,
            make_folder,
            remove_folder),
        cmocka_unit_test_setup_teardown(
            without_memory_nothing_leaks, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
