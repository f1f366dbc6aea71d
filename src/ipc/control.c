// SPDX-License-Identifier: MIT
// Places the parts of a control segment one behind the other, each on a line of its
// own.
#include "ipc/control.h"

#include "base/clock.h"
#include "ipc/lifeline.h"

static uint64_t up_to_line(uint64_t bytes)
{
    return (bytes + SP_LINE - 1) / SP_LINE * SP_LINE;
}

// The order of the parts is the layout; sp_control_size() is where the last one ends.
static uint64_t place(struct sp_control *header, const struct sp_control_shape *shape)
{
    uint64_t at = up_to_line(sizeof *header);
    header->slots_at = at;
    at += shape->slots * sizeof(struct sp_slot);
    header->submit_at = at;
    at += up_to_line(shape->slots * sizeof(sp_cell));
    header->done_at = at;
    at += up_to_line(shape->slots * sizeof(sp_cell));
    header->request_returns_at = at;
    at += up_to_line(shape->leases * sizeof(sp_cell));
    header->result_returns_at = at;
    at += up_to_line(shape->leases * sizeof(sp_cell));
    header->stamps_at = at;
    at += shape->executors * sizeof(struct sp_stamp);
    header->stack_at = at;
    return at + SP_STACK_MAX;
}

static void
point(struct sp_control_view *view, uint8_t *base, const struct sp_control *offsets)
{
    view->header = (struct sp_control *)(void *)base;
    view->slots = (struct sp_slot *)(void *)(base + offsets->slots_at);
    view->submit = (sp_cell *)(void *)(base + offsets->submit_at);
    view->done = (sp_cell *)(void *)(base + offsets->done_at);
    view->request_returns = (sp_cell *)(void *)(base + offsets->request_returns_at);
    view->result_returns = (sp_cell *)(void *)(base + offsets->result_returns_at);
    view->stamps = (struct sp_stamp *)(void *)(base + offsets->stamps_at);
    view->stack = (char *)(base + offsets->stack_at);
    view->stack_at = offsets->stack_at;
}

uint64_t sp_control_size(const struct sp_control_shape *shape)
{
    struct sp_control scratch = {0};
    return place(&scratch, shape);
}

static void describe(struct sp_control *header, const struct sp_control_shape *shape)
{
    header->magic = SP_LAYOUT_MAGIC;
    header->version = SP_LAYOUT_VERSION;
    header->slots = shape->slots;
    header->executors = shape->executors;
    header->leases = shape->leases;
    header->waiting = shape->waiting;
    header->events_wanted = shape->events ? 1 : 0;
    header->payloads_hidden = shape->payloads_hidden ? 1 : 0;
    header->ticks_per_us = sp_clock_ticks_per_us();
    header->epoch = shape->epoch;
    header->requests_size = shape->requests_size;
    header->results_size = shape->results_size;
}

snakepit_err sp_control_create(struct sp_segment *segment,
                               const struct sp_control_shape *shape,
                               struct sp_control_view *view,
                               snakepit_message *why)
{
    struct sp_control offsets = {0};
    uint64_t size = place(&offsets, shape);
    snakepit_err err =
        sp_segment_create(segment, SP_SEGMENT_NAMES "control", size, true, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    struct sp_control *header = (struct sp_control *)(void *)segment->base;
    describe(header, shape);
    (void)place(header, shape);
    sp_lifeline_init(&header->lifeline);
    view->shape = *shape;
    point(view, segment->base, &offsets);
    return SNAKEPIT_OK;
}

static bool power_of_two(uint32_t number, uint32_t most)
{
    return number != 0 && number <= most && (number & (number - 1)) == 0;
}

static bool shape_is_sound(const struct sp_control_shape *shape)
{
    return power_of_two(shape->slots, SP_SLOTS_MAX) &&
           power_of_two(shape->leases, SP_LEASES_MAX) && shape->executors >= 1 &&
           shape->executors <= SP_EXECUTORS_MAX && shape->waiting <= SP_WAITING_SPREAD;
}

snakepit_err sp_control_open(uint8_t *base, uint64_t size, struct sp_control_view *view)
{
    const struct sp_control *header = (const struct sp_control *)(const void *)base;
    if (size < sizeof *header || header->magic != SP_LAYOUT_MAGIC ||
        header->version != SP_LAYOUT_VERSION) {
        return SNAKEPIT_PROTOCOL;
    }
    view->shape = (struct sp_control_shape){
        .slots = header->slots,
        .executors = header->executors,
        .leases = header->leases,
        .waiting = (enum sp_waiting)header->waiting,
        .events = header->events_wanted != 0,
        .payloads_hidden = header->payloads_hidden != 0,
        .epoch = header->epoch,
        .requests_size = header->requests_size,
        .results_size = header->results_size,
    };
    struct sp_control offsets = {0};
    if (!shape_is_sound(&view->shape) || place(&offsets, &view->shape) > size) {
        return SNAKEPIT_PROTOCOL;
    }
    point(view, base, &offsets);
    return SNAKEPIT_OK;
}
