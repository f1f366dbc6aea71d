// SPDX-License-Identifier: MIT
#include "support.h"

#include "base/memory.h"
#include "interpreter/interpreter.h"

static void assert_refused(const char *python, snakepit_err err, const char *sentence)
{
    struct sp_interpreter interpreter;
    snakepit_message why = {0};
    assert_int_equal(sp_interpreter_probe(python, NULL, &interpreter, &why), err);
    char expected[512];
    snprintf(expected, sizeof(expected), "%s %s", python, sentence);
    assert_string_equal(why.text, expected);
    assert_int_equal(sp_interpreter_probe(python, NULL, &interpreter, NULL), err);
}

static void an_interpreter_says_what_it_is(void **state)
{
    struct sp_interpreter interpreter;
    const char *path = make_python(state,
                                   "python",
                                   "3.13.5",
                                   ", \"free_threaded\": true, \"gil_enabled\": false"
                                   ", \"has_bridge\": true, \"numpy\": \"2.4.0\"");
    assert_int_equal(sp_interpreter_probe(path, NULL, &interpreter, NULL), SNAKEPIT_OK);
    assert_string_equal(interpreter.path, path);
    assert_string_equal(interpreter.executable, path);
    assert_string_equal(interpreter.version, "3.13.5");
    assert_string_equal(interpreter.numpy, "2.4.0");
    assert_int_equal(interpreter.major, 3);
    assert_int_equal(interpreter.minor, 13);
    assert_true(interpreter.has_bridge);
    assert_true(sp_interpreter_runs_threads(&interpreter));
    sp_interpreter_fini(&interpreter);
    sp_interpreter_fini(&interpreter);
}

static void a_gil_that_is_on_again_means_no_parallel_threads(void **state)
{
    (void)state;
    struct sp_interpreter interpreter = {.free_threaded = true, .gil_enabled = true};
    assert_false(sp_interpreter_runs_threads(&interpreter));
    interpreter = (struct sp_interpreter){.free_threaded = false, .gil_enabled = true};
    assert_false(sp_interpreter_runs_threads(&interpreter));
}

static void a_path_of_two_lines_is_told_in_one(void **state)
{
    (void)state;
    struct sp_interpreter interpreter;
    snakepit_message why;
    assert_int_equal(sp_interpreter_probe("/nope/py\nthon", NULL, &interpreter, &why),
                     SNAKEPIT_NOT_FOUND);
    assert_string_equal(why.text, "/nope/py thon was not found or may not be executed");
}

static void what_is_no_working_python_is_refused(void **state)
{
    assert_refused(
        "/nope/python", SNAKEPIT_NOT_FOUND, "was not found or may not be executed");
    assert_refused(make_program(state, "mute", "#!/bin/sh\nexit 0\n"),
                   SNAKEPIT_UNSUPPORTED,
                   "is not a working Python: it said nothing that could be understood");
    assert_refused(
        make_program(state, "shim", "#!/bin/sh\necho no such version >&2; exit 127\n"),
        SNAKEPIT_UNSUPPORTED,
        "is not a working Python: it ended with exit status 127, last words: no such "
        "version");
    assert_refused(
        make_program(state,
                     "homeless",
                     "#!/bin/sh\nprintf 'Fatal Python error: ' >&2\n"
                     "sleep 0.02; echo 'no codec' >&2; printf 'state: ' >&2\n"
                     "sleep 0.02; echo 'preconfigured' >&2\n"
                     "echo '  <no Python frame>' >&2; exit 1\n"),
        SNAKEPIT_UNSUPPORTED,
        "is not a working Python: it ended with exit status 1, last words: "
        "Fatal Python error: no codec");
    assert_refused(make_program(state, "crash", "#!/bin/sh\nkill -SEGV $$\n"),
                   SNAKEPIT_UNSUPPORTED,
                   "is not a working Python: it was killed by signal 11");
    assert_refused(
        make_program(state, "odd", "#!/bin/sh\necho '{\"version\": 3}' >&3\n"),
        SNAKEPIT_UNSUPPORTED,
        "is not a Python interpreter");
    assert_refused(
        make_program(state, "text", "no program\n"),
        SNAKEPIT_SYSTEM,
        "cannot be run: posix_spawn of the program: Exec format error (ENOEXEC)");
}

static void old_and_other_pythons_are_refused(void **state)
{
    assert_refused(make_python(state, "old", "3.8.19", ""),
                   SNAKEPIT_UNSUPPORTED,
                   "is cpython 3.8.19; Snakepit needs CPython 3.9 or later");
    assert_refused(
        make_python(state, "other", "3.11.1", ", \"implementation\": \"pypy\""),
        SNAKEPIT_UNSUPPORTED,
        "is pypy 3.11.1; Snakepit needs CPython 3.9 or later");
}

static void a_probe_without_memory_leaks_nothing(void **state)
{
    const char *path = make_python(state, "python", "3.11.2", "");
    for (long n = 1;; n++) {
        struct sp_interpreter interpreter = {0};
        snakepit_message why = {0};
        sp_memory_fail_at(n);
        snakepit_err err = sp_interpreter_probe(path, NULL, &interpreter, &why);
        int failed = sp_memory_has_failed();
        sp_memory_fail_at(0);
        assert_int_equal(err, failed ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK);
        assert_string_equal(why.text, failed ? "memory is exhausted" : "");
        sp_interpreter_fini(&interpreter);
        if (!failed) {
            assert_true(n > 4);
            return;
        }
    }
}

#ifdef SP_PYTHON_SYSTEM
static void the_system_python_runs_no_threads_in_parallel(void **state)
{
    (void)state;
    struct sp_interpreter interpreter;
    snakepit_message why = {0};
    if (sp_interpreter_probe(SP_PYTHON_SYSTEM, NULL, &interpreter, &why) !=
        SNAKEPIT_OK) {
        fail_msg("%s", why.text);
    }
    // The environment keeps its own executable: the one behind its link knows nothing
    // of it.
    assert_string_equal(interpreter.executable, SP_PYTHON_SYSTEM);
    assert_non_null(interpreter.numpy);
    assert_true(interpreter.gil_enabled);
    assert_false(interpreter.free_threaded);
    sp_interpreter_fini(&interpreter);
}
#endif

#ifdef SP_PYTHON_FT
static void the_free_threaded_python_runs_threads_in_parallel(void **state)
{
    (void)state;
    struct sp_interpreter interpreter;
    snakepit_message why = {0};
    if (sp_interpreter_probe(SP_PYTHON_FT, NULL, &interpreter, &why) != SNAKEPIT_OK) {
        fail_msg("%s", why.text);
    }
    assert_true(sp_interpreter_runs_threads(&interpreter));
    assert_non_null(strstr(interpreter.soabi, "t-"));
    assert_true(interpreter.minor >= 13);
    sp_interpreter_fini(&interpreter);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            an_interpreter_says_what_it_is, make_folder, remove_folder),
        cmocka_unit_test(a_gil_that_is_on_again_means_no_parallel_threads),
        cmocka_unit_test(a_path_of_two_lines_is_told_in_one),
        cmocka_unit_test_setup_teardown(
            what_is_no_working_python_is_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(
            old_and_other_pythons_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(
            a_probe_without_memory_leaks_nothing, make_folder, remove_folder),
#ifdef SP_PYTHON_SYSTEM
        cmocka_unit_test(the_system_python_runs_no_threads_in_parallel),
#endif
#ifdef SP_PYTHON_FT
        cmocka_unit_test(the_free_threaded_python_runs_threads_in_parallel),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
