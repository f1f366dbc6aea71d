// SPDX-License-Identifier: MIT
// Any bytes are an error or a value. Where they are a value, skip and a walk of every
// item end at the same place, and its JSON is JSON.
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/check.h"
#include "fuzz.h"
#include "payload/json.h"
#include "payload/reader.h"
#include "payload/tensor.h"
#include "payload/wire.h"

#define JSON_FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)

static _Alignas(SP_TENSOR_ALIGN) uint8_t memory[4096];

// Reads every byte that the value says is there.
static void touch(const snakepit_value *value)
{
    static uint8_t copy[sizeof(memory)];
    if (value->kind == SNAKEPIT_TENSOR) {
        sp_tensor_pack(&value->as.tensor, copy);
    } else if (value->kind == SNAKEPIT_TEXT || value->kind == SNAKEPIT_BYTES ||
               value->kind == SNAKEPIT_EXTENSION) {
        volatile char sum = 0;
        for (size_t i = 0; i < value->as.bytes.size; i++) {
            sum = (char)(sum ^ value->as.bytes.data[i]);
        }
    }
}

// Steps through one value item by item.
static snakepit_err walk(snakepit_reader *reader)
{
    for (uint64_t pending = 1; pending != 0; pending--) {
        snakepit_value value;
        snakepit_err err = snakepit_reader_next(reader, &value);
        if (err != SNAKEPIT_OK) {
            return err;
        }
        touch(&value);
        if (value.kind == SNAKEPIT_ARRAY || value.kind == SNAKEPIT_MAP) {
            uint64_t items = (uint64_t)value.as.count << (value.kind == SNAKEPIT_MAP);
            SP_CHECK(items <= (uint64_t)(reader->end - reader->at));
            pending += items;
        }
    }
    return SNAKEPIT_OK;
}

static void check_json(snakepit_reader reader)
{
    struct sp_buf out = {0};
    json_error_t error;
    if (sp_json_write(&reader, &out, NULL) == SNAKEPIT_OK) {
        SP_CHECK(out.data[out.size] == '\0');
        json_t *root = json_loadb((const char *)out.data, out.size, JSON_FLAGS, &error);
        // A zero in a key is JSON, but not to jansson.
        SP_CHECK(root != NULL ||
                 json_error_code(&error) == json_error_null_byte_in_key);
        json_decref(root);
    }
    sp_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    snakepit_reader start;
    sp_reader_init(&start,
                   (struct sp_slice){data, size},
                   (struct sp_slice){memory, sizeof(memory)});
    snakepit_reader skipped = start;
    snakepit_reader walked = start;
    snakepit_reader found = start;
    snakepit_err skip = snakepit_reader_skip(&skipped);
    snakepit_err step = walk(&walked);
    if (skip == SNAKEPIT_OK && step == SNAKEPIT_OK) {
        SP_CHECK(skipped.at == walked.at);
    } else if (skip != SNAKEPIT_OK) {
        SP_CHECK(skipped.at == start.at);
    }
    if (snakepit_reader_find(&start, "a", &found) == SNAKEPIT_OK) {
        SP_CHECK(found.at > start.at && found.at < start.end);
    } else {
        SP_CHECK(found.at == start.at);
    }
    check_json(start);
    return 0;
}
