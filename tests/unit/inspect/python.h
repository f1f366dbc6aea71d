// SPDX-License-Identifier: MIT
// A Python of our own making in this process's memory, which is then read as another
// process's would be. Its structs are not those of any version: the map says where
// things are.
#ifndef UNIT_INSPECT_PYTHON_H
#define UNIT_INSPECT_PYTHON_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "inspect/frames.h"
#include "inspect/memory.h"

#define ASCII   0x40u
#define COMPACT 0x20u
#define WIDTH   0x04u // times the width of a character

struct object {
    uint64_t count;
    const void *type;
};

struct text {
    struct object head;
    uint64_t size;
    uint32_t state;
    uint32_t unused;
    union {
        char ascii[512];
        struct {
            uint64_t more[2];
            uint16_t wide[8];
        };
    };
};

struct bytes {
    struct object head;
    uint64_t size;
    uint8_t data[32];
};

struct code {
    struct object head;
    const void *file;
    const void *name;
    const void *lines;
    int32_t first_line;
    int32_t begins;
    uint16_t units[16];
};

struct frame {
    const void *code;
    const void *outer;
    const void *at;
    uint8_t owner;
};

struct state {
    const struct state *next;
    const struct state *previous;
    const void *interpreter;
    uint64_t thread;
    const struct frame *frame;
};

enum { OWNED_BY_THREAD = 0, OWNED_BY_COROUTINE = 1, OWNED_BY_C = 3 };

// Types are known by their addresses alone.
static const char code_type;
static const char text_type;
static const char bytes_type;

static const struct sp_python_map python = {
    .known = SP_PYTHON_TOLD,
    .state_next = offsetof(struct state, next),
    .state_previous = offsetof(struct state, previous),
    .state_interpreter = offsetof(struct state, interpreter),
    .state_thread = offsetof(struct state, thread),
    .state_frame = offsetof(struct state, frame),
    .holder_frame = SP_PYTHON_NOWHERE,
    .frame_code = offsetof(struct frame, code),
    .frame_outer = offsetof(struct frame, outer),
    .frame_at = offsetof(struct frame, at),
    .frame_owner = offsetof(struct frame, owner),
    .owner_c = OWNED_BY_C,
    .owner_coroutine = OWNED_BY_COROUTINE,
    .object_type = offsetof(struct object, type),
    .code_file = offsetof(struct code, file),
    .code_name = offsetof(struct code, name),
    .code_lines = offsetof(struct code, lines),
    .code_first_line = offsetof(struct code, first_line),
    .code_begins = offsetof(struct code, begins),
    .code_units = offsetof(struct code, units),
    .unit = sizeof(uint16_t),
    .bytes_size = offsetof(struct bytes, size),
    .bytes_data = offsetof(struct bytes, data),
    .text_size = offsetof(struct text, size),
    .text_state = offsetof(struct text, state),
    .text_kind = 7 * WIDTH,
    .text_compact = COMPACT,
    .text_ascii = ASCII,
    .text_ascii_data = offsetof(struct text, ascii),
    .text_data = offsetof(struct text, wide),
    .code_type = 0,
};

// The same with addresses, which are no constants to the compiler.
static inline struct sp_python_map the_map(void)
{
    struct sp_python_map map = python;
    map.code_type = (uintptr_t)&code_type;
    map.text_type = (uintptr_t)&text_type;
    map.bytes_type = (uintptr_t)&bytes_type;
    return map;
}

static inline uint64_t address(const void *thing)
{
    return (uintptr_t)thing;
}

static inline struct text text_of(const char *ascii)
{
    struct text text = {.head.type = &text_type,
                        .size = strlen(ascii),
                        .state = ASCII | COMPACT | WIDTH};
    memcpy(text.ascii, ascii, strlen(ascii));
    return text;
}

// Two units of line 7, two of line 8, two of line 9.
static const struct bytes three_lines = {
    .head = {.type = &bytes_type},
    .size = 6,
    .data = {0x81, 0x00, 0x80 | 11u << 3 | 1, 0x00, 0x80 | 13u << 3 | 1, 0x02},
};

static inline struct code code_of(const struct text *name, const struct text *file)
{
    return (struct code){.head.type = &code_type,
                         .file = file,
                         .name = name,
                         .lines = &three_lines,
                         .first_line = 7,
                         .begins = 1};
}

// The memory of this process, for a minute. Owner: the caller, who frees it.
static inline struct sp_memory *memory_of_ours(void)
{
    static pid_t pid;
    struct sp_memory *memory = malloc(sizeof *memory);
    if (memory != NULL) {
        pid = getpid();
        sp_memory_init(
            memory, sp_memory_of_process, &pid, sp_clock_now() + 60 * SP_NS_PER_S);
    }
    return memory;
}

#endif
