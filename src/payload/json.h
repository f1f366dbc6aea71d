// SPDX-License-Identifier: MIT
// MessagePack to JSON text. The other way is snakepit_writer_json().
//
// What JSON cannot say: bytes are {"$bytes": base64}, a tensor is {"$tensor": {"dtype":
// NumPy's name, "shape": [...], "data": base64 of the packed elements, little-endian}},
// other ext types are {"$ext": base64}; NaN and infinities are null. The reader of JSON
// takes the first two back, and {"$uint": digits} as an integer. A map that would be
// taken for one of these three has one "$" more before its key, {"$$bytes": "a text"},
// and so has one that looks like that.
#ifndef PAYLOAD_JSON_H
#define PAYLOAD_JSON_H

#include <snakepit/payload.h>

#include "base/slice.h"
#include "payload/writer.h"

// Bytes that one value may become. A few bytes of MessagePack can name gigabytes of
// tensors.
#define SP_JSON_MAX (UINT32_C(1) << 30)

// What a text may hold at most.
struct sp_json_limit {
    uint64_t values;  // elements of arrays and pairs of objects, all of them together
    const char *name; // of the limit, for the sentence that tells it
};

// The same as snakepit_writer_json(), of a text that may be large. MALFORMED: also one
// that holds more than the limit allows.
snakepit_err sp_json_read(snakepit_writer *writer,
                          struct sp_slice text,
                          const struct sp_json_limit *limit,
                          snakepit_message *why);

// Appends the next value of `reader` as JSON without blanks and keeps a zero behind
// `out->size`. `why`, where not NULL, is told what is wrong. The same bytes always make
// the same text. A real has a point or an exponent, and the fewest digits that bring it
// back. A key that is not a text is its own JSON, as text. Invalid UTF-8 becomes
// U+FFFD, one for each byte.
//
// The bytes may change while they are read; the text is valid JSON nevertheless. On
// failure `out` ends where it did and `reader` is anywhere. END: nothing comes next.
// MALFORMED; also more than SP_DEPTH_MAX containers in each other. UNSERIALISABLE: a
// key inside a key that is not a text, or two keys of one map that become the same
// text; `why` names the map's place. NO_MEMORY; also text over SP_JSON_MAX.
snakepit_err
sp_json_write(snakepit_reader *reader, struct sp_buf *out, snakepit_message *why);

// ---- For others that say the same in another way ------------------------------

// A pair that is what JSON cannot say, or is escaped so as not to be.
struct sp_json_special {
    const char *name; // "bytes", "uint" or "tensor"
    size_t dollars;   // that are before it in the key; more than one: it is escaped
};

// True if the key is dollars and one of the names, and the value is of its kind.
bool sp_json_is_special(const snakepit_value *key,
                        const snakepit_value *value,
                        struct sp_json_special *found);

// Between sp_writer_hold() and here a map of one pair was written; `tensors` had the
// writer before it. If the map says what JSON cannot, it becomes that, else its key is
// no longer escaped. Releases the hold. MALFORMED sticks in the writer.
void sp_json_take_special(snakepit_writer *writer,
                          const struct sp_writer_hold *hold,
                          size_t tensors);

#endif
