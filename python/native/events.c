// SPDX-License-Identifier: MIT
// An event is encoded before the lock is taken, for that may run user code; under the
// lock there are only copies, and one message for many events.
#include "events.h"

#include "base/clock.h"
#include "forks.h"

// The first event makes the tube, so that a worker without events has none. False: the
// arena is full. Lock held.
static bool open_tube(struct sp_runtime *runtime)
{
    uint64_t offset;
    if (runtime->events_open) {
        return true;
    }
    if (sp_runtime_alloc(runtime, SP_TUBE_BYTES, &offset) != SNAKEPIT_OK) {
        return false;
    }
    sp_events_writer_init(&runtime->events,
                          runtime->view.header,
                          runtime->results.base + offset,
                          offset,
                          sp_clock_coarse());
    runtime->events_open = true;
    return true;
}

// A message that cannot be sent now is sent with a later event. Lock held.
static void tell(struct sp_runtime *runtime)
{
    uint32_t turn;
    if (sp_events_want_to_tell(&runtime->events, sp_clock_coarse(), &turn) &&
        sp_channel_send(runtime->channel, SP_MESSAGE_EVENTS, NULL, 0) == SNAKEPIT_OK) {
        sp_events_told(&runtime->events, turn);
    }
}

static void put(struct sp_runtime *runtime, const uint8_t *bytes, size_t size)
{
    pthread_mutex_lock(&runtime->events_lock);
    if (!open_tube(runtime) || !sp_events_put(&runtime->events, bytes, size)) {
        sp_events_drop(runtime->view.header);
    }
    if (runtime->events_open) {
        tell(runtime);
    }
    pthread_mutex_unlock(&runtime->events_lock);
}

static int
encode_and_put(struct sp_runtime *runtime, struct sp_encoder *encoder, PyObject *event)
{
    const uint8_t *bytes;
    size_t size;
    bool is_inline;
    if (sp_encode(encoder, event) != 0) {
        return -1;
    }
    sp_encoder_bytes(encoder, &bytes, &size, &is_inline);
    if (size > SP_EVENT_MAX) {
        PyErr_Format(PyExc_ValueError,
                     "an event of %zu bytes is too large (at most %u)",
                     size,
                     SP_EVENT_MAX);
        return -1;
    }
    if (runtime->view.shape.events && !sp_forks_is_child) {
        put(runtime, bytes, size);
    }
    return 0;
}

int sp_events_emit(struct sp_runtime *runtime, PyObject *event)
{
    struct sp_encoder encoder;
    uint8_t room[1024];
    sp_encoder_init(&encoder, runtime->codec);
    sp_encoder_begin(&encoder, room, sizeof room);
    sp_encoder_set_purpose(&encoder, SP_FOR_EVENT);
    int rc = encode_and_put(runtime, &encoder, event);
    sp_encoder_fini(&encoder);
    return rc;
}
