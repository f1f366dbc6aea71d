// SPDX-License-Identifier: MIT
#include "support/scene.h"

#include <string.h>

struct fixture scene_fixture;

int scene_set_up(void **state)
{
    static struct scene scene;
    const struct sp_pool_options options = fixture_options();
    fixture_open(&scene_fixture, &options);
    scene = (struct scene){.side = fixture_add(&scene_fixture, 1)};
    *state = &scene;
    return 0;
}

int scene_tear_down(void **state)
{
    (void)state;
    fixture_close(&scene_fixture);
    return 0;
}

snakepit_err scene_open(struct scene *scene, const struct sp_order *how)
{
    struct sp_order order = *how;
    order.text = (struct sp_request_text){.tool = "echo", .tool_size = 4};
    return sp_stream_open(scene_fixture.pool, &order, &scene->stream);
}

void scene_start(struct scene *scene)
{
    assert_true(fake_take_started(scene->side->fake, &scene->call));
    assert_int_equal(scene->call.request.kind, SP_CALL_STREAM);
    scene->slot = &scene->side->port->view.slots[scene->call.slot];
    sp_tube_clear(scene->slot);
    sp_tube_writer_init(&scene->writer,
                        scene->slot,
                        scene->side->port->results.base + SCENE_TUBE,
                        SCENE_TUBE);
}

void scene_put_chunk(struct scene *scene,
                     const struct sp_chunk *chunk,
                     const uint8_t *bytes)
{
    if (sp_tube_put(&scene->writer, chunk, bytes)) {
        fake_put_done(scene->side->fake, scene->call.slot);
    }
}

void scene_put(struct scene *scene, const char *text)
{
    const struct sp_chunk chunk = {SP_CHUNK_HERE, (uint32_t)strlen(text), SP_NO_LEASE};
    scene_put_chunk(scene, &chunk, (const uint8_t *)text);
}

void scene_finish(struct scene *scene)
{
    const struct sp_slot_result result = fake_echo(scene->side->fake, &scene->call);
    fake_publish(scene->side->fake, scene->call.slot, &result);
}
