// SPDX-License-Identifier: MIT
#include "support.h"

#include "base/memory.h"
#include "interpreter/interpreter.h"

// The value of `name`, which must be set exactly once.
static const char *value_of(char **environment, const char *name)
{
    const char *value = NULL;
    size_t length = strlen(name);
    for (size_t i = 0; environment[i] != NULL; i++) {
        if (strncmp(environment[i], name, length) == 0 &&
            environment[i][length] == '=') {
            assert_null(value);
            value = environment[i] + length + 1;
        }
    }
    assert_non_null(value);
    return value;
}

static char **make(const struct sp_thread_env *wanted)
{
    char **environment = NULL;
    assert_int_equal(sp_interpreter_thread_env(wanted, &environment), SNAKEPIT_OK);
    return environment;
}

static void a_process_worker_gets_one_thread_everywhere(void **state)
{
    (void)state;
    static const char *const names[] = {"OPENBLAS_NUM_THREADS",
                                        "OMP_NUM_THREADS",
                                        "MKL_NUM_THREADS",
                                        "NUMEXPR_NUM_THREADS",
                                        "VECLIB_MAXIMUM_THREADS"};
    struct sp_thread_env wanted = {SP_PROFILE_PROCESS, 1, 1, 64, NULL, NULL};
    char **environment = make(&wanted);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_string_equal(value_of(environment, names[i]), "1");
    }
    assert_string_equal(value_of(environment, "GRPC_POLL_STRATEGY"), "poll");
    sp_interpreter_free_env(environment);
}

static void threads_share_the_cores(void **state)
{
    (void)state;
    static const struct {
        uint32_t threads;
        uint32_t workers;
        uint32_t cores;
        const char *value;
    } rows[] = {{4, 1, 16, "4"},
                {16, 1, 16, "1"},
                {16, 1, 2, "1"},
                {3, 1, 16, "5"},
                {1, 1, 8, "8"},
                // All workers of the pool are there at the same time.
                {4, 4, 16, "1"},
                {2, 4, 64, "8"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sp_thread_env wanted = {SP_PROFILE_THREAD,
                                       rows[i].threads,
                                       rows[i].workers,
                                       rows[i].cores,
                                       NULL,
                                       NULL};
        char **environment = make(&wanted);
        assert_string_equal(value_of(environment, "OMP_NUM_THREADS"), rows[i].value);
        sp_interpreter_free_env(environment);
    }
}

static void empty_folders_of_the_search_path_are_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *given;
        const char *left;
    } rows[] = {
        {"PYTHONPATH=", ""},
        {"PYTHONPATH=:", ""},
        {"PYTHONPATH=:/x", "/x"},
        {"PYTHONPATH=/x:", "/x"},
        {"PYTHONPATH=::/x:::/y y:.::", "/x:/y y:."},
        {"PYTHONPATH=/x:/y", "/x:/y"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[64];
        char similar[] = "PYTHONPATH_X=:/x";
        (void)snprintf(text, sizeof text, "%s", rows[i].given);
        char *inherited[] = {text, similar, NULL};
        struct sp_thread_env wanted = {SP_PROFILE_PROCESS, 1, 1, 4, NULL, inherited};
        char **environment = make(&wanted);
        assert_string_equal(value_of(environment, "PYTHONPATH"), rows[i].left);
        assert_string_equal(value_of(environment, "PYTHONPATH_X"), ":/x");
        assert_string_equal(text, rows[i].given);
        sp_interpreter_free_env(environment);
    }
}

static void the_users_value_wins_variable_by_variable(void **state)
{
    (void)state;
    char omp[] = "OMP_NUM_THREADS";
    char two[] = "2";
    char other[] = "OTHER";
    char empty[] = "";
    char inherited_omp[] = "OMP_NUM_THREADS=7";
    char inherited_mkl[] = "MKL_NUM_THREADS=3";
    char inherited_home[] = "HOME=/x";
    char similar[] = "OMP_NUM_THREADS_X=9";
    struct sp_pair pairs[] = {{omp, two}, {other, empty}};
    struct sp_pairs user = {pairs, 2};
    char *inherited[] = {inherited_omp, inherited_mkl, inherited_home, similar, NULL};
    struct sp_thread_env wanted = {SP_PROFILE_PROCESS, 1, 1, 4, &user, inherited};
    char **environment = make(&wanted);
    assert_string_equal(value_of(environment, "OMP_NUM_THREADS"), "2");
    assert_string_equal(value_of(environment, "MKL_NUM_THREADS"), "3");
    assert_string_equal(value_of(environment, "OPENBLAS_NUM_THREADS"), "1");
    assert_string_equal(value_of(environment, "OTHER"), "");
    assert_string_equal(value_of(environment, "HOME"), "/x");
    assert_string_equal(value_of(environment, "OMP_NUM_THREADS_X"), "9");
    sp_interpreter_free_env(environment);
}

static void without_memory_nothing_leaks(void **state)
{
    (void)state;
    char home[] = "HOME=/x";
    char name[] = "A";
    struct sp_pair pair = {name, name};
    struct sp_pairs user = {&pair, 1};
    char *inherited[] = {home, NULL};
    struct sp_thread_env wanted = {SP_PROFILE_THREAD, 2, 1, 4, &user, inherited};
    for (long n = 1;; n++) {
        char **environment = NULL;
        sp_memory_fail_at(n);
        snakepit_err err = sp_interpreter_thread_env(&wanted, &environment);
        int failed = sp_memory_has_failed();
        sp_memory_fail_at(0);
        assert_int_equal(err, failed ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK);
        sp_interpreter_free_env(environment);
        if (!failed) {
            assert_true(n > 5);
            return;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_worker_gets_one_thread_everywhere),
        cmocka_unit_test(threads_share_the_cores),
        cmocka_unit_test(empty_folders_of_the_search_path_are_left_out),
        cmocka_unit_test(the_users_value_wins_variable_by_variable),
        cmocka_unit_test(without_memory_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
