// SPDX-License-Identifier: MIT
#include "support.h"

#include "config/environment.h"
#include "config/option.h"

static const char two[] =
    "pools:\n"
    "- {name: text, pool_size: 2}\n"
    "- {name: my-arrays, worker_profile: thread, threads_per_worker: 4}\n";

static void a_variable_for_all_pools_replaces_the_key(void **state)
{
    (void)state;
    setenv("SNAKEPIT_POOL_SIZE", "7", 1);
    struct sp_config *config = read_good(two);
    assert_int_equal(config->pools[0].pool_size.max, 7);
    assert_int_equal(config->pools[1].pool_size.max, 7);
    sp_config_free(config);
}

static void a_variable_for_one_pool_wins(void **state)
{
    (void)state;
    setenv("SNAKEPIT_POOL_SIZE", "7", 1);
    setenv("SNAKEPIT_POOL_MY_ARRAYS_POOL_SIZE", "9", 1);
    struct sp_config *config = read_good(two);
    assert_int_equal(config->pools[0].pool_size.max, 7);
    assert_int_equal(config->pools[1].pool_size.max, 9);
    sp_config_free(config);
}

static void variables_reach_the_top(void **state)
{
    (void)state;
    setenv("SNAKEPIT_POOLING_ENABLED", "false", 1);
    setenv("SNAKEPIT_DEFAULT_PROFILE", "thread", 1);
    struct sp_config *config = read_good(two);
    assert_false(config->pooling_enabled);
    assert_int_equal(config->pools[0].worker_profile, SP_PROFILE_THREAD);
    sp_config_free(config);
}

static void a_variable_leaves_pools_alone_to_which_its_key_means_nothing(void **state)
{
    (void)state;
    setenv("SNAKEPIT_THREADS_PER_WORKER", "6", 1);
    struct sp_config *config = read_good(two);
    assert_int_equal(config->pools[0].threads_per_worker, 1);
    assert_int_equal(config->pools[1].threads_per_worker, 6);
    sp_config_free(config);
}

static bool is_good(const char *yaml)
{
    struct sp_config *config = NULL;
    snakepit_err err = sp_config_read_memory(yaml, strlen(yaml), &config, NULL);
    sp_config_free(config);
    return err == SNAKEPIT_OK;
}

// Every option's variable, set to nonsense, breaks exactly the pools it is for.
static void each_key_reaches_the_profile_that_it_means_something_to(void **state)
{
    (void)state;
    static const char *const pools[] = {
        "pools: [{name: p, worker_profile: process}]",
        "pools: [{name: p, worker_profile: thread}]",
    };
    const struct sp_option *option = NULL;
    for (size_t i = 0; (option = sp_option_at(i)) != NULL; i++) {
        // A program is the default of pools that name none: no order to all of them.
        if (option->scope != SP_SCOPE_POOL || option->kind == SP_KIND_PROGRAM) {
            continue;
        }
        for (int profile = 0; profile < 2; profile++) {
            char name[SP_VARIABLE_MAX];
            set_environment(NULL);
            sp_variable_name(NULL, option->key, name);
            setenv(name, "[{nonsense", 1);
            enum sp_applies own = profile == 0 ? SP_APPLIES_PROCESS : SP_APPLIES_THREAD;
            bool meant = option->applies == SP_APPLIES_BOTH || option->applies == own;
            assert_int_equal(is_good(pools[profile]), !meant);
        }
    }
}

static void a_pools_name_may_begin_with_anothers(void **state)
{
    (void)state;
    static const char pools[] = "pools: [{name: cpu}, {name: cpu-2}, {name: cpu-2-b}]";
    setenv("SNAKEPIT_POOL_CPU_2_POOL_SIZE", "3", 1);
    setenv("SNAKEPIT_POOL_CPU_POOL_SIZE", "5", 1);
    struct sp_config *config = read_good(pools);
    assert_int_equal(config->pools[0].pool_size.max, 5);
    assert_int_equal(config->pools[1].pool_size.max, 3);
    sp_config_free(config);
    setenv("SNAKEPIT_POOL_CPU_2_POOL_SISE", "3", 1);
    assert_refused(pools,
                   "<memory>: SNAKEPIT_POOL_CPU_2_POOL_SISE: unknown variable; did you "
                   "mean \"SNAKEPIT_POOL_CPU_2_POOL_SIZE\"?");
}

static void lists_and_maps_are_yaml_and_an_empty_text_is_empty(void **state)
{
    (void)state;
    setenv("SNAKEPIT_ADAPTER_ARGS", "[a, 'b c']", 1);
    setenv("SNAKEPIT_ADAPTER_ENV", "{X: 1}", 1);
    setenv("SNAKEPIT_ADAPTER_CONFIG", "", 1);
    struct sp_config *config = read_good(
        "{adapter_args: [x, y, z], adapter_env: {Y: 2}, adapter_config: {a: 1}}");
    const struct sp_pool_config *pool = &config->pools[0];
    assert_int_equal(pool->adapter_args.count, 2);
    assert_string_equal(pool->adapter_args.items[1], "b c");
    assert_int_equal(pool->adapter_env.count, 1);
    assert_string_equal(pool->adapter_env.items[0].name, "X");
    assert_string_equal(pool->adapter_config, "{}");
    sp_config_free(config);
}

static void an_empty_text_opens_no_sandbox(void **state)
{
    (void)state;
    setenv("SNAKEPIT_POOL_DEFAULT_SANDBOX", "", 1);
    assert_refused("sandbox: strict",
                   "<memory>: sandbox: expected \"off\", \"strict\" or a map, "
                   "got an empty text (from the environment variable "
                   "SNAKEPIT_POOL_DEFAULT_SANDBOX)");
}

static void a_variable_beats_the_words_of_adapter_args(void **state)
{
    (void)state;
    setenv("SNAKEPIT_ADAPTER", "mine", 1);
    struct sp_config *config = read_good("adapter_args: [--adapter, theirs]");
    assert_string_equal(config->pools[0].adapter, "mine");
    assert_int_equal(config->pools[0].adapter_args.count, 0);
    sp_config_free(config);
}

static void the_default_interpreter_does_not_replace_a_named_one(void **state)
{
    (void)state;
    setenv("SNAKEPIT_PYTHON", "/bin/true", 1);
    struct sp_config *config =
        read_good("pools: [{name: a, python: /bin/sh}, {name: b}]");
    assert_string_equal(config->pools[0].python, "/bin/sh");
    assert_string_equal(config->pools[1].python, "/bin/true");
    sp_config_free(config);
}

static void one_pool_can_be_given_an_interpreter(void **state)
{
    (void)state;
    setenv("SNAKEPIT_POOL_A_PYTHON", "/bin/true", 1);
    struct sp_config *config =
        read_good("pools: [{name: a, python: /bin/sh}, {name: b}]");
    assert_string_equal(config->pools[0].python, "/bin/true");
    assert_string_equal(config->pools[1].python, "/bin/sh");
    sp_config_free(config);
}

static void thread_pools_prefer_the_free_threaded_interpreter(void **state)
{
    (void)state;
    setenv("SNAKEPIT_PYTHON_FT", "/bin/true", 1);
    struct sp_config *config = read_good(two);
    assert_string_equal(config->pools[0].python, "/bin/sh");
    assert_string_equal(config->pools[1].python, "/bin/true");
    sp_config_free(config);
}

static void variables_of_others_are_nobodys_business(void **state)
{
    (void)state;
    setenv("SNAKEPIT_LOG", "debug", 1);
    setenv("SNAKEPIT_CACHE", "/x", 1);
    setenv("SNAKEPIT_PYTHON_SYSTEM", "/x", 1);
    setenv("SNAKEPIT_POOL_OTHER_POOL_SIZE", "many", 1);
    setenv("SNAKEPIT_POOL_OTHER_PYTHON", "/x", 1);
    setenv("SNAKEPIT_POOL_TEXT_COLOUR", "red", 1);
    sp_config_free(read_good(two));
}

// A variable, its value, and the sentence that it earns with the configuration `two`.
static const struct {
    const char *name;
    const char *value;
    const char *sentence;
} mistakes[] = {
    {"SNAKEPIT_POOL_SIZE",
     "many",
     "<memory>: pools[0].pool_size: expected an integer from 1 to 1000, or {min: ..., "
     "max: ...}, got \"many\" "
     "(from the "
     "environment variable SNAKEPIT_POOL_SIZE)"},
    {"SNAKEPIT_POOL_MY_ARRAYS_POOL_SIZE",
     "",
     "<memory>: pools[1].pool_size: expected an integer from 1 to 1000, or {min: ..., "
     "max: ...}, got \"\" (from "
     "the "
     "environment variable SNAKEPIT_POOL_MY_ARRAYS_POOL_SIZE)"},
    {"SNAKEPIT_POOLING_ENABLED",
     "0",
     "<memory>: pooling_enabled: expected true or false, got 0 (from the environment "
     "variable "
     "SNAKEPIT_POOLING_ENABLED)"},
    {"SNAKEPIT_POOL_TEXT_THREADS_PER_WORKER",
     "2",
     "<memory>: pools[0].threads_per_worker: expected 1 in the process profile, got 2; "
     "several "
     "threads need worker_profile: thread (from the environment variable "
     "SNAKEPIT_POOL_TEXT_THREADS_PER_WORKER)"},
    {"SNAKEPIT_ADAPTER_ARGS",
     "[",
     "<memory>: pools[0].adapter_args: not YAML: did not find expected node content in "
     "column 1, "
     "while parsing a flow node that begins on line 2 (from the environment variable "
     "SNAKEPIT_ADAPTER_ARGS)"},
    {"SNAKEPIT_ADAPTER_ARGS",
     "x",
     "<memory>: pools[0].adapter_args: expected a list of texts, got \"x\" (from the "
     "environment "
     "variable SNAKEPIT_ADAPTER_ARGS)"},
    {"SNAKEPIT_PYTHON",
     "/nope/python",
     "<memory>: pools[0].python: \"/nope/python\" was not found or may not be "
     "executed; name a "
     "command on PATH or the path of an interpreter (`snakepit python` lists them) "
     "(from the "
     "environment variable SNAKEPIT_PYTHON)"},
    {"SNAKEPIT_POOL_SISE",
     "3",
     "<memory>: SNAKEPIT_POOL_SISE: unknown variable; did you mean "
     "\"SNAKEPIT_POOL_SIZE\"?"},
    {"SNAKEPIT_POOL_TEXT_MAX_QEUE",
     "3",
     "<memory>: SNAKEPIT_POOL_TEXT_MAX_QEUE: unknown variable; did you mean "
     "\"SNAKEPIT_POOL_TEXT_MAX_QUEUE\"?"},
    {"SNAKEPIT_POOL_TXT_POOL_SIZE",
     "3",
     "<memory>: SNAKEPIT_POOL_TXT_POOL_SIZE: unknown variable; did you mean "
     "\"SNAKEPIT_POOL_TEXT_POOL_SIZE\"?"},
    {"SNAKEPIT_DISTRIBUTED",
     "3",
     "<memory>: SNAKEPIT_DISTRIBUTED: unknown variable; it is not available "
     "yet in this "
     "version"},
    {"SNAKEPIT_POOL_TEXT_DISTRIBUTED",
     "3",
     "<memory>: SNAKEPIT_POOL_TEXT_DISTRIBUTED: unknown variable; it is not "
     "available "
     "yet in this version"},
    {"SNAKEPIT_POOL_TEXT_MAX_SESSIONS",
     "3",
     "<memory>: SNAKEPIT_POOL_TEXT_MAX_SESSIONS: unknown variable; did you mean "
     "\"SNAKEPIT_MAX_SESSIONS\"?"},
    {"SNAKEPIT_POOL_MY_ARRAY_ADAPTER_ENV",
     "{}",
     "<memory>: SNAKEPIT_POOL_MY_ARRAY_ADAPTER_ENV: unknown variable; did you mean "
     "\"SNAKEPIT_POOL_MY_ARRAYS_ADAPTER_ENV\"?"},
    {"SNAKEPIT_POOL_ARRAYS_THREADS_PER_WORKER",
     "2",
     "<memory>: SNAKEPIT_POOL_ARRAYS_THREADS_PER_WORKER: unknown variable; did you "
     "mean \"SNAKEPIT_POOL_MY_ARRAYS_THREADS_PER_WORKER\"?"},
};

static void a_wrong_variable_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        set_environment(NULL);
        setenv(mistakes[i].name, mistakes[i].value, 1);
        assert_refused(two, mistakes[i].sentence);
    }
}

static void a_variable_that_makes_the_profile_impossible_is_an_error(void **state)
{
    (void)state;
    setenv("SNAKEPIT_WORKER_PROFILE", "process", 1);
    assert_refused(
        two,
        "<memory>:3: pools[1].threads_per_worker: expected 1 in the process profile, "
        "got 4; several threads need worker_profile: thread");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_variable_for_all_pools_replaces_the_key,
                               set_environment),
        cmocka_unit_test_setup(a_variable_for_one_pool_wins, set_environment),
        cmocka_unit_test_setup(variables_reach_the_top, set_environment),
        cmocka_unit_test_setup(
            a_variable_leaves_pools_alone_to_which_its_key_means_nothing,
            set_environment),
        cmocka_unit_test_setup(lists_and_maps_are_yaml_and_an_empty_text_is_empty,
                               set_environment),
        cmocka_unit_test_setup(an_empty_text_opens_no_sandbox, set_environment),
        cmocka_unit_test_setup(each_key_reaches_the_profile_that_it_means_something_to,
                               set_environment),
        cmocka_unit_test_setup(a_pools_name_may_begin_with_anothers, set_environment),
        cmocka_unit_test_setup(a_variable_beats_the_words_of_adapter_args,
                               set_environment),
        cmocka_unit_test_setup(the_default_interpreter_does_not_replace_a_named_one,
                               set_environment),
        cmocka_unit_test_setup(one_pool_can_be_given_an_interpreter, set_environment),
        cmocka_unit_test_setup(thread_pools_prefer_the_free_threaded_interpreter,
                               set_environment),
        cmocka_unit_test_setup(variables_of_others_are_nobodys_business,
                               set_environment),
        cmocka_unit_test_setup(a_wrong_variable_is_named, set_environment),
        cmocka_unit_test_setup(a_variable_that_makes_the_profile_impossible_is_an_error,
                               set_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
