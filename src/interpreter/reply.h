// SPDX-License-Identifier: MIT
// What a program says to us: one JSON object, read by its keys.
#ifndef INTERPRETER_REPLY_H
#define INTERPRETER_REPLY_H

#include <stdbool.h>

#include <snakepit/payload.h>

// The value of `key`, if it is of that kind.
bool sp_reply_find(const snakepit_reader *reply,
                   const char *key,
                   snakepit_kind kind,
                   snakepit_value *value);
// Whether `key` is there and true.
bool sp_reply_is_true(const snakepit_reader *reply, const char *key);
// Copies a text, cut to fit and made fit for one line; "" if there is none.
void sp_reply_copy(const snakepit_reader *reply,
                   const char *key,
                   char *room,
                   size_t size);
// A number; 0 if there is none, or it is negative.
uint64_t sp_reply_number(const snakepit_reader *reply, const char *key);

#endif
