// SPDX-License-Identifier: MIT
// How a call over gRPC ends: the status, and what goes with it in the trailers.
#ifndef GRPC_STATUS_H
#define GRPC_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/fault.h>

#include "base/slice.h"
#include "server/exchange.h"

enum sp_grpc_code {
    SP_GRPC_OK = 0,
    SP_GRPC_CANCELLED,
    SP_GRPC_UNKNOWN,
    SP_GRPC_INVALID_ARGUMENT,
    SP_GRPC_DEADLINE_EXCEEDED,
    SP_GRPC_NOT_FOUND,
    SP_GRPC_ALREADY_EXISTS,
    SP_GRPC_PERMISSION_DENIED,
    SP_GRPC_RESOURCE_EXHAUSTED,
    SP_GRPC_FAILED_PRECONDITION,
    SP_GRPC_ABORTED,
    SP_GRPC_OUT_OF_RANGE,
    SP_GRPC_UNIMPLEMENTED,
    SP_GRPC_INTERNAL,
    SP_GRPC_UNAVAILABLE,
    SP_GRPC_DATA_LOSS,
    SP_GRPC_UNAUTHENTICATED,
};

// By the error table; UNKNOWN for a number that is not in it.
enum sp_grpc_code sp_grpc_code_of(snakepit_err err);
// What a refusal of HTTP is called here.
enum sp_grpc_code sp_grpc_code_of_http(unsigned status);

// `grpc-message` and `grpc-status-details-bin` are together at most as long, so that
// they pass wherever the headers of a message may have 4 KiB.
#define SP_GRPC_TOLD_MOST      3700u
#define SP_GRPC_TRAILERS_MOST  6u
#define SP_GRPC_FEW_CHARACTERS 12u

// Owner: whoever makes it. Zeroed it is OK.
struct sp_grpc_status {
    enum sp_grpc_code code;
    struct sp_buf message; // as `grpc-message` has it
    struct sp_buf details; // as `grpc-status-details-bin` has it
    char number[SP_GRPC_FEW_CHARACTERS];
    char pushback[SP_GRPC_FEW_CHARACTERS]; // `grpc-retry-pushback-ms`; "": not said
};

// A status of its own, with a sentence. Without memory the sentence is missing.
void sp_grpc_status_set(struct sp_grpc_status *status,
                        enum sp_grpc_code code,
                        const char *message);
// That of a fault, with google.rpc.Status as details: the fault as it is, and RetryInfo
// where the call may be sent again. `retry_after_ms` is
// snakepit_answer_retry_after_ms(), or 0. `insight` as in sp_fault_write(). What does
// not fit is cut: the stacks and what the worker wrote first, the sentence last.
// Without memory the details are missing.
void sp_grpc_status_of_fault(struct sp_grpc_status *status,
                             const snakepit_fault *fault,
                             uint32_t retry_after_ms,
                             bool insight);
// The fields of the trailers, which borrow from it. Returns how many there are.
size_t sp_grpc_status_fields(struct sp_grpc_status *status,
                             struct sp_field fields[SP_GRPC_TRAILERS_MOST]);
void sp_grpc_status_fini(struct sp_grpc_status *status);

#endif
