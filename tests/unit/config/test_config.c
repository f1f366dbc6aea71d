// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

#include "base/memory.h"

static const char everything[] =
    "default_profile: thread\n"
    "python_version_detection: off\n"
    "pooling_enabled: true\n"
    "pools:\n"
    "  - name: text\n"
    "    worker_profile: process\n"
    "    pool_size: 3\n"
    "    threads_per_worker: 1\n"
    "    adapter: my_app.text:Text\n"
    "    adapter_args: [--adapter, my_app.text.Text, -v, 7]\n"
    "    adapter_env: {A: 1, B: ''}\n"
    "    adapter_config: {model: {layers: [1, 2]}, warm: true}\n"
    "    python: /bin/sh\n"
    "    startup_batch_size: 4\n"
    "    startup_batch_delay_ms: 750\n"
    "    max_queue: 0\n"
    "    queue_timeout_ms: 10\n"
    "    call_timeout_ms: 0\n"
    "    prefetch: 0\n"
    "    placement: spread\n"
    "    on_unsupported: refuse\n"
    "    undeclared_adapter: refuse\n"
    "    thread_safety_checks: true\n"
    "    shared_memory_size: 64MiB\n"
    "  - name: arrays\n"
    "serve:\n"
    "  listen:\n"
    "    - unix:http.sock\n"
    "    - address: 0.0.0.0:8471\n"
    "      tls: {certificate: c.pem, key: k.pem, client_ca: ca.pem}\n"
    "      tokens: tokens.yaml\n"
    "  origins: ['https://app.example.com']\n";

static void every_key_reaches_its_field(void **state)
{
    (void)state;
    struct sp_config *config = read_good(everything);
    const struct sp_pool_config *pool = &config->pools[0];
    assert_int_equal(config->count, 2);
    assert_int_equal(config->default_profile, SP_PROFILE_THREAD);
    assert_int_equal(config->python_version_detection, SP_DETECTION_OFF);
    assert_string_equal(pool->name, "text");
    assert_int_equal(pool->worker_profile, SP_PROFILE_PROCESS);
    assert_int_equal(pool->pool_size.max, 3);
    assert_string_equal(pool->adapter, "my_app.text:Text");
    assert_string_equal(pool->adapter_config,
                        "{\"model\":{\"layers\":[1,2]},\"warm\":true}");
    assert_string_equal(pool->python, "/bin/sh");
    assert_int_equal(pool->startup_batch_delay_ms, 750);
    assert_int_equal(pool->placement, SP_POOL_PLACEMENT_SPREAD);
    assert_int_equal(pool->on_unsupported, SP_UNSUPPORTED_REFUSE);
    assert_int_equal(pool->undeclared_adapter, SP_UNDECLARED_REFUSE);
    assert_true(pool->thread_safety_checks);
    assert_int_equal(pool->shared_memory_size, 64 << 20);
    sp_config_free(config);
}

static void a_time_is_written_in_one_of_many_ways(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {
        {"worker_ttl: infinity", 0},
        {"worker_ttl: 3600", 3600000},
        {"worker_ttl: 1h", 3600000},
        {"worker_ttl: '90 s'", 90000},
        {"worker_ttl: 250ms", 250},
        {"worker_ttl: 2 days", 172800000},
        {"worker_ttl: [3600, seconds]", 3600000},
        {"worker_ttl: [5, minutes]", 300000},
        {"pool_size: 1", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_config *config = read_good(rows[i].text);
        assert_int_equal(config->pools[0].worker_ttl, rows[i].ms);
        sp_config_free(config);
    }
}

static void a_sandbox_is_a_map_or_a_word_for_one(void **state)
{
    (void)state;
    struct sp_config *config = read_good("sandbox: {landlock: [/srv, 'data:rw'], "
                                         "memory_max: 2GiB, cpu_max: 150, uid: 65534}");
    const struct sp_sandbox *sandbox = &config->pools[0].sandbox;
    assert_true(sandbox->no_new_privs);
    assert_int_equal(sandbox->seccomp, SP_SECCOMP_OFF);
    assert_int_equal(sandbox->landlock.count, 2);
    assert_string_equal(sandbox->landlock.items[1], "data:rw");
    assert_int_equal(sandbox->memory_max, UINT64_C(2) << 30);
    assert_int_equal(sandbox->cpu_max, 150);
    assert_string_equal(sandbox->uid, "65534");
    sp_config_free(config);

    config = read_good("sandbox: strict");
    sandbox = &config->pools[0].sandbox;
    assert_true(sandbox->no_new_privs);
    assert_int_equal(sandbox->seccomp, SP_SECCOMP_DEFAULT);
    assert_non_null(sandbox->landlock.items);
    assert_int_equal(sandbox->landlock.count, 0);
    sp_config_free(config);

    config = read_good("sandbox: off");
    sandbox = &config->pools[0].sandbox;
    assert_false(sandbox->no_new_privs);
    assert_null(sandbox->landlock.items);
    assert_null(sandbox->uid);
    sp_config_free(config);
}

static void a_group_has_the_defaults_of_its_keys(void **state)
{
    (void)state;
    struct sp_config *config = read_good("retry: {}\nbreaker: {failures: 2}\n");
    const struct sp_retry_keys *retry = &config->pools[0].retry;
    const struct sp_breaker_keys *breaker = &config->pools[0].breaker;
    assert_int_equal(retry->max_attempts, 3);
    assert_int_equal(retry->backoff_ms, 50);
    assert_int_equal(retry->backoff_max_ms, 1000);
    assert_int_equal(retry->on, 1 | 2);
    assert_int_equal(retry->max_tokens, 100);
    assert_int_equal(retry->token_ratio, 10);
    assert_int_equal(breaker->failures, 2);
    assert_int_equal(breaker->window_ms, 10000);
    assert_int_equal(breaker->open_ms, 5000);
    assert_int_equal(breaker->on, 1 | 4 | 8);
    sp_config_free(config);
}

static void a_group_that_is_off_or_not_there_is_zeroed(void **state)
{
    (void)state;
    struct sp_config *config = read_good("retry: off\n");
    assert_int_equal(config->pools[0].retry.max_attempts, 0);
    assert_int_equal(config->pools[0].retry.on, 0);
    assert_int_equal(config->pools[0].breaker.failures, 0);
    sp_config_free(config);
}

static void choices_are_bits_in_their_order(void **state)
{
    (void)state;
    struct sp_config *config =
        read_good("retry: {on: [TOOL_FAILED, WORKER_DIED, WORKER_DIED]}\n"
                  "breaker: {on: []}\n");
    assert_int_equal(config->pools[0].retry.on, 1 | 4);
    assert_int_equal(config->pools[0].breaker.on, 0);
    sp_config_free(config);
}

static void the_longest_pause_is_not_shorter_than_the_first(void **state)
{
    (void)state;
    struct sp_config *config = read_good("retry: {backoff_ms: 2000}");
    assert_int_equal(config->pools[0].retry.backoff_max_ms, 2000);
    sp_config_free(config);
}

static void explicit_zero_false_and_empty_are_kept(void **state)
{
    (void)state;
    struct sp_config *config = read_good(everything);
    const struct sp_pool_config *pool = &config->pools[0];
    assert_int_equal(pool->max_queue, 0);
    assert_int_equal(pool->call_timeout_ms, 0);
    assert_int_equal(pool->prefetch, 0);
    assert_string_equal(pool->adapter_env.items[1].value, "");
    sp_config_free(config);
    config = read_good("pooling_enabled: false\npools: []\n");
    assert_false(config->pooling_enabled);
    assert_int_equal(config->count, 0);
    assert_null(sp_config_pool(config, NULL));
    sp_config_free(config);
}

static void a_process_pool_has_the_documented_defaults(void **state)
{
    (void)state;
    struct sp_config *config = read_good("{}");
    const struct sp_pool_config *pool = sp_config_pool(config, NULL);
    assert_true(config->pooling_enabled);
    assert_string_equal(config->file, "<memory>");
    assert_int_equal(config->count, 1);
    assert_string_equal(pool->name, "default");
    assert_int_equal(pool->worker_profile, SP_PROFILE_PROCESS);
    assert_true(pool->pool_size.max >= 1 && pool->pool_size.max <= 1000);
    assert_int_equal(pool->threads_per_worker, 1);
    assert_string_equal(pool->adapter, "snakepit_bridge.adapters.showcase");
    assert_int_equal(pool->adapter_args.count, 0);
    assert_int_equal(pool->adapter_env.count, 0);
    assert_string_equal(pool->adapter_config, "{}");
    assert_int_equal(pool->call_timeout_ms, 30000);
    assert_int_equal(pool->max_queue, 1000);
    assert_int_equal(pool->prefetch, SP_AUTO);
    assert_int_equal(pool->shared_memory_size, 512 << 20);
    assert_int_equal(pool->startup_batch_size, 8);
    assert_int_equal(pool->startup_batch_delay_ms, 0);
    assert_int_equal(pool->restart_backoff_max_ms, 10000);
    assert_int_equal(pool->heartbeat_interval_ms, 2000);
    assert_int_equal(pool->heartbeat_max_missed, 3);
    sp_config_free(config);
}

static void a_thread_pool_has_ten_threads_and_the_threaded_showcase(void **state)
{
    (void)state;
    struct sp_config *config = read_good("default_profile: thread\n");
    const struct sp_pool_config *pool = sp_config_pool(config, "default");
    assert_int_equal(pool->worker_profile, SP_PROFILE_THREAD);
    assert_int_equal(pool->threads_per_worker, 10);
    assert_string_equal(
        pool->adapter,
        "snakepit_bridge.adapters.threaded_showcase.ThreadedShowcaseAdapter");
    sp_config_free(config);
}

static void the_top_may_come_after_the_pools(void **state)
{
    (void)state;
    struct sp_config *config =
        read_good("pools: [{name: a}]\ndefault_profile: thread\n");
    assert_int_equal(config->pools[0].worker_profile, SP_PROFILE_THREAD);
    sp_config_free(config);
}

static void a_call_without_a_pool_goes_to_default_else_to_the_first(void **state)
{
    (void)state;
    struct sp_config *config = read_good("pools: [{name: a}, {name: default}]");
    assert_ptr_equal(sp_config_pool(config, NULL), &config->pools[1]);
    assert_null(sp_config_pool(config, "b"));
    sp_config_free(config);
    config = read_good("pools: [{name: a}, {name: b}]");
    assert_ptr_equal(sp_config_pool(config, NULL), &config->pools[0]);
    assert_ptr_equal(sp_config_pool(config, "b"), &config->pools[1]);
    sp_config_free(config);
}

static void adapter_args_mean_what_the_keys_mean(void **state)
{
    (void)state;
    struct sp_config *config = read_good("adapter_args: [--fast, --adapter, my.Thing, "
                                         "--mode=threaded, --max-workers, 16, x]\n");
    const struct sp_pool_config *pool = &config->pools[0];
    assert_string_equal(pool->adapter, "my.Thing");
    assert_int_equal(pool->worker_profile, SP_PROFILE_THREAD);
    assert_int_equal(pool->threads_per_worker, 16);
    assert_int_equal(pool->adapter_args.count, 2);
    assert_string_equal(pool->adapter_args.items[0], "--fast");
    assert_string_equal(pool->adapter_args.items[1], "x");
    sp_config_free(config);
}

static void adapter_env_has_three_forms(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "adapter_env: {OMP: 1, X: a b}",
        "adapter_env: [[OMP, 1], [X, a b]]",
        "adapter_env:\n- OMP: 1\n- X: a b\n",
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct sp_config *config = read_good(forms[i]);
        const struct sp_pairs *pairs = &config->pools[0].adapter_env;
        assert_int_equal(pairs->count, 2);
        assert_string_equal(pairs->items[0].name, "OMP");
        assert_string_equal(pairs->items[0].value, "1");
        assert_string_equal(pairs->items[1].name, "X");
        assert_string_equal(pairs->items[1].value, "a b");
        sp_config_free(config);
    }
}

static void preload_resources_has_four_forms(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "preload_resources: [{path: a=1, type: model}, {type: data, path: b}]",
        "preload_resources: [[a=1, model], [b, data]]",
        "preload_resources: [{a=1: model}, {b: data}]",
        "preload_resources: {a=1: model, b: data}",
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct sp_config *config = read_good(forms[i]);
        const struct sp_pairs *pairs = &config->pools[0].preload_resources;
        assert_int_equal(pairs->count, 2);
        assert_string_equal(pairs->items[0].name, "a=1");
        assert_string_equal(pairs->items[0].value, "model");
        assert_string_equal(pairs->items[1].name, "b");
        assert_string_equal(pairs->items[1].value, "data");
        sp_config_free(config);
    }
}

static void anchors_are_shared_values(void **state)
{
    (void)state;
    struct sp_config *config = read_good("pools:\n"
                                         "- {name: a, adapter_env: &env {OMP: 2}}\n"
                                         "- {name: b, adapter_env: *env}\n");
    assert_string_equal(config->pools[1].adapter_env.items[0].value, "2");
    sp_config_free(config);
}

static void a_long_backoff_raises_its_own_default_limit(void **state)
{
    (void)state;
    struct sp_config *config = read_good("restart_backoff_ms: 20000");
    assert_int_equal(config->pools[0].restart_backoff_max_ms, 20000);
    sp_config_free(config);
}

static void without_pooling_no_interpreter_is_needed(void **state)
{
    (void)state;
    struct sp_config *config =
        read_good("{pooling_enabled: false, python: /nope/python}");
    assert_null(config->pools[0].python);
    sp_config_free(config);
}

// ---- Files --------------------------------------------------------------------

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void paths_count_from_the_folder_of_the_file(void **state)
{
    (void)state;
    char folder[] = "/tmp/snakepit-config-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char file[64];
    char program[64];
    snprintf(file, sizeof(file), "%s/pit.yaml", folder);
    snprintf(program, sizeof(program), "%s/python", folder);
    write_file(file, "python: ./python\n");
    write_file(program, "");
    assert_int_equal(chmod(program, 0700), 0);
    struct sp_config *config = NULL;
    snakepit_message why = {0};
    snakepit_err err = sp_config_read_file(file, &config, &why);
    unlink(file);
    unlink(program);
    rmdir(folder);
    assert_string_equal(why.text, "");
    assert_int_equal(err, SNAKEPIT_OK);
    assert_string_equal(config->directory, folder);
    assert_string_equal(config->file, file);
    char expected[80];
    snprintf(expected, sizeof(expected), "%s/./python", folder);
    assert_string_equal(config->pools[0].python, expected);
    sp_config_free(config);
}

static void a_folder_that_workers_cannot_be_told_of_is_refused(void **state)
{
    (void)state;
    char folder[] = "/tmp/snakepit-config-\xe4-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char file[64];
    snprintf(file, sizeof(file), "%s/pit.yaml", folder);
    write_file(file, "pool_size: 1\n");
    struct sp_config *config = NULL;
    snakepit_message why = {0};
    snakepit_err err = sp_config_read_file(file, &config, &why);
    unlink(file);
    rmdir(folder);
    assert_int_equal(err, SNAKEPIT_INVALID_CONFIG);
    assert_non_null(strstr(why.text, "folder is not UTF-8"));
}

static void a_mark_of_the_byte_order_is_skipped(void **state)
{
    (void)state;
    struct sp_config *config = NULL;
    snakepit_message why = {0};
    static const char text[] = "\xef\xbb\xbfpool_size: 3\n";
    assert_int_equal(sp_config_read_memory(text, strlen(text), &config, &why),
                     SNAKEPIT_OK);
    assert_int_equal(config->pools[0].pool_size.max, 3);
    sp_config_free(config);
}

static void a_file_that_cannot_be_read_is_a_system_error(void **state)
{
    (void)state;
    struct sp_config *config = NULL;
    snakepit_message why = {0};
    assert_int_equal(sp_config_read_file("/nope.yaml", &config, &why), SNAKEPIT_SYSTEM);
    assert_string_equal(why.text,
                        "/nope.yaml: cannot be read: open of the file: No such file or "
                        "directory (ENOENT)");
    assert_int_equal(sp_config_read_file("/no\npe", &config, &why), SNAKEPIT_SYSTEM);
    assert_memory_equal(why.text, "/no pe: cannot", 14); // one line
    assert_int_equal(sp_config_read_file("/tmp", &config, NULL), SNAKEPIT_SYSTEM);
    assert_int_equal(sp_config_read_file("/dev/zero", &config, &why),
                     SNAKEPIT_INVALID_CONFIG);
    assert_string_equal(why.text, "/dev/zero: longer than 262144 bytes");
}

static void a_reader_without_memory_says_so_and_leaks_nothing(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        struct sp_config *config = NULL;
        snakepit_message why = {0};
        sp_memory_fail_at(n);
        snakepit_err err =
            sp_config_read_memory(everything, strlen(everything), &config, &why);
        int failed = sp_memory_has_failed();
        sp_memory_fail_at(0);
        if (!failed) {
            assert_int_equal(err, SNAKEPIT_OK);
            sp_config_free(config);
            assert_true(n > 20);
            return;
        }
        assert_int_equal(err, SNAKEPIT_NO_MEMORY);
        assert_null(config);
        assert_string_equal(why.text, "memory is exhausted");
    }
}

static void nothing_is_freed_twice_and_null_is_fine(void **state)
{
    (void)state;
    sp_config_free(NULL);
    assert_int_equal(sp_config_read_memory(NULL, 0, &(struct sp_config *){NULL}, NULL),
                     SNAKEPIT_INVALID_CONFIG);
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

static void a_pool_may_have_either_profile(void **state)
{
    (void)state;
    struct sp_config *config = read_good("pools:\n"
                                         "- name: a\n"
                                         "- name: b\n"
                                         "  adaptive_pooling: true\n"
                                         "  switch_threshold: {cpu_usage: 0.25}\n"
                                         "  switch_threads_per_worker: 16\n"
                                         "  switch_min_stay_ms: 500\n"
                                         "- name: c\n"
                                         "  switch_threshold: {memory_usage: 1}\n"
                                         "- name: d\n"
                                         "  switch_threshold: {memory_usage: 0.07}\n");
    const struct sp_pool_config *pools = config->pools;
    assert_false(pools[0].adaptive_pooling);
    assert_int_equal(pools[0].switch_threshold.cpu_usage, 80);
    assert_int_equal(pools[0].switch_threshold.memory_usage, 90);
    assert_int_equal(pools[0].switch_min_stay_ms, 60000);
    assert_true(pools[1].adaptive_pooling);
    assert_int_equal(pools[1].threads_per_worker, 1);
    assert_int_equal(pools[1].switch_threshold.cpu_usage, 25);
    assert_int_equal(pools[1].switch_threshold.memory_usage, 90);
    assert_int_equal(pools[1].switch_threads_per_worker, 16);
    assert_int_equal(pools[1].switch_min_stay_ms, 500);
    assert_int_equal(pools[2].switch_threshold.memory_usage, 100);
    assert_int_equal(pools[3].switch_threshold.memory_usage, 7);
    sp_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_key_reaches_its_field, set_environment),
        cmocka_unit_test_setup(a_time_is_written_in_one_of_many_ways, set_environment),
        cmocka_unit_test_setup(a_sandbox_is_a_map_or_a_word_for_one, set_environment),
        cmocka_unit_test_setup(a_group_has_the_defaults_of_its_keys, set_environment),
        cmocka_unit_test_setup(a_group_that_is_off_or_not_there_is_zeroed,
                               set_environment),
        cmocka_unit_test_setup(choices_are_bits_in_their_order, set_environment),
        cmocka_unit_test_setup(the_longest_pause_is_not_shorter_than_the_first,
                               set_environment),
        cmocka_unit_test_setup(explicit_zero_false_and_empty_are_kept, set_environment),
        cmocka_unit_test_setup(a_process_pool_has_the_documented_defaults,
                               set_environment),
        cmocka_unit_test_setup(a_thread_pool_has_ten_threads_and_the_threaded_showcase,
                               set_environment),
        cmocka_unit_test_setup(the_top_may_come_after_the_pools, set_environment),
        cmocka_unit_test_setup(a_call_without_a_pool_goes_to_default_else_to_the_first,
                               set_environment),
        cmocka_unit_test_setup(adapter_args_mean_what_the_keys_mean, set_environment),
        cmocka_unit_test_setup(adapter_env_has_three_forms, set_environment),
        cmocka_unit_test_setup(preload_resources_has_four_forms, set_environment),
        cmocka_unit_test_setup(anchors_are_shared_values, set_environment),
        cmocka_unit_test_setup(a_long_backoff_raises_its_own_default_limit,
                               set_environment),
        cmocka_unit_test_setup(without_pooling_no_interpreter_is_needed,
                               set_environment),
        cmocka_unit_test_setup(paths_count_from_the_folder_of_the_file,
                               set_environment),
        cmocka_unit_test_setup(a_folder_that_workers_cannot_be_told_of_is_refused,
                               set_environment),
        cmocka_unit_test_setup(a_mark_of_the_byte_order_is_skipped, set_environment),
        cmocka_unit_test_setup(a_file_that_cannot_be_read_is_a_system_error,
                               set_environment),
        cmocka_unit_test_setup(a_reader_without_memory_says_so_and_leaks_nothing,
                               set_environment),
        cmocka_unit_test_setup(nothing_is_freed_twice_and_null_is_fine,
                               set_environment),
        cmocka_unit_test_setup(a_pool_may_have_either_profile, set_environment),
        cmocka_unit_test_setup(the_example_is_right, set_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
