// SPDX-License-Identifier: MIT
// A pit goes on as another configuration says, with workers of the test's own.
#include "fakes.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "pool/inside.h"

#define FAKE "adapter: f.F, python: /bin/sh, template: off, pool_size: 1"

static snakepit_message why;

// A file of these pools, each a map without its braces.
static const char *yaml_of(const char *first, const char *second)
{
    static char yaml[1024];
    (void)snprintf(yaml,
                   sizeof yaml,
                   "python_version_detection: off\n"
                   "pools:\n"
                   "  - {%s}\n"
                   "%s%s%s",
                   first,
                   second[0] == 0 ? "" : "  - {",
                   second,
                   second[0] == 0 ? "" : "}\n");
    return yaml;
}

static snakepit_err reload(const char *first, const char *second)
{
    const char *yaml = yaml_of(first, second);
    return snakepit_reload_memory(pit, yaml, strlen(yaml), NULL, &why);
}

static void begin(const char *first, const char *second)
{
    const char *yaml = yaml_of(first, second);
    assert_int_equal(snakepit_open_memory(yaml, strlen(yaml), &pit_options, &pit, NULL),
                     SNAKEPIT_OK);
    assert_int_equal(snakepit_await_ready(pit, NULL, 10000, NULL), SNAKEPIT_OK);
}

static snakepit_pool_stats stats_of(const char *pool)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(snakepit_pool_get_stats(pit, pool, &stats), SNAKEPIT_OK);
    return stats;
}

static bool is_removed(const char *pool)
{
    return sp_pit_find(pit, pool)->phase == SP_PIT_POOL_REMOVED;
}

static snakepit_err call(const char *pool)
{
    const snakepit_call_options options = {
        .size = sizeof options, .pool = pool, .timeout_ms = 10000};
    snakepit_answer *answer = NULL;
    snakepit_err err = snakepit_call(pit, "echo", NULL, &options, &answer);
    why.text[0] = 0;
    if (err != SNAKEPIT_OK) {
        (void)snprintf(
            why.text, sizeof why.text, "%s", snakepit_answer_fault(answer)->message);
    }
    snakepit_answer_free(answer);
    return err;
}

// ---- Pools come and go --------------------------------------------------------

static void a_new_pool_takes_calls(void **state)
{
    (void)state;
    begin("name: a, " FAKE, "");
    assert_int_equal(call("b"), SNAKEPIT_UNKNOWN_POOL);
    assert_int_equal(reload("name: a, " FAKE, "name: b, " FAKE), SNAKEPIT_OK);
    assert_int_equal(call("b"), SNAKEPIT_OK);
    assert_int_equal(call("a"), SNAKEPIT_OK);
    assert_int_equal(snakepit_pool_count(pit), 2);
    assert_string_equal(snakepit_pool_name(pit, 1), "b");
    assert_int_equal(atomic_load(&pit_fakes.starts), 2);
}

static void a_pool_that_was_removed_says_so(void **state)
{
    (void)state;
    begin("name: a, " FAKE, "name: b, " FAKE);
    assert_int_equal(reload("name: b, " FAKE, ""), SNAKEPIT_OK);
    assert_int_equal(call("a"), SNAKEPIT_POOL_REMOVED);
    assert_string_equal(why.text,
                        "pool \"a\" was removed when the configuration was reloaded; "
                        "name another pool");
    assert_int_equal(call(NULL), SNAKEPIT_OK); // which is b now
    PIT_AWAIT(is_removed("a"));
    assert_string_equal(stats_of("a").state, "removed");
    assert_int_equal(snakepit_pool_count(pit), 1);
    assert_string_equal(snakepit_pool_name(pit, 0), "b");
    assert_null(snakepit_pool_name(pit, 1));
    assert_int_equal(snakepit_await_ready(pit, NULL, 10000, NULL), SNAKEPIT_OK);
    assert_int_equal(snakepit_await_ready(pit, "a", 10000, NULL),
                     SNAKEPIT_POOL_REMOVED);
    assert_int_equal(call("c"), SNAKEPIT_UNKNOWN_POOL);
    assert_string_equal(why.text, "there is no pool \"c\"; the pool is \"b\"");
}

static void it_may_come_back_and_takes_no_more_room(void **state)
{
    (void)state;
    begin("name: a, " FAKE, "name: b, " FAKE);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(reload("name: b, " FAKE, ""), SNAKEPIT_OK);
        PIT_AWAIT(is_removed("a"));
        assert_int_equal(reload("name: a, max_queue: 3, " FAKE, "name: b, " FAKE),
                         SNAKEPIT_OK);
        assert_int_equal(call("a"), SNAKEPIT_OK);
    }
    assert_int_equal(pit->count, 2);
    assert_ptr_equal(sp_pit_find(pit, NULL), sp_pit_find(pit, "a"));
    // What cannot be changed in a pool makes it another one.
    assert_int_equal(reload("name: b, " FAKE, ""), SNAKEPIT_OK);
    PIT_AWAIT(is_removed("a"));
    assert_int_equal(
        reload("name: a, shared_memory_size: 2MiB, " FAKE, "name: b, " FAKE),
        SNAKEPIT_OK);
    assert_int_equal(call("a"), SNAKEPIT_OK);
    assert_int_equal(pit->count, 3);
}

static void all_pools_may_go(void **state)
{
    (void)state;
    static const char none[] = "pooling_enabled: false\n";
    begin("name: a, " FAKE, "");
    assert_int_equal(snakepit_reload_memory(pit, none, sizeof none - 1, NULL, NULL),
                     SNAKEPIT_OK);
    PIT_AWAIT(is_removed("a"));
    assert_int_equal(call(NULL), SNAKEPIT_UNKNOWN_POOL);
    assert_int_equal(snakepit_pool_count(pit), 0);
    assert_int_equal(reload("name: a, " FAKE, ""), SNAKEPIT_OK);
    assert_int_equal(call(NULL), SNAKEPIT_OK);
}

// ---- Calls of a pool that is removed ------------------------------------------

struct ended {
    _Atomic uint32_t count;
    _Atomic uint32_t errs; // the last one
};

static void note_end(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct ended *ended = user;
    atomic_store(&ended->errs, (uint32_t)err);
    atomic_fetch_add(&ended->count, 1);
    snakepit_answer_free(answer);
}

static void submit(struct ended *ended)
{
    const snakepit_call_options options = {
        .size = sizeof options, .pool = "a", .timeout_ms = 60000};
    assert_int_equal(
        snakepit_submit(pit, "echo", NULL, &options, note_end, ended, NULL),
        SNAKEPIT_OK);
}

static void its_calls_end_as_they_would_have(void **state)
{
    (void)state;
    struct ended ended = {.count = 0};
    const char *yaml = yaml_of("name: a, " FAKE, "");
    pit_fakes.starts_by = true; // so that they wait in line
    assert_int_equal(snakepit_open_memory(yaml, strlen(yaml), &pit_options, &pit, NULL),
                     SNAKEPIT_OK);
    submit(&ended);
    submit(&ended);
    assert_int_equal(reload("name: b, " FAKE, ""), SNAKEPIT_OK);
    assert_int_equal(call("a"), SNAKEPIT_POOL_REMOVED);
    assert_false(is_removed("a"));
    assert_int_equal(atomic_load(&ended.count), 0);
    atomic_store(&pit_fakes.ready_now, true);
    PIT_AWAIT(atomic_load(&ended.count) == 2);
    assert_int_equal(atomic_load(&ended.errs), SNAKEPIT_OK);
    PIT_AWAIT(is_removed("a"));
}

static void after_the_grace_they_end_as_removed(void **state)
{
    (void)state;
    static const snakepit_reload_options options = {.size = sizeof options,
                                                    .grace_ms = 1};
    struct ended ended = {.count = 0};
    pit_fakes.by_hand = true;
    begin("name: a, prefetch: 0, cancel_grace_ms: 0, " FAKE, "");
    submit(&ended);
    (void)pit_take();
    submit(&ended);
    const char *yaml = yaml_of("name: b, " FAKE, "");
    assert_int_equal(snakepit_reload_memory(pit, yaml, strlen(yaml), &options, NULL),
                     SNAKEPIT_OK);
    PIT_AWAIT(atomic_load(&ended.count) == 2);
    assert_int_equal(atomic_load(&ended.errs), SNAKEPIT_POOL_REMOVED);
    PIT_AWAIT(is_removed("a"));
}

// ---- Pools that stay ----------------------------------------------------------

static void what_is_the_same_is_left_alone(void **state)
{
    (void)state;
    begin("name: a, " FAKE, "name: b, " FAKE);
    assert_int_equal(reload("name: b, " FAKE, "name: a, " FAKE), SNAKEPIT_OK);
    assert_int_equal(atomic_load(&pit_fakes.starts), 2);
    assert_int_equal(stats_of("a").workers_outdated, 0);
    assert_ptr_equal(sp_pit_find(pit, NULL), sp_pit_find(pit, "b")); // the first one
}

static void new_workers_take_the_place_of_the_old_ones(void **state)
{
    (void)state;
    begin("name: a, " FAKE, "name: b, " FAKE);
    assert_int_equal(reload("name: a, adapter_args: [x], " FAKE, "name: b, " FAKE),
                     SNAKEPIT_OK);
    PIT_AWAIT(stats_of("a").workers_outdated == 0);
    assert_int_equal(atomic_load(&pit_fakes.starts), 3);
    assert_int_equal(stats_of("a").worker_recycles, 1);
    assert_int_equal(call("a"), SNAKEPIT_OK);
}

static void rules_and_sizes_hold_at_once(void **state)
{
    (void)state;
    begin("name: a, " FAKE, "");
    assert_int_equal(
        reload("name: a, adapter: f.F, python: /bin/sh, template: off, pool_size: "
               "{min: 2, max: 3}, max_queue: 7, call_timeout_ms: 9",
               ""),
        SNAKEPIT_OK);
    assert_int_equal(stats_of("a").workers, 2);
    assert_int_equal(snakepit_await_ready(pit, "a", 10000, NULL), SNAKEPIT_OK);
    assert_int_equal(snakepit_pool_resize(pit, "a", 3, NULL), SNAKEPIT_OK);
    const struct sp_pool *pool = sp_pit_pool(pit, "a");
    assert_int_equal(pool->options.max_queue, 7);
    assert_int_equal(pool->options.call_timeout_ms, 9);
    PIT_AWAIT(atomic_load(&pit_fakes.starts) == 3);
}

static void a_pool_that_has_failed_starts_over(void **state)
{
    (void)state;
    pit_fakes.refuses = true;
    const char *yaml = yaml_of("name: a, restart_limit: 1, " FAKE, "");
    assert_int_equal(snakepit_open_memory(yaml, strlen(yaml), &pit_options, &pit, NULL),
                     SNAKEPIT_OK);
    assert_int_equal(snakepit_await_ready(pit, NULL, 10000, NULL),
                     SNAKEPIT_POOL_FAILED);
    pit_fakes.refuses = false;
    assert_int_equal(reload("name: a, restart_limit: 1, " FAKE, ""), SNAKEPIT_OK);
    assert_int_equal(snakepit_await_ready(pit, NULL, 10000, NULL), SNAKEPIT_OK);
    assert_int_equal(call("a"), SNAKEPIT_OK);
}

// ---- At the same time ---------------------------------------------------------

struct caller {
    pthread_t thread;
    _Atomic bool *over;
    uint32_t calls;
    uint32_t wrong; // of pool a
};

static void *call_all_the_time(void *argument)
{
    struct caller *caller = argument;
    const snakepit_call_options options[] = {
        {.size = sizeof options[0], .pool = "a", .timeout_ms = 60000},
        {.size = sizeof options[0], .pool = "b", .timeout_ms = 60000}};
    while (!atomic_load(caller->over)) {
        for (int i = 0; i < 2; i++) {
            snakepit_answer *answer = NULL;
            snakepit_err err = snakepit_call(pit, "echo", NULL, &options[i], &answer);
            snakepit_answer_free(answer);
            caller->wrong += i == 0 && err != SNAKEPIT_OK;
        }
        snakepit_pool_stats stats = {.size = sizeof stats};
        (void)snakepit_pool_get_stats(pit, "b", &stats);
        (void)snakepit_pool_name(pit, snakepit_pool_count(pit) - 1);
        (void)snakepit_pool_recycle(pit, NULL, NULL);
        caller->calls++;
    }
    return NULL;
}

static void calls_and_reloads_run_at_the_same_time(void **state)
{
    (void)state;
    static const char *const firsts[] = {"name: a, " FAKE,
                                         "name: a, adapter_args: [x], " FAKE,
                                         "name: a, call_timeout_ms: 50000, " FAKE};
    _Atomic bool over = false;
    struct caller callers[2] = {{.over = &over}, {.over = &over}};
    begin(firsts[0], "");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            pthread_create(&callers[i].thread, NULL, call_all_the_time, &callers[i]),
            0);
    }
    for (int turn = 0; turn < 30; turn++) {
        const char *second = turn % 2 == 0 ? "name: b, " FAKE : "";
        assert_int_equal(reload(firsts[turn % 3], second), SNAKEPIT_OK);
        PIT_AWAIT(stats_of("a").workers_outdated == 0);
    }
    atomic_store(&over, true);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
        assert_int_equal(callers[i].wrong, 0);
        assert_true(callers[i].calls > 0);
    }
}

// ---- What is refused ----------------------------------------------------------

static void a_bad_file_changes_nothing(void **state)
{
    (void)state;
    begin("name: a, " FAKE, "");
    assert_int_equal(reload("name: b, " FAKE, "name: c, pool_sise: 1"),
                     SNAKEPIT_INVALID_CONFIG);
    assert_string_equal(why.text,
                        "<memory>:4: pools[1].pool_sise: unknown key; did you mean "
                        "\"pool_size\"?");
    assert_int_equal(snakepit_reload_file(pit, "/nowhere.yaml", NULL, &why),
                     SNAKEPIT_SYSTEM);
    assert_int_equal(call("a"), SNAKEPIT_OK);
    assert_int_equal(snakepit_pool_count(pit), 1);
}

static void what_cannot_change_is_refused_with_the_remedy(void **state)
{
    (void)state;
    begin("name: a, " FAKE, "");
    assert_int_equal(
        reload("name: a, shared_memory_size: 2MiB, " FAKE, "name: b, " FAKE),
        SNAKEPIT_INVALID_CONFIG);
    assert_string_equal(why.text,
                        "<memory>: pool a: shared_memory_size: it cannot change in a "
                        "pool that is open; give the pool another name, or close the "
                        "pit and open it anew (a daemon: restart it)");
    assert_int_equal(call("b"), SNAKEPIT_UNKNOWN_POOL);
    assert_int_equal(snakepit_reload_memory(pit, NULL, 0, NULL, &why),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(snakepit_reload_file(pit, NULL, NULL, &why),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(snakepit_reload_file(NULL, "x", NULL, &why),
                     SNAKEPIT_INVALID_ARGUMENT);
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    begin("name: a, " FAKE, "name: b, " FAKE);
    for (long n = 1; n < 500 && err != SNAKEPIT_OK; n++) {
        sp_memory_fail_at(n);
        err = reload("name: a, adapter_args: [x], " FAKE, "name: c, " FAKE);
        sp_memory_fail_at(0);
        if (err != SNAKEPIT_OK) {
            assert_int_equal(err, SNAKEPIT_NO_MEMORY);
            assert_int_equal(call("b"), SNAKEPIT_OK);
            assert_int_equal(snakepit_pool_count(pit), 2);
        }
    }
    assert_int_equal(err, SNAKEPIT_OK);
    assert_int_equal(call("c"), SNAKEPIT_OK);
    assert_int_equal(call("b"), SNAKEPIT_POOL_REMOVED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIT_TEST(a_new_pool_takes_calls),
        PIT_TEST(a_pool_that_was_removed_says_so),
        PIT_TEST(it_may_come_back_and_takes_no_more_room),
        PIT_TEST(all_pools_may_go),
        PIT_TEST(its_calls_end_as_they_would_have),
        PIT_TEST(after_the_grace_they_end_as_removed),
        PIT_TEST(what_is_the_same_is_left_alone),
        PIT_TEST(new_workers_take_the_place_of_the_old_ones),
        PIT_TEST(rules_and_sizes_hold_at_once),
        PIT_TEST(a_pool_that_has_failed_starts_over),
        PIT_TEST(calls_and_reloads_run_at_the_same_time),
        PIT_TEST(a_bad_file_changes_nothing),
        PIT_TEST(what_cannot_change_is_refused_with_the_remedy),
        PIT_TEST(without_memory_nothing_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
