// SPDX-License-Identifier: MIT
// All that a worker process knows natively. There is one of it, made by attach() and
// never freed: it goes with the process.
#ifndef NATIVE_STATE_H
#define NATIVE_STATE_H

#include "runtime.h"

#include <pthread.h>

#include "codec.h"
#include "ipc/arena.h"
#include "ipc/channel.h"
#include "ipc/control.h"
#include "ipc/events.h"
#include "ipc/segment.h"
#include "ipc/wait.h"
#include "tools.h"
#include "windows.h"

// All blocks that one answer keeps. Guarded by sp_runtime.leases_lock.
struct sp_result_lease {
    struct sp_block **blocks; // NULL: the lease is free
    struct sp_block *only;    // they lie here if there is one
    uint32_t count;
    uint32_t joined; // number + 1 of the lease that ends with this one; 0: none
};

// Whether the host has given up the call in a slot: what it comes to is not read.
static inline bool sp_slot_is_given_up(const struct sp_slot *slot)
{
    return __atomic_load_n(&slot->request.cancel, __ATOMIC_ACQUIRE) != 0;
}

// What an executor runs now. Written by the executor alone, but for `mark`.
struct sp_current {
    // The call's number, 0 for none or a shielded one, with a bit while the canceller
    // is at it: SP_CANCEL_ARMING while it sets the exception, SP_CANCEL_ARMED once it
    // has. See cancel.c.
    _Atomic uint64_t mark;
    uint64_t call;
    bool stopped; // Cancelled was set in its thread, and may have been raised
    uint32_t slot;
    uint64_t deadline;
    const uint8_t *name; // in the requests segment; session's id and trace follow
    uint32_t name_size;
    uint32_t session_size;
    uint32_t trace_size; // 0: it belongs to no trace
};

// One of many calls that are run as one.
struct sp_batch_item {
    struct sp_slot_request request;
    uint32_t slot;
    struct sp_lease *lease; // NULL: it has no tensors
    PyObject *error;        // why its arguments cannot be read; NULL: they were
    snakepit_err err;       // the same
    Py_ssize_t place;       // of its arguments and its result among those of the others
};

// Calls of one tool that are run as one; see batch.c. Owner: the executor; but whoever
// has the lock may read how many items there are, and their slots and requests.
struct sp_batch {
    pthread_mutex_t lock;
    uint32_t count; // of items; 0: no batch runs. Written with the lock
    struct sp_batch_item *items;
    uint32_t *taken; // slots that were taken from the ring, and not begun yet
    uint32_t taken_count;
    uint32_t room; // of both
};

#define SP_CANCEL_ARMING (UINT64_C(1) << 63)
#define SP_CANCEL_ARMED  (UINT64_C(1) << 62)

// Owner: the Python thread that is in sp_executor_run() with it.
struct sp_executor {
    struct sp_runtime *runtime;
    uint32_t index;
    bool running;
    unsigned long thread; // PyThread_get_thread_ident()
    PyThreadState *state; // of that thread
    uint64_t served;
    uint64_t last_name;         // where the last call's lay in the requests
    const struct sp_tool *tool; // of the last call, or NULL
    struct sp_fit *fits;        // one for each place of the tools, or NULL
    uint64_t attached;          // ticks when it last came back to the interpreter
    struct sp_patience patience;
    struct sp_patience pausing; // what waits for the host's replies have taught
    bool encodes;               // a question: user code may run
    bool pauses;                // in the middle of a wait: a signal's handler may run
    struct sp_signals *signals; // what wakes it from a wait for the host
    struct sp_signals own_signals; // the same where another thread runs the handlers
    uint32_t signals_heard;        // see sp_leaving_run_handlers()
    struct sp_decoder decoder;
    struct sp_encoder encoder;
    struct sp_current current;
    struct sp_batch batch;
    PyObject *context;      // context.c: calls run in copies of it
    PyObject *next_context; // one of these, made ahead, or NULL
    Py_ssize_t modules;     // that were loaded when it last looked whether somebody
    bool traced;            // wants to know the trace of calls, and what it found
    PyObject *shapes; // of the arguments of a call that raised, until it is answered
    struct sp_patience stream_patience; // of waits for a stream's reader
    uint32_t stream_lease; // what the answer must keep for a stream, or SP_NO_LEASE
};

// Requests to leave; see leaving.c.
struct sp_leaving {
    _Atomic bool begun;        // executors take no more calls
    _Atomic uint32_t requests; // the message, and each signal
    _Atomic uint32_t untold;   // signals that the host could not be told of yet
};

// Constant after attach(), but for what a comment gives an owner.
struct sp_runtime {
    struct sp_segment control;
    struct sp_segment requests;
    struct sp_segment results;
    struct sp_control_view view;
    struct sp_intake intake;
    int channel;
    int doorbell;
    int stack; // the control segment once more, for the stack of a crash; or -1
    struct sp_codec *codec;
    struct sp_executor *executors; // view.shape.executors of them

    struct sp_windows windows; // the service thread maps, any thread looks

    struct sp_arena arena; // any thread
    pthread_mutex_t leases_lock;
    struct sp_result_lease *leases; // view.shape.leases of them; guarded by leases_lock
    uint32_t next_lease;            // guarded by leases_lock
    _Atomic uint64_t returns_head;  // written under leases_lock

    struct sp_tools tools;   // constant once ready() was called
    PyObject *fallback;      // as tools
    PyObject *formatter;     // as tools
    PyObject *on_cancel;     // as tools
    PyObject *refusal;       // as tools
    PyObject *hinter;        // as tools
    PyObject *explainer;     // as tools; looks at a TypeError of a tool
    PyObject *finisher;      // as tools; runs what can be awaited
    PyObject *stream_opener; // as tools; makes an iterator of an asynchronous one
    PyObject *chunk_type;    // as tools; StreamChunk
    PyObject *context;       // as tools; what the start has left in context variables
    PyObject *renewal;       // as tools; called at the beginning of each call's context
    PyObject *tracer;        // as tools; the same for each call that belongs to a trace
    PyObject *tracing;       // as tools; the name of the module that wants this
    PyObject *loaded;        // with it; all modules, the interpreter's

    pthread_mutex_t events_lock;
    struct sp_events_writer events; // guarded by events_lock
    bool events_open;               // guarded by events_lock

    struct sp_leaving leaving; // any thread
    struct sp_signals signals; // any thread
    pthread_t service;
    pid_t service_tid;              // its number
    pid_t host;                     // service.c
    struct sp_canceller *canceller; // cancel.c; owner: the service thread
};

// ---- runtime.c ----------------------------------------------------------------

// The one of this process, which may not be attached yet.
struct sp_runtime *sp_runtime_here(void);
// Maps the inherited descriptors. On failure a Python exception is set. Main thread,
// once.
struct sp_runtime *sp_runtime_attach(struct sp_codec *codec);
// ---- leases.c -----------------------------------------------------------------

// Moves the encoder's blocks into a lease. NO_MEMORY: the host holds all leases there
// are.
snakepit_err sp_runtime_lend(struct sp_runtime *runtime,
                             struct sp_encoder *encoder,
                             uint32_t *lease);
// Ends a lease that the host does not know or has no more use for.
void sp_runtime_end_lease(struct sp_runtime *runtime, uint32_t lease);
// Has `other`, and what was joined to it, end with `lease`, to which nothing is joined.
void sp_runtime_join_leases(struct sp_runtime *runtime, uint32_t lease, uint32_t other);
// Takes back the leases that the host has returned.
void sp_runtime_collect(struct sp_runtime *runtime);
// Gives memory back that no answer has needed since the last time. Any thread, attached
// to the interpreter or not.
void sp_runtime_tidy(struct sp_runtime *runtime);

// ---- executor.c ---------------------------------------------------------------

// Runs calls until the worker is asked to leave. 0, or -1 with the exception of a
// signal handler, or the one that has ended a call without an answer.
int sp_executor_run(struct sp_executor *executor);
// The calling thread's executor, or NULL.
struct sp_executor *sp_executor_here(void);
// Runs the call of a slot in the middle of the one that the executor runs. 0, or -1
// with the exception that interrupts both.
int sp_executor_serve_within(struct sp_executor *executor, uint32_t id);

// ---- service.c ----------------------------------------------------------------

// Starts the thread that holds the lifeline and answers the channel, and waits until it
// has said hello. SYSTEM: `why` says which call failed, and the remedy.
snakepit_err sp_service_start(struct sp_runtime *runtime, snakepit_message *why);
// Ends the process, and tells the host why, if its channel or doorbell were closed.
void sp_service_check_descriptors(struct sp_runtime *runtime);
// The same where it is known.
_Noreturn void sp_service_lost_descriptors(struct sp_runtime *runtime);
// Ends the process, whose channel has ended. Tells the host, if that lives: user code
// has shut the channel down.
_Noreturn void sp_service_lost_channel(struct sp_runtime *runtime);

#endif
