// SPDX-License-Identifier: MIT
// What a host and its worker share, byte for byte. This is the only description of it;
// every offset is pinned below, for both sides are compiled apart.
//
//   control    rw / rw   a header, slots, four rings, stamps, a text. One per worker.
//   requests   rw / ro   tool names, arguments and tensors of calls. One per pool.
//   results    ro / rw   an inline area per slot, then an arena. One per worker.
//
// A *window* is memory of a third party, who shares it with the host: tensors of a
// request may lie there in place of `requests`. The host has the worker map it to read
// (SP_MESSAGE_MAP) before a call names it. What lies there may change at any time.
//
// A line of 64 bytes has one writer, except the state word of a slot. The host believes
// nothing that it reads here: see port/port.h.
//
// A *lease* is a number for memory that one side allocated and the other still uses.
// The side that allocated hands the number out and alone knows what it stands for; the
// other gives it back through a ring. Request leases are numbered by the host, result
// leases by the worker.
#ifndef IPC_LAYOUT_H
#define IPC_LAYOUT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define SP_LAYOUT_MAGIC   UINT64_C(0x736e616b65706974) // "snakepit"
#define SP_LAYOUT_VERSION 13u
#define SP_LINE           ((size_t)64)
#define SP_INLINE_RESULT  2048u // bytes of a slot's inline result area
#define SP_SLOTS_MAX      2048u
#define SP_EXECUTORS_MAX  1024u
#define SP_TOOL_NAME_MAX  255u
#define SP_SESSION_MAX    255u
#define SP_TRACE_CONTEXT  25u  // bytes: 16 of the trace, 8 of the span, one of flags
#define SP_TRACE_MAX      537u // bytes: those, and a tracestate right behind them
// Bytes of `requests` that each call has, from its tool's name on. What is read of each
// call is at their beginning, in as few lines of memory as it takes; its trace context,
// which hardly any worker reads, is at their end.
#define SP_PARCEL_BLOCK  1024u
#define SP_BODY_MAX      (UINT32_C(1) << 30) // bytes of MessagePack in one direction
#define SP_NO_LEASE      UINT32_MAX
#define SP_LEASES_MAX    4096u  // per direction and worker
#define SP_WINDOWS_MAX   64u    // that a worker has at once, numbered from 1
#define SP_TUBE_BYTES    65536u // what a stream may be ahead of its reader
#define SP_CHUNK_INLINE  16384u // a larger chunk lies outside of the tube
#define SP_CHUNKS_LEASED 4u     // and at most so many of those wait in it
#define SP_STAGE_MAX     192u   // bytes of what a start does now, with a zero
#define SP_STACK_MAX     4096u  // bytes of a stack of Python's, with a zero

// Descriptors that a worker finds open.
enum sp_fd {
    SP_FD_CONTROL = 3,  // memfd, read and write
    SP_FD_REQUESTS = 4, // memfd, read only
    SP_FD_RESULTS = 5,  // memfd, read and write
    SP_FD_CHANNEL = 6,  // SOCK_SEQPACKET
    SP_FD_DOORBELL = 7, // eventfd, rung with SP_SLOT_NOTIFY where a queue sleeps
    SP_FD_TEMPLATE = 3, // in a template: its SOCK_SEQPACKET; the rest is /dev/null
};

#define SP_FD_COUNT 8 // descriptors from 0 on that a worker or a template is born with

// A slot's state: one of these, and bits that ask for something when the call ends.
enum sp_slot_state {
    SP_SLOT_FREE = 0,
    SP_SLOT_QUEUED = 1,      // host: the call is written and its id is in the ring
    SP_SLOT_RUNNING = 2,     // worker: an executor has taken it
    SP_SLOT_DONE = 3,        // worker: the answer is written
    SP_SLOT_TAKEN_BACK = 4,  // host: no longer wanted; the worker passes it on as DONE
    SP_SLOT_ASKING = 5,      // worker: the tool asks its host; it may take that back
    SP_SLOT_ANSWERING = 6,   // host: it has the question and will reply; then RUNNING
    SP_SLOT_STATE = 0xff,    // mask of the above
    SP_SLOT_WAITER = 0x100,  // host: a thread sleeps on the word; wake it
    SP_SLOT_NOTIFY = 0x200,  // host: put the id into the completion ring, and ring
    SP_SLOT_TOLD = 0x400,    // worker: the id is in that ring already, while it runs
    SP_SLOT_SLEEPER = 0x800, // worker: the executor sleeps on the word; wake it
    SP_SLOT_READER = 0x1000, // host, with NOTIFY: put the id there for a chunk, too
};

// Where callers and executors sit, and so how they wait for each other.
enum sp_waiting {
    SP_WAITING_AUTO = 0,   // spin while that has paid off lately
    SP_WAITING_PAIRED = 1, // hand over on one core: never spin
    SP_WAITING_SPREAD = 2, // workers are pinned, one core a thread; waits as auto
};

enum sp_slot_kind {
    SP_CALL_TOOL = 0,
    SP_CALL_PROBE = 1,  // answered by the runtime: proves that a call goes through
    SP_CALL_STREAM = 2, // as TOOL, and what it yields goes through a tube
};

// What the host says to a slot that is ASKING or ANSWERING.
enum sp_reply_kind {
    SP_REPLY_RESULT = 0, // the body is what the host's tool returned
    SP_REPLY_FAULT = 1,  // the body is a map, see payload/wire.h; none: no memory
    SP_REPLY_LEFT = 2,   // nobody waits for the call any more
    SP_REPLY_SERVE = 3,  // run the slot that `body` numbers, then go on waiting
};

// Above the bits: which turn of the slot this is, so that a waiter that was about to
// sleep on an earlier call does not sleep on this one. The worker counts it up whenever
// it asks or goes on asking; the host replies to one turn and no other.
#define SP_SLOT_TURN_SHIFT 13

enum sp_slot_status {
    SP_STATUS_OK = 0,       // the body is the result
    SP_STATUS_FAULT = 1,    // the body is a fault map, see python/native/fault.h
    SP_STATUS_SKIPPED = 2,  // taken back before it ran
    SP_STATUS_QUESTION = 3, // of a slot that is ASKING: the body is [name, arguments]
    SP_STATUS_STOPPED = 4,  // as FAULT: the Cancelled that was raised in it ended it
};

// What a worker says of a fault that may kill it.
enum sp_fault {
    SP_FAULT_NONE = 0,
    SP_FAULT_OTHER = 1,       // of memory, somewhere
    SP_FAULT_ARGUMENT = 2,    // a write to the requests, which it may only read
    SP_FAULT_DESCRIPTORS = 3, // channel or doorbell were closed, so it ends itself
    SP_FAULT_CHANNEL = 4,     // so it does where its channel was shut down from inside
    SP_FAULT_TOLD = 5,        // nothing is wrong: SIGTERM told it to end
};

// What the host writes before the state becomes QUEUED. Constant until it is DONE, but
// for the last two; and while the slot is ANSWERING the reply's body, lease and kind
// take the request's.
struct sp_slot_request {
    uint64_t call;         // number of the call, never reused in a pit
    uint64_t name;         // offset of the tool's name in `requests`; session follows
    uint16_t name_size;    // bytes, at most SP_TOOL_NAME_MAX
    uint8_t priority;      // of the call; for a daemon, see ipc/local.h
    uint8_t idempotent;    // 1: the caller says so; likewise
    uint16_t session_size; // bytes behind the name, at most SP_SESSION_MAX
    uint16_t trace_size;   // bytes at the end of its SP_PARCEL_BLOCK bytes: 0, or a
                           // trace context; at most SP_TRACE_MAX
    uint64_t body;      // offset of the arguments (one MessagePack map) in `requests`
    uint32_t body_size; // bytes; 0: no arguments
    uint32_t lease;     // names the tensors of this call, or SP_NO_LEASE; see above
    uint64_t deadline;  // CLOCK_MONOTONIC ns, or UINT64_MAX
    uint8_t kind;       // enum sp_slot_kind
    uint8_t queue;      // number of the queue that it reports to
    uint16_t reply;     // enum sp_reply_kind
    uint32_t cancel;    // atomic by access: set to 1 to ask the tool to stop
    uint64_t tube_head; // atomic by access: bytes that were read from the tube
};

// What the worker writes before the state becomes DONE.
struct sp_slot_result {
    _Atomic uint32_t state; // the futex word; see enum sp_slot_state
    uint32_t status;        // enum sp_slot_status
    uint64_t call;          // repeats the request's
    uint64_t body; // offset in `results`: in the slot's inline area or in the arena
    uint32_t body_size; // bytes
    uint32_t lease;     // names all that the answer keeps in the arena, or SP_NO_LEASE
    uint16_t held; // 1: Python still holds tensors of the request; a return will follow
    uint16_t executor;  // index of the thread that ran it
    uint32_t ran_until; // when the tool ended, in units of SP_UNTIL_TICKS, modulo 2^32
    uint64_t ran_ticks; // how long the tool ran, in sp_clock_ticks(); a hint
    uint64_t tube;      // stream, atomic by access: offset in `results`; see sp_chunk
    _Atomic uint64_t tube_tail; // stream: bytes that were written to the tube
};

// One piece of a stream. A tube is a ring of bytes in which chunks lie one behind the
// other, each aligned to the size of this head; none goes over the end: what is left
// there is skipped. Its lease is never returned through a ring: it ends when the head
// is behind the chunk, and with the lease of the answer at the latest.
struct sp_chunk {
    uint64_t body;      // offset in `results`; SP_CHUNK_HERE: it follows; SP_CHUNK_SKIP
    uint32_t body_size; // bytes
    uint32_t lease;     // names what the chunk keeps in the arena, or SP_NO_LEASE
};
#define SP_CHUNK_HERE UINT64_MAX
#define SP_CHUNK_SKIP (UINT64_MAX - 1) // no chunk: go on at the start of the tube

#define SP_UNTIL_TICKS 64u // of sp_clock_ticks()

struct sp_slot {
    _Alignas(SP_LINE) struct sp_slot_request request; // host writes
    _Alignas(SP_LINE) struct sp_slot_result result; // worker writes, but for the state
};

// A cell holds the position it was written for in its upper half and the value in its
// lower one, so one load tells whether it is fresh.
typedef _Atomic uint64_t sp_cell;

// A futex on which executors sleep, and how many of them no wake has been sent to yet.
// The two change together: `word` (the half that is the futex) counts wakes sent. Where
// several executors take from one ring, at most one of them is wanted to look for the
// next number: while one does, nobody is woken.
struct sp_bell {
    _Alignas(SP_LINE) union {
        _Atomic uint64_t both; // sleepers << 32 | word
        struct {
            _Atomic uint32_t word;
            _Atomic uint32_t sleepers;
        };
    };
    _Atomic uint32_t searching; // executors that spin for a number
    _Atomic uint32_t asleep; // executor n has set bit n % 32 while it sleeps, or nearly
};

// Where this worker's Python keeps what its stacks are made of, for a host that reads
// them in the worker's memory; see inspect/frames.h. Offsets and sizes are in bytes, of
// the structs that the extension was compiled for; addresses are the worker's own.
// Worker writes once, when it joins; `known` last.
struct sp_python_map {
    _Atomic uint32_t known;  // enum sp_python_known
    uint32_t state_next;     // of PyThreadState: the next and the one before,
    uint32_t state_previous; // its interpreter,
    uint32_t state_interpreter;
    uint32_t state_thread;    // the number of its thread (unsigned long),
    uint32_t state_frame;     // and its innermost frame, or what points to that
    uint32_t holder_frame;    // where in there; SP_PYTHON_NOWHERE: that is the frame
    uint32_t frame_code;      // of a frame: its code object,
    uint32_t frame_outer;     // the frame around it,
    uint32_t frame_at;        // the address of its instruction,
    uint32_t frame_owner;     // and who owns it: one byte,
    uint32_t owner_c;         // this for one that is no Python; or SP_PYTHON_NOWHERE
    uint32_t owner_coroutine; // this for one of a generator or coroutine
    uint32_t object_type;
    uint32_t code_file; // of a code object: two texts,
    uint32_t code_name;
    uint32_t code_lines;      // bytes: its table of lines (PEP 657),
    uint32_t code_first_line; // an int,
    uint32_t code_begins;     // an int: instructions before this one only prepare,
    uint32_t code_units;      // and its instructions,
    uint32_t unit;            // of this size each
    uint32_t bytes_size;
    uint32_t bytes_data;
    uint32_t text_size;  // of a text: characters,
    uint32_t text_state; // four bytes with these bits,
    uint32_t text_kind;  // the size of a character, as often as its lowest bit,
    uint32_t text_compact;
    uint32_t text_ascii;
    uint32_t text_ascii_data; // and the characters: of one with that bit,
    uint32_t text_data;       // and of the others
    uint64_t code_type;       // addresses of types
    uint64_t bytes_type;
    uint64_t text_type;
    uint64_t main_state; // of the thread that has joined
};

#define SP_PYTHON_NOWHERE UINT32_MAX

enum sp_python_known {
    SP_PYTHON_UNTOLD = 0,  // the worker has not joined yet
    SP_PYTHON_TOLD = 1,    // the map is there
    SP_PYTHON_UNKNOWN = 2, // the extension does not know this version's frames
};

struct sp_control {
    // Written by the host before the worker starts; constant.
    uint64_t magic;
    uint32_t version;
    uint32_t slots;     // and cells of the submit and completion rings: a power of two
    uint32_t executors; // threads that run calls
    uint32_t leases;    // cells of each ring of returned leases: a power of two
    uint32_t events_wanted; // 1: the host wants to know of events
    uint32_t waiting;       // enum sp_waiting
    uint64_t epoch;
    uint64_t requests_size;      // bytes of the segment
    uint64_t results_size;       // bytes of the segment
    uint64_t slots_at;           // offsets in this segment
    uint64_t submit_at;          // sp_cell[slots]: slot ids, host to worker
    uint64_t done_at;            // sp_cell[slots]: slot ids, worker to host
    uint64_t request_returns_at; // sp_cell[leases]: leases of requests, worker to host
    uint64_t result_returns_at;  // sp_cell[leases]: leases of results, host to worker
    uint64_t stamps_at;          // struct sp_stamp[executors]
    uint32_t payloads_hidden;    // 1: core dumps leave requests and results out
    uint64_t ticks_per_us;       // as the host has measured; 0: it has not
    uint64_t stack_at; // char[SP_STACK_MAX]: the stack of a crash. The last part: what
                       // does not fit would make the segment grow, which is refused

    // The lifeline: a robust, process-shared mutex that the worker's service thread
    // holds from handshake to exit.
    _Alignas(SP_LINE) pthread_mutex_t lifeline;

    _Alignas(SP_LINE) struct sp_bell bell;          // both: executors sleep here
    _Alignas(SP_LINE) _Atomic uint64_t submit_head; // worker: next submit cell to take
    // Worker: the next completion cell to fill, and the next of returned requests.
    _Alignas(SP_LINE) _Atomic uint64_t done_tail;
    _Atomic uint64_t return_tail;
    // Host: bit n: queue n (modulo 64) sleeps, ring the doorbell for it.
    _Alignas(SP_LINE) _Atomic uint64_t asleep;
    _Atomic uint32_t stop; // worker: its executors take no more
    // Host: where the last submit came from.
    _Alignas(SP_LINE) _Atomic uint32_t host_cpu;
    // Worker: where the last answer came from, and enum sp_fault.
    _Alignas(SP_LINE) _Atomic uint32_t worker_cpu;
    _Atomic uint32_t fault;

    // Events of the worker, see ipc/events.h. Host: counts up before it stops looking
    // for events by itself.
    _Alignas(SP_LINE) _Atomic uint32_t events_turn;
    // Worker: events that found no room; and of a slot only what belongs to a tube.
    _Alignas(SP_LINE) _Atomic uint64_t events_dropped;
    struct sp_slot events;

    // Worker: what its start does now, and whose stack was left at `stack_at`: that of
    // the thread which got this deadly signal, or SP_STACK_OF_START; 0: nobody's.
    _Alignas(SP_LINE) char stage[SP_STAGE_MAX];
    _Atomic uint32_t stack_of;

    _Alignas(SP_LINE) struct sp_python_map python; // worker
};

#define SP_STACK_OF_START UINT32_MAX // of the main thread, when its host asked

// What an executor does now, for diagnosis and for the cancel ladder. Worker writes.
struct sp_stamp {
    _Alignas(SP_LINE) _Atomic uint64_t call; // 0: idle
    _Atomic uint64_t since;                  // sp_clock_ticks() at its start
    // Of its thread, while it takes calls: the address of its PyThreadState in the
    // worker's memory, and its number. 0: there is none.
    _Atomic uint64_t state;
    _Atomic uint32_t thread;
};

_Static_assert(sizeof(struct sp_slot_request) <= SP_LINE, "a slot is two lines");
_Static_assert(sizeof(struct sp_slot_result) <= SP_LINE, "a slot is two lines");
_Static_assert(sizeof(struct sp_slot) == 2 * SP_LINE, "a slot is two lines");
_Static_assert(offsetof(struct sp_slot, result) == SP_LINE, "one writer a line");
_Static_assert(offsetof(struct sp_slot_request, body) == 24, "frozen");
_Static_assert(offsetof(struct sp_slot_request, trace_size) == 22, "frozen");
_Static_assert(offsetof(struct sp_slot_request, kind) == 48, "frozen");
_Static_assert(offsetof(struct sp_slot_request, tube_head) == 56, "frozen");
_Static_assert(offsetof(struct sp_slot_result, body) == 16, "frozen");
_Static_assert(offsetof(struct sp_slot_result, ran_until) == 36, "frozen");
_Static_assert(offsetof(struct sp_slot_result, ran_ticks) == 40, "frozen");
_Static_assert(offsetof(struct sp_slot_result, tube_tail) == 56, "frozen");
_Static_assert(sizeof(struct sp_chunk) == 16 && SP_TUBE_BYTES % 16 == 0, "aligned");
_Static_assert(offsetof(struct sp_control, lifeline) == 2 * SP_LINE, "frozen");
_Static_assert(offsetof(struct sp_control, bell) == 3 * SP_LINE, "frozen");
_Static_assert(offsetof(struct sp_control, submit_head) == 4 * SP_LINE, "frozen");
_Static_assert(offsetof(struct sp_control, worker_cpu) == 8 * SP_LINE, "frozen");
_Static_assert(offsetof(struct sp_control, events_turn) == 9 * SP_LINE, "frozen");
_Static_assert(offsetof(struct sp_control, events) == 11 * SP_LINE, "frozen");
_Static_assert(offsetof(struct sp_control, stage) == 13 * SP_LINE, "frozen");
_Static_assert(offsetof(struct sp_control, stack_of) == 16 * SP_LINE, "frozen");
_Static_assert(offsetof(struct sp_control, python) == 17 * SP_LINE, "frozen");
_Static_assert(offsetof(struct sp_python_map, code_type) == 120, "frozen");
_Static_assert(sizeof(struct sp_python_map) == 152, "frozen");
_Static_assert(offsetof(struct sp_stamp, state) == 16, "frozen");
_Static_assert(sizeof(struct sp_stamp) == SP_LINE, "one writer a line");
_Static_assert(sizeof(sp_cell) == 8, "lock-free");

#endif
