// SPDX-License-Identifier: MIT
#include "process/flow.h"

#include "base/clock.h"
#include "telemetry/notice.h"

// Of one core's time: 5 % for long, and what is usual at a start or in a traceback at
// once.
#define WORK_MOST     ((int64_t)(100 * SP_NS_PER_MS))
#define WORK_A_SECOND ((int64_t)(50 * SP_NS_PER_MS))
#define WAKE_NS       ((int64_t)(5 * SP_NS_PER_US)) // that a look costs besides
#define REST_MS       20u  // at least, so that more comes at once
#define AGAIN_MS      100u // until the kernel is asked again to watch

// ---- What is logged -----------------------------------------------------------

// A template is the pool's only one.
static bool is_of_template(const struct sp_flow *flow)
{
    return flow->options.worker == 0;
}

static void log_output(void *user, enum sp_log_level level, const char *line)
{
    const struct sp_flow_options *of = &((const struct sp_flow *)user)->options;
    if (is_of_template(user)) {
        sp_log_at(of->log, level, template_stdout, .pool = of->pool, .line = line);
    } else {
        sp_log_at(of->log,
                  level,
                  worker_stdout,
                  .pool = of->pool,
                  .worker = of->worker,
                  .line = line);
    }
}

static void log_errors(void *user, enum sp_log_level level, const char *line)
{
    const struct sp_flow_options *of = &((const struct sp_flow *)user)->options;
    if (is_of_template(user)) {
        sp_log_at(of->log, level, template_stderr, .pool = of->pool, .line = line);
    } else {
        sp_log_at(of->log,
                  level,
                  worker_stderr,
                  .pool = of->pool,
                  .worker = of->worker,
                  .line = line);
    }
}

static void tell_of_rest(struct sp_flow *flow)
{
    static const char because[] = "it prints more than its host reads";
    const struct sp_flow_options *of = &flow->options;
    if (flow->told_rest) {
        return;
    }
    flow->told_rest = true;
    if (is_of_template(flow)) {
        sp_log(of->log, template_output_slowed, .pool = of->pool, .because = because);
    } else {
        sp_log(of->log,
               worker_output_slowed,
               .pool = of->pool,
               .worker = of->worker,
               .because = because);
    }
}

static void tell_of_dropped(struct sp_flow *flow, bool again)
{
    const struct sp_flow_options *of = &flow->options;
    uint64_t lines =
        sp_output_dropped(&flow->outputs[0]) + sp_output_dropped(&flow->outputs[1]);
    if (lines == 0 || (flow->told_drop && !again)) {
        return;
    }
    flow->told_drop = true;
    if (is_of_template(flow)) {
        sp_log(of->log,
               template_output_dropped,
               .pool = of->pool,
               .lines = lines,
               .lines_per_second = SP_LINES_A_SECOND);
    } else {
        sp_log(of->log,
               worker_output_dropped,
               .pool = of->pool,
               .worker = of->worker,
               .lines = lines,
               .lines_per_second = SP_LINES_A_SECOND);
    }
}

// ---- Reading ------------------------------------------------------------------

static void on_output(struct sp_watch *watch);

static void go_on(struct sp_timer *timer);

static void rest(struct sp_flow *flow, uint64_t ms)
{
    sp_watch_stop(&flow->watches[0]);
    sp_watch_stop(&flow->watches[1]);
    sp_timer_start(flow->options.loop, &flow->rest, go_on, ms, 0);
}

// A pipe that has ended says so once more.
static void watch_both(struct sp_flow *flow)
{
    for (int i = 0; i < 2; i++) {
        flow->watches[i].user = flow;
        if (sp_watch_start(&flow->watches[i],
                           flow->options.loop,
                           flow->options.fds[i],
                           on_output,
                           NULL) != SNAKEPIT_OK) {
            rest(flow, AGAIN_MS);
            return;
        }
    }
}

static void go_on(struct sp_timer *timer)
{
    watch_both(timer->user);
}

static void on_output(struct sp_watch *watch)
{
    struct sp_flow *flow = watch->user;
    uint64_t began = sp_clock_thread();
    bool open = sp_output_read(&flow->outputs[watch == &flow->watches[1]]);
    int64_t spent = (int64_t)(sp_clock_thread() - began) + WAKE_NS;
    uint64_t debt = sp_bucket_spend(&flow->work, spent, sp_clock_now());
    if (!open) {
        sp_watch_stop(watch);
    } else if (debt > 0) {
        tell_of_rest(flow);
        uint64_t ms = debt / SP_NS_PER_MS;
        rest(flow, ms > REST_MS ? ms : REST_MS);
    }
    tell_of_dropped(flow, false);
}

// ---- Life ---------------------------------------------------------------------

void sp_flow_start(struct sp_flow *flow, const struct sp_flow_options *options)
{
    const struct sp_log *log = options->log;
    enum sp_log_level least = log->level > log->adapters ? log->level : log->adapters;
    *flow = (struct sp_flow){.options = *options, .rest = {.user = flow}};
    sp_output_init(&flow->outputs[0], options->fds[0], least, log_output, flow);
    sp_output_init(&flow->outputs[1], options->fds[1], least, log_errors, flow);
    sp_bucket_init(&flow->work, WORK_MOST, WORK_A_SECOND, sp_clock_now());
    watch_both(flow);
}

void sp_flow_finish(struct sp_flow *flow)
{
    sp_output_drain(&flow->outputs[0]);
    sp_output_drain(&flow->outputs[1]);
    tell_of_dropped(flow, true);
}

void sp_flow_stop(struct sp_flow *flow)
{
    sp_watch_stop(&flow->watches[0]);
    sp_watch_stop(&flow->watches[1]);
    sp_timer_stop(&flow->rest);
}

void sp_flow_fini(struct sp_flow *flow)
{
    sp_output_fini(&flow->outputs[0]);
    sp_output_fini(&flow->outputs[1]);
}
