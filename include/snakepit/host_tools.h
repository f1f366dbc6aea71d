// SPDX-License-Identifier: MIT
// Functions of the program that its Python tools can call. Any thread.
#ifndef SNAKEPIT_HOST_TOOLS_H
#define SNAKEPIT_HOST_TOOLS_H

#include "errors.h"
#include "payload.h"
#include "stats.h"

#ifdef __cplusplus
extern "C" {
#endif

// What a host's tool is told of the call that asks. Texts are borrowed until the
// function returns.
typedef struct snakepit_tool_info {
    size_t size;            // of the struct as the library knows it
    const char *name;       // under which it was called
    const char *session_id; // of the call; "" for none
    const char *pool;       // whose worker asks
    snakepit_call_id call;
    uint64_t worker;         // its id
    uint32_t remaining_ms;   // until the call's time is up; UINT32_MAX: it never is
    const char *traceparent; // of the span that the tool runs in, as in
                             // snakepit_call_options; calls that it makes have it
                             // without being given it. "": it belongs to no trace
    const char *tracestate;  // with it; "" for none
} snakepit_tool_info;

// A tool of the host, which Python calls by session_context.call_host_tool(). Reads the
// map that comes next in `arguments`, writes one value to `result` (nothing: None) and
// returns OK; or returns an error and may say why in `why`: Python gets both as an
// exception. All is borrowed until it returns; tensors in the arguments lie in memory
// that the worker can write.
//
// It runs on the thread that waits for the call: inside snakepit_call() or
// snakepit_stream_next() on the caller's own; for a submitted call, or a stream that
// reports, on the thread that drains its queue, which runs no callbacks meanwhile, or
// on one of the library that runs these one after the other. On several threads at once
// if several calls ask. It may call the library, except snakepit_close() and the
// functions that drain. A snakepit_call() from here ends no later than the call that
// asks. In the same pool it is run by the executor that asks, so that it does not wait
// for a worker; such calls nest 16 deep at most. A stream that it opens waits for a
// worker like any other. It may not ask for the next chunk of the stream that is being
// read meanwhile (INVALID_ARGUMENT), and closing that stream only cancels its call.
typedef snakepit_err snakepit_tool_fn(void *user,
                                      const snakepit_tool_info *info,
                                      const snakepit_reader *arguments,
                                      snakepit_writer *result,
                                      snakepit_message *why) SNAKEPIT_NOEXCEPT;

typedef struct snakepit_tool_options {
    size_t size;             // see Options
    const char *session_id;  // NULL: for the calls of all sessions and of none. A tool
                             // of a session hides one of all, and ends with it
    const char *description; // what Python sees in session_context.host_tools; or NULL
    snakepit_message *why;   // NULL, or where a failure is explained in one sentence
} snakepit_tool_options;

// Makes `function` callable from Python under a name of 1 to 255 bytes that does not
// begin with "snakepit.". Keeps `user`; copies the texts. `options` may be NULL. May be
// called at any time; a call that asks earlier gets UNKNOWN_TOOL. INVALID_ARGUMENT: the
// name or the options are not valid, or the name is taken. NO_MEMORY, SATURATED
// (max_sessions sessions have calls under way), SHUTTING_DOWN.
SNAKEPIT_API snakepit_err snakepit_tool_register(snakepit *pit,
                                                 const char *name,
                                                 snakepit_tool_fn *function,
                                                 void *user,
                                                 const snakepit_tool_options *options);
// Undoes that: when this returns, the function no longer runs anywhere. Called from a
// host's tool, it does not wait for that. `session_id` is the one it was registered
// with. NOT_FOUND, INVALID_ARGUMENT.
SNAKEPIT_API snakepit_err snakepit_tool_unregister(snakepit *pit,
                                                   const char *name,
                                                   const char *session_id);

#ifdef __cplusplus
}
#endif

#endif
