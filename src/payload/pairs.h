// SPDX-License-Identifier: MIT
// What we tell ourselves, as JSON: built as MessagePack, for the writer of JSON makes
// valid text of whatever bytes somebody else has put in.
#ifndef PAYLOAD_PAIRS_H
#define PAYLOAD_PAIRS_H

#include <snakepit/payload.h>

#include "base/slice.h"

// A pair of a map. A text may be NULL, which is null.
void sp_pair_text(snakepit_writer *writer, const char *key, const char *value);
void sp_pair_number(snakepit_writer *writer, const char *key, uint64_t value);
void sp_pair_bool(snakepit_writer *writer, const char *key, bool value);

// Appends the value in `writer` as JSON. NO_MEMORY, also for a writer that is NULL;
// whatever the writer complains about. On failure `out` ends where it did.
snakepit_err sp_writer_to_json(const snakepit_writer *writer, struct sp_buf *out);

#endif
