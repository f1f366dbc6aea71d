// SPDX-License-Identifier: MIT
#include <string.h>

#include "inference/outputs.h"

static bool copy(struct sp_scratch *scratch, struct sp_slice from, struct sp_slice *to)
{
    uint8_t *bytes = sp_scratch_take(scratch, from.size + 1);
    if (bytes != NULL && from.size > 0) {
        memcpy(bytes, from.data, from.size);
    }
    *to = (struct sp_slice){bytes, from.size};
    return bytes != NULL;
}

snakepit_err sp_inference_want(const struct sp_inference_request *request,
                               const char *model,
                               struct sp_inference_wanted *wanted)
{
    struct sp_scratch *scratch = &wanted->scratch;
    wanted->binary = request->binary;
    wanted->outputs =
        sp_scratch_take(scratch, (request->output_count + 1) * sizeof *wanted->outputs);
    bool copied = wanted->outputs != NULL &&
                  copy(scratch, sp_slice_of_text(model), &wanted->model) &&
                  copy(scratch, request->id, &wanted->id);
    for (size_t i = 0; copied && i < request->output_count; i++) {
        copied = copy(scratch, request->outputs[i].name, &wanted->outputs[i].name);
        wanted->outputs[i].form = request->outputs[i].form;
        wanted->output_count = i + 1;
    }
    return copied ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

void sp_inference_wanted_fini(struct sp_inference_wanted *wanted)
{
    sp_scratch_fini(&wanted->scratch);
}
