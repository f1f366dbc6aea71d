// SPDX-License-Identifier: MIT
// Maps of one pair whose key is a mark: what MessagePack cannot say in another way, see
// http/body.h. A mark that is meant as such has one "$" more.
#ifndef HTTP_MARKS_H
#define HTTP_MARKS_H

#include <snakepit/payload.h>

#include "base/slice.h"

#define SP_MARK_TENSOR "$tensor"
#define SP_MARK_EXT    "$ext"

// Whether a value is this text.
bool sp_mark_is_text(const snakepit_value *value, const char *text);
// Whether it is the text of this mark, with any number of "$" more before it.
bool sp_mark_is(const snakepit_value *value, const char *mark);
// Reads the only key of a map of one pair, whose key `reader` stands before; false: it
// is another map, or the key no mark.
bool sp_mark_is_next(const snakepit_value *map,
                     snakepit_reader reader,
                     snakepit_value *key);
// Whether such a map may be among these bytes of MessagePack; false: there is none.
bool sp_mark_may_be_in(struct sp_slice bytes);

// Writes a value that was read; of a container the head.
void sp_mark_copy(snakepit_writer *writer, const snakepit_value *value);
// Writes a mark with one more "$" in front, or with one less.
void sp_mark_write(snakepit_writer *writer, snakepit_span text, bool more);
// The tensor in what stands behind the mark. MALFORMED.
snakepit_err sp_mark_read_tensor(const snakepit_reader *at, snakepit_tensor *tensor);

#endif
