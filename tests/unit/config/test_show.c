// SPDX-License-Identifier: MIT
#include "config/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "config/option.h"

static struct sp_config *config;

static void read_pool(const char *keys)
{
    char yaml[1024];
    snakepit_message why = {{0}};
    (void)snprintf(yaml, sizeof yaml, "pooling_enabled: false\n%s", keys);
    if (sp_config_read_memory(yaml, strlen(yaml), &config, &why) != SNAKEPIT_OK) {
        fail_msg("%s", why.text);
    }
}

static int free_config(void **state)
{
    (void)state;
    sp_config_free(config);
    config = NULL;
    return 0;
}

static void assert_shown(const char *key, const char *value)
{
    struct sp_buf text = {0};
    const struct sp_option *option = sp_option_find(SP_SCOPE_POOL, key);
    assert_non_null(option);
    assert_int_equal(sp_option_show(option, &config->pools[0], &text), SNAKEPIT_OK);
    assert_int_equal(sp_buf_append(&text, "", 1), SNAKEPIT_OK);
    assert_string_equal((const char *)text.data, value);
    sp_buf_fini(&text);
}

static void values_are_shown_as_one_would_write_them(void **state)
{
    (void)state;
    read_pool("adapter: a.B\npool_size: {min: 2, max: 8}\nworker_ttl: 90s\n"
              "shared_memory_size: 512MiB\non_stuck: isolate\nprefetch: 3\n"
              "retry: {max_attempts: 4}\nworker_max_requests: infinity\n");
    assert_shown("adapter", "a.B");
    assert_shown("pool_size", "{min: 2, max: 8}");
    assert_shown("worker_ttl", "90s");
    assert_shown("shared_memory_size", "512MiB");
    assert_shown("on_stuck", "isolate");
    assert_shown("prefetch", "3");
    assert_shown("worker_max_requests", "infinity");
    assert_shown("adaptive_pooling", "false");
}

static struct sp_buf shown(const struct sp_pool_config *pool, size_t row)
{
    struct sp_buf text = {0};
    assert_int_equal(sp_option_show(sp_option_at(row), pool, &text), SNAKEPIT_OK);
    assert_int_equal(sp_buf_append(&text, "", 1), SNAKEPIT_OK);
    return text;
}

static bool is_told(const struct sp_option *option, const char *value)
{
    return option->scope == SP_SCOPE_POOL && value[0] != '\0' &&
           strstr(value, "not shown") == NULL && strstr(value, "…") == NULL;
}

// What is told of a pool, read again, is told again as it was.
static void assert_loads_again(const char *keys)
{
    char yaml[4096];
    size_t size = (size_t)snprintf(yaml, sizeof yaml, "pools:\n  - name: a\n");
    const struct sp_option *option;
    struct sp_config *again = NULL;
    snakepit_message why = {{0}};
    read_pool(keys);
    for (size_t i = 0; (option = sp_option_at(i)) != NULL; i++) {
        struct sp_buf text = {0};
        if (option->scope == SP_SCOPE_POOL) {
            text = shown(&config->pools[0], i);
        }
        if (text.size > 0 && is_told(option, (const char *)text.data)) {
            size += (size_t)snprintf(yaml + size,
                                     sizeof yaml - size,
                                     "    %s: %s\n",
                                     option->key,
                                     (const char *)text.data);
        }
        sp_buf_fini(&text);
    }
    if (sp_config_read_memory(yaml, size, &again, &why) != SNAKEPIT_OK) {
        fail_msg("%s\n%s", why.text, yaml);
    }
    for (size_t i = 0; (option = sp_option_at(i)) != NULL; i++) {
        if (option->scope == SP_SCOPE_POOL &&
            !sp_option_equal(option, &config->pools[0], &again->pools[0])) {
            fail_msg("%s is another one now:\n%s", option->key, yaml);
        }
    }
    sp_config_free(again);
    sp_config_free(config);
    config = NULL;
}

static void what_is_shown_can_be_read_again(void **state)
{
    (void)state;
    assert_loads_again("adapter: a.B\n");
    assert_loads_again("adapter: a.B\nretry: {}\nbreaker: {}\nsandbox: strict\n"
                       "devices: {values: [\"0\", \"1\"]}\npool_size: 2\n");
    assert_loads_again("adapter: a.B\n"
                       "sandbox: {landlock: [/srv/a b, \"/x, y\", '/q\"\\:']}\n");
    assert_loads_again("adapter: a.B\nsandbox: {"
                       "memory_max: 1GiB}\nretry: {on: [TOOL_FAILED]}\n"
                       "breaker: {on: []}\nworker_max_memory: 1GiB\n");
}

static void a_map_that_is_off_is_shown_so(void **state)
{
    (void)state;
    read_pool("adapter: a.B\n");
    assert_shown("retry", "off");
    assert_shown("breaker", "off");
    assert_shown("sandbox", "off");
    assert_shown("devices", "off");
    assert_shown("worker_max_memory", "");
}

static void one_number_stands_for_a_range_of_one(void **state)
{
    (void)state;
    read_pool("adapter: a.B\npool_size: 3\nworker_profile: process\n");
    assert_shown("pool_size", "3");
    assert_shown("prefetch", "auto");
    assert_shown("worker_profile", "process");
}

static void what_may_be_secret_is_not_shown(void **state)
{
    (void)state;
    read_pool("adapter: a.B\nadapter_env: {KEY: s3cret, OTHER: s3cret}\n"
              "adapter_config: {key: s3cret}\nadapter_args: [\"--key=s3cret\"]\n");
    assert_shown("adapter_env", "{KEY: …, OTHER: …}");
    assert_shown("adapter_config", "(given, and not shown)");
    assert_shown("adapter_args", "(given, and not shown)");
}

static void no_value_holds_a_secret_whatever_its_key(void **state)
{
    struct sp_buf text = {0};
    const struct sp_option *option;
    (void)state;
    read_pool("adapter: a.B\nadapter_env: {KEY: s3cret}\n"
              "adapter_config: {key: s3cret}\nadapter_args: [s3cret]\n");
    for (size_t i = 0; (option = sp_option_at(i)) != NULL; i++) {
        if (option->scope == SP_SCOPE_POOL) {
            assert_int_equal(sp_option_show(option, &config->pools[0], &text),
                             SNAKEPIT_OK);
        }
    }
    assert_int_equal(sp_buf_append(&text, "", 1), SNAKEPIT_OK);
    assert_null(strstr((const char *)text.data, "s3cret"));
    sp_buf_fini(&text);
}

static size_t row_of(const char *key)
{
    return sp_option_index(sp_option_find(SP_SCOPE_POOL, key));
}

static void each_value_says_who_has_set_it(void **state)
{
    (void)state;
    read_pool("adapter: a.B\npool_size: 3\n");
    const struct sp_pool_config *pool = &config->pools[0];
    assert_int_equal(pool->origins[row_of("pool_size")], SP_ORIGIN_FILE);
    assert_int_equal(pool->lines[row_of("pool_size")], 3);
    assert_int_equal(pool->origins[row_of("max_queue")], SP_ORIGIN_NOBODY);
}

#define TEST(name) cmocka_unit_test_teardown(name, free_config)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_are_shown_as_one_would_write_them),
        TEST(what_is_shown_can_be_read_again),
        TEST(a_map_that_is_off_is_shown_so),
        TEST(one_number_stands_for_a_range_of_one),
        TEST(what_may_be_secret_is_not_shown),
        TEST(no_value_holds_a_secret_whatever_its_key),
        TEST(each_value_says_who_has_set_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
