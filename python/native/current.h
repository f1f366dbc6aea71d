// SPDX-License-Identifier: MIT
// What an executor runs now: for itself, for the canceller, and in its stamp for the
// host.
#ifndef NATIVE_CURRENT_H
#define NATIVE_CURRENT_H

#include "state.h"

// All on the executor's own thread. `now` in sp_clock_ticks().
void sp_current_begin(struct sp_executor *executor,
                      uint32_t id,
                      const struct sp_slot_request *request,
                      uint64_t now);
void sp_current_end(struct sp_executor *executor);

// What is set aside of a call while another one runs on its stack.
struct sp_aside {
    uint64_t call;
    uint64_t since;
    uint32_t slot;
    uint64_t deadline;
    const uint8_t *name;
    uint32_t name_size;
    uint32_t session_size;
    uint32_t trace_size;
    bool shielded;
    bool stopped;
    PyObject *shapes;
};

struct sp_aside sp_current_put_aside(struct sp_executor *executor);
void sp_current_take_up(struct sp_executor *executor, const struct sp_aside *aside);

#endif
