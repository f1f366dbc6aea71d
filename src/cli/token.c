// SPDX-License-Identifier: MIT
// snakepit token: who may call a daemon. Only the new token itself goes to standard
// output, so that a script may take it from there.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utc.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/token_file.h"
#include "config/name.h"
#include "server/token.h"

#define TOKEN_PAIRS 7u
#define COLUMNS     6u

static int refuse(struct sp_cli *cli, const char *what)
{
    return sp_cli_complain_usage(cli, "token", what);
}

// ---- What a new token may -----------------------------------------------------------

// The next of the words between commas; false: there is none left.
static bool next_word(const char **at, const char **word, size_t *size)
{
    if (**at == '\0') {
        return false;
    }
    *word = *at;
    *size = strcspn(*at, ",");
    *at += *size + ((*at)[*size] == ',' ? 1 : 0);
    return true;
}

static bool read_scopes(const char *text, unsigned *access)
{
    const char *word;
    size_t size;
    *access = text == NULL ? (unsigned)SP_ACCESS_CALL : 0;
    while (text != NULL && next_word(&text, &word, &size)) {
        const unsigned bit = sp_access_named(word, size);
        if (bit == 0) {
            return false;
        }
        *access |= bit;
    }
    return *access != 0;
}

static bool is_pool(const char *word, size_t size)
{
    char name[SP_NAME_BYTES_MAX + 1];
    if (size > SP_NAME_BYTES_MAX) {
        return false;
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)size, word);
    return sp_name_is_valid(name);
}

static bool is_tool(const char *word, size_t size)
{
    char tool[256];
    if (size >= sizeof tool) {
        return false;
    }
    (void)snprintf(tool, sizeof tool, "%.*s", (int)size, word);
    return sp_token_tool_is_valid(tool);
}

// Words that are named. INVALID_ARGUMENT, NO_MEMORY.
static snakepit_err read_words(const char *text,
                               bool (*is_one)(const char *word, size_t size),
                               struct sp_texts *words)
{
    const char *word;
    size_t size;
    if (text == NULL) {
        return SNAKEPIT_OK;
    }
    words->items = (char **)sp_alloc_array(strlen(text) + 1, sizeof(char *));
    if (words->items == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    while (next_word(&text, &word, &size)) {
        if (!is_one(word, size)) {
            return SNAKEPIT_INVALID_ARGUMENT;
        }
        char *name = sp_alloc(size + 1);
        if (name == NULL) {
            return SNAKEPIT_NO_MEMORY;
        }
        (void)memcpy(name, word, size);
        words->items[words->count++] = name;
    }
    return words->count > 0 ? SNAKEPIT_OK : SNAKEPIT_INVALID_ARGUMENT;
}

// "30d", "12h", or a time.
static bool read_expires(const char *text, int64_t now, int64_t *expires)
{
    static const char units[] = "mhdw";
    static const int64_t seconds[] = {60, 3600, 86400, 604800};
    char *end;
    if (text == NULL || sp_utc_read(text, expires)) {
        return true;
    }
    const long count = strtol(text, &end, 10);
    const char *unit = *end != '\0' && end[1] == '\0' ? strchr(units, *end) : NULL;
    if (unit == NULL || text[0] < '1' || text[0] > '9' || count > 100000) {
        return false;
    }
    *expires = now + count * seconds[unit - units];
    return true;
}

static void free_words(struct sp_texts *words)
{
    for (size_t i = 0; i < words->count; i++) {
        sp_free(words->items[i]);
    }
    sp_free((void *)words->items);
}

// ---- New ----------------------------------------------------------------------------

static void
say_what_it_may(struct sp_cli *cli, const struct sp_token_file *file, const char *name)
{
    sp_cli_print_error(cli,
                       "%s: added %s. Its token is shown this once; clients send it as "
                       "\"Authorization: Bearer TOKEN\".\n",
                       file->path,
                       name);
}

static void say_comments_are_gone(struct sp_cli *cli, const struct sp_token_file *file)
{
    if (file->rewritten && file->exists) {
        sp_cli_print_error(
            cli, "%s was written anew: its comments are gone\n", file->path);
    }
}

static int fail(struct sp_cli *cli, snakepit_err err, const snakepit_message *why)
{
    return sp_cli_report(
        cli, err, why->text[0] != '\0' ? why->text : snakepit_err_text(err), false);
}

static int add(struct sp_cli *cli, const char *path, const struct sp_token *token)
{
    char secret[SP_TOKEN_TEXT_SIZE];
    struct sp_token made = *token;
    struct sp_token_file file;
    snakepit_message why = {{0}};
    snakepit_err err = sp_token_make(secret);
    if (err != SNAKEPIT_OK || !sp_token_hash(sp_slice_of_text(secret), made.hash)) {
        return fail(cli, err != SNAKEPIT_OK ? err : SNAKEPIT_NO_MEMORY, &why);
    }
    err = sp_token_file_open(&file, path, &why);
    err = err != SNAKEPIT_OK ? err : sp_token_file_add(&file, &made, &why);
    err = err != SNAKEPIT_OK ? err : sp_token_file_save(&file, &why);
    int status = SP_CLI_EXIT_OK;
    if (err == SNAKEPIT_OK) {
        say_comments_are_gone(cli, &file);
        say_what_it_may(cli, &file, made.name);
        sp_cli_print(cli, "%s\n", secret);
    } else {
        status = fail(cli, err, &why);
    }
    sp_token_file_close(&file);
    return status;
}

// Reads what it is for.
static int add_with_words(struct sp_cli *cli, const char *path, struct sp_token *token)
{
    const char *const *texts = cli->args.texts;
    const snakepit_message none = {{0}};
    token->all_pools = texts[SP_CLI_TOKEN_POOL] == NULL;
    token->name = (char *)(uintptr_t)cli->args.words[1];
    snakepit_err err = read_words(texts[SP_CLI_TOKEN_POOL], is_pool, &token->pools);
    if (err == SNAKEPIT_INVALID_ARGUMENT) {
        return refuse(cli, "--pool takes names of pools, with commas");
    }
    if (err == SNAKEPIT_OK) {
        err = read_words(texts[SP_CLI_TOKEN_TOOL], is_tool, &token->tools);
    }
    if (err == SNAKEPIT_INVALID_ARGUMENT) {
        return refuse(cli, "--tool takes tools with commas, each " SP_TOKEN_TOOL_FORM);
    }
    return err == SNAKEPIT_OK ? add(cli, path, token) : fail(cli, err, &none);
}

static int make_new(struct sp_cli *cli, const char *path)
{
    const struct sp_cli_args *args = &cli->args;
    struct sp_token token = {.created = sp_utc_now()};
    if (args->count != 2 || !sp_name_is_valid(args->words[1])) {
        return refuse(cli, "token new takes a name: " SP_NAME_FORM);
    }
    if (!read_scopes(args->texts[SP_CLI_TOKEN_SCOPE], &token.access)) {
        return refuse(cli,
                      "--scope takes some of call, observe and admin, with commas");
    }
    if (!read_expires(
            args->texts[SP_CLI_TOKEN_EXPIRES], token.created, &token.expires)) {
        return refuse(cli,
                      "--expires takes a time such as 30d, 12h, 2027-01-31 or "
                      "2027-01-31T12:00:00Z");
    }
    if (token.expires != 0 && token.expires <= token.created) {
        return refuse(cli, "--expires is over already; name a time to come");
    }
    const int status = add_with_words(cli, path, &token);
    free_words(&token.pools);
    free_words(&token.tools);
    return status;
}

// ---- Revoke -------------------------------------------------------------------------

static int revoke(struct sp_cli *cli, const char *path)
{
    struct sp_token_file file;
    snakepit_message why = {{0}};
    if (cli->args.count != 2) {
        return refuse(cli, "token revoke takes the name of a token");
    }
    snakepit_err err = sp_token_file_open(&file, path, &why);
    err = err != SNAKEPIT_OK ? err
                             : sp_token_file_remove(&file, cli->args.words[1], &why);
    err = err != SNAKEPIT_OK ? err : sp_token_file_save(&file, &why);
    int status = SP_CLI_EXIT_OK;
    if (err == SNAKEPIT_OK) {
        say_comments_are_gone(cli, &file);
        sp_cli_print_error(
            cli,
            "%s: revoked %s; a daemon that reads the file notices within "
            "a second\n",
            file.path,
            cli->args.words[1]);
    } else {
        status = fail(cli, err, &why);
    }
    sp_token_file_close(&file);
    return status;
}

// ---- List ---------------------------------------------------------------------------

static const char *time_of(int64_t seconds, const char *never, char text[SP_UTC_SIZE])
{
    if (seconds == 0) {
        return never;
    }
    sp_utc_write(seconds, text);
    return text;
}

static snakepit_err join_scopes(const struct sp_token *token, struct sp_buf *text)
{
    snakepit_err err = sp_buf_printf(text, "%s", "");
    for (unsigned bit = 1; err == SNAKEPIT_OK && bit <= SP_ACCESS_ADMIN; bit <<= 1) {
        if ((token->access & bit) != 0) {
            err = sp_buf_printf(text,
                                "%s%s",
                                text->size > 0 ? "," : "",
                                sp_access_name((enum sp_access)bit));
        }
    }
    return err;
}

// None: all.
static snakepit_err join(const struct sp_texts *words, struct sp_buf *text)
{
    snakepit_err err = sp_buf_printf(text, "%s", words->count == 0 ? "all" : "");
    for (size_t i = 0; err == SNAKEPIT_OK && i < words->count; i++) {
        err = sp_buf_printf(text, "%s%s", i > 0 ? "," : "", words->items[i]);
    }
    return err;
}

static void
add_row(struct sp_cli_table *table, const struct sp_token *token, int64_t now)
{
    char created[SP_UTC_SIZE];
    char expires[SP_UTC_SIZE];
    struct sp_buf scopes = {0};
    struct sp_buf pools = {0};
    struct sp_buf tools = {0};
    if (join_scopes(token, &scopes) == SNAKEPIT_OK &&
        join(&token->pools, &pools) == SNAKEPIT_OK &&
        join(&token->tools, &tools) == SNAKEPIT_OK) {
        sp_cli_cell(table, "%s", token->name);
        sp_cli_cell(table, "%s", (const char *)scopes.data);
        sp_cli_cell(table, "%s", (const char *)pools.data);
        sp_cli_cell(table, "%s", (const char *)tools.data);
        sp_cli_cell(table, "%s", time_of(token->created, "-", created));
        sp_cli_cell(table,
                    "%s%s",
                    time_of(token->expires, "never", expires),
                    token->expires != 0 && now >= token->expires ? ", has expired"
                                                                 : "");
    } else {
        table->err = SNAKEPIT_NO_MEMORY;
    }
    sp_buf_fini(&scopes);
    sp_buf_fini(&pools);
    sp_buf_fini(&tools);
}

static snakepit_err print_as_table(struct sp_cli *cli, const struct sp_tokens *tokens)
{
    static const char *const heads[] = {
        "name", "scopes", "pools", "tools", "created", "expires"};
    struct sp_cli_table table = {.columns = COLUMNS};
    for (size_t i = 0; i < COLUMNS; i++) {
        sp_cli_cell(&table, "%s", heads[i]);
    }
    const int64_t now = sp_utc_now();
    for (size_t i = 0; i < tokens->count; i++) {
        add_row(&table, &tokens->items[i], now);
    }
    sp_cli_print_table(cli, &table);
    return table.err;
}

// None: "all".
static void
write_words(snakepit_writer *writer, const char *key, const struct sp_texts *words)
{
    snakepit_writer_str(writer, key);
    if (words->count == 0) {
        snakepit_writer_str(writer, "all");
        return;
    }
    snakepit_writer_array(writer, (uint32_t)words->count);
    for (size_t i = 0; i < words->count; i++) {
        snakepit_writer_str(writer, words->items[i]);
    }
}

static void
write_token(snakepit_writer *writer, const struct sp_token *token, int64_t now)
{
    char text[SP_UTC_SIZE];
    unsigned scopes = 0;
    for (unsigned bit = 1; bit <= SP_ACCESS_ADMIN; bit <<= 1) {
        scopes += (token->access & bit) != 0 ? 1 : 0;
    }
    snakepit_writer_map(writer, TOKEN_PAIRS);
    sp_pair_text(writer, "name", token->name);
    snakepit_writer_str(writer, "scopes");
    snakepit_writer_array(writer, scopes);
    for (unsigned bit = 1; bit <= SP_ACCESS_ADMIN; bit <<= 1) {
        if ((token->access & bit) != 0) {
            snakepit_writer_str(writer, sp_access_name((enum sp_access)bit));
        }
    }
    write_words(writer, "pools", &token->pools);
    write_words(writer, "tools", &token->tools);
    sp_pair_text(writer, "created", time_of(token->created, "", text));
    sp_pair_text(writer, "expires", time_of(token->expires, "", text));
    sp_pair_bool(writer, "expired", token->expires != 0 && now >= token->expires);
}

static snakepit_err print_as_json(struct sp_cli *cli, const struct sp_tokens *tokens)
{
    const int64_t now = sp_utc_now();
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_array(writer, (uint32_t)tokens->count);
    for (size_t i = 0; i < tokens->count; i++) {
        write_token(writer, &tokens->items[i], now);
    }
    snakepit_err err = sp_cli_print_json(cli, writer);
    snakepit_writer_free(writer);
    return err;
}

static int list(struct sp_cli *cli, const char *path)
{
    struct sp_tokens tokens = {0};
    snakepit_message why = {{0}};
    if (cli->args.count != 1) {
        return refuse(cli, "token list takes no further word");
    }
    snakepit_err err = sp_tokens_read(path, &tokens, &why);
    if (err == SNAKEPIT_OK) {
        err = cli->args.texts[SP_CLI_TOKEN_JSON] != NULL ? print_as_json(cli, &tokens)
                                                         : print_as_table(cli, &tokens);
    }
    sp_tokens_free(&tokens);
    return err == SNAKEPIT_OK ? SP_CLI_EXIT_OK : fail(cli, err, &why);
}

int sp_cli_token(struct sp_cli *cli)
{
    static const struct {
        const char *name;
        int (*run)(struct sp_cli *cli, const char *path);
    } verbs[] = {{"new", make_new}, {"list", list}, {"revoke", revoke}};
    const char *path = cli->args.texts[SP_CLI_TOKEN_FILE];
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(cli->args.words[0], verbs[i].name) == 0) {
            return path != NULL ? verbs[i].run(cli, path)
                                : refuse(cli, "token needs --file FILE");
        }
    }
    return refuse(cli, "token takes new NAME, list or revoke NAME");
}
