// SPDX-License-Identifier: MIT
// The quick way and the thorough one say the same of every number.
#include "payload/json_number.h"

#include <math.h>
#include <stdio.h>

#include "values.h"

static void same(const char *text)
{
    char padded[SP_JSON_NUMBER_QUICK + 64];
    struct sp_json_number quick = {0};
    struct sp_json_number thorough = {0};
    const char *wrong = NULL;
    size_t size = strlen(text);
    assert_true(size < 64);
    memset(padded, ' ', sizeof padded);
    memcpy(padded, text, size);
    const uint8_t *start = (const uint8_t *)padded;
    const uint8_t *at = start;
    snakepit_err err = sp_json_number_read(&at, start + size, &thorough, &wrong);
    const uint8_t *end = sp_json_number_quick(start, &quick);
    if (end == NULL) {
        return;
    }
    if (err != SNAKEPIT_OK || end != at || quick.real != thorough.real ||
        quick.negative * !quick.real != thorough.negative * !thorough.real ||
        quick.as.magnitude != thorough.as.magnitude) {
        fail_msg("\"%s\" is read in two ways", text);
    }
}

// True if the quick way knows it.
static bool is_quick(const char *text)
{
    char padded[SP_JSON_NUMBER_QUICK + 64];
    struct sp_json_number number;
    memset(padded, ',', sizeof padded);
    memcpy(padded, text, strlen(text));
    return sp_json_number_quick((const uint8_t *)padded, &number) != NULL;
}

static void what_is_common_is_read_quickly(void **state)
{
    (void)state;
    static const char *const common[] = {"0",
                                         "-1",
                                         "1234567",
                                         "12345678",
                                         "1234567890123456",
                                         "9223372036854775807",
                                         "-9223372036854775807",
                                         "0.5",
                                         "-0.8444218515250481",
                                         "12345678.12345678",
                                         "-0.0"};
    static const char *const others[] = {"",
                                         "-",
                                         "01",
                                         "-01.5",
                                         "1.",
                                         "1.e5",
                                         ".5",
                                         "1e5",
                                         "1.5E5",
                                         "12345678901234567890",
                                         "123456789012345678901234567890",
                                         "0.12345678901234567890123456789",
                                         "1234567890.12345678901",
                                         "-9223372036854775808"};
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++) {
        assert_true(is_quick(common[i]));
        same(common[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(is_quick(others[i]));
    }
}

static void digits_in_any_place_are_the_same_both_ways(void **state)
{
    (void)state;
    struct chance chance = {5};
    for (int before = 1; before < 28; before++) {
        for (int behind = 0; behind < 28; behind++) {
            char text[64];
            int size = 0;
            text[size] = '-';
            size += (int)chance_below(&chance, 2);
            for (int i = 0; i < before; i++) {
                text[size++] = (char)('0' + chance_below(&chance, 10));
            }
            text[size] = '.';
            size += behind > 0;
            for (int i = 0; i < behind; i++) {
                text[size++] = (char)('0' + chance_below(&chance, 10));
            }
            text[size] = '\0';
            same(text);
        }
    }
}

static void text_by_chance_is_the_same_both_ways(void **state)
{
    (void)state;
    static const char letters[] = "0123456789012345678900000.-+eE, ";
    struct chance chance = {6};
    for (int i = 0; i < 200000; i++) {
        char text[48];
        size_t size = 1 + chance_below(&chance, sizeof text - 2);
        text[0] = "-0123456789"[chance_below(&chance, 11)];
        for (size_t k = 1; k < size; k++) {
            text[k] = letters[chance_below(&chance, sizeof letters - 1)];
        }
        text[size] = '\0';
        same(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_common_is_read_quickly),
        cmocka_unit_test(digits_in_any_place_are_the_same_both_ways),
        cmocka_unit_test(text_by_chance_is_the_same_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
