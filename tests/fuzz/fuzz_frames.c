// SPDX-License-Identifier: MIT
// The stack of a thread in the memory of a worker that may lie: the map that it has
// left, then its memory, which is repeated over some blocks.
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "inspect/frames.h"

#define BASE   UINT64_C(0x1000)
#define BLOCKS 16u

struct input {
    const uint8_t *data;
    size_t size;
};

static int read_input(void *user, uint64_t address, void *room, size_t size)
{
    const struct input *input = user;
    uint8_t *to = room;
    if (input->size == 0 || address < BASE ||
        address - BASE > BLOCKS * SP_MEMORY_BLOCK - size) {
        return EFAULT;
    }
    for (size_t i = 0; i < size; i++) {
        to[i] = input->data[(address - BASE + i) % input->size];
    }
    return 0;
}

static void check(const struct sp_frames *frames)
{
    SP_CHECK(frames->count <= SP_FRAMES_MOST && frames->end <= SP_FRAMES_LOST);
    for (uint32_t i = 0; i < frames->count; i++) {
        const struct sp_code_place *place = &frames->places[i];
        SP_CHECK(memchr(place->function, 0, sizeof place->function) != NULL);
        SP_CHECK(memchr(place->file, 0, sizeof place->file) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sp_memory memory;
    static struct sp_frames frames;
    struct sp_python_map told;
    struct sp_python_map map;
    if (size < sizeof told) {
        return 0;
    }
    memcpy(&told, data, sizeof told);
    if (!sp_objects_take_map(&told, &map)) {
        return 0;
    }
    struct input input = {data + sizeof told, size - sizeof told};
    struct sp_objects objects = {.memory = &memory, .map = &map};
    sp_memory_init(&memory, read_input, &input, UINT64_MAX);
    sp_frames_read(&objects, map.main_state, &frames);
    check(&frames);
    sp_buf_fini(&objects.table);
    return 0;
}
