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
    setenv("SNAKEPIT_CACHE", programs->folder, 1);
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

static void what_bootstrap_has_built_is_listed(void **state)
{
    struct programs *programs = *state;
    struct sp_interpreter_list list = {0};
    char folder[128];
    isolate(state);
    snprintf(folder, sizeof(folder), "%s/python-3.13t", programs->folder);
    assert_int_equal(mkdir(folder, 0777), 0);
    snprintf(folder, sizeof(folder), "%s/python-3.13t/bin", programs->folder);
    assert_int_equal(mkdir(folder, 0777), 0);
    make_named(state, "python-3.13t/bin/python3.13t", "/bin/cat");
    assert_int_equal(sp_interpreter_find(&list), SNAKEPIT_OK);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].found_as, "tools/bootstrap");
    assert_string_equal(list.items[0].interpreter.executable, "/bin/cat");
    sp_interpreter_list_fini(&list);
    unlink(programs->paths[0]);
    assert_int_equal(rmdir(folder), 0);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(rmdir(folder), 0);
}

static void the_sources_of_the_bridge_are_found_from_the_library(void **state)
{
    (void)state;
    char *sources = sp_interpreter_bridge_sources();
    assert_non_null(sources); // the test's own checkout
    char proof[4096];
    snprintf(proof, sizeof(proof), "%s/pyproject.toml", sources);
    assert_int_equal(access(proof, R_OK), 0);
    sp_free(sources);
}

static void the_remedy_suits_the_interpreter(void **state)
{
    (void)state;
    char debians[] = "/usr/bin/python3";
    char own[] = "/home/me/env/bin/python";
    struct sp_interpreter python = {.executable = debians};
    snakepit_message why;
    sp_interpreter_explain_bridge(&python, &why);
    assert_non_null(strstr(why.text, "(/usr/bin/python3 -m venv env && env/bin/pip"));
    python = (struct sp_interpreter){.executable = own, .is_environment = true};
    sp_interpreter_explain_bridge(&python, &why);
    assert_non_null(strstr(why.text, "(/home/me/env/bin/python -m pip install "));
    char blank[] = "/home/me/my env/bin/python";
    python = (struct sp_interpreter){.executable = blank, .is_environment = true};
    sp_interpreter_explain_bridge(&python, &why);
    assert_non_null(strstr(why.text, "('/home/me/my env/bin/python' -m pip install "));
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
            what_bootstrap_has_built_is_listed, make_folder, remove_folder),
        cmocka_unit_test(the_sources_of_the_bridge_are_found_from_the_library),
        cmocka_unit_test(the_remedy_suits_the_interpreter),
        cmocka_unit_test_setup_teardown(
            without_memory_nothing_leaks, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
