// SPDX-License-Identifier: MIT
// Snakepit: call Python from C through pools of Python workers.
//
// Open a configuration, wait until its pools are ready, call tools, close. Every
// function may be called from any thread, on the same pit at once, unless its comment
// says otherwise. pthread_cancel() takes effect only when the thread has left the
// library.
//
// A pit belongs to the process that opened it: in a forked child every function that
// takes it returns FORKED, or does nothing if it returns no error. Answers that were
// held at the fork stay readable there unless they have tensors; streams have failed.
// The child frees and closes them, and may open a pit of its own.
//
// Words of ownership: *borrows* means until the function returns, *keeps* until the pit
// is closed, *takes* that it is the library's from then on, on success only, *gives*
// that the caller frees.
//
// A pointer may be NULL only where its comment says what that means. Any other NULL
// does no harm: the function returns INVALID_ARGUMENT or, if it returns no error, does
// nothing and returns 0, NULL or false. Where the place for an answer or a stream is
// NULL, none is given.
//
// Functions of the program that the library calls may neither throw nor longjmp().
#ifndef SNAKEPIT_SNAKEPIT_H
#define SNAKEPIT_SNAKEPIT_H

#include "calls.h"
#include "connect.h"
#include "deaths.h"
#include "errors.h"
#include "executors.h"
#include "fault.h"
#include "host_tools.h"
#include "notice.h"
#include "payload.h"
#include "reload.h"
#include "session.h"
#include "spans.h"
#include "stacks.h"
#include "version.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct snakepit_answer snakepit_answer;
typedef struct snakepit_stream snakepit_stream;
typedef struct snakepit_queue snakepit_queue;

// ---- Errors -------------------------------------------------------------------

// "SATURATED", "the pool's line is full", true. For a number that is not an
// error: "UNKNOWN", an empty text, false.
SNAKEPIT_API const char *snakepit_err_name(snakepit_err err);
SNAKEPIT_API const char *snakepit_err_text(snakepit_err err);
SNAKEPIT_API bool snakepit_err_retryable(snakepit_err err);
// The version of the library in use, "0.6.0"; that of the headers is SNAKEPIT_VERSION.
SNAKEPIT_API const char *snakepit_version(void);

// ---- Options ------------------------------------------------------------------
//
// A struct of options begins with its `size`, so that a program and a library of
// different versions understand each other. Zero-initialise it, set `size` to sizeof,
// then what is wanted. Later versions add members at the end, whose zero means that
// nothing changes: an older program gets that, and a newer program is refused with
// INVALID_ARGUMENT only if a member that this library does not know is not zero. A
// `size` that was not set is INVALID_ARGUMENT too.

// ---- Open and close -----------------------------------------------------------

// Receives one line of log, without its end-of-line: `event` is a stable id
// ("worker.exit"), `line` the whole line ("worker.exit pool=text worker=7 signal=9").
// Runs on a thread of the library, one line at a time; it must not call the library.
// Nothing waits for it but snakepit_close(): where it is slow, lines are dropped, and
// "log.dropped" says how many.
typedef void snakepit_log_fn(void *user,
                             snakepit_log_level level,
                             const char *event,
                             const char *line) SNAKEPIT_NOEXCEPT;

// Why a session has ended.
typedef enum snakepit_session_end {
    SNAKEPIT_SESSION_CLOSED = 0, // by snakepit_session_close()
    SNAKEPIT_SESSION_EXPIRED,    // not used for session_ttl_ms
    SNAKEPIT_SESSION_EVICTED, // others needed its room: max_sessions or session_memory
    SNAKEPIT_SESSION_PIT_CLOSED
} snakepit_session_end;

// Called once for each session that has ended, when its values and its ties to workers
// are gone. Runs on the thread whose call ended it; for a session that expired, usually
// on a thread of the library that also does other work. So it must not block, and may
// call nothing of the library but the session functions and snakepit_submit(). While
// the pit closes these say SHUTTING_DOWN. `session_id` is borrowed.
typedef void snakepit_session_ended_fn(void *user,
                                       const char *session_id,
                                       snakepit_session_end reason) SNAKEPIT_NOEXCEPT;

// Something that an adapter reports by telemetry.emit(). What it holds is what the
// worker claims. Texts and what the readers lead to are borrowed.
typedef struct snakepit_event {
    size_t size;                // of the struct as the library knows it
    const char *name;           // "inference.stop"
    const char *pool;           // of the worker
    const char *session_id;     // of the call that it belongs to; "" for none
    const char *correlation_id; // groups events that belong together; "" for none
    snakepit_call_id call;      // the call's; 0: it belongs to none
    uint64_t worker;            // its id
    uint64_t time_ns;           // when, in nanoseconds since 1970
    uint64_t dropped; // events of this worker that were lost before this one, because
                      // they came faster than they were read
    snakepit_reader measurements; // a map of names to numbers comes next
    snakepit_reader metadata;     // a map comes next
} snakepit_event;

// Called for each event. Runs on the thread of the library that watches the workers: it
// must call nothing of the library but the reader, and must not block.
typedef void snakepit_event_fn(void *user,
                               const snakepit_event *event) SNAKEPIT_NOEXCEPT;

typedef struct snakepit_open_options {
    size_t size;          // see Options
    snakepit_log_fn *log; // NULL: lines go to stderr
    void *log_user;
    snakepit_log_level log_level; // only with `log`; else SNAKEPIT_LOG, or WARNING
    snakepit_session_ended_fn *session_ended; // NULL: nobody is told
    void *session_user;
    snakepit_event_fn *event; // NULL: events are lines of the log, "worker.event", at
                              // SNAKEPIT_LOG_INFO
    void *event_user;
    snakepit_notice_fn *notice; // what happens to pools and workers, see notice.h;
                                // NULL: the log alone tells
    void *notice_user;
    snakepit_log_level notice_level; // what is below it is not told
    snakepit_spans_fn *spans;        // NULL: nothing is traced
    void *spans_user;
} snakepit_open_options;

// Reads the configuration, checks all of it, and begins to start the pools; does not
// wait for them. `options` may be NULL; `why`, where not NULL, explains a failure in
// one sentence, and `*pit` stays as it is. INVALID_CONFIG: `why` names file, line and
// key. UNSUPPORTED: this machine cannot do what the key that `why` names asks for.
// INVALID_ARGUMENT, SYSTEM, NO_MEMORY. Close with snakepit_close().
SNAKEPIT_API snakepit_err snakepit_open_file(const char *path,
                                             const snakepit_open_options *options,
                                             snakepit **pit,
                                             snakepit_message *why);
// The same from YAML text in memory, borrowed. Relative adapter paths count from the
// current directory.
SNAKEPIT_API snakepit_err snakepit_open_memory(const char *yaml,
                                               size_t bytes,
                                               const snakepit_open_options *options,
                                               snakepit **pit,
                                               snakepit_message *why);

// Waits until every worker of `pool` (NULL: of all pools), or the `min` of a
// `pool_size` that is a range, has answered a call. POOL_FAILED as soon as one of them
// cannot start, with the cause in `why`. DEADLINE_EXCEEDED after `timeout_ms`, with the
// reason of the last start that failed. UNKNOWN_POOL. SHUTTING_DOWN. INVALID_ARGUMENT:
// there is no pit.
SNAKEPIT_API snakepit_err snakepit_await_ready(snakepit *pit,
                                               const char *pool,
                                               uint32_t timeout_ms,
                                               snakepit_message *why);
// The same, but only until at least one worker of `pool` (NULL: of each pool) takes
// calls.
SNAKEPIT_API snakepit_err snakepit_await_serving(snakepit *pit,
                                                 const char *pool,
                                                 uint32_t timeout_ms,
                                                 snakepit_message *why);
// Tries again, now, to start what is missing in `pool` (NULL: in all pools). A pool
// that has failed starts over, as the user that the program runs as now; one whose
// starts fail does not wait for its pause to end. Calls wait in line again until the
// outcome is known. Does not wait for it: see snakepit_await_ready(). UNKNOWN_POOL.
// INVALID_ARGUMENT: there is no pit.
SNAKEPIT_API snakepit_err snakepit_pool_retry(snakepit *pit,
                                              const char *pool,
                                              snakepit_message *why);
// Has each worker of `pool` (NULL: of all pools) replaced, `recycle_at_once` at a time:
// a successor starts and answers a call, then the worker that it replaces takes no more
// of them, ends those that it runs, and leaves. A worker that is still starting stays.
// Calls notice nothing of it. Does not wait: snakepit_pool_stats counts them.
// UNKNOWN_POOL. INVALID_ARGUMENT: there is no pit.
SNAKEPIT_API snakepit_err snakepit_pool_recycle(snakepit *pit,
                                                const char *pool,
                                                snakepit_message *why);
// The same for one worker of `pool` (NULL: the default pool), by its `id` in
// snakepit_worker_info. NOT_FOUND: it is gone, or there was none.
SNAKEPIT_API snakepit_err snakepit_worker_recycle(snakepit *pit,
                                                  const char *pool,
                                                  uint64_t worker,
                                                  snakepit_message *why);

// Sets how many workers a pool has whose `pool_size` is a range. The number must lie in
// the range, and goes on to follow the work. Workers that are no longer needed finish
// what they run. Does not wait. `pool` NULL: the default pool. INVALID_ARGUMENT: the
// number is out of the range. UNKNOWN_POOL.
SNAKEPIT_API snakepit_err snakepit_pool_resize(snakepit *pit,
                                               const char *pool,
                                               uint32_t workers,
                                               snakepit_message *why);

// Waits until every line that was logged before has been handed on, to stderr or to the
// program's log function, for at most `timeout_ms`. Not from that function.
// DEADLINE_EXCEEDED: the reader has not taken them in time. INVALID_ARGUMENT: there is
// no pit.
SNAKEPIT_API snakepit_err snakepit_flush_log(snakepit *pit, uint32_t timeout_ms);

// Ends everything: new calls are refused at once, running calls get `grace_ms` to
// finish, then whatever is unanswered is answered with SHUTTING_DOWN. Tools that still
// run, also those of calls that were given up before, are cancelled: they clean up, or
// their worker is killed after cancel_grace_ms. Then the workers are stopped.
// Returns when every worker has exited and every callback has run. No other thread may
// be inside the library with this pit when this returns; answers that are still held
// stay valid. NULL is fine. Not from a callback. In a forked child it returns at once.
SNAKEPIT_API void snakepit_close(snakepit *pit, uint32_t grace_ms);

// ---- Call ---------------------------------------------------------------------

// Called when a stream can be read; see Completion queues.
typedef void snakepit_ready_fn(void *user, snakepit_stream *stream) SNAKEPIT_NOEXCEPT;

// The trace that a call belongs to, and the span that makes the call, as bytes. Tracing
// libraries hold them in this form.
typedef struct snakepit_trace_context {
    uint8_t trace_id[16]; // not all zero
    uint8_t span_id[8];   // not all zero
    uint8_t flags;        // of W3C Trace Context; bit 0: the caller records the trace
} snakepit_trace_context;

typedef struct snakepit_call_options {
    size_t size;      // see Options
    const char *pool; // NULL: the pool named "default", else the first one configured
    uint32_t timeout_ms;    // covers reading JSON, waiting, running and returning; 0:
                            // the pool's call_timeout_ms
    const char *session_id; // NULL: none; at most 255 bytes; the tool sees it, and the
                            // pool's `affinity` chooses the worker by it
    snakepit_message *why;  // NULL, or where snakepit_submit() says in one sentence why
                            // it fails; other calls say it in the fault of the answer
    snakepit_queue *queue;  // where a submitted call or a stream reports to; NULL: the
                            // default queue. Calls that are waited for report nowhere
    snakepit_ready_fn *ready; // makes a stream report to its queue, so that it is read
                              // by snakepit_stream_try_next(). NULL: it is read by
                              // waiting, and may not name a queue
    void *ready_user;
    bool idempotent;   // to run the call twice does no more than to run it once, so the
                       // pool's `retry` may send it again. False: only if the tool says
                       // so of all its calls, by @tool(idempotent=True)
    uint32_t priority; // how urgent it is while it waits in line, 0 to
                       // SNAKEPIT_MAX_PRIORITY, else INVALID_ARGUMENT: each step lets
                       // it pass up to a thousand calls that came earlier
    uint64_t begun_ns; // when its time began, in nanoseconds of CLOCK_MONOTONIC, if the
                       // program has read the arguments from somewhere first; 0: now
    const char *traceparent; // the trace and the span that it belongs to, as W3C Trace
                             // Context writes them, "00-...-...-01"; the tool sees them
                             // and goes on with them. NULL or empty: none, or those of
                             // the host's tool that makes the call. INVALID_ARGUMENT if
                             // it is malformed
    const char *tracestate;  // what comes with it; NULL or empty: nothing. At most 512
                             // printable characters, else INVALID_ARGUMENT; left out if
                             // it is beside names so long that there is no room for it
    const snakepit_trace_context *trace; // the same as `traceparent`, for programs that
                                         // have the bytes: a text takes several times
                                         // as long to read. Borrowed until the function
                                         // returns. NULL: none. INVALID_ARGUMENT if an
                                         // id is all zero, or if both are set
} snakepit_call_options;

#define SNAKEPIT_MAX_PRIORITY 7 // of a call

// Calls `tool` with keyword arguments and waits for the answer. `args` holds one map
// (NULL: no arguments) and can be reused at once. `options` may be NULL.
//
// Returns OK when the tool returned. On every other return `*answer` is given as well
// and its fault says what happened; `*answer` is NULL only if there was no memory for
// it. Always free it.
SNAKEPIT_API snakepit_err snakepit_call(snakepit *pit,
                                        const char *tool,
                                        const snakepit_writer *args,
                                        const snakepit_call_options *options,
                                        snakepit_answer **answer);

// The same with arguments as JSON text: an object, or NULL.
SNAKEPIT_API snakepit_err snakepit_call_json(snakepit *pit,
                                             const char *tool,
                                             const char *json,
                                             const snakepit_call_options *options,
                                             snakepit_answer **answer);

// Receives the outcome of a submitted call. `answer` is given: free it, now or later.
typedef void snakepit_done_fn(void *user,
                              snakepit_err err,
                              snakepit_answer *answer) SNAKEPIT_NOEXCEPT;

// Hands a call over and returns. `done` runs exactly once if this returns OK, after
// this function has returned or, on another thread, at any time during it; never if it
// fails. It runs on the thread that drains the call's queue; see Completion queues.
// `call` may be NULL. Fails at once with SATURATED, UNKNOWN_POOL, INVALID_ARGUMENT,
// MALFORMED (the writer is not one complete value), NO_MEMORY, POOL_DOWN, POOL_FAILED,
// SHUTTING_DOWN, SYSTEM, WORKER_BUSY, SESSION_LOST, BREAKER_OPEN.
SNAKEPIT_API snakepit_err snakepit_submit(snakepit *pit,
                                          const char *tool,
                                          const snakepit_writer *args,
                                          const snakepit_call_options *options,
                                          snakepit_done_fn *done,
                                          void *user,
                                          snakepit_call_id *call);

// The same with arguments as JSON text: an object, or NULL.
SNAKEPIT_API snakepit_err snakepit_submit_json(snakepit *pit,
                                               const char *tool,
                                               const char *json,
                                               const snakepit_call_options *options,
                                               snakepit_done_fn *done,
                                               void *user,
                                               snakepit_call_id *call);

// Hands over the question of snakepit_pool_tools(), whose answer `done` receives. Of
// the options pool, timeout_ms, why and queue count. Fails as snakepit_submit() does.
SNAKEPIT_API snakepit_err snakepit_submit_tools(snakepit *pit,
                                                const snakepit_call_options *options,
                                                snakepit_done_fn *done,
                                                void *user,
                                                snakepit_call_id *call);

// Asks that a submitted call, or that of a stream, end. Its callback still runs, once:
// with CANCELLED if this came in time. NOT_FOUND: it has ended already.
// INVALID_ARGUMENT: there is no pit.
SNAKEPIT_API snakepit_err snakepit_cancel(snakepit *pit, snakepit_call_id call);

// ---- Completion queues --------------------------------------------------------

// Where submitted calls and streams report to, so that no thread needs to wait for
// them. A program has one for each of its event loops: it polls the queue's descriptor,
// and drains the queue when that is readable. Draining runs, on the thread that drains,
//
//   `done`         of each submitted call, once, when it has ended: by its answer, its
//                  deadline, a cancel, the death of its worker, or the pit's close
//   `ready`        of each stream that has one: once after it was opened, and after
//                  each AGAIN of snakepit_stream_try_next() once, as soon as there is
//                  a chunk to read or the call has ended
//   host's tools   that these calls ask for
//
// A pit has a queue from the start, the default queue, for all that names none.
// snakepit_completion_fd() and snakepit_drain() are its descriptor and its drain; until
// one of them is called a thread of the library drains it.
//
// Which thread: any thread may submit, open, cancel and make queues, and several
// threads may drain several queues at once. One thread at a time drains a queue: a
// drain that finds another one at work, or is called from a callback, returns 0. A
// stream that reports is closed by the thread that drains its queue, or while nobody
// drains it. What a queue has not reported when its pit closes, snakepit_close()
// reports on its own thread, never beside a drain of the same queue; drains return 0
// afterwards.
//
// A forked child frees the queues of its parent; its drains return 0.

// Makes a queue, of which a pit has 255 at most. Free it with snakepit_queue_free(),
// also after snakepit_close(). `why` may be NULL. SATURATED: there are 255. SYSTEM: no
// descriptors. NO_MEMORY, SHUTTING_DOWN, INVALID_ARGUMENT.
SNAKEPIT_API snakepit_err snakepit_queue_new(snakepit *pit,
                                             snakepit_queue **queue,
                                             snakepit_message *why);

// A descriptor for poll(2), the same each time: readable when there is something to
// drain, sometimes when there is not. Call snakepit_queue_drain(queue, 0) until it
// returns 0 before each poll: only then do the workers ring. The queue owns it: do not
// read from it or close it. INVALID_ARGUMENT, FORKED.
SNAKEPIT_API snakepit_err snakepit_queue_fd(snakepit_queue *queue, int *fd);

// Reports what there is, and returns how many callbacks and tools ran. With
// `timeout_ms` over 0 it waits that long for the first one; UINT32_MAX: without a
// limit. Also returns 0 when another thread drains, when the pit closes, and in a
// forked child.
SNAKEPIT_API size_t snakepit_queue_drain(snakepit_queue *queue, uint32_t timeout_ms);

// Frees a queue that nothing uses any more, and closes its descriptor. BUSY, and the
// queue is as it was: a submitted call has not been reported, a stream that reports is
// not closed, or somebody drains it; cancel, close and drain, then free it again. No
// thread may be about to use it. After snakepit_close() nothing uses it. NULL is fine.
SNAKEPIT_API snakepit_err snakepit_queue_free(snakepit_queue *queue);

// As snakepit_queue_fd(), for the default queue, which the program drains from now on.
// Not from a callback: INVALID_ARGUMENT. The pit owns the descriptor.
SNAKEPIT_API snakepit_err snakepit_completion_fd(snakepit *pit, int *fd);

// As snakepit_queue_drain(), for the default queue. The first call takes the queue over
// from the thread of the library. Called on that thread, it does nothing and returns 0.
SNAKEPIT_API size_t snakepit_drain(snakepit *pit, uint32_t timeout_ms);

// ---- Answers ------------------------------------------------------------------

// How often the call was tried: 1, or more where the pool's `retry` has sent it again.
// 0: there is no answer.
SNAKEPIT_API uint32_t snakepit_answer_attempts(const snakepit_answer *answer);

// After BREAKER_OPEN, in how many milliseconds a call of the tool may go ahead, at
// least 1; for every other answer 0.
SNAKEPIT_API uint32_t snakepit_answer_retry_after_ms(const snakepit_answer *answer);

// Sets `reader` to the result. An answer that is not OK has nothing to read.
SNAKEPIT_API void snakepit_answer_reader(const snakepit_answer *answer,
                                         snakepit_reader *reader);

// The result as JSON text, terminated by a zero; made on first use and owned by the
// answer. Bytes become {"$bytes": base64}, tensors {"$tensor": {dtype, shape, data}},
// NaN and infinities null. NULL: the answer is not OK, its value has no JSON
// (snakepit_reader_explain_json() says why), or memory is exhausted. Not from two
// threads at once on one answer.
SNAKEPIT_API const char *snakepit_answer_json(snakepit_answer *answer);

// Releases the answer and the shared memory of its tensors. NULL is fine. May be called
// after snakepit_close().
SNAKEPIT_API void snakepit_answer_free(snakepit_answer *answer);

// ---- Streams ------------------------------------------------------------------

// A tool that is a generator, or returns an iterator, gives its items one by one while
// it runs: chunks. A stream is such a call, read chunk by chunk. It counts as one call,
// from its opening to its end, in capacity, in stats, and for snakepit_close().
//
// A tool that is ahead of its reader by 64 KiB, or by four chunks that hold tensors or
// are larger than 16 KiB, waits for it. The deadline holds while nobody reads, too.
// A tool that returns a plain value gives one chunk, that value. A `StreamChunk` is a
// map {"data", "is_final", "metadata"}.
//
// One thread at a time may use a stream. Like an answer, it may be used and closed
// after snakepit_close(), which ends it.

// Begins a call; does not wait for it. As with snakepit_call(), `*stream` is given on
// every return, unless there is no memory for it: always close it. Where another thread
// drains, `ready` may run before this returns; on failure it never runs.
// INVALID_ARGUMENT: also options with a queue and without `ready`.
SNAKEPIT_API snakepit_err snakepit_stream_open(snakepit *pit,
                                               const char *tool,
                                               const snakepit_writer *args,
                                               const snakepit_call_options *options,
                                               snakepit_stream **stream);

// The same with arguments as JSON text: an object, or NULL.
SNAKEPIT_API snakepit_err
snakepit_stream_open_json(snakepit *pit,
                          const char *tool,
                          const char *json,
                          const snakepit_call_options *options,
                          snakepit_stream **stream);

// Waits for the next chunk. With OK `chunk` reads it, until the next function is called
// with this stream; tensors in it point into shared memory and live as long. END: the
// tool has ended. Any other error: the call has failed. What the tool gave before it
// raised, or before its worker died, comes first; after the deadline or a cancel
// nothing comes. Once the end was returned, it is returned again. INVALID_ARGUMENT: the
// stream reports to a queue, and is read by snakepit_stream_try_next().
SNAKEPIT_API snakepit_err snakepit_stream_next(snakepit_stream *stream,
                                               snakepit_reader *chunk);

// The same without waiting. AGAIN: there is no chunk yet; a stream that reports runs
// `ready` once when there is one, or when the call has ended. So `ready` reads until
// this returns something other than OK, or arranges by itself to read on later. A
// stream that does not report may be read this way, too: by looking now and then, which
// also runs the host's tools that its call asks for.
SNAKEPIT_API snakepit_err snakepit_stream_try_next(snakepit_stream *stream,
                                                   snakepit_reader *chunk);

// The last chunk as JSON text, as snakepit_answer_json() writes it; owned by the
// stream, until the next function is called with it. NULL: there is not one, it has no
// JSON, or memory is exhausted.
SNAKEPIT_API const char *snakepit_stream_json(snakepit_stream *stream);

// Names the call, for snakepit_cancel() on any thread: snakepit_stream_next() then
// returns CANCELLED. 0: it was refused.
SNAKEPIT_API snakepit_call_id snakepit_stream_id(const snakepit_stream *stream);

// The outcome of the call, once snakepit_stream_next() or snakepit_stream_open() has
// said that it is over; NULL before. Its value is what the generator returned, mostly
// nil. Owned by the stream: do not free it.
SNAKEPIT_API snakepit_answer *snakepit_stream_answer(const snakepit_stream *stream);

// Cancels the call if it has not ended, which closes its generator, and frees the
// stream. Does not wait for the tool. NULL is fine.
SNAKEPIT_API void snakepit_stream_close(snakepit_stream *stream);

// Receives one chunk, which is borrowed. False: reading ends.
typedef bool snakepit_chunk_fn(void *user, snakepit_reader *chunk) SNAKEPIT_NOEXCEPT;

// Calls a tool and hands each chunk to `each`, on the calling thread. Returns when the
// call has ended, like snakepit_call(): OK, or with the fault in `*answer`, which must
// be freed. CANCELLED: `each` returned false.
SNAKEPIT_API snakepit_err snakepit_stream_each(snakepit *pit,
                                               const char *tool,
                                               const snakepit_writer *args,
                                               const snakepit_call_options *options,
                                               snakepit_chunk_fn *each,
                                               void *user,
                                               snakepit_answer **answer);

// ---- Tensors in shared memory -------------------------------------------------

// Allocates a packed tensor in the memory that `pool` shares with its workers, so that
// calls to that pool take it without a copy. Fill `*data`, then pass `tensor` to
// snakepit_writer_tensor() as often as wanted; do not write to it while a call is
// running. The content is unset. `why`, where not NULL, explains a failure. NO_MEMORY:
// shared_memory_size is used up. INVALID_ARGUMENT, UNKNOWN_POOL.
SNAKEPIT_API snakepit_err snakepit_tensor_new(snakepit *pit,
                                              const char *pool,
                                              snakepit_tensor *tensor,
                                              void **data,
                                              snakepit_message *why);
// Gives it back, before snakepit_close(). Calls that are running keep it meanwhile.
SNAKEPIT_API void snakepit_tensor_free(snakepit *pit, const snakepit_tensor *tensor);

#ifdef __cplusplus
}
#endif

#endif
