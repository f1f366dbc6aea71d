// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/text.h"
#include "otlp/messages.h"
#include "otlp/otlp.h"
#include "protobuf/message.h"

#define SCRATCH_MOST 4096u // bytes of its messages

static void fill(const struct sp_otlp_partial_success *partial,
                 struct sp_otlp_rejected *rejected)
{
    const struct sp_slice said = partial->error_message;
    const size_t size =
        said.size < SP_OTLP_BECAUSE_SIZE ? said.size : SP_OTLP_BECAUSE_SIZE - 1;
    rejected->count = partial->rejected > 0 ? (uint64_t)partial->rejected : 0;
    if (size > 0) {
        memcpy(rejected->because, said.data, size);
        sp_text_clean(rejected->because, size, SP_TEXT_LINE); // also what the cut split
    }
}

bool sp_otlp_read_answer(struct sp_slice answer, struct sp_otlp_rejected *rejected)
{
    struct sp_scratch scratch = {.limit = SCRATCH_MOST};
    struct sp_otlp_answer read = {.which = 0};
    snakepit_message why;
    *rejected = (struct sp_otlp_rejected){.count = 0};
    if (sp_proto_decode(&sp_type_otlp_answer, answer, &scratch, &read, &why) ==
            SNAKEPIT_OK &&
        read.partial_success != NULL) {
        fill(read.partial_success, rejected);
    }
    sp_scratch_fini(&scratch);
    return rejected->count > 0 || rejected->because[0] != '\0';
}
