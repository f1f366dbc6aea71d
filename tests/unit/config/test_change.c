// SPDX-License-Identifier: MIT
// What a reload has to do, from what was there and what is to be there.
#include "config/change.h"

#include <stdio.h>

#include "support.h"

#include "base/memory.h"
#include "config/option.h"

// Each change in order, "NAME WHAT: KEYS"; or why there is none.
static const char *changes_of(const char *before, const char *after)
{
    static char text[1024];
    snakepit_message why = {0};
    struct sp_changes changes;
    struct sp_config *old = read_good(before);
    struct sp_config *new = read_good(after);
    snakepit_err err = sp_changes_find(old, new, &changes, &why);
    (void)snprintf(text, sizeof text, "%s", why.text);
    size_t used = 0;
    for (size_t i = 0; err == SNAKEPIT_OK && i < changes.count; i++) {
        const struct sp_pool_change *change = &changes.pools[i];
        const struct sp_pool_config *pool =
            change->after != NULL ? change->after : change->before;
        used += (size_t)snprintf(text + used,
                                 sizeof text - used,
                                 "%s%s %s%s%s",
                                 i == 0 ? "" : "; ",
                                 pool->name,
                                 sp_change_name(change->kind),
                                 change->keys[0] == 0 ? "" : ": ",
                                 change->keys);
    }
    if (err == SNAKEPIT_OK) {
        sp_changes_free(&changes);
    } else {
        assert_int_equal(err, SNAKEPIT_INVALID_CONFIG);
    }
    sp_config_free(old);
    sp_config_free(new);
    return text;
}

#define IN_POOL                                                              \
    " it cannot change in a pool that is open; give the pool another name, " \
    "or close the pit and open it anew (a daemon: restart it)"

#define IN_DAEMON " it cannot change in a daemon that runs; restart the daemon"
#define IN_PIT                                                            \
    " it cannot change in a pit that is open; close the pit and open it " \
    "anew (a daemon: restart it)"

static const struct {
    const char *before;
    const char *after;
    const char *changes;
} rows[] = {
    {"pool_size: 2", "pool_size: 2", "default nothing"},
    {"pool_size: 2", "pool_size: 2\ncall_timeout_ms: 30000", "default nothing"},
    {"pool_size: 2", "pool_size: 3", "default size: pool_size"},
    {"pool_size: 2", "pool_size: {min: 1, max: 2}", "default size: pool_size"},
    {"pool_size: 2",
     "pool_size: 2\ncall_timeout_ms: 1\nmax_queue: 3",
     "default rules: call_timeout_ms, max_queue"},
    {"pool_size: 2",
     "pool_size: 1\nadapter_args: [x]\nmax_queue: 3",
     "default workers: pool_size, adapter_args, max_queue"},
    {"adapter: a.A", "adapter: a.B", "default workers: adapter"},
    {"adapter_env: {A: 1}", "adapter_env: {A: 2}", "default workers: adapter_env"},
    {"adapter_env: {A: 1}", "adapter_env: {B: 1}", "default workers: adapter_env"},
    {"adapter_config: {a: 1}",
     "adapter_config: {a: 2}",
     "default workers: adapter_config"},
    {"adapter_args: [x]", "adapter_args: [x]", "default nothing"},
    {"pool_size: 1", "pool_size: 1\nadapter_args: []", "default nothing"},
    {"worker_ttl: 1h", "worker_ttl: 3600", "default nothing"},
    {"worker_ttl: 1h", "worker_ttl: 2h", "default workers: worker_ttl"},
    {"python: /bin/sh", "python: /bin/true", "default workers: python"},
    {"sandbox: off", "sandbox: {landlock: []}", "default workers: sandbox"},
    {"sandbox: strict", "sandbox: strict", "default nothing"},
    {"retry: off", "retry: {}", "default rules: retry"},
    {"retry: {}", "retry: {max_attempts: 3}", "default nothing"},
    {"breaker: {}", "breaker: {open_ms: 1}", "default rules: breaker"},
    {"pool_size: 1",
     "pool_size: 1\ndevices: {values: [a]}",
     "default workers: devices"},
    {"pool_size: 1\ndevices: {values: [a]}",
     "pool_size: 1\ndevices: {values: [b]}",
     "default workers: devices"},
    {"preload_resources: {/a: x}",
     "preload_resources: {/a: y}",
     "default workers: preload_resources"},
    {"pools: [{name: a}, {name: b}]",
     "pools: [{name: b}, {name: c}]",
     "b nothing; c added; a removed"},
    {"pools: [{name: a, max_queue: 1}]",
     "pools: [{name: a, max_queue: 2}]",
     "a rules: max_queue"},
    {"pool_size: 1", "pooling_enabled: false", "default removed"},
    {"pooling_enabled: false", "pool_size: 1", "default added"},
    {"python: /bin/sh",
     "python: /bin/sh\ndefault_profile: thread",
     "default workers: worker_profile, threads_per_worker, adapter"},
    {"shared_memory_size: 64MiB",
     "shared_memory_size: 65MiB",
     "<memory>: pool default: shared_memory_size:" IN_POOL},
    {"affinity: hint",
     "affinity: strict_queue",
     "<memory>: pool default: affinity:" IN_POOL},
    {"pools: [{name: a}, {name: b}]",
     "pools: [{name: a, adapter: x}, {name: b, payloads_in_core_dump: false}]",
     "<memory>: pool b: payloads_in_core_dump:" IN_POOL},
    {"session_quota: 2MiB", "session_quota: 3MiB", "<memory>: session_quota:" IN_PIT},
    {"{}",
     "serve: {listen: ['127.0.0.1:8470'], loops: auto, origins: []}",
     "default nothing"},
    {"{}", "serve: {loops: 3}", "<memory>: serve.loops:" IN_DAEMON},
    {"serve: {listen: ['unix:a']}",
     "serve: {listen: [{address: 'unix:a', mode: '0660'}]}",
     "<memory>: serve.listen:" IN_DAEMON},
    {"serve: {listen: [{address: 'unix:a', tls: {certificate: a, key: b}}]}",
     "serve: {listen: [{address: 'unix:a', tls: {certificate: a, key: c}}]}",
     "<memory>: serve.listen:" IN_DAEMON},
};

static void each_change_asks_for_what_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(changes_of(rows[i].before, rows[i].after), rows[i].changes);
    }
}

// A value of each kind differs from another one, and from none but that.
static void each_key_is_compared(void **state)
{
    (void)state;
    struct sp_pool_config zeros = {0};
    struct sp_pool_config ones;
    const struct sp_option *option;
    for (size_t i = 0; (option = sp_option_at(i)) != NULL; i++) {
        enum sp_scope scope;
        bool is_flat = !sp_option_is_collection(option) &&
                       option->kind < SP_KIND_ADAPTER &&
                       !sp_option_is_group(option, &scope);
        if (option->scope == SP_SCOPE_POOL && is_flat) {
            ones = (struct sp_pool_config){0};
            *((char *)&ones + option->offset) = 1;
            assert_false(sp_option_equal(option, &zeros, &ones));
            assert_true(sp_option_equal(option, &ones, &ones));
        }
    }
}

static void without_memory_there_are_no_changes(void **state)
{
    (void)state;
    struct sp_changes changes;
    struct sp_config *config = read_good("pool_size: 1");
    sp_memory_fail_at(1);
    assert_int_equal(sp_changes_find(config, config, &changes, NULL),
                     SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    sp_config_free(config);
}

static void a_configuration_has_several_owners(void **state)
{
    (void)state;
    struct sp_config *config = read_good("pool_size: 1");
    sp_config_ref(config);
    sp_config_free(config);
    assert_int_equal(config->pools[0].pool_size.max, 1);
    sp_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_change_asks_for_what_the_table_says,
                               set_environment),
        cmocka_unit_test(each_key_is_compared),
        cmocka_unit_test_setup(without_memory_there_are_no_changes, set_environment),
        cmocka_unit_test_setup(a_configuration_has_several_owners, set_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
