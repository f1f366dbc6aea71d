// SPDX-License-Identifier: MIT
// Everything the host reads of a worker's shared memory: the input is written over the
// worker's half of a control segment with calls in flight, and then every function that
// reads it is run.
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "port/port.h"

#define SLOTS 8u

static const struct sp_control_shape shape = {
    .slots = SLOTS,
    .executors = 2,
    .leases = 8,
    .epoch = 1,
    .requests_size = 65536,
    .results_size = 65536,
};

static struct sp_port *make_port(void)
{
    struct sp_port *port;
    SP_CHECK(sp_port_new(&shape, &port, NULL) == SNAKEPIT_OK);
    for (uint64_t call = 1; call <= SLOTS / 2; call++) {
        struct sp_slot_request request = {.call = call, .lease = SP_NO_LEASE};
        uint32_t slot;
        SP_CHECK(sp_port_submit(port, &request, call % 2 == 0, port, &slot));
    }
    return port;
}

// All that lies behind the header and the lifeline is within a worker's reach.
static void scribble(struct sp_port *port, const uint8_t *data, size_t size)
{
    size_t from = offsetof(struct sp_control, bell);
    size_t room = port->control.size - from;
    for (size_t at = 0; size > 0 && at < room; at += size) {
        memcpy(
            port->control.base + from + at, data, size < room - at ? size : room - at);
    }
}

// A body must lie in the results whatever the worker claimed; the sum makes the read
// happen.
static uint8_t read_body(const struct sp_port *port,
                         const struct sp_port_answer *answer)
{
    uint8_t sum = 0;
    SP_CHECK(answer->body >= port->results.base);
    SP_CHECK(answer->body + answer->body_size <=
             port->results.base + port->results.size);
    for (uint32_t i = 0; i < answer->body_size; i++) {
        sum = (uint8_t)(sum + answer->body[i]);
    }
    return sum;
}

static void hear(struct sp_port *port, uint32_t slot)
{
    const struct sp_port_reply reply = {.kind = SP_REPLY_RESULT, .lease = SP_NO_LEASE};
    struct sp_port_question question;
    if (sp_port_take_question(port, slot, &question) == SNAKEPIT_OK) {
        const struct sp_port_answer body = {.body = question.body,
                                            .body_size = question.body_size};
        (void)read_body(port, &body);
        sp_port_return_result(port, question.lease);
        SP_CHECK(sp_port_reply(port, slot, question.turn, &reply));
        SP_CHECK(!sp_port_reply(port, slot, question.turn, &reply));
    }
}

static void settle(struct sp_port *port, uint32_t slot)
{
    struct sp_port_answer answer;
    if (port->slots[slot].call == 0) {
        return;
    }
    hear(port, slot);
    if (sp_port_take_answer(port, slot, &answer) == SNAKEPIT_OK) {
        (void)read_body(port, &answer);
        sp_port_return_result(port, answer.lease);
    } else if (!sp_port_take_back(port, slot)) {
        (void)sp_port_give_up(port, slot);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_port *port = make_port();
    uint32_t number;
    bool asks;
    scribble(port, data, size);
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (sp_port_next_done(port, &number, &asks) == SNAKEPIT_OK) {
            SP_CHECK(number < SLOTS);
            settle(port, number);
        }
        if (sp_port_next_return(port, &number) == SNAKEPIT_OK) {
            SP_CHECK(number < shape.leases);
        }
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        settle(port, i);
    }
    sp_port_unref(port);
    return 0;
}
