// SPDX-License-Identifier: MIT
// All that the host reads of a stream: the input chooses what the worker claims of its
// tube, step by step, and what lies in the segment; every piece that comes out must lie
// in the segment, and the positions must stay within what the tube holds.
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "ipc/tube.h"

#define SIZE  (SP_TUBE_BYTES + 8192u)
#define STEPS 64u

struct input {
    const uint8_t *data;
    size_t size;
};

// The next number of the input; 0 behind its end.
static uint64_t take(struct input *input, size_t bytes)
{
    uint64_t number = 0;
    size_t there = input->size < bytes ? input->size : bytes;
    memcpy(&number, input->data, there);
    input->data += there;
    input->size -= there;
    return number;
}

static const uint64_t bodies[] = {SP_CHUNK_HERE, SP_CHUNK_SKIP, 0, SIZE - 1, SIZE};

// Where the reader will look next there is a chunk that is nearly right.
static void
write_chunk(uint8_t *segment, const struct sp_tube_reader *reader, struct input *input)
{
    uint64_t choice = take(input, 1);
    struct sp_chunk chunk = {
        .body = choice < 250 ? bodies[choice % 5] : take(input, 8),
        .body_size = (uint32_t)take(input, choice % 2 == 0 ? 2 : 4),
        .lease = choice % 3 == 0 ? SP_NO_LEASE : 0,
    };
    uint64_t at = reader->tube + reader->head % SP_TUBE_BYTES;
    if (at <= SIZE - sizeof chunk) {
        memcpy(segment + at, &chunk, sizeof chunk);
    }
}

static struct sp_tube_claim claim_of(const struct sp_tube_reader *reader,
                                     struct input *input)
{
    uint64_t choice = take(input, 1);
    uint64_t more = take(input, 2) * (choice % 4 == 0 ? 1 : 16);
    return (struct sp_tube_claim){
        .tail = choice < 240 ? reader->tail + more : take(input, 8),
        .tube = choice % 8 == 0 ? take(input, 8) : choice / 8 * 64,
    };
}

// The sum makes the read happen.
static unsigned check(const struct sp_tube_piece *piece, const uint8_t *segment)
{
    unsigned sum = 0;
    SP_CHECK(piece->body >= segment);
    SP_CHECK(piece->body + piece->size <= segment + SIZE);
    for (uint32_t i = 0; i < piece->size; i++) {
        sum += piece->body[i];
    }
    return sum;
}

static void check_positions(const struct sp_tube_reader *reader)
{
    SP_CHECK(reader->told <= reader->head && reader->head <= reader->tail);
    SP_CHECK(reader->tail - reader->told <= SP_TUBE_BYTES);
    SP_CHECK(reader->tube <= SIZE - SP_TUBE_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static volatile unsigned seen;
    struct input input = {data, size};
    struct sp_slot slot = {0};
    uint8_t *segment = calloc(1, SIZE);
    SP_CHECK(segment != NULL);
    struct sp_tube_reader reader = {.results = segment, .size = SIZE};
    for (uint32_t i = 0; i < STEPS && input.size > 0; i++) {
        struct sp_tube_piece piece;
        const struct sp_tube_claim claim = claim_of(&reader, &input);
        if (sp_tube_believe(&reader, &claim) != SNAKEPIT_OK) {
            continue;
        }
        write_chunk(segment, &reader, &input);
        while (sp_tube_next(&reader, &piece) == SNAKEPIT_OK) {
            seen = seen + check(&piece, segment);
            write_chunk(segment, &reader, &input);
        }
        check_positions(&reader);
        if (sp_tube_wants_to_tell(&reader)) {
            (void)sp_tube_tell(&reader, &slot);
        }
    }
    free(segment);
    return 0;
}
