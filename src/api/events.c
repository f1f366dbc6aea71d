// SPDX-License-Identifier: MIT
#include "api/events.h"

#include "api/reply.h"
#include "http/problem.h"
#include "http/sse.h"

static void begin(struct sp_exchange *exchange, const char *call)
{
    sp_api_begin(exchange,
                 &(const struct sp_api_answer){
                     .status = 200, .type = "text/event-stream", .call = call});
}

static snakepit_err add_chunk(struct sp_buf *out,
                              snakepit_stream *chunks,
                              const snakepit_reader *chunk,
                              const struct sp_api_stream_form *form)
{
    const char *json = snakepit_stream_json(chunks);
    (void)chunk;
    (void)form;
    return json == NULL ? SNAKEPIT_UNSERIALISABLE
                        : sp_sse_event(out, NULL, sp_slice_of_text(json));
}

static snakepit_err add_result(struct sp_buf *out,
                               snakepit_answer *answer,
                               const struct sp_api_stream_form *form)
{
    struct sp_buf text = {0};
    const char *json = snakepit_answer_json(answer);
    (void)form;
    if (json == NULL) {
        return SNAKEPIT_UNSERIALISABLE;
    }
    snakepit_err err = sp_buf_printf(&text, "{\"result\":%s}", json);
    if (err == SNAKEPIT_OK) {
        err = sp_sse_event(out, "end", (struct sp_slice){text.data, text.size});
    }
    sp_buf_fini(&text);
    return err;
}

static snakepit_fault
has_no_json(const snakepit_reader *value, unsigned as, snakepit_message *why)
{
    (void)as;
    return sp_fault_no_json(value, why);
}

static snakepit_err add_fault(struct sp_buf *out,
                              const struct sp_exchange *exchange,
                              const snakepit_fault *fault)
{
    struct sp_buf text = {0};
    snakepit_err err =
        sp_problem_of_fault(&text, fault, sp_api_shows_tracebacks(exchange));
    if (err == SNAKEPIT_OK) {
        err = sp_sse_event(out, "error", (struct sp_slice){text.data, text.size});
    }
    sp_buf_fini(&text);
    return err;
}

static void
end(struct sp_exchange *exchange, const snakepit_fault *fault, uint32_t retry_after_ms)
{
    (void)fault; // is an event
    (void)retry_after_ms;
    sp_exchange_end(exchange);
}

const struct sp_api_stream_form sp_api_events = {
    .begin = begin,
    .chunk = add_chunk,
    .unwritable = has_no_json,
    .result = add_result,
    .fault = add_fault,
    .silence = sp_sse_comment,
    .end = end,
};
