// SPDX-License-Identifier: MIT
#include "support.h"

#include "config/option.h"

static void a_misspelt_key_finds_its_neighbour(void **state)
{
    (void)state;
    const unsigned pool = SP_SCOPE_BIT(SP_SCOPE_POOL);
    assert_string_equal(sp_option_nearest(pool, "pool_sise"), "pool_size");
    assert_string_equal(sp_option_nearest(pool, "polo_size"), "pool_size");
    assert_string_equal(sp_option_nearest(pool, "adaptr"), "adapter");
    assert_string_equal(sp_option_nearest(pool, "adapterconfig"), "adapter_config");
    assert_null(sp_option_nearest(pool, "zebra"));
    assert_null(sp_option_nearest(pool, "x"));
    assert_null(sp_option_nearest(pool, ""));
    assert_null(sp_option_nearest(SP_SCOPE_BIT(SP_SCOPE_TOP), "adaptr"));
    assert_null(
        sp_option_nearest(pool, "a_key_that_is_longer_than_any_key_that_there_is"));
}

static void only_slips_of_the_finger_are_misspelt(void **state)
{
    (void)state;
    assert_non_null(sp_option_misspelt(SP_SCOPE_POOL, "pool_siez"));
    assert_null(sp_option_misspelt(SP_SCOPE_POOL, "timeout_ms"));
    assert_null(sp_option_misspelt(SP_SCOPE_POOL, "python_ft"));
    assert_null(sp_option_misspelt(SP_SCOPE_POOL, "nam"));
}

static void every_fixed_default_is_a_value_that_would_be_accepted(void **state)
{
    (void)state;
    struct sp_place place = {.file = "defaults"};
    const struct sp_option *option = NULL;
    for (size_t i = 0; (option = sp_option_at(i)) != NULL; i++) {
        struct sp_config config = {0};
        struct sp_pool_config pool = {0};
        struct sp_sandbox sandbox = {0};
        struct sp_retry_keys retry = {0};
        struct sp_breaker_keys breaker = {0};
        struct sp_devices devices = {0};
        struct sp_threshold threshold = {0};
        struct sp_serve_config serve = {0};
        struct sp_listener_config listener = {0};
        struct sp_tls_config tls = {0};
        void *targets[] = {[SP_SCOPE_TOP] = &config,
                           [SP_SCOPE_POOL] = &pool,
                           [SP_SCOPE_SANDBOX] = &sandbox,
                           [SP_SCOPE_RETRY] = &retry,
                           [SP_SCOPE_BREAKER] = &breaker,
                           [SP_SCOPE_DEVICES] = &devices,
                           [SP_SCOPE_THRESHOLD] = &threshold,
                           [SP_SCOPE_SERVE] = &serve,
                           [SP_SCOPE_LISTENER] = &listener,
                           [SP_SCOPE_TLS] = &tls};
        void *target = targets[option->scope];
        assert_true((option->fixed == NULL) != (option->computed == NULL));
        assert_true(option->help[0] != '\0' && option->minimum <= option->maximum);
        assert_ptr_equal(sp_option_find(option->scope, option->key), option);
        assert_int_equal(sp_option_index(option), i);
        if (option->fixed != NULL) {
            assert_int_equal(sp_option_set_default(option, target, &place),
                             SNAKEPIT_OK);
        }
        sp_option_clear(option, target);
    }
}

static void a_size_is_written_as_it_is_read(void **state)
{
    (void)state;
    char text[32];
    sp_option_format_size(512 << 20, text, sizeof(text));
    assert_string_equal(text, "512MiB");
    sp_option_format_size(UINT64_C(64) << 30, text, sizeof(text));
    assert_string_equal(text, "64GiB");
    sp_option_format_size(1025, text, sizeof(text));
    assert_string_equal(text, "1025");
    sp_option_format_size(0, text, sizeof(text));
    assert_string_equal(text, "0");
}

static void durations_are_written_as_they_are_read(void **state)
{
    (void)state;
    char text[32];
    sp_option_format_duration(86400000, text, sizeof text);
    assert_string_equal(text, "1d");
    sp_option_format_duration(5400000, text, sizeof text);
    assert_string_equal(text, "90m");
    sp_option_format_duration(1500, text, sizeof text);
    assert_string_equal(text, "1500ms");
}

static void later_keys_are_known_to_come(void **state)
{
    (void)state;
    const unsigned pool = SP_SCOPE_BIT(SP_SCOPE_POOL);
    assert_true(sp_option_is_later(pool, "distributed"));
    assert_false(sp_option_is_later(pool, "pool_size"));
    assert_false(sp_option_is_later(SP_SCOPE_BIT(SP_SCOPE_LISTENER), "door"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_misspelt_key_finds_its_neighbour),
        cmocka_unit_test(only_slips_of_the_finger_are_misspelt),
        cmocka_unit_test(every_fixed_default_is_a_value_that_would_be_accepted),
        cmocka_unit_test(a_size_is_written_as_it_is_read),
        cmocka_unit_test(durations_are_written_as_they_are_read),
        cmocka_unit_test(later_keys_are_known_to_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
