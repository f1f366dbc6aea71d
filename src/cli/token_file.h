// SPDX-License-Identifier: MIT
// Changes a file of tokens. Who opens it has it alone until it is closed: a lock on its
// folder, for a file that is replaced cannot be locked itself.
#ifndef CLI_TOKEN_FILE_H
#define CLI_TOKEN_FILE_H

#include <stdbool.h>

#include <snakepit/payload.h>

#include "base/slice.h"
#include "config/tokens.h"

// Zeroed: closed. Owner: the main thread.
struct sp_token_file {
    char *path;     // behind symbolic links
    int folder;     // locked
    bool exists;    // on the disk
    bool rewritten; // not only what has changed: its comments are gone
    struct sp_buf text;
    struct sp_tokens tokens; // in it
};

// Waits until nobody else has it open. One that is not there is empty. INVALID_CONFIG,
// SYSTEM, NO_MEMORY; `why` explains it. Close it in every case.
snakepit_err
sp_token_file_open(struct sp_token_file *file, const char *path, snakepit_message *why);
void sp_token_file_close(struct sp_token_file *file);

// Adds a token, behind the others. BUSY: there is one of that name. Its text stays as
// it was but for that, comments included, if it has the form that this writes.
snakepit_err sp_token_file_add(struct sp_token_file *file,
                               const struct sp_token *token,
                               snakepit_message *why);
// Takes one away, likewise. NOT_FOUND.
snakepit_err sp_token_file_remove(struct sp_token_file *file,
                                  const char *name,
                                  snakepit_message *why);
// Puts the file in the place of the one on the disk, whole or not at all; with its
// permissions and owner, a new one with 0600. SYSTEM.
snakepit_err sp_token_file_save(struct sp_token_file *file, snakepit_message *why);

#endif
