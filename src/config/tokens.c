// SPDX-License-Identifier: MIT
// What stands in `hash` is never shown: somebody may have put the token itself there.
#include "config/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/descriptor.h"
#include "base/memory.h"
#include "base/suggest.h"
#include "base/system.h"
#include "base/utc.h"
#include "config/name.h"
#include "config/text_file.h"
#include "config/yaml.h"

// ---- Words ------------------------------------------------------------------------

static const struct {
    const char *name;
    enum sp_access access;
} words[] = {{"call", SP_ACCESS_CALL},
             {"observe", SP_ACCESS_OBSERVE},
             {"admin", SP_ACCESS_ADMIN}};

#define WORDS (sizeof words / sizeof words[0])

unsigned sp_access_named(const char *text, size_t size)
{
    for (size_t i = 0; i < WORDS; i++) {
        if (strlen(words[i].name) == size && memcmp(words[i].name, text, size) == 0) {
            return (unsigned)words[i].access;
        }
    }
    return 0;
}

const char *sp_access_name(enum sp_access access)
{
    size_t i = 0;
    while (i < WORDS && words[i].access != access) {
        i++;
    }
    return i < WORDS ? words[i].name : "open";
}

const struct sp_token *sp_token_named(const struct sp_tokens *tokens, const char *name)
{
    for (size_t i = 0; i < tokens->count; i++) {
        if (strcmp(tokens->items[i].name, name) == 0) {
            return &tokens->items[i];
        }
    }
    return NULL;
}

// ---- Keys -------------------------------------------------------------------------

// One value of a token, where it stands.
struct value {
    struct sp_yaml *yaml;
    const yaml_node_t *node;
    const struct sp_place *place;
};

typedef snakepit_err
read_fn(const yaml_node_t *node, const struct sp_place *place, char **copy);

static snakepit_err copy_text(const yaml_node_t *node,
                              const struct sp_place *place,
                              const char *expected,
                              bool (*is_valid)(const char *text),
                              char **copy)
{
    char shown[SP_QUOTED_MAX];
    const char *text = NULL;
    snakepit_err err = sp_yaml_text(node, expected, place, &text);
    if (err == SNAKEPIT_OK && !is_valid(text)) {
        err = sp_problem(place, "expected %s, got %s", expected, sp_quote(text, shown));
    }
    if (err == SNAKEPIT_OK) {
        *copy = sp_strdup(text);
        err = *copy != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
    }
    return err;
}

// A name of a pool or a token.
static snakepit_err
read_copy(const yaml_node_t *node, const struct sp_place *place, char **copy)
{
    return copy_text(node, place, SP_NAME_FORM, sp_name_is_valid, copy);
}

static snakepit_err read_name(const struct value *value, struct sp_token *token)
{
    return read_copy(value->node, value->place, &token->name);
}

static int digit_of(char byte)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = byte != '\0' ? strchr(digits, byte | 0x20) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

static bool read_digits(const char *text, uint8_t hash[SP_TOKEN_HASH_BYTES])
{
    for (size_t i = 0; i < SP_TOKEN_HASH_BYTES; i++) {
        const int high = digit_of(text[2 * i]);
        const int low = high < 0 ? -1 : digit_of(text[2 * i + 1]);
        if (low < 0) {
            return false;
        }
        hash[i] = (uint8_t)(high << 4 | low);
    }
    return text[(size_t)2 * SP_TOKEN_HASH_BYTES] == '\0';
}

static snakepit_err read_hash(const struct value *value, struct sp_token *token)
{
    static const char expected[] =
        "\"sha256:\" and 64 hexadecimal digits, as `snakepit token new` writes it";
    const size_t prefix = sizeof SP_TOKEN_HASH_TEXT - 1;
    const char *text = NULL;
    snakepit_err err = sp_yaml_text(value->node, expected, value->place, &text);
    return err != SNAKEPIT_OK || (strncmp(text, SP_TOKEN_HASH_TEXT, prefix) == 0 &&
                                  read_digits(text + prefix, token->hash))
               ? err
               : sp_problem(value->place, "expected %s", expected);
}

// The items of a list of texts that is not empty.
static snakepit_err
read_list(const struct value *value, const char *expected, size_t *count)
{
    char shown[SP_QUOTED_MAX];
    const yaml_node_t *node = value->node;
    if (node->type != YAML_SEQUENCE_NODE ||
        node->data.sequence.items.start == node->data.sequence.items.top) {
        const bool empty = node->type == YAML_SEQUENCE_NODE;
        return sp_problem(value->place,
                          "expected %s, got %s",
                          expected,
                          empty ? "an empty list" : sp_yaml_describe(node, shown));
    }
    *count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    return sp_yaml_check_count(node, value->place);
}

// Item `index` of that list, and its place.
static const yaml_node_t *
item_of(const struct value *value, size_t index, struct sp_place *place)
{
    const yaml_node_t *item =
        sp_yaml_node(value->yaml, value->node->data.sequence.items.start[index]);
    *place = sp_place_item(value->place, index, sp_yaml_line(item));
    return item;
}

static snakepit_err read_scopes(const struct value *value, struct sp_token *token)
{
    static const char expected[] = "call, observe or admin";
    char shown[SP_QUOTED_MAX];
    size_t count = 0;
    snakepit_err err =
        read_list(value, "a list of some of call, observe and admin", &count);
    for (size_t i = 0; err == SNAKEPIT_OK && i < count; i++) {
        struct sp_place place;
        const char *text = "";
        err = sp_yaml_text(item_of(value, i, &place), expected, &place, &text);
        const unsigned bit = sp_access_named(text, strlen(text));
        if (err == SNAKEPIT_OK && bit == 0) {
            err = sp_problem(
                &place, "expected %s, got %s", expected, sp_quote(text, shown));
        }
        token->access |= bit;
    }
    return err;
}

// A list of copies.
static snakepit_err read_texts(const struct value *value,
                               const char *expected,
                               read_fn *read_one,
                               struct sp_texts *texts)
{
    size_t count = 0;
    snakepit_err err = read_list(value, expected, &count);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    texts->items = (char **)sp_alloc_array(count, sizeof *texts->items);
    err = texts->items != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
    for (size_t i = 0; err == SNAKEPIT_OK && i < count; i++) {
        struct sp_place place;
        const yaml_node_t *item = item_of(value, i, &place);
        err = read_one(item, &place, &texts->items[i]);
        texts->count += err == SNAKEPIT_OK;
    }
    return err;
}

static snakepit_err read_pools(const struct value *value, struct sp_token *token)
{
    const yaml_node_t *node = value->node;
    if (node->type == YAML_SCALAR_NODE &&
        strcmp((const char *)node->data.scalar.value, "all") == 0) {
        token->all_pools = true;
        return SNAKEPIT_OK;
    }
    return read_texts(
        value, "`all`, or a list of names of pools", read_copy, &token->pools);
}

static snakepit_err
read_tool(const yaml_node_t *node, const struct sp_place *place, char **copy)
{
    return copy_text(node, place, SP_TOKEN_TOOL_FORM, sp_token_tool_is_valid, copy);
}

static snakepit_err read_tools(const struct value *value, struct sp_token *token)
{
    return read_texts(value, "a list of tools, as POOL.TOOL", read_tool, &token->tools);
}

static snakepit_err read_time(const struct value *value, int64_t *seconds)
{
    static const char expected[] =
        "a time in UTC such as 2026-11-30T10:00:00Z, or a day such as 2026-11-30";
    char shown[SP_QUOTED_MAX];
    const char *text = NULL;
    snakepit_err err = sp_yaml_text(value->node, expected, value->place, &text);
    return err != SNAKEPIT_OK || sp_utc_read(text, seconds)
               ? err
               : sp_problem(value->place,
                            "expected %s, got %s",
                            expected,
                            sp_quote(text, shown));
}

static snakepit_err read_created(const struct value *value, struct sp_token *token)
{
    return read_time(value, &token->created);
}

static snakepit_err read_expires(const struct value *value, struct sp_token *token)
{
    return read_time(value, &token->expires);
}

static const struct key {
    const char *name;
    bool needed;
    snakepit_err (*read)(const struct value *value, struct sp_token *token);
} keys[] = {
    {"name", true, read_name},
    {"hash", true, read_hash},
    {"scopes", true, read_scopes},
    {"pools", true, read_pools},
    {"tools", false, read_tools},
    {"created", false, read_created},
    {"expires", false, read_expires},
};

#define KEYS (sizeof keys / sizeof keys[0])

// ---- Tokens -----------------------------------------------------------------------

// What is read, and where.
struct reading {
    struct sp_yaml yaml;
    struct sp_place place;
    struct sp_tokens *tokens;
};

static snakepit_err unknown_key(const char *name, const struct sp_place *place)
{
    const char *names[KEYS];
    for (size_t i = 0; i < KEYS; i++) {
        names[i] = keys[i].name;
    }
    const char *nearest = sp_suggest(name, names, KEYS);
    return nearest != NULL
               ? sp_problem(place, "unknown key; did you mean \"%s\"?", nearest)
               : sp_problem(place,
                            "unknown key; a token has name, hash, scopes, "
                            "pools, tools, created and expires");
}

static snakepit_err read_key(struct reading *reading,
                             const yaml_node_pair_t *pair,
                             const struct sp_place *place,
                             struct sp_token *token)
{
    const yaml_node_t *key = sp_yaml_node(&reading->yaml, pair->key);
    const char *name = (const char *)key->data.scalar.value;
    const struct sp_place where = sp_place_key(place, name, sp_yaml_line(key));
    size_t i = 0;
    while (i < KEYS && strcmp(keys[i].name, name) != 0) {
        i++;
    }
    const struct value value = {.yaml = &reading->yaml,
                                .node = sp_yaml_node(&reading->yaml, pair->value),
                                .place = &where};
    return i < KEYS ? keys[i].read(&value, token) : unknown_key(name, &where);
}

static snakepit_err check_keys(struct reading *reading,
                               const yaml_node_t *node,
                               const struct sp_place *place)
{
    for (size_t i = 0; i < KEYS; i++) {
        if (keys[i].needed &&
            sp_yaml_value(&reading->yaml, node, keys[i].name) == NULL) {
            return sp_problem(place, "lacks the key \"%s\"", keys[i].name);
        }
    }
    return SNAKEPIT_OK;
}

// Those before it have another name, and another token.
static snakepit_err check_other(const struct sp_tokens *tokens,
                                const struct sp_token *token,
                                const struct sp_place *place)
{
    SP_CHECK(token->name != NULL);
    for (size_t i = 0; i < tokens->count; i++) {
        const struct sp_token *other = &tokens->items[i];
        const bool named = strcmp(other->name, token->name) == 0;
        if (named || memcmp(other->hash, token->hash, sizeof token->hash) == 0) {
            return sp_problem(place,
                              "has the %s of the token on line %zu; remove one of them",
                              named ? "name" : "hash",
                              other->line);
        }
    }
    return SNAKEPIT_OK;
}

static void free_texts(struct sp_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        sp_free(texts->items[i]);
    }
    sp_free((void *)texts->items);
}

static void free_token(struct sp_token *token)
{
    free_texts(&token->pools);
    free_texts(&token->tools);
    sp_free(token->name);
}

static snakepit_err read_token(struct reading *reading,
                               const yaml_node_t *node,
                               const struct sp_place *place,
                               struct sp_token *token)
{
    char shown[SP_QUOTED_MAX];
    if (node->type != YAML_MAPPING_NODE) {
        return sp_problem(
            place, "expected a map of keys, got %s", sp_yaml_describe(node, shown));
    }
    token->line = sp_yaml_line(node);
    snakepit_err err = sp_yaml_check_map(&reading->yaml, node, place);
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         err == SNAKEPIT_OK && pair < node->data.mapping.pairs.top;
         pair++) {
        err = read_key(reading, pair, place, token);
    }
    err = err != SNAKEPIT_OK ? err : check_keys(reading, node, place);
    return err != SNAKEPIT_OK ? err : check_other(reading->tokens, token, place);
}

static snakepit_err read_tokens(struct reading *reading, const yaml_node_t *list)
{
    struct sp_tokens *tokens = reading->tokens;
    const yaml_node_item_t *first = list->data.sequence.items.start;
    const size_t count = (size_t)(list->data.sequence.items.top - first);
    const struct sp_place place =
        sp_place_key(&reading->place, "tokens", sp_yaml_line(list));
    snakepit_err err = sp_yaml_check_count(list, &place);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    tokens->items = sp_alloc_array(count > 0 ? count : 1, sizeof *tokens->items);
    err = tokens->items != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
    for (size_t i = 0; err == SNAKEPIT_OK && i < count; i++) {
        const yaml_node_t *node = sp_yaml_node(&reading->yaml, first[i]);
        const struct sp_place where = sp_place_item(&place, i, sp_yaml_line(node));
        struct sp_token token = {0};
        err = read_token(reading, node, &where, &token);
        if (err != SNAKEPIT_OK) {
            free_token(&token);
        } else {
            tokens->items[tokens->count++] = token;
        }
    }
    return err;
}

// A map of one key; an empty list, or nothing behind the key, is a file without tokens.
static snakepit_err read_root(struct reading *reading)
{
    const yaml_node_t *root = reading->yaml.root;
    SP_CHECK(root != NULL);
    struct sp_place place = reading->place;
    place.line = sp_yaml_line(root);
    if (root->type == YAML_MAPPING_NODE) {
        snakepit_err err = sp_yaml_check_map(&reading->yaml, root, &place);
        if (err != SNAKEPIT_OK) {
            return err;
        }
        const ptrdiff_t count =
            root->data.mapping.pairs.top - root->data.mapping.pairs.start;
        const yaml_node_t *list = sp_yaml_value(&reading->yaml, root, "tokens");
        if (list != NULL && count == 1 && sp_yaml_is_null(list)) {
            return SNAKEPIT_OK;
        }
        if (list != NULL && count == 1 && list->type == YAML_SEQUENCE_NODE) {
            return read_tokens(reading, list);
        }
    }
    return sp_problem(&place, "expected the key \"tokens\" alone, with a list");
}

snakepit_err sp_tokens_parse(struct sp_slice text,
                             const char *file,
                             struct sp_tokens *tokens,
                             snakepit_message *why)
{
    struct sp_tokens made = {0};
    struct reading reading = {.place = {.file = file, .why = why}, .tokens = &made};
    snakepit_err err =
        sp_yaml_load(&reading.yaml, (const char *)text.data, text.size, &reading.place);
    err = err != SNAKEPIT_OK ? err : read_root(&reading);
    sp_yaml_fini(&reading.yaml);
    if (err == SNAKEPIT_OK) {
        *tokens = made;
        return err;
    }
    sp_tokens_free(&made);
    if (err == SNAKEPIT_NO_MEMORY) {
        (void)snprintf(why->text, sizeof why->text, "memory is exhausted");
    }
    return err;
}

void sp_tokens_free(struct sp_tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++) {
        free_token(&tokens->items[i]);
    }
    sp_free(tokens->items);
    *tokens = (struct sp_tokens){0};
}

// ---- Files ------------------------------------------------------------------------

// Who may write it gives himself any right, and its names are nobody's business.
static snakepit_err check_file(const struct stat *file, const struct sp_place *place)
{
    if (!S_ISREG(file->st_mode)) {
        return sp_problem(place, "is not a regular file");
    }
    if (file->st_uid != 0 && file->st_uid != geteuid()) {
        return sp_problem(
            place,
            "belongs to the user %u, who could change it: chown it to root "
            "or to the user that serves",
            (unsigned)file->st_uid);
    }
    if ((file->st_mode & (S_IRWXO | S_IWGRP)) != 0) {
        return sp_problem(place,
                          "has the permissions %04o: others could read or change the "
                          "tokens; chmod 600 it, or 640 for a group that may read",
                          (unsigned)file->st_mode & 07777U);
    }
    return SNAKEPIT_OK;
}

static snakepit_err cannot(const char *call, const struct sp_place *place)
{
    snakepit_message reason;
    (void)sp_system_failed(&reason, call, NULL, "of the file");
    return sp_problem(place, "cannot be read: %s", reason.text);
}

static snakepit_err read_open(int fd, const struct sp_place *place, struct sp_buf *text)
{
    struct stat file;
    if (fstat(fd, &file) != 0) {
        return cannot("fstat", place);
    }
    snakepit_err err = check_file(&file, place);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    err = sp_text_file_read(fd, SP_YAML_BYTES_MAX, text);
    return err == SNAKEPIT_SYSTEM ? cannot("read", place) : err;
}

snakepit_err
sp_tokens_read_text(const char *path, struct sp_buf *text, snakepit_message *why)
{
    const struct sp_place place = {.file = path, .why = why};
    // A pipe without a writer must not hold up whoever reads.
    int fd = sp_descriptor_keep(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    const bool missing = fd < 0 && errno == ENOENT;
    snakepit_err err = fd < 0 ? cannot("open", &place) : read_open(fd, &place, text);
    sp_descriptor_close(&fd);
    return missing ? SNAKEPIT_NOT_FOUND : err;
}

snakepit_err
sp_tokens_read(const char *path, struct sp_tokens *tokens, snakepit_message *why)
{
    struct sp_buf text = {0};
    snakepit_err err = sp_tokens_read_text(path, &text, why);
    if (err == SNAKEPIT_OK) {
        err =
            sp_tokens_parse((struct sp_slice){text.data, text.size}, path, tokens, why);
    }
    sp_buf_fini(&text);
    return err == SNAKEPIT_NOT_FOUND ? SNAKEPIT_INVALID_CONFIG : err;
}

// ---- Writing ----------------------------------------------------------------------

static snakepit_err write_scopes(const struct sp_token *token, struct sp_buf *text)
{
    snakepit_err err = sp_buf_printf(text, "    scopes: [");
    const char *before = "";
    for (size_t i = 0; err == SNAKEPIT_OK && i < WORDS; i++) {
        if ((token->access & (unsigned)words[i].access) != 0) {
            err = sp_buf_printf(text, "%s%s", before, words[i].name);
            before = ", ";
        }
    }
    return err == SNAKEPIT_OK ? sp_buf_printf(text, "]\n") : err;
}

static snakepit_err
write_texts(const char *key, const struct sp_texts *texts, struct sp_buf *text)
{
    snakepit_err err = sp_buf_printf(text, "    %s: [", key);
    for (size_t i = 0; err == SNAKEPIT_OK && i < texts->count; i++) {
        err = sp_buf_printf(text, "%s\"%s\"", i > 0 ? ", " : "", texts->items[i]);
    }
    return err == SNAKEPIT_OK ? sp_buf_printf(text, "]\n") : err;
}

static snakepit_err write_pools(const struct sp_token *token, struct sp_buf *text)
{
    return token->all_pools ? sp_buf_printf(text, "    pools: all\n")
                            : write_texts("pools", &token->pools, text);
}

static snakepit_err write_tools(const struct sp_token *token, struct sp_buf *text)
{
    return token->tools.count == 0 ? SNAKEPIT_OK
                                   : write_texts("tools", &token->tools, text);
}

static snakepit_err write_time(const char *key, int64_t seconds, struct sp_buf *text)
{
    char when[SP_UTC_SIZE];
    sp_utc_write(seconds, when);
    return seconds == 0 ? SNAKEPIT_OK : sp_buf_printf(text, "    %s: %s\n", key, when);
}

snakepit_err sp_token_write(const struct sp_token *token, struct sp_buf *text)
{
    snakepit_err err = sp_buf_printf(
        text, "  - name: \"%s\"\n    hash: %s", token->name, SP_TOKEN_HASH_TEXT);
    for (size_t i = 0; err == SNAKEPIT_OK && i < SP_TOKEN_HASH_BYTES; i++) {
        err = sp_buf_printf(text, "%02x", token->hash[i]);
    }
    err = err != SNAKEPIT_OK ? err : sp_buf_printf(text, "\n");
    err = err != SNAKEPIT_OK ? err : write_scopes(token, text);
    err = err != SNAKEPIT_OK ? err : write_pools(token, text);
    err = err != SNAKEPIT_OK ? err : write_tools(token, text);
    err = err != SNAKEPIT_OK ? err : write_time("created", token->created, text);
    return err != SNAKEPIT_OK ? err : write_time("expires", token->expires, text);
}
