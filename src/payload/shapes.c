// SPDX-License-Identifier: MIT
#include "payload/shapes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/utf8.h"

#define NAMED      16u   // arguments that are told
#define NAME_MOST  64    // bytes of a name
#define STEPS_MOST 4096u // values and characters that are looked at

struct shapes {
    snakepit_reader at;
    uint32_t steps; // that are left
    char *text;
    size_t size;
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void
add(struct shapes *shapes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const size_t room = shapes->size - shapes->used;
    const int more = vsnprintf(shapes->text + shapes->used, room, format, arguments);
    va_end(arguments);
    if (more > 0) {
        shapes->used += (size_t)more < room ? (size_t)more : room - 1;
    }
}

static bool may_step(struct shapes *shapes, uint64_t steps)
{
    if (steps > shapes->steps) {
        return false;
    }
    shapes->steps -= (uint32_t)steps;
    return true;
}

static void add_text(struct shapes *shapes, snakepit_span text)
{
    size_t count = text.size;
    if (may_step(shapes, text.size)) {
        for (size_t i = 0; i < text.size; i++) {
            count -= sp_utf8_is_tail((uint8_t)text.data[i]);
        }
    }
    add(shapes, "str[%zu]", count);
}

static void add_tensor(struct shapes *shapes, const snakepit_tensor *tensor)
{
    add(shapes, "%s[", snakepit_dtype_name(tensor->dtype));
    for (uint32_t i = 0; i < tensor->rank; i++) {
        add(shapes, i == 0 ? "%" PRId64 : ",%" PRId64, tensor->shape[i]);
    }
    add(shapes, "]");
}

static void add_value(struct shapes *shapes, const snakepit_value *value)
{
    switch (value->kind) {
    case SNAKEPIT_NIL:
        add(shapes, "None");
        break;
    case SNAKEPIT_BOOLEAN:
        add(shapes, "bool");
        break;
    case SNAKEPIT_INTEGER:
    case SNAKEPIT_UNSIGNED:
        add(shapes, "int");
        break;
    case SNAKEPIT_REAL:
        add(shapes, "float");
        break;
    case SNAKEPIT_TEXT:
        add_text(shapes, value->as.text);
        break;
    case SNAKEPIT_BYTES:
        add(shapes, "bytes[%zu]", value->as.bytes.size);
        break;
    case SNAKEPIT_ARRAY:
        add(shapes, "list[%" PRIu32 "]", value->as.count);
        break;
    case SNAKEPIT_MAP:
        add(shapes, "dict[%" PRIu32 "]", value->as.count);
        break;
    case SNAKEPIT_TENSOR:
        add_tensor(shapes, &value->as.tensor);
        break;
    case SNAKEPIT_EXTENSION:
        add(shapes, "extension[%zu]", value->as.bytes.size);
        break;
    }
}

static uint64_t items_of(const snakepit_value *value)
{
    return value->kind == SNAKEPIT_ARRAY ? value->as.count
           : value->kind == SNAKEPIT_MAP ? (uint64_t)value->as.count * 2
                                         : 0;
}

// Steps over what is in a value. False: that is too much, or no MessagePack.
static bool pass(struct shapes *shapes, const snakepit_value *value)
{
    snakepit_value inner;
    for (uint64_t left = items_of(value); left > 0; left--) {
        if (!may_step(shapes, 1) ||
            snakepit_reader_next(&shapes->at, &inner) != SNAKEPIT_OK) {
            return false;
        }
        left += items_of(&inner);
    }
    return true;
}

// False: what follows cannot be told.
static bool add_argument(struct shapes *shapes, bool is_first)
{
    snakepit_value name;
    snakepit_value value;
    if (snakepit_reader_next(&shapes->at, &name) != SNAKEPIT_OK ||
        name.kind != SNAKEPIT_TEXT ||
        snakepit_reader_next(&shapes->at, &value) != SNAKEPIT_OK) {
        return false;
    }
    const size_t size = name.as.text.size;
    add(shapes,
        "%s%.*s: ",
        is_first ? "" : ", ",
        size < NAME_MOST ? (int)size : NAME_MOST,
        name.as.text.data);
    add_value(shapes, &value);
    return pass(shapes, &value);
}

void sp_shapes_write(snakepit_reader arguments, char *text, size_t size)
{
    struct shapes shapes = {
        .at = arguments, .steps = STEPS_MOST, .text = text, .size = size};
    snakepit_value map;
    uint32_t told = 0;
    text[0] = '\0';
    if (snakepit_reader_next(&shapes.at, &map) != SNAKEPIT_OK ||
        map.kind != SNAKEPIT_MAP) {
        return;
    }
    for (bool goes_on = true; goes_on && told < map.as.count && told < NAMED;) {
        const size_t before = shapes.used;
        goes_on = add_argument(&shapes, told == 0);
        told += shapes.used > before;
    }
    if (told > 0 && told < map.as.count) {
        add(&shapes, ", and %" PRIu32 " more", map.as.count - told);
    }
    sp_text_clean(text, strlen(text), SP_TEXT_LINE);
}
