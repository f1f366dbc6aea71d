// SPDX-License-Identifier: MIT
// Strings are looked at in blocks, so each kind of byte is tried at each place, and
// with the end of the text at any distance.
#include "json_support.h"

#define LONGEST 70

// Letters, with `inside` in place of the one at `place`.
static void make_string(char *text, size_t size, size_t place, const char *inside)
{
    size_t at = 0;
    for (size_t i = 0; i < size; i++) {
        if (i == place) {
            at += (size_t)sprintf(text + at, "%s", inside);
        } else {
            text[at++] = (char)('a' + i % 26);
        }
    }
    text[at] = '\0';
}

static void every_byte_is_seen_at_every_place(void **state)
{
    static const char *const kinds[] = {"\\n",
                                        "\\\"",
                                        "\\\\",
                                        "\\u0001",
                                        "\x7f",
                                        "\xc3\xa9",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x90\x8d"};
    static const size_t behind[] = {0, 1, 15, 16, 17, 80};
    for (size_t size = 0; size <= LONGEST; size++) {
        for (size_t place = 0; place <= size; place++) {
            char text[LONGEST + 16];
            char json[2 * sizeof text + 108];
            char expected[2 * sizeof text + 8];
            make_string(text, size, place, kinds[(size + place) % 8]);
            (void)sprintf(expected, "{\"%s\":\"%s\"}", text, text);
            (void)sprintf(
                json, "%s%*s", expected, (int)behind[(size * 3 + place) % 6], "");
            check_back(*state, json, expected);
        }
    }
}

static void what_is_wrong_is_found_at_every_place(void **state)
{
    static const struct {
        const char *bytes;
        const char *wrong;
    } rows[] = {
        {"\n", "a control character in a string; write it as \\u000a"},
        {"\x1f", "a control character in a string; write it as \\u001f"},
        {"\x80", "a string that is not UTF-8"},
        {"\xff", "a string that is not UTF-8"},
        {"\xe2\x82", "a string that is not UTF-8"},
        {"\\x", "a backslash before what needs none"},
        {"\\u12g4", "\\u wants four hexadecimal digits"},
        {"\\ud800", "half a surrogate pair"},
    };
    for (size_t place = 0; place < LONGEST; place++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            char text[LONGEST + 16];
            char json[2 * sizeof text];
            char expected[128];
            snakepit_message why;
            make_string(text, LONGEST, place, rows[i].bytes);
            (void)sprintf(json, "[\"%s\"]", text);
            (void)sprintf(
                expected, "line 1, column %zu: %s (at [0])", place + 3, rows[i].wrong);
            assert_int_equal(read_text(*state, json, &why), SNAKEPIT_MALFORMED);
            assert_string_equal(why.text, expected);
        }
    }
}

// The text ends in the middle of a string, of a block, of a character.
static void a_text_that_ends_anywhere_is_refused(void **state)
{
    char text[LONGEST + 16];
    char json[2 * sizeof text];
    make_string(text, LONGEST, 40, "\xf0\x9f\x90\x8d\\n");
    (void)sprintf(json, "{\"a\":\"%s\"}", text);
    size_t size = strlen(json);
    for (size_t end = 0; end < size; end++) {
        // Of exactly its size, so that a sanitizer sees what is read behind it.
        char *exact = malloc(end + 1);
        assert_non_null(exact);
        memcpy(exact, json, end);
        snakepit_writer_reset(*state);
        assert_int_equal(snakepit_writer_json(*state, exact, end, NULL),
                         SNAKEPIT_MALFORMED);
        free(exact);
    }
}

static void texts_have_the_shortest_heads(void **state)
{
    static const size_t sizes[] = {0, 15, 16, 31, 32, 255, 256, 65535, 65536, 100000};
    snakepit_writer *writer = *state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t escapes = 0; escapes < 2 && escapes <= sizes[i]; escapes++) {
            size_t size = sizes[i];
            char *json = malloc(size + 8);
            assert_non_null(json);
            memset(json, 'y', size + 8);
            json[0] = '"';
            memcpy(json + 1, "\\n", escapes * 2);
            json[1 + size + escapes] = '"';
            snakepit_writer_reset(writer);
            assert_int_equal(
                snakepit_writer_json(writer, json, size + 2 + escapes, NULL),
                SNAKEPIT_OK);
            size_t head = size < 32 ? 1 : size < 256 ? 2 : size < 65536 ? 3 : 5;
            assert_int_equal(writer->buf.size, head + size);
            snakepit_reader reader;
            snakepit_value value;
            snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
            assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_OK);
            assert_int_equal(value.kind, SNAKEPIT_TEXT);
            assert_int_equal(value.as.text.size, size);
            assert_true(size == 0 || value.as.text.data[size - 1] != '"');
            assert_true(escapes == 0 || value.as.text.data[0] == '\n');
            free(json);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WRITER(every_byte_is_seen_at_every_place),
        WITH_WRITER(what_is_wrong_is_found_at_every_place),
        WITH_WRITER(a_text_that_ends_anywhere_is_refused),
        WITH_WRITER(texts_have_the_shortest_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
