// SPDX-License-Identifier: MIT
// Everything is read by the map that the worker has left, which may be a lie: then what
// is told is a lie, but no longer than it may be, and clean.
#include "inspect/objects.h"

#include <string.h>

#include "base/text.h"
#include "inspect/lines.h"

#define OFFSET_MOST 65536u // of a field in its struct
#define TABLE_MOST  262144u
#define TEXT_MOST   (UINT64_C(1) << 40) // characters of a text that is believed
#define CHARACTERS  512u                // that are looked at

// ---- The map ------------------------------------------------------------------

static bool offsets_are_sound(const struct sp_python_map *map)
{
    const uint32_t offsets[] = {
        map->state_next,   map->state_previous,  map->state_interpreter,
        map->state_thread, map->state_frame,     map->frame_code,
        map->frame_outer,  map->frame_at,        map->frame_owner,
        map->object_type,  map->code_file,       map->code_name,
        map->code_lines,   map->code_first_line, map->code_begins,
        map->code_units,   map->bytes_size,      map->bytes_data,
        map->text_size,    map->text_state,      map->text_ascii_data,
        map->text_data,
    };
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        if (offsets[i] > OFFSET_MOST) {
            return false;
        }
    }
    return map->holder_frame <= OFFSET_MOST || map->holder_frame == SP_PYTHON_NOWHERE;
}

bool sp_objects_take_map(const struct sp_python_map *shared, struct sp_python_map *map)
{
    // [python:seen] pairs with [python:told].
    if (atomic_load_explicit(&shared->known, memory_order_acquire) != SP_PYTHON_TOLD) {
        return false;
    }
    memcpy(map, shared, sizeof *map);
    return offsets_are_sound(map) && map->unit >= 1 && map->unit <= 16 &&
           map->text_kind != 0;
}

bool sp_objects_is_of(const struct sp_objects *objects, uint64_t object, uint64_t type)
{
    uint64_t its;
    return object != 0 && type != 0 &&
           sp_memory_pointer(
               objects->memory, object + objects->map->object_type, &its) &&
           its == type;
}

// ---- Texts --------------------------------------------------------------------

// What is known of a text before its characters are read.
struct text {
    uint64_t data;
    uint64_t length; // characters
    uint32_t width;  // bytes of each
};

static bool
look_at_text(const struct sp_objects *objects, uint64_t object, struct text *text)
{
    uint32_t state;
    if (!sp_objects_is_of(objects, object, objects->map->text_type) ||
        !sp_memory_pointer(
            objects->memory, object + objects->map->text_size, &text->length) ||
        !sp_memory_copy(
            objects->memory, object + objects->map->text_state, &state, sizeof state)) {
        return false;
    }
    bool ascii = (state & objects->map->text_ascii) != 0;
    text->width = (state & objects->map->text_kind) /
                  (objects->map->text_kind & -objects->map->text_kind);
    text->data =
        object + (ascii ? objects->map->text_ascii_data : objects->map->text_data);
    return (state & objects->map->text_compact) != 0 && text->length <= TEXT_MOST &&
           (text->width == 1 || text->width == 2 || text->width == 4);
}

// The bytes of a character as UTF-8. What is none becomes one that is replaced.
static size_t encode(uint32_t code, char *to)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xe0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3f));
        to[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    if (code > 0x10ffff) {
        to[0] = '?';
        return 1;
    }
    to[0] = (char)(0xf0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3f));
    to[2] = (char)(0x80 | (code >> 6 & 0x3f));
    to[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

static uint32_t character(const uint8_t *at, uint32_t width)
{
    uint32_t code = 0;
    memcpy(&code, at, width); // the lowest byte comes first
    return code;
}

// Writes what fits, whole characters, and a zero.
static void put_characters(
    const uint8_t *at, uint32_t width, uint64_t count, char *room, size_t size)
{
    size_t used = 0;
    for (uint64_t i = 0; i < count; i++) {
        char bytes[4];
        size_t needs = encode(character(at + i * width, width), bytes);
        if (used + needs >= size) {
            break;
        }
        memcpy(room + used, bytes, needs);
        used += needs;
    }
    room[used] = 0;
    sp_text_clean(room, used, SP_TEXT_LINE);
}

bool sp_objects_text(const struct sp_objects *objects,
                     uint64_t object,
                     char *room,
                     size_t size,
                     bool end)
{
    uint8_t characters[CHARACTERS * 4];
    struct text text;
    room[0] = 0;
    if (!look_at_text(objects, object, &text)) {
        return false;
    }
    // Where its end is wanted, so many that they fit whatever they are.
    uint64_t most = size - 1 < CHARACTERS ? size - 1 : CHARACTERS;
    uint64_t count = text.length;
    if (count > most) {
        uint64_t fit = end ? most / (text.width == 1 ? 2 : 4) : most;
        text.data += end ? (count - fit) * text.width : 0;
        count = fit;
    }
    if (!sp_memory_copy(objects->memory, text.data, characters, count * text.width)) {
        return false;
    }
    put_characters(characters, text.width, count, room, size);
    return true;
}

// ---- Code ---------------------------------------------------------------------

static bool read_text_at(
    const struct sp_objects *objects, uint64_t field, char *room, size_t size, bool end)
{
    uint64_t text;
    room[0] = 0;
    return sp_memory_pointer(objects->memory, field, &text) &&
           sp_objects_text(objects, text, room, size, end);
}

// Reads a bytes object into the room for tables. False: it is none, it is too large, or
// there is no memory.
static bool read_bytes_at(struct sp_objects *objects, uint64_t field)
{
    uint64_t object;
    uint64_t size;
    struct sp_buf *bytes = &objects->table;
    bytes->size = 0;
    if (!sp_memory_pointer(objects->memory, field, &object) ||
        !sp_objects_is_of(objects, object, objects->map->bytes_type) ||
        !sp_memory_pointer(objects->memory, object + objects->map->bytes_size, &size) ||
        size > TABLE_MOST || sp_buf_reserve(bytes, size + 1) != SNAKEPIT_OK ||
        !sp_memory_copy(
            objects->memory, object + objects->map->bytes_data, bytes->data, size)) {
        return false;
    }
    bytes->size = size;
    return true;
}

static uint32_t line_of(struct sp_objects *objects, uint64_t code, uint64_t unit)
{
    int32_t first = 0;
    if (!sp_memory_copy(objects->memory,
                        code + objects->map->code_first_line,
                        &first,
                        sizeof first) ||
        !read_bytes_at(objects, code + objects->map->code_lines)) {
        return 0;
    }
    return sp_lines_find(
        (struct sp_slice){objects->table.data, objects->table.size}, first, unit);
}

enum sp_standing sp_objects_place(struct sp_objects *objects,
                                  uint64_t code,
                                  uint64_t at,
                                  struct sp_code_place *place)
{
    int32_t begins = 0;
    uint64_t units = code + objects->map->code_units;
    if (!sp_objects_is_of(objects, code, objects->map->code_type) ||
        !sp_memory_copy(objects->memory,
                        code + objects->map->code_begins,
                        &begins,
                        sizeof begins)) {
        return SP_STANDING_LOST;
    }
    (void)read_text_at(objects,
                       code + objects->map->code_name,
                       place->function,
                       sizeof place->function,
                       false);
    (void)read_text_at(
        objects, code + objects->map->code_file, place->file, sizeof place->file, true);
    uint64_t unit = at >= units ? (at - units) / objects->map->unit : 0;
    place->line = line_of(objects, code, unit);
    bool ran = at >= units && (int64_t)unit >= begins;
    return ran ? SP_STANDING_RUNS : SP_STANDING_BEGINS;
}
