// SPDX-License-Identifier: MIT
// Against the C library, which is exact and slow.
#include "payload/real.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "values.h"

#define MANY 100000

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double real_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// ---- Reading ------------------------------------------------------------------

static void check_read(uint64_t digits, int power)
{
    char text[64];
    double value = -1;
    (void)snprintf(text, sizeof text, "%llue%d", (unsigned long long)digits, power);
    double expected = strtod(text, NULL);
    if (sp_real_read(digits, power, &value) && bits_of(value) != bits_of(expected)) {
        fail_msg("%s is %a, not %a", text, expected, value);
    }
}

static void digits_of_any_power_are_the_nearest_double(void **state)
{
    (void)state;
    struct chance chance = {1};
    for (int i = 0; i < MANY; i++) {
        uint64_t digits = chance_next(&chance) >> chance_next(&chance) % 64;
        check_read(digits, (int)(chance_next(&chance) % 720) - 360);
        check_read(digits, (int)(chance_next(&chance) % 40) - 30);
    }
    static const uint64_t edges[] = {
        0, 1, 9, (UINT64_C(1) << 53) - 1, UINT64_C(1) << 53, UINT64_MAX};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        for (int power = -400; power <= 400; power++) {
            check_read(edges[i], power);
        }
    }
}

// In the middle of two doubles, and one beside it.
static void check_middle(uint64_t digits, int power)
{
    for (uint64_t i = digits - 1; i <= digits + 1; i++) {
        double value;
        assert_true(sp_real_read(i, power, &value));
        check_read(i, power);
    }
}

static void what_is_in_the_middle_of_two_becomes_the_even_one(void **state)
{
    (void)state;
    struct chance chance = {2};
    for (int i = 0; i < MANY / 10; i++) {
        uint64_t odd = UINT64_C(1) << 53 | chance_next(&chance) >> 11 | 1;
        uint64_t fives = 1;
        for (int power = 0; power <= 23; power++, fives *= 5) {
            if (power <= 4) {
                check_middle(odd * fives, -power);
            }
            uint64_t digits = odd / fives | 1;
            check_middle(digits, power);
        }
        check_middle(odd << chance_next(&chance) % 10, 0);
    }
}

static void the_largest_and_the_smallest_are_told_from_none(void **state)
{
    (void)state;
    static const struct {
        uint64_t digits;
        int64_t power;
        double value;
    } rows[] = {
        {17976931348623157, 292, DBL_MAX},
        {17976931348623158, 292, DBL_MAX},
        {17976931348623159, 292, (double)INFINITY},
        {1, 309, (double)INFINITY},
        {1, INT64_C(1) << 40, (double)INFINITY},
        {0, INT64_C(1) << 40, 0},
        {49406564584124654, -340, 4.9406564584124654e-324},
        {24703282292062328, -340, 4.9406564584124654e-324},
        {24703282292062327, -340, 0},
        {1, -(INT64_C(1) << 40), 0},
        {UINT64_MAX, -343, 0},
        {22250738585072014, -324, DBL_MIN},
        {22250738585072011, -324, 2.2250738585072011e-308},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double value = -1;
        assert_true(sp_real_read(rows[i].digits, rows[i].power, &value));
        assert_int_equal(bits_of(value), bits_of(rows[i].value));
    }
}

// ---- Writing ------------------------------------------------------------------

static void write_real(double value, char text[SP_REAL_ROOM])
{
    memset(text, '#', SP_REAL_ROOM);
    char *end = sp_real_write(value, text);
    assert_true(end < text + SP_REAL_ROOM);
    *end = '\0';
}

// So many digits, rounded, and those beside them.
static bool comes_back(double value, int digits, int beside)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%.*e", digits - 1, fabs(value));
    char *exponent = strchr(text, 'e');
    unsigned long long number = (unsigned long long)(text[0] - '0');
    for (const char *at = text + 2; at < exponent; at++) {
        number = number * 10 + (unsigned long long)(*at - '0');
    }
    char changed[64];
    (void)snprintf(changed,
                   sizeof changed,
                   "%llue%d",
                   number + (unsigned long long)beside,
                   atoi(exponent + 1) - digits + 1);
    return strtod(changed, NULL) == fabs(value);
}

// The digits of a number from the first that is not a zero to the last; how many.
static int digits_of(const char *number, char digits[SP_REAL_ROOM])
{
    int count = 0;
    int used = 0;
    for (; *number != '\0' && *number != 'e'; number++) {
        if (*number >= '0' && *number <= '9' && (count > 0 || *number != '0')) {
            digits[count++] = *number;
            used = *number == '0' ? used : count;
        }
    }
    digits[used] = '\0';
    return used;
}

static void check_write(double value)
{
    char text[SP_REAL_ROOM];
    char digits[SP_REAL_ROOM];
    char nearest[SP_REAL_ROOM];
    char expected[SP_REAL_ROOM];
    write_real(value, text);
    if (bits_of(strtod(text, NULL)) != bits_of(value)) {
        fail_msg("%.17g is not %s", value, text);
    }
    int count = digits_of(text, digits);
    for (int beside = -1; beside <= 1 && count > 1; beside++) {
        if (comes_back(value, count - 1, beside)) {
            fail_msg("%.17g has fewer digits than %s", value, text);
        }
    }
    // Where the nearest of that many digits comes back, it is that.
    (void)snprintf(nearest, sizeof nearest, "%.*e", count > 0 ? count - 1 : 0, value);
    (void)digits_of(nearest, expected);
    if (count > 0 && comes_back(value, count, 0) && strcmp(digits, expected) != 0) {
        fail_msg("%s should be %s", text, nearest);
    }
}

static void any_double_has_the_fewest_digits_that_bring_it_back(void **state)
{
    (void)state;
    struct chance chance = {3};
    const uint64_t fraction = (UINT64_C(1) << 52) - 1;
    for (int i = 0; i < MANY / 4; i++) {
        uint64_t bits = chance_next(&chance);
        if (isfinite(real_of(bits))) {
            check_write(real_of(bits));
            check_write(real_of(bits & ~fraction));
            check_write(real_of(bits | fraction));
        }
        check_write(real_of(bits & (fraction | UINT64_C(1) << 63)));
        check_write(ldexp((double)(bits >> 11), -53));
        check_write((double)(int64_t)bits / 100);
        check_write((double)(bits >> bits % 64));
    }
}

static void every_power_of_two_and_its_neighbours_come_back(void **state)
{
    (void)state;
    for (uint64_t exponent = 0; exponent < 0x7ff; exponent++) {
        for (uint64_t i = 0; i < 3; i++) {
            uint64_t bits = (exponent << 52) + i - 1;
            if (bits < UINT64_C(0x7ff) << 52) {
                check_write(real_of(bits));
            }
        }
    }
}

static void a_real_has_a_point_or_an_exponent(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {-1.5, "-1.5"},
        {10, "10.0"},
        {123456789012345, "123456789012345.0"},
        {1234567890123456, "1234567890123456.0"},
        {12345678901234568, "12345678901234568.0"},
        {1e14, "100000000000000.0"},
        {1e15, "1e+15"},
        {1.5e15, "1.5e+15"},
        {1e16, "1e+16"},
        {1e22, "1e+22"},
        {1e100, "1e+100"},
        {-1.25e-100, "-1.25e-100"},
        {0.001, "0.001"},
        {0.0001, "0.0001"},
        {0.00012, "0.00012"},
        {0.00001, "1e-05"},
        {1.0 / 3, "0.3333333333333333"},
        {100.0 / 3, "33.333333333333336"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1234567.125, "1234567.125"},
        {123456789.125, "123456789.125"},
        {4.9406564584124654e-324, "5e-324"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {9007199254740992, "9007199254740992.0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[SP_REAL_ROOM];
        write_real(rows[i].value, text);
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_of_any_power_are_the_nearest_double),
        cmocka_unit_test(what_is_in_the_middle_of_two_becomes_the_even_one),
        cmocka_unit_test(the_largest_and_the_smallest_are_told_from_none),
        cmocka_unit_test(any_double_has_the_fewest_digits_that_bring_it_back),
        cmocka_unit_test(every_power_of_two_and_its_neighbours_come_back),
        cmocka_unit_test(a_real_has_a_point_or_an_exponent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
