// SPDX-License-Identifier: MIT
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void check(const char *from, enum sp_text_kind kind, const char *to)
{
    char room[128];
    (void)snprintf(room, sizeof room, "%s", from);
    sp_text_clean(room, strlen(room), kind);
    assert_string_equal(room, to);
}

static void what_people_write_stays(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "plain ~ text",
        "Gr\u00fc\u00dfe, \u4e16\u754c, \u05e9\u05dc\u05d5\u05dd",
        "\u00a0\u00ad\u2003", // spaces beyond ASCII
        "\U0001f469\u200d\U0001f4bb \u0646\u0645\u06cc\u200c\u062f\u0627\u0646\u0645",
        "\u845b\U000e0100 \ufe0f\u2764", // selectors of variants
        "\U0010fffd",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        check(texts[i], SP_TEXT_LINE, texts[i]);
        check(texts[i], SP_TEXT_BLOCK, texts[i]);
    }
}

static void each_byte_of_what_must_not_be_shown_becomes_a_question_mark(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        const char *to;
    } rows[] = {
        {"a\x1b[2Jb", "a?[2Jb"},
        {"\x7f\x01", "??"},
        {"\xc2\x85\xc2\x9b"
         "31m\xc2\x9f",
         "????31m??"},
        {"\u061c|\u200b|\u200e|\u200f", "??|???|???|???"},
        {"\u2028|\u2029|\u202a|\u202e", "???|???|???|???"},
        {"\u2060|\u2066|\u2069|\u206f", "???|???|???|???"},
        {"\ufeff|\ufff9|\uffff|\ufdd0", "???|???|???|???"},
        {"\U000e0041|\U000e0fff", "????|????"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check(rows[i].from, SP_TEXT_LINE, rows[i].to);
        check(rows[i].from, SP_TEXT_BLOCK, rows[i].to);
    }
}

static void bytes_that_are_no_text_become_question_marks(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        const char *to;
    } rows[] = {
        {"\x80|\xbf|\xc0\xaf|\xc1\xbf", "?|?|??|??"},    // stray, overlong
        {"\xe0\x9f\xbf|\xf0\x8f\xbf\xbf", "???|????"},   // overlong
        {"\xed\xa0\x80|\xed\xbf\xbf", "???|???"},        // surrogates
        {"\xf4\x90\x80\x80|\xf5|\xff\xfe", "????|?|??"}, // over U+10FFFF
        {"\xc3|\xe4\xb8|\xf0\x9f\x91|", "?|??|???|"},    // cut in the middle
        {"\xc2", "?"},                                   // cut at the end
        {"\xe4\xb8", "??"},
        {"\xf0\x9f\x91", "???"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check(rows[i].from, SP_TEXT_LINE, rows[i].to);
    }
}

static void a_line_has_no_ends_of_lines_and_a_block_has(void **state)
{
    (void)state;
    check("a\tb\nc\rd\ve\f", SP_TEXT_LINE, "a b c d e ");
    check("a\tb\nc\rd\ve\f", SP_TEXT_BLOCK, "a\tb\nc?d?e?");
}

static void a_zero_inside_is_no_end(void **state)
{
    (void)state;
    char text[] = "a\0\x1b";
    sp_text_clean(text, 3, SP_TEXT_LINE);
    assert_string_equal(text, "a??");
}

// Whatever the bytes are, what is left is UTF-8 that may be shown, of the same size.
static void no_text_needs_no_place(void **state)
{
    (void)state;
    sp_text_clean(NULL, 0, SP_TEXT_LINE); // the sanitizer sees where it is not so
}

static void every_pair_of_bytes_comes_out_clean(void **state)
{
    (void)state;
    for (uint32_t pair = 0; pair <= 0xffff; pair++) {
        char text[] = {'<', (char)(pair >> 8), (char)pair, '>', 0};
        sp_text_clean(text, 4, SP_TEXT_LINE);
        assert_int_equal(strlen(text), 4);
        assert_int_equal(text[3], '>');
        for (size_t at = 0; at < 4;) {
            size_t size = sp_text_character((const uint8_t *)text + at, 4 - at);
            assert_true(size > 0);
            assert_true(
                sp_text_may_be_shown(sp_text_code((const uint8_t *)text + at, size)));
            at += size;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_write_stays),
        cmocka_unit_test(each_byte_of_what_must_not_be_shown_becomes_a_question_mark),
        cmocka_unit_test(bytes_that_are_no_text_become_question_marks),
        cmocka_unit_test(a_line_has_no_ends_of_lines_and_a_block_has),
        cmocka_unit_test(a_zero_inside_is_no_end),
        cmocka_unit_test(no_text_needs_no_place),
        cmocka_unit_test(every_pair_of_bytes_comes_out_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
