// SPDX-License-Identifier: MIT
// The file of tokens: what is read of it, what is refused, and with which sentence.
#include "config/tokens.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/name.h"

#include "../../support/folder.h"
#include "base/memory.h"

#define H1 "sha256:00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
#define H2 "sha256:ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
#define WHOLE(name, hash) \
    "{name: " name ", hash: \"" hash "\", scopes: [call], pools: all}"

static snakepit_err
parse(const char *text, struct sp_tokens *tokens, snakepit_message *why)
{
    return sp_tokens_parse(sp_slice_of_text(text), "t.yaml", tokens, why);
}

static void every_key_is_read(void **state)
{
    (void)state;
    struct sp_tokens tokens;
    snakepit_message why = {{0}};
    assert_int_equal(parse("# who may\n"
                           "tokens:\n"
                           "  - name: ci\n"
                           "    hash: " H1 "\n"
                           "    scopes: [call, observe]\n"
                           "    pools: [math, text]\n"
                           "    tools: [math.add, 'text.*']\n"
                           "    created: 2026-11-30T10:00:00Z\n"
                           "    expires: 2027-11-30\n"
                           "  - {name: ops, hash: '" H2
                           "', scopes: [admin], pools: all}\n",
                           &tokens,
                           &why),
                     SNAKEPIT_OK);
    assert_int_equal(tokens.count, 2);
    const struct sp_token *ci = &tokens.items[0];
    assert_string_equal(ci->name, "ci");
    assert_int_equal(ci->hash[1], 0x11);
    assert_int_equal(ci->hash[31], 0xff);
    assert_int_equal(ci->access, SP_ACCESS_CALL | SP_ACCESS_OBSERVE);
    assert_false(ci->all_pools);
    assert_int_equal(ci->pools.count, 2);
    assert_string_equal(ci->pools.items[1], "text");
    assert_int_equal(ci->tools.count, 2);
    assert_string_equal(ci->tools.items[1], "text.*");
    assert_int_equal(ci->created, 1796032800);
    assert_int_equal(ci->expires, 1827532800);
    assert_int_equal(ci->line, 3);
    const struct sp_token *ops = &tokens.items[1];
    assert_true(ops->all_pools);
    assert_int_equal(ops->tools.count, 0);
    assert_int_equal(ops->access, SP_ACCESS_ADMIN);
    assert_int_equal(ops->expires, 0);
    assert_ptr_equal(sp_token_named(&tokens, "ops"), ops);
    assert_null(sp_token_named(&tokens, "op"));
    sp_tokens_free(&tokens);
    sp_tokens_free(&tokens);
}

static void a_file_may_have_no_tokens(void **state)
{
    static const char *const texts[] = {"tokens:\n", "tokens: []", "{tokens: ~}"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sp_tokens tokens;
        snakepit_message why;
        assert_int_equal(parse(texts[i], &tokens, &why), SNAKEPIT_OK);
        assert_int_equal(tokens.count, 0);
        sp_tokens_free(&tokens);
    }
}

static const struct {
    const char *text;
    const char *sentence;
} refused[] = {
    {"", "t.yaml: there is nothing in it, expected a map of keys and values"},
    {"[]", "t.yaml:1: expected the key \"tokens\" alone, with a list"},
    {"tokens: {}", "t.yaml:1: expected the key \"tokens\" alone, with a list"},
    {"tokens: []\nmore: 1", "t.yaml:1: expected the key \"tokens\" alone, with a list"},
    {"tokens: []\ntokens: []", "t.yaml:2: tokens: given twice; the first is on line 1"},
    {"tokens: [ci]", "t.yaml:1: tokens[0]: expected a map of keys, got \"ci\""},
    {"tokens: [{name: ci}]", "t.yaml:1: tokens[0]: lacks the key \"hash\""},
    {"tokens: [{hash: " H1 ", scopes: [call], pools: all}]",
     "t.yaml:1: tokens[0]: lacks the key \"name\""},
    {"tokens: [{name: a, hash: " H1 ", scopes: [call]}]",
     "t.yaml:1: tokens[0]: lacks the key \"pools\""},
    {"tokens: [{name: a, hash: " H1 ", pools: all}]",
     "t.yaml:1: tokens[0]: lacks the key \"scopes\""},
    {"tokens:\n- name: a b",
     "t.yaml:2: tokens[0].name: expected 1 to 64 letters, digits, _, - or ., got \"a "
     "b\""},
    {"tokens:\n- name: a\n  hash: sp_secret",
     "t.yaml:3: tokens[0].hash: expected \"sha256:\" and 64 hexadecimal digits, as "
     "`snakepit token new` writes it"},
    {"tokens:\n- hash: " H1 "0",
     "t.yaml:2: tokens[0].hash: expected \"sha256:\" and 64 hexadecimal digits, as "
     "`snakepit token new` writes it"},
    {"tokens:\n- scopes: call",
     "t.yaml:2: tokens[0].scopes: expected a list of some of call, observe and admin, "
     "got \"call\""},
    {"tokens:\n- scopes: []",
     "t.yaml:2: tokens[0].scopes: expected a list of some of call, observe and admin, "
     "got an empty list"},
    {"tokens:\n- scopes: [call, root]",
     "t.yaml:2: tokens[0].scopes[1]: expected call, observe or admin, got \"root\""},
    {"tokens:\n- pools: some",
     "t.yaml:2: tokens[0].pools: expected `all`, or a list of names of pools, got "
     "\"some\""},
    {"tokens:\n- pools: []",
     "t.yaml:2: tokens[0].pools: expected `all`, or a list of names of pools, got an "
     "empty list"},
    {"tokens:\n- pools: [math, '*']",
     "t.yaml:2: tokens[0].pools[1]: expected 1 to 64 letters, digits, _, - or ., got "
     "\"*\""},
    {"tokens:\n- expires: soon",
     "t.yaml:2: tokens[0].expires: expected a time in UTC such as "
     "2026-11-30T10:00:00Z, or a day such as 2026-11-30, got \"soon\""},
    {"tokens:\n- scope: [call]",
     "t.yaml:2: tokens[0].scope: unknown key; did you mean \"scopes\"?"},
    {"tokens:\n- secret: x",
     "t.yaml:2: tokens[0].secret: unknown key; a token has name, hash, scopes, pools, "
     "tools, created and expires"},
    {"tokens:\n- tools: []",
     "t.yaml:2: tokens[0].tools: expected a list of tools, as POOL.TOOL, got an empty "
     "list"},
    {"tokens:\n- tools: [math.add, add]",
     "t.yaml:2: tokens[0].tools[1]: expected " SP_TOKEN_TOOL_FORM ", got \"add\""},
    {"tokens:\n- tools: ['*.add']",
     "t.yaml:2: tokens[0].tools[0]: expected " SP_TOKEN_TOOL_FORM ", got \"*.add\""},
    {"tokens:\n- " WHOLE("a", H1) "\n- " WHOLE("a", H2),
     "t.yaml:3: tokens[1]: has the name of the token on line 2; remove one of them"},
    {"tokens:\n- " WHOLE("a", H1) "\n- " WHOLE("b", H1),
     "t.yaml:3: tokens[1]: has the hash of the token on line 2; remove one of them"},
};

static void what_is_wrong_is_said_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct sp_tokens tokens = {.count = 77};
        snakepit_message why = {{0}};
        assert_int_equal(parse(refused[i].text, &tokens, &why),
                         SNAKEPIT_INVALID_CONFIG);
        assert_string_equal(why.text, refused[i].sentence);
        assert_int_equal(tokens.count, 77);
    }
}

// Somebody may have put the token in the place of its hash.
static void a_hash_is_not_shown(void **state)
{
    (void)state;
    struct sp_tokens tokens;
    snakepit_message why = {{0}};
    assert_int_equal(parse("tokens:\n- hash: sp_supersecret", &tokens, &why),
                     SNAKEPIT_INVALID_CONFIG);
    assert_null(strstr(why.text, "supersecret"));
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    struct sp_buf text = {0};
    struct sp_tokens tokens;
    struct sp_tokens again;
    snakepit_message why = {{0}};
    assert_int_equal(
        parse("tokens:\n"
              "- {name: 'null', hash: '" H1 "', scopes: [admin, call], "
              "pools: [all, '0'], tools: ['all.a', '0.b*'], created: 2026-01-02}\n"
              "- {name: '1', hash: '" H2 "', scopes: [observe], pools: all, "
              "expires: 2027-01-02T03:04:05Z}\n",
              &tokens,
              &why),
        SNAKEPIT_OK);
    assert_int_equal(sp_buf_printf(&text, "tokens:\n"), SNAKEPIT_OK);
    assert_int_equal(sp_token_write(&tokens.items[0], &text), SNAKEPIT_OK);
    assert_int_equal(sp_token_write(&tokens.items[1], &text), SNAKEPIT_OK);
    if (parse((const char *)text.data, &again, &why) != SNAKEPIT_OK) {
        fail_msg("%s\n%s", why.text, (const char *)text.data);
    }
    assert_int_equal(again.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(again.items[i].name, tokens.items[i].name);
        assert_memory_equal(again.items[i].hash, tokens.items[i].hash, 32);
        assert_int_equal(again.items[i].access, tokens.items[i].access);
        assert_int_equal(again.items[i].all_pools, tokens.items[i].all_pools);
        assert_int_equal(again.items[i].pools.count, tokens.items[i].pools.count);
        assert_int_equal(again.items[i].tools.count, tokens.items[i].tools.count);
        assert_int_equal(again.items[i].created, tokens.items[i].created);
        assert_int_equal(again.items[i].expires, tokens.items[i].expires);
    }
    assert_string_equal(again.items[0].pools.items[0], "all");
    assert_string_equal(again.items[0].tools.items[1], "0.b*");
    sp_tokens_free(&again);
    sp_tokens_free(&tokens);
    sp_buf_fini(&text);
}

static void words_of_scopes_go_both_ways(void **state)
{
    (void)state;
    assert_int_equal(sp_access_named("call", 4), SP_ACCESS_CALL);
    assert_int_equal(sp_access_named("admin,", 5), SP_ACCESS_ADMIN);
    assert_int_equal(sp_access_named("cal", 3), 0);
    assert_int_equal(sp_access_named("", 0), 0);
    assert_string_equal(sp_access_name(SP_ACCESS_OBSERVE), "observe");
    assert_string_equal(sp_access_name(SP_ACCESS_OPEN), "open");
}

// ---- Files ------------------------------------------------------------------------

static void write_file(const char *path, mode_t mode)
{
    static const char text[] = "tokens: [" WHOLE("a", H1) "]\n";
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static void a_file_that_others_could_use_is_refused(void **state)
{
    (void)state;
    static const struct {
        mode_t mode;
        bool good;
    } modes[] = {{0600, true},
                 {0400, true},
                 {0640, true},
                 {0700, true},
                 {0660, false},
                 {0644, false},
                 {0602, false},
                 {0601, false}};
    char path[512];
    (void)snprintf(path, sizeof path, "%s/tokens.yaml", root);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct sp_tokens tokens = {0};
        snakepit_message why = {{0}};
        write_file(path, modes[i].mode);
        snakepit_err err = sp_tokens_read(path, &tokens, &why);
        if ((err == SNAKEPIT_OK) != modes[i].good) {
            fail_msg("%04o: %s", (unsigned)modes[i].mode, why.text);
        }
        if (!modes[i].good) {
            assert_non_null(strstr(why.text, "chmod 600 it"));
        }
        sp_tokens_free(&tokens);
    }
}

static void a_file_of_another_user_is_refused(void **state)
{
    (void)state;
    char path[512];
    struct sp_tokens tokens = {0};
    snakepit_message why = {{0}};
    (void)snprintf(path, sizeof path, "%s/tokens.yaml", root);
    write_file(path, 0600);
    if (chown(path, 12345, (gid_t)-1) != 0) {
        skip(); // only root may give files away
    }
    assert_int_equal(sp_tokens_read(path, &tokens, &why), SNAKEPIT_INVALID_CONFIG);
    assert_non_null(strstr(why.text, "belongs to the user 12345"));
}

static void what_is_not_a_file_is_refused(void **state)
{
    (void)state;
    char path[512];
    struct sp_tokens tokens = {0};
    snakepit_message why = {{0}};
    assert_int_equal(sp_tokens_read(root, &tokens, &why), SNAKEPIT_INVALID_CONFIG);
    assert_non_null(strstr(why.text, "is not a regular file"));
    (void)snprintf(path, sizeof path, "%s/pipe", root);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(sp_tokens_read(path, &tokens, &why), SNAKEPIT_INVALID_CONFIG);
    assert_non_null(strstr(why.text, "is not a regular file"));
    (void)snprintf(path, sizeof path, "%s/nothing", root);
    assert_int_equal(sp_tokens_read(path, &tokens, &why), SNAKEPIT_INVALID_CONFIG);
    assert_non_null(strstr(why.text, "cannot be read"));
}

// ---- Memory -----------------------------------------------------------------------

static void without_memory_nothing_is_read(void **state)
{
    (void)state;
    static const char text[] =
        "tokens:\n- {name: a, hash: '" H1
        "', scopes: [call], pools: [math, text]}\n- " WHOLE("b", H2);
    for (long n = 1;; n++) {
        struct sp_tokens tokens = {0};
        snakepit_message why = {{0}};
        sp_memory_fail_at(n);
        snakepit_err err = parse(text, &tokens, &why);
        const bool failed = sp_memory_has_failed();
        sp_memory_fail_at(0);
        if (!failed) {
            assert_int_equal(err, SNAKEPIT_OK);
            sp_tokens_free(&tokens);
            break;
        }
        assert_int_equal(err, SNAKEPIT_NO_MEMORY);
        assert_string_equal(why.text, "memory is exhausted");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(a_file_may_have_no_tokens),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(a_hash_is_not_shown),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(words_of_scopes_go_both_ways),
        cmocka_unit_test_setup_teardown(
            a_file_that_others_could_use_is_refused, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            a_file_of_another_user_is_refused, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            what_is_not_a_file_is_refused, make_root, remove_root),
        cmocka_unit_test(without_memory_nothing_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
