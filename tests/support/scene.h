// SPDX-License-Identifier: MIT
// A stream whose tool the test plays: it writes the tube by hand, on the mapping that
// both sides share.
#ifndef SUPPORT_SCENE_H
#define SUPPORT_SCENE_H

#include "pool/stream.h"
#include "support/pool_fixture.h"

#define SCENE_TUBE (FIXTURE_SLOTS * SP_INLINE_RESULT) // in the worker's arena

extern struct fixture scene_fixture;

struct scene {
    struct side *side;
    struct sp_stream *stream;
    struct fake_call call;
    struct sp_slot *slot;
    struct sp_tube_writer writer;
};

// Of a test: a pool of one worker with one executor; the state is a scene.
int scene_set_up(void **state);
int scene_tear_down(void **state);

// Opens a stream that reports as the order says; its text is filled in.
snakepit_err scene_open(struct scene *scene, const struct sp_order *how);
// The worker takes its call and has a tube.
void scene_start(struct scene *scene);
void scene_put_chunk(struct scene *scene,
                     const struct sp_chunk *chunk,
                     const uint8_t *bytes);
void scene_put(struct scene *scene, const char *text);
void scene_finish(struct scene *scene);

#define assert_chunk(given, text)                                       \
    do {                                                                \
        assert_int_equal((given)->chunk.size, strlen(text));            \
        assert_memory_equal((given)->chunk.data, (text), strlen(text)); \
    } while (0)

#endif
