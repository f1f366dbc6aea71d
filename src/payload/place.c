// SPDX-License-Identifier: MIT
// A writer remembers how many values are wanted, not where. So the way to the next one
// is found when it is asked for, by reading what was written from its beginning.
#include "payload/place.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "payload/reader.h"
#include "payload/writer.h"

#define SHOWN_STEPS 8u // of a way; what is nearer to the root is left out
#define SHOWN_KEY   40 // bytes of one

// A container that is not full.
struct open {
    uint64_t at;    // its values that are written
    uint64_t count; // all of them; keys are values
    bool map;
    struct sp_slice key; // the last one, or nothing if it is not a text
};

struct way {
    struct open steps[SP_DEPTH_MAX + 1];
    size_t depth;
};

// One more value of the innermost container is there, whole.
static void count_value(struct way *way)
{
    while (way->depth > 0) {
        struct open *last = &way->steps[way->depth - 1];
        if (++last->at < last->count) {
            return;
        }
        way->depth--;
    }
}

static uint64_t load_be(const uint8_t *at, size_t width)
{
    uint64_t value = 0;
    for (size_t i = 0; i < width; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

// The container whose head is at `at`; returns the bytes of the head, 0 for any other
// value. A reader refuses those that are not full.
static size_t read_head(const uint8_t *at, struct open *open)
{
    uint8_t first = *at;
    size_t width = 0;
    if ((first & 0xe0) == 0x80) {
        *open = (struct open){.count = first & 0x0fu, .map = (first & 0x10) == 0};
    } else if (first >= 0xdc && first <= 0xdf) {
        width = (first & 1) == 0 ? 2 : 4;
        *open = (struct open){.count = load_be(at + 1, width), .map = first >= 0xde};
    } else {
        return 0;
    }
    open->count *= open->map ? 2 : 1;
    return 1 + width;
}

static void enter(struct way *way, const struct open *open)
{
    if (open->count == 0) {
        count_value(way);
    } else if (way->depth <= SP_DEPTH_MAX) {
        way->steps[way->depth++] = *open;
    }
}

// Any other value, which may be the key of a pair.
static void pass(struct way *way, const snakepit_value *value)
{
    struct open *last = way->depth > 0 ? &way->steps[way->depth - 1] : NULL;
    if (last != NULL && last->map && last->at % 2 == 0) {
        last->key = (struct sp_slice){0};
        if (value->kind == SNAKEPIT_TEXT) {
            last->key = (struct sp_slice){(const uint8_t *)value->as.text.data,
                                          value->as.text.size};
        }
    }
    count_value(way);
}

static void walk(struct sp_slice bytes, struct way *way)
{
    // The tensors' offsets are zero still, and their memory is not looked at.
    static _Alignas(SP_TENSOR_ALIGN) const uint8_t nowhere[1];
    const struct sp_slice memory = {nowhere, SIZE_MAX};
    snakepit_reader reader;
    snakepit_value value;
    struct open open;
    sp_reader_init(&reader, bytes, memory);
    way->depth = 0;
    while (reader.at != reader.end) {
        size_t head = read_head(reader.at, &open);
        reader.at += head;
        if (head > 0) {
            enter(way, &open);
        } else if (snakepit_reader_next(&reader, &value) == SNAKEPIT_OK) {
            pass(way, &value);
        } else {
            return;
        }
    }
}

static int show_step(const struct open *step, char *text, size_t size)
{
    unsigned long long number = step->at;
    if (!step->map) {
        return snprintf(text, size, "[%llu]", number);
    }
    if (step->at % 2 == 0) {
        return snprintf(text, size, "{key %llu}", number / 2 + 1);
    }
    if (step->key.data == NULL) {
        return snprintf(text, size, "{value %llu}", number / 2 + 1);
    }
    int shown = step->key.size < SHOWN_KEY ? (int)step->key.size : SHOWN_KEY;
    return snprintf(text, size, ".%.*s", shown, (const char *)step->key.data);
}

void sp_place_behind(struct sp_slice written, char *text, size_t size)
{
    struct way way;
    walk(written, &way);
    size_t first = way.depth > SHOWN_STEPS ? way.depth - SHOWN_STEPS : 0;
    int used = snprintf(text, size, "%s", first > 0 ? "..." : "");
    for (size_t i = first; i < way.depth && used >= 0 && (size_t)used < size; i++) {
        used += show_step(&way.steps[i], text + used, size - (size_t)used);
    }
}

void sp_place_of_next(const snakepit_writer *writer, char *text, size_t size)
{
    const struct sp_slice written = {writer->buf.data, writer->buf.size};
    sp_place_behind(written, text, size);
}
