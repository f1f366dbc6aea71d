// SPDX-License-Identifier: MIT
#include "server/token_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../../support/folder.h"
#include "base/clock.h"
#include "base/memory.h"

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define TOKEN(name, hash, rest) \
    "- {name: " name ", hash: 'sha256:" hash "', scopes: [call], " rest "}\n"

static char path[64];
static struct sp_loop loop;
static struct sp_token_store *store;
static struct sp_token_view view;
static snakepit_message why;

static void write_tokens(const char *text)
{
    (void)snprintf(path, sizeof path, "%s/tokens", root);
    make_file("new", text);
    char made[64];
    (void)snprintf(made, sizeof made, "%s/new", root);
    assert_int_equal(chmod(made, 0600), 0);
    assert_int_equal(rename(made, path), 0);
}

static void woken(void *user)
{
    (void)user;
    sp_loop_stop(&loop);
}

// What callbacks are told to do later is done.
static void turn(void)
{
    loop.stop = false;
    sp_loop_wake(&loop);
    sp_loop_run(&loop);
}

static int prepare(void **state)
{
    if (make_root(state) != 0 ||
        sp_loop_init(&loop, woken, NULL, &why) != SNAKEPIT_OK) {
        return 1;
    }
    write_tokens("tokens:\n" TOKEN("a", HASH_A, "pools: [math]"));
    if (sp_token_store_open(path, &store, &why) != SNAKEPIT_OK) {
        return 1;
    }
    sp_token_view_open(&view, store, &loop);
    return 0;
}

static int clear(void **state)
{
    sp_token_view_close(&view);
    sp_token_store_free(store);
    sp_loop_fini(&loop);
    return remove_root(state);
}

static enum sp_token_state find(uint8_t byte, const struct sp_grant **grant)
{
    uint8_t hash[SP_TOKEN_HASH_BYTES];
    memset(hash, byte, sizeof hash);
    return sp_token_view_find(&view, hash, 1000, grant);
}

static void a_token_is_found_by_its_hash(void **state)
{
    (void)state;
    const struct sp_grant *grant = NULL;
    assert_int_equal(find(0xaa, &grant), SP_TOKEN_GOOD);
    assert_string_equal(grant->name, "a");
    assert_int_equal(grant->access, SP_ACCESS_CALL);
    assert_int_equal(grant->pools->count, 1);
    assert_int_equal(find(0xbb, &grant), SP_TOKEN_UNKNOWN);
    assert_int_equal(sp_token_store_count(store), 1);
}

static void a_token_expires_at_its_second(void **state)
{
    (void)state;
    const struct sp_grant *grant = NULL;
    uint8_t hash[SP_TOKEN_HASH_BYTES];
    memset(hash, 0xbb, sizeof hash);
    write_tokens(
        "tokens:\n" TOKEN("b", HASH_B, "pools: all, expires: '1970-01-01T00:16:40Z'"));
    assert_int_equal(sp_token_store_reread(store, &why), SNAKEPIT_OK);
    assert_int_equal(sp_token_view_find(&view, hash, 999, &grant), SP_TOKEN_GOOD);
    assert_null(grant->pools);
    grant = NULL;
    assert_int_equal(sp_token_view_find(&view, hash, 1000, &grant), SP_TOKEN_EXPIRED);
    assert_null(grant);
}

static void what_is_read_again_holds_from_the_next_callback_on(void **state)
{
    (void)state;
    const struct sp_grant *grant = NULL;
    const struct sp_grant *other = NULL;
    assert_int_equal(find(0xaa, &grant), SP_TOKEN_GOOD);
    turn();
    assert_int_equal(find(0xaa, &grant), SP_TOKEN_GOOD);
    write_tokens("tokens:\n" TOKEN("b", HASH_B, "pools: all"));
    assert_int_equal(sp_token_store_reread(store, &why), SNAKEPIT_OK);
    // What was shown in this callback stays, though there are others.
    assert_int_equal(find(0xbb, &other), SP_TOKEN_GOOD);
    assert_string_equal(grant->name, "a");
    write_tokens("tokens: []\n");
    assert_int_equal(sp_token_store_reread(store, &why), SNAKEPIT_OK);
    assert_int_equal(find(0xbb, &other), SP_TOKEN_GOOD);
    assert_string_equal(grant->name, "a");
    turn();
    assert_int_equal(find(0xbb, &other), SP_TOKEN_UNKNOWN);
}

static void a_file_that_is_not_right_changes_nothing(void **state)
{
    (void)state;
    const struct sp_grant *grant = NULL;
    assert_false(sp_token_store_is_stale(store));
    write_tokens("tokens: [{}]\n");
    assert_true(sp_token_store_is_stale(store));
    assert_int_equal(sp_token_store_reread(store, &why), SNAKEPIT_INVALID_CONFIG);
    assert_non_null(strstr(why.text, "lacks the key"));
    assert_int_equal(find(0xaa, &grant), SP_TOKEN_GOOD);
    // It was looked at: it is told once.
    assert_false(sp_token_store_is_stale(store));
    assert_int_equal(remove(path), 0);
    assert_true(sp_token_store_is_stale(store));
    assert_int_equal(sp_token_store_reread(store, &why), SNAKEPIT_INVALID_CONFIG);
    assert_false(sp_token_store_is_stale(store));
    assert_int_equal(find(0xaa, &grant), SP_TOKEN_GOOD);
    write_tokens("tokens: []\n");
    assert_true(sp_token_store_is_stale(store));
}

static void a_file_whose_permissions_change_is_stale(void **state)
{
    (void)state;
    assert_int_equal(chmod(path, 0644), 0);
    assert_true(sp_token_store_is_stale(store));
    assert_int_equal(sp_token_store_reread(store, &why), SNAKEPIT_INVALID_CONFIG);
}

static void refusals_are_told_once_a_second(void **state)
{
    (void)state;
    unsigned others = 99;
    assert_true(sp_token_store_tells(store, SP_NS_PER_S, &others));
    assert_int_equal(others, 0);
    assert_false(sp_token_store_tells(store, SP_NS_PER_S + 1, &others));
    assert_false(sp_token_store_tells(store, 2 * SP_NS_PER_S - 1, &others));
    assert_true(sp_token_store_tells(store, 2 * SP_NS_PER_S, &others));
    assert_int_equal(others, 2);
}

static void without_memory_the_tokens_stay(void **state)
{
    (void)state;
    const struct sp_grant *grant = NULL;
    snakepit_err err;
    long nth = 0;
    do {
        sp_memory_fail_at(++nth);
        err = sp_token_store_reread(store, &why);
        sp_memory_fail_at(0);
        turn();
        assert_int_equal(find(0xaa, &grant), SP_TOKEN_GOOD);
    } while (err != SNAKEPIT_OK);
    assert_true(nth > 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_is_found_by_its_hash),
        TEST(a_token_expires_at_its_second),
        TEST(what_is_read_again_holds_from_the_next_callback_on),
        TEST(a_file_that_is_not_right_changes_nothing),
        TEST(a_file_whose_permissions_change_is_stale),
        TEST(refusals_are_told_once_a_second),
        TEST(without_memory_the_tokens_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
