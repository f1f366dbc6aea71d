// SPDX-License-Identifier: MIT
// What a change leaves of a file of tokens that people have written.
#include "cli/token_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../support/folder.h"
#include "base/memory.h"

#define HASH(digit)                                                                   \
    "sha256:" digit digit digit digit digit digit digit digit digit digit digit digit \
        digit digit digit digit digit digit digit digit digit digit digit digit digit \
            digit digit digit digit digit digit digit
#define ITEM(name, hash)                                                     \
    "  - name: " name "\n    hash: " hash "\n    scopes: [call] # as ever\n" \
    "    pools: all\n"
#define A ITEM("a", HASH("aa"))
#define B ITEM("b", HASH("bb"))

static char path[64];
static snakepit_message why;
static struct sp_token_file file;

static int prepare(void **state)
{
    int failed = make_root(state);
    (void)snprintf(path, sizeof path, "%s/t.yaml", root);
    why.text[0] = '\0';
    return failed;
}

static int clear(void **state)
{
    sp_token_file_close(&file);
    return remove_root(state);
}

static void open_with(const char *text)
{
    make_file("t.yaml", text);
    assert_int_equal(chmod(path, 0600), 0);
    if (sp_token_file_open(&file, path, &why) != SNAKEPIT_OK) {
        fail_msg("%s", why.text);
    }
}

// Of one of the hash 0xcc...
static snakepit_err add(const char *name)
{
    struct sp_token token = {
        .name = (char *)(uintptr_t)name, .access = SP_ACCESS_CALL, .all_pools = true};
    memset(token.hash, 0xcc, sizeof token.hash);
    return sp_token_file_add(&file, &token, &why);
}

static void expect_text(const char *text)
{
    char read[2048] = "";
    assert_int_equal(sp_token_file_save(&file, &why), SNAKEPIT_OK);
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    const size_t size = fread(read, 1, sizeof read - 1, stream);
    assert_int_equal(fclose(stream), 0);
    read[size] = '\0';
    assert_string_equal(read, text);
}

static void a_token_comes_behind_the_others(void **state)
{
    (void)state;
    open_with("# mine\ntokens:\n" A);
    assert_int_equal(add("c"), SNAKEPIT_OK);
    assert_false(file.rewritten);
    expect_text("# mine\ntokens:\n" A "  - name: \"c\"\n    hash: " HASH(
        "cc") "\n"
              "    scopes: [call]\n    pools: all\n");
    assert_int_equal(file.tokens.count, 2);
}

static void an_end_of_the_line_may_be_missing(void **state)
{
    (void)state;
    open_with("tokens:");
    assert_int_equal(add("c"), SNAKEPIT_OK);
    assert_false(file.rewritten);
    assert_int_equal(file.tokens.count, 1);
}

static void a_name_is_there_once(void **state)
{
    (void)state;
    open_with("tokens:\n" A);
    assert_int_equal(add("a"), SNAKEPIT_BUSY);
    assert_non_null(strstr(why.text, "has a token a already"));
    expect_text("tokens:\n" A);
}

static void comments_of_other_tokens_stay(void **state)
{
    (void)state;
    open_with("# mine\ntokens:\n  # of a\n" A "\n  # of b\n  # and more\n" B
              "# the end\n");
    assert_int_equal(sp_token_file_remove(&file, "a", &why), SNAKEPIT_OK);
    assert_false(file.rewritten);
    expect_text("# mine\ntokens:\n  # of a\n\n  # of b\n  # and more\n" B
                "# the end\n");
}

static void the_last_token_goes_as_well(void **state)
{
    (void)state;
    open_with("tokens:\n" A B "# the end\n");
    assert_int_equal(sp_token_file_remove(&file, "b", &why), SNAKEPIT_OK);
    assert_int_equal(sp_token_file_remove(&file, "a", &why), SNAKEPIT_OK);
    assert_int_equal(sp_token_file_remove(&file, "a", &why), SNAKEPIT_NOT_FOUND);
    assert_false(file.rewritten);
    expect_text("tokens:\n# the end\n");
    assert_int_equal(add("c"), SNAKEPIT_OK);
    assert_false(file.rewritten);
}

static void a_file_of_another_form_is_written_anew(void **state)
{
    static const char *const texts[] = {
        "tokens: [{name: a, hash: '" HASH("aa") "', scopes: [call], pools: [p]}]\n",
        "{tokens: []}\n",
        "tokens:\n-\n  name: a\n  hash: " HASH(
            "aa") "\n  scopes: [call]\n  pools: [p]\n",
        "tokens:\n  - &x {name: a, hash: '" HASH(
            "aa") "', scopes: [call], pools: [p]}\n...\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        open_with(texts[i]);
        const size_t count = file.tokens.count;
        assert_int_equal(add("c"), SNAKEPIT_OK);
        assert_true(file.rewritten);
        assert_int_equal(file.tokens.count, count + 1);
        assert_non_null(sp_token_named(&file.tokens, "c"));
        assert_true(count == 0 || !file.tokens.items[0].all_pools);
        assert_int_equal(sp_token_file_save(&file, &why), SNAKEPIT_OK);
        sp_token_file_close(&file);
    }
}

static void one_that_stands_in_no_lines_of_its_own_goes(void **state)
{
    (void)state;
    open_with("tokens: [{name: a, hash: '" HASH(
        "aa") "', scopes: [call], pools: [p]},\n"
              "  {name: b, hash: '" HASH("bb") "', scopes: [call], pools: [p]}]\n");
    assert_int_equal(sp_token_file_remove(&file, "a", &why), SNAKEPIT_OK);
    assert_true(file.rewritten);
    assert_int_equal(file.tokens.count, 1);
    assert_string_equal(file.tokens.items[0].name, "b");
}

static void rights_stay_and_a_new_file_is_its_owners(void **state)
{
    (void)state;
    struct stat found;
    open_with("tokens:\n" A);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(add("c"), SNAKEPIT_OK);
    assert_int_equal(sp_token_file_save(&file, &why), SNAKEPIT_OK);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 07777U, 0640);
    sp_token_file_close(&file);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(sp_token_file_open(&file, path, &why), SNAKEPIT_OK);
    assert_int_equal(add("c"), SNAKEPIT_OK);
    assert_int_equal(sp_token_file_save(&file, &why), SNAKEPIT_OK);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 07777U, 0600);
}

static void a_symbolic_link_stays_one(void **state)
{
    (void)state;
    char other[80];
    struct stat found;
    (void)snprintf(other, sizeof other, "%s/link", root);
    make_file("t.yaml", "tokens:\n" A);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(symlink("t.yaml", other), 0);
    assert_int_equal(sp_token_file_open(&file, other, &why), SNAKEPIT_OK);
    assert_int_equal(sp_token_file_remove(&file, "a", &why), SNAKEPIT_OK);
    expect_text("tokens:\n");
    assert_int_equal(lstat(other, &found), 0);
    assert_true(S_ISLNK(found.st_mode));
}

static void without_memory_the_file_stays(void **state)
{
    (void)state;
    snakepit_err err;
    long nth = 0;
    open_with("tokens:\n" A);
    do {
        sp_memory_fail_at(++nth);
        err = add("c");
        sp_memory_fail_at(0);
        assert_int_equal(file.tokens.count, err == SNAKEPIT_OK ? 2 : 1);
    } while (err != SNAKEPIT_OK);
    assert_true(nth > 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_comes_behind_the_others),
        TEST(an_end_of_the_line_may_be_missing),
        TEST(a_name_is_there_once),
        TEST(comments_of_other_tokens_stay),
        TEST(the_last_token_goes_as_well),
        TEST(a_file_of_another_form_is_written_anew),
        TEST(one_that_stands_in_no_lines_of_its_own_goes),
        TEST(rights_stay_and_a_new_file_is_its_owners),
        TEST(a_symbolic_link_stays_one),
        TEST(without_memory_the_file_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
