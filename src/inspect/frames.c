// SPDX-License-Identifier: MIT
// A frame that has returned is soon used for the next call, so a chain may lead from
// one call's frames into another's. It always ends: at the outermost frame, at what
// cannot be read, or after so many steps.
#include "inspect/frames.h"

#define TRIES      8u   // until a thread is told to move
#define STEPS_MOST 256u // of a chain, with frames that are not told

// A frame, before it is known what it runs.
struct link {
    uint64_t code;
    uint64_t at;
    bool coroutine;
};

struct chain {
    struct link links[SP_FRAMES_MOST];
    uint32_t count;
    enum sp_frames_end end;
};

// The address of the innermost frame; 0: none runs.
static bool innermost(struct sp_objects *objects, uint64_t state, uint64_t *frame)
{
    uint64_t holder;
    if (!sp_memory_pointer(objects->memory, state + objects->map->state_frame, frame)) {
        return false;
    }
    if (objects->map->holder_frame == SP_PYTHON_NOWHERE) {
        return true;
    }
    holder = *frame;
    *frame = 0;
    return holder != 0 && sp_memory_pointer(objects->memory,
                                            holder + objects->map->holder_frame,
                                            frame);
}

// Adds the frame at an address, if it is one of Python, and goes to the one around it.
static bool step(struct sp_objects *objects, struct chain *chain, uint64_t *frame)
{
    struct link link;
    uint64_t outer;
    uint8_t owner;
    if (*frame % sizeof(uint64_t) != 0 ||
        !sp_memory_pointer(
            objects->memory, *frame + objects->map->frame_code, &link.code) ||
        !sp_memory_pointer(
            objects->memory, *frame + objects->map->frame_at, &link.at) ||
        !sp_memory_copy(
            objects->memory, *frame + objects->map->frame_owner, &owner, 1) ||
        !sp_memory_pointer(
            objects->memory, *frame + objects->map->frame_outer, &outer)) {
        return false;
    }
    link.coroutine = owner == objects->map->owner_coroutine;
    if (owner != objects->map->owner_c) {
        chain->links[chain->count++] = link;
    }
    *frame = outer;
    return true;
}

static void follow(struct sp_objects *objects, uint64_t frame, struct chain *chain)
{
    chain->count = 0;
    for (uint32_t steps = 0; frame != 0; steps++) {
        if (chain->count == SP_FRAMES_MOST || steps == STEPS_MOST) {
            chain->end = SP_FRAMES_CUT;
            return;
        }
        if (!step(objects, chain, &frame)) {
            chain->end = SP_FRAMES_LOST;
            return;
        }
    }
    chain->end = SP_FRAMES_WHOLE;
}

// Whether the thread was where it is now all the while, as far as that can be seen.
static bool read_chain(struct sp_objects *objects, uint64_t state, struct chain *chain)
{
    uint64_t first;
    uint64_t last;
    chain->count = 0;
    chain->end = SP_FRAMES_LOST;
    sp_memory_forget(objects->memory);
    if (!innermost(objects, state, &first)) {
        return false;
    }
    follow(objects, first, chain);
    sp_memory_forget(objects->memory);
    return innermost(objects, state, &last) && first == last &&
           chain->end != SP_FRAMES_LOST;
}

static void
look_up(struct sp_objects *objects, const struct chain *chain, struct sp_frames *frames)
{
    for (uint32_t i = 0; i < chain->count; i++) {
        const struct link *link = &chain->links[i];
        struct sp_code_place *place = &frames->places[frames->count];
        enum sp_standing standing =
            sp_objects_place(objects, link->code, link->at, place);
        if (standing == SP_STANDING_LOST) {
            frames->end = SP_FRAMES_LOST;
            return;
        }
        if (standing == SP_STANDING_RUNS || link->coroutine) {
            frames->count++;
        }
    }
}

void sp_frames_read(struct sp_objects *objects,
                    uint64_t state,
                    struct sp_frames *frames)
{
    struct chain chain;
    bool still = false;
    for (uint32_t i = 0; i < TRIES && !still; i++) {
        still = read_chain(objects, state, &chain);
    }
    frames->count = 0;
    frames->moved = !still && chain.end != SP_FRAMES_LOST;
    frames->end = chain.end;
    look_up(objects, &chain, frames);
}
