// SPDX-License-Identifier: MIT
// Every error of Snakepit, once. C, the command line and Python all take their names,
// numbers and texts from this table, the daemon its statuses of gRPC and HTTP. Numbers
// are stable: a row is never renumbered and never reused. docs/errors.md is the table
// to read.
//
// *retryable* is 1 where the same call may succeed if it is simply sent again: it
// either never ran, or what failed was not the call.
#ifndef SNAKEPIT_ERRORS_H
#define SNAKEPIT_ERRORS_H

// clang-format off
#define SNAKEPIT_ERRORS(X) /* name, number, gRPC, HTTP, retryable, text */                      \
    X(OK,                 0,  0, 200, 0, "ok")                                                  \
    X(INVALID_ARGUMENT,   1,  3, 400, 0, "an argument is malformed or out of range")            \
    X(INVALID_CONFIG,     2,  3, 400, 0, "the configuration is not valid")                      \
    X(UNKNOWN_POOL,       3,  5, 404, 0, "there is no pool of that name")                       \
    X(SATURATED,          4,  8, 429, 1, "the pool's line is full")                             \
    X(DEADLINE_EXCEEDED,  5,  4, 504, 0, "the call's time ran out")                             \
    X(CANCELLED,          6,  1, 499, 0, "the call was cancelled by its caller")                \
    X(WORKER_DIED,        7, 14, 503, 0, "the worker died while it ran the call")               \
    X(WORKER_LOST,        8, 14, 503, 1, "the worker was lost through no fault of the call") \
    X(TOOL_FAILED,        9,  2, 500, 0, "the tool raised an exception")                        \
    X(UNKNOWN_TOOL,      10, 12, 404, 0, "the adapter has no tool of that name")                \
    X(UNSERIALISABLE,    11, 13, 500, 0, "the tool's result cannot be encoded")                 \
    X(NO_MEMORY,         12,  8, 503, 0, "memory or shared memory is exhausted")                \
    X(SHUTTING_DOWN,     13, 14, 503, 0, "the pit is closing")                                  \
    X(POOL_FAILED,       14,  9, 503, 0, "the pool could not start its workers")                \
    X(PROTOCOL,          15, 13, 502, 0, "the worker broke the protocol and was killed")        \
    X(MALFORMED,         16,  3, 400, 0, "the bytes are not valid MessagePack or JSON")         \
    X(TYPE_MISMATCH,     17,  3, 400, 0, "the value is of another kind")                        \
    X(NOT_FOUND,         18,  5, 404, 0, "there is nothing of that name")                       \
    X(SYSTEM,            19, 13, 500, 0, "a system call failed")                                \
    X(END,               20, 11, 400, 0, "there is nothing more to read")                       \
    X(UNSUPPORTED,       21,  9, 501, 0, "this interpreter or adapter cannot do that") \
    X(WORKER_BUSY,       22,  8, 429, 1, "the worker that the session is tied to is busy")      \
    X(SESSION_LOST,      23, 10, 409, 1, "the worker that the session was tied to is gone")     \
    X(QUOTA_EXCEEDED,    24,  8, 413, 0, "the session's values would take more than they may") \
    X(FORKED,            25,  9, 500, 0, "the pit belongs to the process that opened it, not to this forked child") \
    X(POOL_DOWN,         26, 14, 503, 1, "none of the pool's workers can be started at present") \
    X(AGAIN,             27, 14, 503, 1, "there is nothing to read yet")                        \
    X(BUSY,              28,  9, 409, 1, "it is still in use")                                  \
    X(BREAKER_OPEN,      29, 14, 503, 1, "too many calls of the tool have failed lately")       \
    X(POOL_REMOVED,      30,  5, 410, 0, "the pool was removed when the configuration was reloaded") \
    X(UNREACHABLE,      31, 14, 503, 1, "the daemon cannot be reached")                         \
    X(DAEMON_LOST,      32, 14, 502, 0, "the daemon was lost before it answered")               \
    X(DENIED,           33,  7, 403, 0, "the client is not known there, or may not do that")
// clang-format on

#define SNAKEPIT_ERROR_ENUM(name, number, grpc, http, retryable, text) \
    SNAKEPIT_##name = (number),
typedef enum snakepit_err { SNAKEPIT_ERRORS(SNAKEPIT_ERROR_ENUM) } snakepit_err;
#undef SNAKEPIT_ERROR_ENUM

#endif
