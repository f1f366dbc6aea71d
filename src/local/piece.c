// SPDX-License-Identifier: MIT
// Values with their tensors, and where in the results these go.
#include <string.h>

#include "local/inside.h"
#include "payload/reader.h"
#include "payload/wire.h"
#include "payload/writer.h"

bool sp_local_piece_measure(const snakepit_reader *reader, struct sp_local_piece *piece)
{
    *piece = (struct sp_local_piece){
        .body = {reader->at, (size_t)(reader->end - reader->at)}, .reader = *reader};
    snakepit_reader at = *reader;
    snakepit_value value;
    snakepit_err err = SNAKEPIT_END;
    size_t bytes;
    while (reader->tensors != NULL &&
           (err = snakepit_reader_next(&at, &value)) == SNAKEPIT_OK) {
        if (value.kind == SNAKEPIT_TENSOR) {
            (void)snakepit_tensor_bytes(&value.as.tensor, &bytes);
            piece->tensors = true;
            piece->bytes += sp_local_rounded(bytes);
        }
    }
    return err == SNAKEPIT_END;
}

void sp_local_piece_place(const struct sp_local_piece *piece,
                          uint8_t *results,
                          uint64_t offset,
                          uint8_t *body)
{
    snakepit_reader at = piece->reader;
    snakepit_value value;
    while (piece->tensors && snakepit_reader_next(&at, &value) == SNAKEPIT_OK) {
        if (value.kind != SNAKEPIT_TENSOR) {
            continue;
        }
        size_t bytes = 0;
        (void)snakepit_tensor_bytes(&value.as.tensor, &bytes);
        const size_t head = SP_TENSOR_HEAD + 8 * (size_t)value.as.tensor.rank;
        const struct sp_tensor_ref ref = {.at = (size_t)(at.at - piece->body.data) -
                                                head};
        sp_tensor_ref_place(&ref, body, offset);
        if (bytes > 0) {
            memcpy(results + offset, value.as.tensor.data, bytes);
        }
        offset += sp_local_rounded(bytes);
    }
}
