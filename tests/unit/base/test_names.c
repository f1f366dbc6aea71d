// SPDX-License-Identifier: MIT
#include "base/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#define MANY 5000u

struct thing {
    struct sp_name name;
    char text[16];
};

static struct sp_names names;
static struct thing things[MANY];

static int fresh_table(void **state)
{
    (void)state;
    sp_names_init(&names, &(const struct sp_hash_key){{1, 2}});
    for (uint32_t i = 0; i < MANY; i++) {
        things[i].name.text = things[i].text;
        things[i].name.size =
            (uint32_t)snprintf(things[i].text, sizeof things[i].text, "thing %u", i);
    }
    return 0;
}

static int end_table(void **state)
{
    (void)state;
    sp_names_fini(&names);
    return 0;
}

static struct sp_name *find(const char *text)
{
    return sp_names_find(&names, text, (uint32_t)strlen(text));
}

// The published test vector of SipHash-1-3 with key 00..0f, over the bytes 00, 01, ...
static void hashes_are_those_of_siphash_1_3(void **state)
{
    (void)state;
    const struct sp_hash_key key = {
        {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
    const uint64_t expected[] = {
        UINT64_C(0xabac0158050fc4dc),
        UINT64_C(0xc9f49bf37d57ca93),
        UINT64_C(0x82cb9b024dc7d44d),
        UINT64_C(0x8bf80ab8e7ddf7fb),
        UINT64_C(0xcf75576088d38328),
        UINT64_C(0xdef9d52f49533b67),
        UINT64_C(0xc50d2b50c59f22a7),
        UINT64_C(0xd3927d989bb11140),
        UINT64_C(0x369095118d299a8e),
    };
    uint8_t data[16];
    for (uint8_t i = 0; i < sizeof data; i++) {
        data[i] = i;
    }
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_true(sp_hash(&key, data, i) == expected[i]);
    }
}

static void an_empty_table_finds_nothing(void **state)
{
    (void)state;
    assert_null(find("thing 0"));
}

static void many_names_are_found_and_no_others(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(sp_names_add(&names, &things[i].name), SNAKEPIT_OK);
    }
    assert_int_equal(names.count, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_ptr_equal(find(things[i].text), &things[i].name);
    }
    assert_null(find("thing"));
    assert_null(find("thing 5000"));
    assert_null(find(""));
}

static void a_removed_name_is_gone_and_its_neighbours_stay(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(sp_names_add(&names, &things[i].name), SNAKEPIT_OK);
    }
    for (uint32_t i = 0; i < 100; i += 2) {
        sp_names_remove(&names, &things[i].name);
    }
    for (uint32_t i = 0; i < 100; i++) {
        assert_ptr_equal(find(things[i].text), i % 2 == 0 ? NULL : &things[i].name);
    }
}

static void the_memory_of_a_burst_is_given_back(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(sp_names_add(&names, &things[i].name), SNAKEPIT_OK);
    }
    assert_true(names.room >= MANY / 2);
    for (uint32_t i = 1; i < MANY; i++) {
        sp_names_remove(&names, &things[i].name);
    }
    assert_int_equal(names.room, 16);
    assert_ptr_equal(find("thing 0"), &things[0].name);
}

static void a_table_without_memory_refuses_its_first_name_only(void **state)
{
    (void)state;
    sp_memory_fail_at(1);
    assert_int_equal(sp_names_add(&names, &things[0].name), SNAKEPIT_NO_MEMORY);
    assert_int_equal(names.count, 0);
    for (uint32_t i = 0; i < 16; i++) {
        assert_int_equal(sp_names_add(&names, &things[i].name), SNAKEPIT_OK);
    }
    sp_memory_fail_at(1);
    assert_int_equal(sp_names_add(&names, &things[16].name), SNAKEPIT_OK);
    assert_true(sp_memory_has_failed());
    sp_memory_fail_at(0);
    assert_ptr_equal(find("thing 16"), &things[16].name);
}

#define test(name) cmocka_unit_test_setup_teardown(name, fresh_table, end_table)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(hashes_are_those_of_siphash_1_3),
        test(an_empty_table_finds_nothing),
        test(many_names_are_found_and_no_others),
        test(a_removed_name_is_gone_and_its_neighbours_stay),
        test(the_memory_of_a_burst_is_given_back),
        test(a_table_without_memory_refuses_its_first_name_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
