// SPDX-License-Identifier: MIT
#include "grpc/proto_payload.h"
#include "protobuf/utf8.h"

// "" without memory.
static struct sp_slice text_of(const char *text, struct sp_scratch *scratch)
{
    struct sp_buf mended = {0};
    struct sp_slice slice = sp_slice_of_text(text);
    if (sp_utf8_is_valid(slice)) {
        return slice;
    }
    if (sp_utf8_mend(&mended, slice) != SNAKEPIT_OK ||
        sp_scratch_own(scratch, &mended, &slice) != SNAKEPIT_OK) {
        slice.size = 0;
    }
    sp_buf_fini(&mended);
    return slice;
}

void sp_fault_to_proto(const snakepit_fault *fault,
                       bool insight,
                       uint32_t retry_after_ms,
                       struct sp_scratch *scratch,
                       struct sp_v1_fault *message)
{
    *message = (struct sp_v1_fault){
        .name = sp_slice_of_text(snakepit_err_name(fault->err)),
        .number = (int32_t)fault->err,
        .retryable = snakepit_err_retryable(fault->err),
        .message = text_of(fault->message, scratch),
        .type = text_of(fault->type, scratch),
        .traceback = text_of(insight ? fault->traceback : "", scratch),
        .arguments = text_of(fault->arguments, scratch),
        .stage = text_of(fault->stage, scratch),
        .cause = text_of(fault->cause, scratch),
        .last_output = text_of(insight ? fault->last_output : "", scratch),
        .crash_stack = text_of(insight ? fault->crash_stack : "", scratch),
        .late_stack = text_of(insight ? fault->late_stack : "", scratch),
        .worker = fault->worker,
        .stop = sp_slice_of_text(snakepit_stop_name(fault->stop)),
        .tool_runs = fault->tool_runs,
        .late_ms = fault->late_ms,
        .retry_after_ms = retry_after_ms,
    };
}
