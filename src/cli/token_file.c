// SPDX-License-Identifier: MIT
// A change is made in the text, line by line, so that what people have written there
// stays; then the text is read, and where it does not hold what it should, it is
// written anew from its tokens.
#include "cli/token_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/memory.h"
#include "base/system.h"
#include "cli/text.h"

#define BEGIN                                                                          \
    "# Tokens of `snakepit serve`; `snakepit token` adds and revokes them. It has no " \
    "secret:\n# of each token only its SHA-256.\ntokens:\n"

// ---- Opening ----------------------------------------------------------------------

static snakepit_err failed(const char *call, const char *path, snakepit_message *why)
{
    return sp_system_failed(why, call, NULL, "of %s", path);
}

// The path of the file itself; of one that is not there as it was given.
static snakepit_err resolve(const char *path, char **resolved)
{
    char *real = realpath(path, NULL);
    *resolved = sp_strdup(real != NULL ? real : path);
    free(real);
    return *resolved != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

static snakepit_err lock_folder(struct sp_token_file *file, snakepit_message *why)
{
    const char *slash = strrchr(file->path, '/');
    struct sp_buf name = {0};
    snakepit_err err =
        slash == NULL
            ? sp_buf_printf(&name, ".")
            : sp_buf_printf(&name, "%.*s", (int)(slash - file->path + 1), file->path);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    const char *folder = (const char *)name.data;
    file->folder = sp_descriptor_keep(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (file->folder < 0) {
        err = failed("open", folder, why);
    } else if (flock(file->folder, LOCK_EX) != 0) {
        err = failed("flock", folder, why);
    }
    sp_buf_fini(&name);
    return err;
}

static snakepit_err parse(struct sp_token_file *file, snakepit_message *why)
{
    return sp_tokens_parse((struct sp_slice){file->text.data, file->text.size},
                           file->path,
                           &file->tokens,
                           why);
}

snakepit_err
sp_token_file_open(struct sp_token_file *file, const char *path, snakepit_message *why)
{
    *file = (struct sp_token_file){.folder = -1};
    snakepit_err err = resolve(path, &file->path);
    err = err != SNAKEPIT_OK ? err : lock_folder(file, why);
    err = err != SNAKEPIT_OK ? err : sp_tokens_read_text(file->path, &file->text, why);
    file->exists = err == SNAKEPIT_OK;
    if (err == SNAKEPIT_NOT_FOUND) {
        err = sp_buf_printf(&file->text, BEGIN);
    }
    return err != SNAKEPIT_OK ? err : parse(file, why);
}

void sp_token_file_close(struct sp_token_file *file)
{
    sp_descriptor_close(&file->folder); // which ends the lock
    sp_tokens_free(&file->tokens);
    sp_buf_fini(&file->text);
    sp_free(file->path);
    *file = (struct sp_token_file){.folder = -1};
}

// ---- Changing ---------------------------------------------------------------------

// What the file is to hold: its tokens without the one at `left_out`, and one more.
struct change {
    const struct sp_tokens *tokens;
    size_t left_out;              // SIZE_MAX: none
    const struct sp_token *added; // NULL: none
};

static snakepit_err write_anew(const struct change *change, struct sp_buf *text)
{
    snakepit_err err = sp_buf_printf(text, BEGIN);
    for (size_t i = 0; err == SNAKEPIT_OK && i < change->tokens->count; i++) {
        if (i != change->left_out) {
            err = sp_token_write(&change->tokens->items[i], text);
        }
    }
    return err == SNAKEPIT_OK && change->added != NULL
               ? sp_token_write(change->added, text)
               : err;
}

static bool is_same(const struct sp_token *one, const struct sp_token *other)
{
    return strcmp(one->name, other->name) == 0 &&
           memcmp(one->hash, other->hash, sizeof one->hash) == 0 &&
           one->access == other->access && one->all_pools == other->all_pools &&
           one->pools.count == other->pools.count &&
           one->tools.count == other->tools.count && one->expires == other->expires;
}

static bool holds(const struct sp_tokens *found, const struct change *change)
{
    size_t at = 0;
    const size_t count = change->tokens->count -
                         (change->left_out != SIZE_MAX ? 1 : 0) +
                         (change->added != NULL ? 1 : 0);
    if (found->count != count) {
        return false;
    }
    for (size_t i = 0; i < change->tokens->count; i++) {
        if (i != change->left_out &&
            !is_same(&found->items[at++], &change->tokens->items[i])) {
            return false;
        }
    }
    return change->added == NULL || is_same(&found->items[at], change->added);
}

// Takes `text`, if it holds what it should.
static snakepit_err take(struct sp_token_file *file,
                         struct sp_buf *text,
                         const struct change *change,
                         snakepit_message *why)
{
    struct sp_tokens found = {0};
    snakepit_err err = sp_tokens_parse(
        (struct sp_slice){text->data, text->size}, file->path, &found, why);
    if (err == SNAKEPIT_OK && !holds(&found, change)) {
        err = SNAKEPIT_INVALID_CONFIG;
    }
    if (err != SNAKEPIT_OK) {
        sp_tokens_free(&found);
        return err;
    }
    sp_tokens_free(&file->tokens);
    file->tokens = found;
    sp_buf_fini(&file->text);
    file->text = *text;
    *text = (struct sp_buf){0};
    return SNAKEPIT_OK;
}

// Takes `text`, which has the change in it, or writes it anew.
static snakepit_err apply(struct sp_token_file *file,
                          struct sp_buf *text,
                          const struct change *change,
                          snakepit_message *why)
{
    snakepit_err err = take(file, text, change, why);
    if (err == SNAKEPIT_INVALID_CONFIG) {
        text->size = 0;
        err = write_anew(change, text);
        err = err != SNAKEPIT_OK ? err : take(file, text, change, why);
        file->rewritten = true;
    }
    return err;
}

snakepit_err sp_token_file_add(struct sp_token_file *file,
                               const struct sp_token *token,
                               snakepit_message *why)
{
    struct sp_buf text = {0};
    const struct change change = {
        .tokens = &file->tokens, .left_out = SIZE_MAX, .added = token};
    if (sp_token_named(&file->tokens, token->name) != NULL) {
        sp_cli_explain(why,
                       "%s has a token %s already; revoke that one first, or choose "
                       "another name",
                       file->path,
                       token->name);
        return SNAKEPIT_BUSY;
    }
    snakepit_err err = sp_buf_append(&text, file->text.data, file->text.size);
    if (err == SNAKEPIT_OK && text.size > 0 && text.data[text.size - 1] != '\n') {
        err = sp_buf_append(&text, "\n", 1);
    }
    err = err != SNAKEPIT_OK ? err : sp_token_write(token, &text);
    err = err == SNAKEPIT_OK ? apply(file, &text, &change, why) : err;
    sp_buf_fini(&text);
    return err;
}

// Where the line begins, counted from 1; the end of the text if it has fewer.
static size_t begin_of_line(const struct sp_buf *text, size_t line)
{
    size_t at = 0;
    for (; line > 1 && at < text->size; line--) {
        const uint8_t *end = memchr(text->data + at, '\n', text->size - at);
        at = end == NULL ? text->size : (size_t)(end - text->data) + 1;
    }
    return at;
}

// Whether the line before `at` has nothing but blanks or a comment; `begin` is where it
// begins.
static bool is_comment_before(const struct sp_buf *text, size_t at, size_t *begin)
{
    size_t from = at > 0 ? at - 1 : 0;
    while (from > 0 && text->data[from - 1] != '\n') {
        from--;
    }
    size_t first = from;
    while (first < at && strchr(" \t\r\n", text->data[first]) != NULL &&
           text->data[first] != '\0') {
        first++;
    }
    *begin = from;
    return at > 0 && (first == at || text->data[first] == '#');
}

// Comments before the next token are about that one.
static size_t end_of_token(const struct sp_token_file *file, size_t index)
{
    size_t begin;
    const struct sp_tokens *tokens = &file->tokens;
    size_t end = index + 1 < tokens->count
                     ? begin_of_line(&file->text, tokens->items[index + 1].line)
                     : file->text.size;
    while (is_comment_before(&file->text, end, &begin)) {
        end = begin;
    }
    return end;
}

snakepit_err sp_token_file_remove(struct sp_token_file *file,
                                  const char *name,
                                  snakepit_message *why)
{
    struct sp_buf text = {0};
    const struct sp_token *token = sp_token_named(&file->tokens, name);
    if (token == NULL) {
        sp_cli_explain(why, "%s has no token %s", file->path, name);
        return SNAKEPIT_NOT_FOUND;
    }
    const size_t index = (size_t)(token - file->tokens.items);
    const struct change change = {.tokens = &file->tokens, .left_out = index};
    const size_t begin = begin_of_line(&file->text, token->line);
    const size_t found = end_of_token(file, index);
    const size_t end = found < begin ? begin : found;
    snakepit_err err = sp_buf_append(&text, file->text.data, begin);
    err = err != SNAKEPIT_OK
              ? err
              : sp_buf_append(&text, file->text.data + end, file->text.size - end);
    err = err == SNAKEPIT_OK ? apply(file, &text, &change, why) : err;
    sp_buf_fini(&text);
    return err;
}

// ---- Saving -----------------------------------------------------------------------

static bool write_all(int fd, const struct sp_buf *text)
{
    size_t at = 0;
    while (at < text->size) {
        ssize_t written = write(fd, text->data + at, text->size - at);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        at += written > 0 ? (size_t)written : 0;
    }
    return true;
}

// Whoever may read the old one may read the new one.
static bool take_over_rights(const struct sp_token_file *file, int fd)
{
    struct stat old;
    if (!file->exists) {
        return fchmod(fd, S_IRUSR | S_IWUSR) == 0;
    }
    return stat(file->path, &old) == 0 &&
           ((old.st_uid == geteuid() && old.st_gid == getegid()) ||
            fchown(fd, old.st_uid, old.st_gid) == 0) &&
           fchmod(fd, old.st_mode & 07777U) == 0;
}

// Fills and places the new file, which is at `path`.
static const char *fill(const struct sp_token_file *file, int fd, const char *path)
{
    if (!write_all(fd, &file->text)) {
        return "write";
    }
    if (!take_over_rights(file, fd)) {
        return "fchown";
    }
    if (fsync(fd) != 0) {
        return "fsync";
    }
    return rename(path, file->path) == 0 ? NULL : "rename";
}

snakepit_err sp_token_file_save(struct sp_token_file *file, snakepit_message *why)
{
    struct sp_buf name = {0};
    snakepit_err err = sp_buf_printf(&name, "%s.XXXXXX", file->path);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    char *path = (char *)name.data;
    int fd = sp_descriptor_keep(mkostemp(path, O_CLOEXEC));
    const char *call = fd < 0 ? "mkostemp" : fill(file, fd, path);
    if (call != NULL) {
        err = failed(call, file->path, why);
    }
    if (call != NULL && fd >= 0) {
        (void)unlink(path);
    }
    sp_descriptor_close(&fd);
    sp_buf_fini(&name);
    if (err == SNAKEPIT_OK && fsync(file->folder) != 0) {
        err = failed("fsync", file->path, why);
    }
    return err;
}
