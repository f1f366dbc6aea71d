// SPDX-License-Identifier: MIT
// The start of a worker as a span, which is a trace of its own.
#include "base/clock.h"
#include "fleet/inside.h"
#include "telemetry/spans.h"

void sp_fleet_trace_start(const struct sp_fleet *fleet, const struct sp_worker *worker)
{
    struct sp_spans *spans = fleet->options.listener->sink.spans;
    struct sp_trace_context context;
    if (spans == NULL || !sp_spans_sample(spans)) {
        return;
    }
    sp_trace_begin(&context);
    struct sp_span *span = sp_span_new(&context, NULL);
    sp_span_set_name(span, sp_slice_of_text("worker start"));
    sp_span_end_now(span);
    if (span != NULL) {
        span->told.start_ns =
            span->told.end_ns - (sp_clock_now() - worker->child.started_at);
    }
    sp_span_add_text(
        span, "snakepit.pool", sp_slice_of_text(fleet->options.pool_config->name));
    sp_span_add_integer(span, "snakepit.worker.id", (int64_t)worker->options.id);
    sp_span_add_integer(span, "process.pid", worker->child.process.pid);
    sp_span_end(spans, span);
}
