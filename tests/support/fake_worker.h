// SPDX-License-Identifier: MIT
// A worker that lives in the test: it speaks the worker's side of the protocol on the
// host's own mapping of a port, so that TSan sees both sides. Either the test takes
// each step itself, or threads run a script that the tool's name chooses:
//
//   echo         answers with its arguments       never        does not answer
//   hold         as echo, once it was released    skip         says that it was taken
//   back keep         as echo, and keeps the tensors   fault        answers with a
//   fault large        answers with LARGE bytes         bad_fault    a fault that is no
//   map unknown      answers that there is no such tool
//   twice        puts its id twice into the ring wrong_call bad_status bad_held
//   bad_lease bad_body bad_size huge_body: one bad field
#ifndef SUPPORT_FAKE_WORKER_H
#define SUPPORT_FAKE_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "port/port.h"

#define FAKE_LARGE 5000u

struct fake_worker;

enum fake_taken { FAKE_NOTHING, FAKE_STARTED, FAKE_WAS_TAKEN_BACK };

// What an executor has taken.
struct fake_call {
    uint32_t slot;
    struct sp_slot_request request;
    char tool[64];
};

// Borrows port and requests for life. NULL: no memory.
struct fake_worker *fake_worker_new(struct sp_port *port,
                                    const struct sp_segment *requests);
// Stops the threads.
void fake_worker_free(struct fake_worker *worker);

// ---- By hand ------------------------------------------------------------------

// Takes the next slot, and starts it or passes it on.
enum fake_taken fake_take(struct fake_worker *worker, struct fake_call *call);
// As fake_take(), past those that were taken back. False: nothing is there.
bool fake_take_started(struct fake_worker *worker, struct fake_call *call);
// The right answer of an echo, as a result that can be spoilt before it is published.
struct sp_slot_result fake_echo(struct fake_worker *worker,
                                const struct fake_call *call);
// Writes a result into the slot, makes it DONE and notifies the host as asked.
void fake_publish(struct fake_worker *worker,
                  uint32_t slot,
                  const struct sp_slot_result *result);
// Asks the host, with any bytes.
void fake_ask(struct fake_worker *worker,
              const struct fake_call *call,
              const char *body);
// Moves a slot to ASKING or ANSWERING, in a new turn.
void fake_ask_on(struct fake_worker *worker, uint32_t slot, enum sp_slot_state state);
// Starts the call of a slot that is in no ring. False: it was taken back.
bool fake_begin(struct fake_worker *worker, uint32_t slot, struct fake_call *call);
// Does with a call that was taken what its tool's name says; `hold` answers at once.
void fake_serve(struct fake_worker *worker, const struct fake_call *call);
// Gives a lease of a request back.
void fake_return_lease(struct fake_worker *worker, uint32_t lease);
// Puts any number into the completion ring.
void fake_put_done(struct fake_worker *worker, uint32_t number);

// ---- By itself ----------------------------------------------------------------

// Starts as many threads as the port has executors.
void fake_start(struct fake_worker *worker);
// Asks them to leave, and waits; calls that are held end.
void fake_stop(struct fake_worker *worker);
// Lets `count` of the calls that are held answer.
void fake_release(struct fake_worker *worker, uint32_t count);
// Calls that were started.
uint32_t fake_started(struct fake_worker *worker);
// Most calls that were running at once.
uint32_t fake_most_at_once(struct fake_worker *worker);

#endif
