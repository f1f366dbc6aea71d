// SPDX-License-Identifier: MIT
#include "payload/base64.h"

#include "values.h"

static void check_pair(const char *plain, const char *coded)
{
    char text[16];
    uint8_t bytes[16];
    size_t size = 0;
    struct sp_slice in = sp_slice_of_text(plain);
    assert_int_equal(sp_base64_size(in.size), strlen(coded));
    sp_base64_encode(in, text);
    assert_memory_equal(text, coded, strlen(coded));
    assert_int_equal(sp_base64_decode(sp_slice_of_text(coded), bytes, &size),
                     SNAKEPIT_OK);
    assert_int_equal(size, in.size);
    assert_memory_equal(bytes, plain, size);
}

static void the_vectors_of_the_rfc_hold(void **state)
{
    (void)state;
    check_pair("", "");
    check_pair("f", "Zg==");
    check_pair("fo", "Zm8=");
    check_pair("foo", "Zm9v");
    check_pair("foob", "Zm9vYg==");
    check_pair("fooba", "Zm9vYmE=");
    check_pair("foobar", "Zm9vYmFy");
}

static void random_bytes_come_back(void **state)
{
    (void)state;
    struct chance chance = {3};
    for (size_t size = 0; size < 300; size++) {
        uint8_t bytes[300];
        char text[400];
        uint8_t back[300];
        size_t got = 0;
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)chance_next(&chance);
        }
        sp_base64_encode((struct sp_slice){bytes, size}, text);
        struct sp_slice coded = {(const uint8_t *)text, sp_base64_size(size)};
        assert_int_equal(sp_base64_decode(coded, back, &got), SNAKEPIT_OK);
        assert_int_equal(got, size);
        assert_memory_equal(back, bytes, size);
    }
}

static void any_other_text_is_malformed(void **state)
{
    (void)state;
    static const char *const wrong[] = {"Z",
                                        "Zg",
                                        "Zg=",
                                        "Z===",
                                        "====",
                                        "=",
                                        "Zh==",
                                        "Zm9=",
                                        "Zg==Zg==",
                                        "Zm 9",
                                        "Zm9-",
                                        "Zm9_",
                                        "Z=g=",
                                        "\n\n\n\n",
                                        "Zm9\xff",
                                        "Zg=g"};
    uint8_t bytes[16];
    size_t size = 42;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct sp_slice text = sp_slice_of_text(wrong[i]);
        assert_int_equal(sp_base64_decode(text, bytes, &size), SNAKEPIT_MALFORMED);
    }
    assert_int_equal(size, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_rfc_hold),
        cmocka_unit_test(random_bytes_come_back),
        cmocka_unit_test(any_other_text_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
