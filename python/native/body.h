// SPDX-License-Identifier: MIT
// How an executor says something to the host: bytes where the host may read them, of an
// answer or a question, and the news of it. Inline, for each call needs it.
#ifndef NATIVE_BODY_H
#define NATIVE_BODY_H

#include "codec_writer.h"
#include "ipc/completion.h"
#include "state.h"

// Bytes that the host may read.
struct sp_body {
    uint64_t at; // offset in the results
    uint32_t size;
    uint32_t lease; // names what they and their tensors lie in, or SP_NO_LEASE
};

// Has the encoder write where the answer of a slot lies.
static inline void sp_body_begin(struct sp_executor *executor, uint32_t id)
{
    uint8_t *area = executor->runtime->results.base + (uint64_t)id * SP_INLINE_RESULT;
    sp_encoder_begin(&executor->encoder, area, SP_INLINE_RESULT);
}

// Puts what it wrote where the host may read it. NO_MEMORY. `body->lease` stays as it
// is where none is needed.
static inline snakepit_err
sp_body_place(struct sp_executor *executor, uint32_t id, struct sp_body *body)
{
    struct sp_encoder *encoder = &executor->encoder;
    const uint8_t *data;
    size_t size;
    bool is_inline;
    sp_encoder_bytes(encoder, &data, &size, &is_inline);
    body->at = (uint64_t)id * SP_INLINE_RESULT;
    body->size = (uint32_t)size;
    if (!is_inline) {
        struct sp_block *block = sp_encoder_add_block(encoder, size);
        if (block == NULL) {
            return SNAKEPIT_NO_MEMORY;
        }
        sp_copy(executor->runtime->results.base + block->offset, data, size);
        body->at = block->offset;
    }
    if (encoder->block_count == 0) {
        return SNAKEPIT_OK;
    }
    return sp_runtime_lend(executor->runtime, encoder, &body->lease);
}

// Puts a slot into the completion ring and rings if the host sleeps.
static inline void sp_body_notify(struct sp_runtime *runtime, uint32_t id)
{
    sp_completion_put(&runtime->view, id, runtime->doorbell);
}

#endif
