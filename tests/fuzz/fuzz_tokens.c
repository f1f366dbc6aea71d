// SPDX-License-Identifier: MIT
// Any bytes as a file of tokens: never a crash, and always either tokens that are
// whole, and that are the same when they are written and read again, or a sentence. The
// same bytes as the value of Authorization.
#include <stdbool.h>
#include <string.h>

#include "fuzz.h"

#include "base/check.h"
#include "config/name.h"
#include "config/tokens.h"
#include "server/bearer.h"
#include "server/token.h"

static void check_token(const struct sp_token *token)
{
    SP_CHECK(sp_name_is_valid(token->name));
    SP_CHECK(token->access != 0 && (token->access & ~SP_ACCESS_ALL) == 0);
    SP_CHECK(token->all_pools == (token->pools.count == 0));
    for (size_t i = 0; i < token->pools.count; i++) {
        SP_CHECK(sp_name_is_valid(token->pools.items[i]));
    }
}

static void check_again(const struct sp_tokens *tokens)
{
    struct sp_buf text = {0};
    struct sp_tokens again;
    snakepit_message why = {{0}};
    SP_CHECK(sp_buf_printf(&text, "tokens:\n") == SNAKEPIT_OK);
    for (size_t i = 0; i < tokens->count; i++) {
        check_token(&tokens->items[i]);
        SP_CHECK(sp_token_write(&tokens->items[i], &text) == SNAKEPIT_OK);
    }
    const struct sp_slice written = {text.data, text.size};
    SP_CHECK(sp_tokens_parse(written, "again", &again, &why) == SNAKEPIT_OK);
    SP_CHECK(again.count == tokens->count);
    for (size_t i = 0; i < tokens->count; i++) {
        const struct sp_token *one = &tokens->items[i];
        const struct sp_token *other = &again.items[i];
        SP_CHECK(strcmp(one->name, other->name) == 0);
        SP_CHECK(memcmp(one->hash, other->hash, sizeof one->hash) == 0);
        SP_CHECK(one->access == other->access && one->expires == other->expires);
    }
    sp_tokens_free(&again);
    sp_buf_fini(&text);
}

static void check_field(struct sp_slice value)
{
    struct sp_slice token = {NULL, 0};
    const struct sp_field field = {sp_slice_of_text("authorization"), value};
    const struct sp_request request = {.fields = &field, .field_count = 1};
    const bool found = sp_bearer_of(&request, &token) == SP_BEARER_FOUND;
    SP_CHECK(found == (token.size > 0));
    SP_CHECK(token.size <= SP_TOKEN_TEXT_MAX);
    (void)sp_token_is_damaged(token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sp_slice text = {data, size};
    struct sp_tokens tokens = {0};
    snakepit_message why = {{0}};
    snakepit_err err = sp_tokens_parse(text, "fuzz", &tokens, &why);
    SP_CHECK(err == SNAKEPIT_OK || err == SNAKEPIT_INVALID_CONFIG);
    SP_CHECK((err == SNAKEPIT_OK) == (why.text[0] == '\0'));
    if (err == SNAKEPIT_OK && tokens.count < 100) {
        check_again(&tokens);
    }
    sp_tokens_free(&tokens);
    check_field(text);
    return 0;
}
