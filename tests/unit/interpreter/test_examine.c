// SPDX-License-Identifier: MIT
// Shell scripts stand in for interpreters that have the bridge; e2e.doctor has real
// ones.
#include "interpreter/examine.h"

#include "support.h"

static char adapter[] = "shop:Shop";
static char folder[] = "/tmp";

// Writes `script` behind the first line, and examines with it.
static void examine(void **state,
                    const char *script,
                    uint32_t timeout_ms,
                    struct sp_examination *found)
{
    char text[4096];
    snprintf(text, sizeof text, "#!/bin/sh\n%s", script);
    char path[128];
    snprintf(path, sizeof path, "%s", make_program(state, "python", text));
    const struct sp_interpreter python = {.executable = path};
    const struct sp_pool_config pool = {.adapter = adapter};
    static char variable[] = "PATH=/usr/bin:/bin";
    char *environment[] = {variable, NULL};
    const struct sp_examine_options options = {&pool, environment, folder, timeout_ms};
    sp_interpreter_examine(&python, &options, found);
}

static void a_reply_is_read(void **state)
{
    struct sp_examination found;
    examine(state,
            "[ \"$3\" = shop:Shop ] && [ \"$4\" = /tmp ] || exit 3\n"
            "cat >&3 <<'END'\n"
            "{\"import_us\": 1500, \"imports\": [[\"numpy\", 1200], [\"re\", 1000]],\n"
            " \"gil_enabled\": true, \"gil_enabled_by\": \"old\\nlib\",\n"
            " \"declared\": false, \"problem\": null,\n"
            " \"libraries\": [{\"title\": \"NumPy\", \"version\": \"1.0\",\n"
            "  \"minimum\": \"2.1\", \"too_old\": true, \"thread_safe\": true,\n"
            "  \"threads\": true, \"reason\": \"so\", \"pattern\": \"thus\"}]}\n"
            "END\n",
            60000,
            &found);
    assert_int_equal(found.outcome, SP_EXAMINED_OK);
    assert_int_equal(found.import_us, 1500);
    assert_true(found.gil_enabled && found.declares && !found.thread_safe);
    assert_string_equal(found.gil_enabled_by, "old lib");
    assert_int_equal(found.import_count, 2);
    assert_string_equal(found.imports[1].package, "re");
    assert_int_equal(found.imports[1].us, 1000);
    assert_int_equal(found.library_count, 1);
    assert_string_equal(found.libraries[0].title, "NumPy");
    assert_string_equal(found.libraries[0].pattern, "thus");
    assert_true(found.libraries[0].too_old && found.libraries[0].has_threads);
}

static void a_problem_is_told_and_what_was_not_said_is_nothing(void **state)
{
    struct sp_examination found;
    examine(state,
            "echo '{\"problem\": \"ValueError: no\", \"declared\": null}' >&3\n",
            60000,
            &found);
    assert_int_equal(found.outcome, SP_EXAMINED_FAILED);
    assert_string_equal(found.why.text, "ValueError: no");
    assert_false(found.declares || found.gil_enabled);
    assert_int_equal(found.library_count + found.import_count, 0);
}

static void hostile_replies_are_bounded(void **state)
{
    static const char *const replies[] = {
        "{\"problem\": null, \"imports\": [[1, 2], [\"a\"], 7], \"libraries\": 5, "
        "\"import_us\": -1}",
        "{\"problem\": null, \"imports\": [[\"a\", \"b\"]], \"libraries\": [null, [], "
        "{\"title\": 1}]}",
        "{\"problem\": null, \"imports\": {\"a\": 1}, \"declared\": 1, \"threads\": "
        "1e99}",
        "[]",
        "null"};
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct sp_examination found;
        char script[512];
        struct programs *programs = *state;
        programs->count = 0; // the same program again
        snprintf(script, sizeof script, "echo '%s' >&3\n", replies[i]);
        examine(state, script, 60000, &found);
        assert_int_equal(found.import_count, 0);
        assert_int_equal(found.import_us, 0);
        bool is_object = replies[i][0] == '{';
        assert_int_equal(found.outcome,
                         is_object ? SP_EXAMINED_OK : SP_EXAMINED_FAILED);
        assert_true(found.library_count <= SP_EXAMINED_LIBRARIES);
    }
}

static void silence_is_explained(void **state)
{
    struct sp_examination found;
    examine(
        state, "echo 'ModuleNotFoundError: examination' >&2; exit 1\n", 60000, &found);
    assert_int_equal(found.outcome, SP_EXAMINED_FAILED);
    assert_non_null(strstr(found.why.text, "ended with exit status 1"));
    assert_non_null(strstr(found.why.text, "last words: ModuleNotFoundError"));
}

static void a_crash_is_explained(void **state)
{
    struct sp_examination found;
    examine(state, "kill -SEGV $$\n", 60000, &found);
    assert_int_equal(found.outcome, SP_EXAMINED_FAILED);
    assert_non_null(strstr(found.why.text, "was killed by signal 11"));
}

static void an_import_that_hangs_is_ended(void **state)
{
    struct sp_examination found;
    examine(state, "exec sleep 600\n", 20, &found);
    assert_int_equal(found.outcome, SP_EXAMINED_LATE);
}

static void what_cannot_be_run_is_explained(void **state)
{
    (void)state;
    static char nowhere[] = "/nowhere/python";
    const struct sp_interpreter python = {.executable = nowhere};
    const struct sp_pool_config pool = {.adapter = adapter};
    struct sp_examination found;
    const struct sp_examine_options options = {&pool, NULL, folder, 1000};
    sp_interpreter_examine(&python, &options, &found);
    assert_int_equal(found.outcome, SP_EXAMINED_FAILED);
    assert_non_null(strstr(found.why.text, "posix_spawn"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reply_is_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(
            a_problem_is_told_and_what_was_not_said_is_nothing,
            make_folder,
            remove_folder),
        cmocka_unit_test_setup_teardown(
            hostile_replies_are_bounded, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(
            silence_is_explained, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(
            a_crash_is_explained, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(
            an_import_that_hangs_is_ended, make_folder, remove_folder),
        cmocka_unit_test(what_cannot_be_run_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
