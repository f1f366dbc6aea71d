// SPDX-License-Identifier: MIT
// Objects of Python in the memory of another process: code objects, and the texts and
// bytes that they are made of. An object counts only if its type is the very one that
// it should be of.
#ifndef INSPECT_OBJECTS_H
#define INSPECT_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "inspect/memory.h"
#include "ipc/layout.h"

#define SP_FUNCTION_MAX 256u // bytes, with a zero
#define SP_FILE_MAX     512u

// What a frame runs. Texts are UTF-8, fit for a log, and end with a zero; what is too
// long is cut: of a function its end, of a file its beginning.
struct sp_code_place {
    char function[SP_FUNCTION_MAX]; // qualified; empty: it cannot be read
    char file[SP_FILE_MAX];
    uint32_t line; // 0: it is not known
};

// Copies the map out of shared memory and checks it. False: it makes no sense, or there
// is none.
bool sp_objects_take_map(const struct sp_python_map *shared, struct sp_python_map *map);

// How objects are read. Owner: one thread; memory and map are borrowed. `table` is
// room for tables of lines, zeroed at first; free it with sp_buf_fini().
struct sp_objects {
    struct sp_memory *memory;
    const struct sp_python_map *map;
    struct sp_buf table;
};

// Whether the object at an address is of that type.
bool sp_objects_is_of(const struct sp_objects *objects, uint64_t object, uint64_t type);

// Reads a text into `size` bytes. With `end` its end is kept where it is too long.
// False, with "": there is no text, or it cannot be read.
bool sp_objects_text(const struct sp_objects *objects,
                     uint64_t object,
                     char *room,
                     size_t size,
                     bool end);

// How a frame stands to its code.
enum sp_standing {
    SP_STANDING_RUNS,
    SP_STANDING_BEGINS, // it has not come to its first line
    SP_STANDING_LOST,   // that is no code object
};

// The place of the instruction at `at`, in the code object at `code`.
enum sp_standing sp_objects_place(struct sp_objects *objects,
                                  uint64_t code,
                                  uint64_t at,
                                  struct sp_code_place *place);

#endif
