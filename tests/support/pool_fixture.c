// SPDX-License-Identifier: MIT
// Arguments are plain text here: the pool does not look into them.
#include "support/pool_fixture.h"

#include <string.h>

#include "base/clock.h"
#include "payload/writer.h"

static void note_attention(void *user)
{
    struct fixture *fixture = user;
    atomic_fetch_add(&fixture->attention, 1);
}

static void note_ended(void *user, uint32_t queue)
{
    struct fixture *fixture = user;
    assert_true(queue < SP_QUEUES_MOST);
    atomic_fetch_add(&fixture->ended, 1);
}

static void note_changed(void *user)
{
    struct fixture *fixture = user;
    atomic_fetch_add(&fixture->changed, 1);
}

static snakepit_err answer_question(void *user, struct sp_question *question)
{
    struct fixture *fixture = user;
    return fixture->question == NULL ? SNAKEPIT_UNKNOWN_TOOL
                                     : fixture->question(fixture, question);
}

static void drop_line(void *user, const struct sp_notice *notice)
{
    (void)user;
    (void)notice;
}

static const struct sp_log no_log = {.write = drop_line, .level = SP_LOG_OFF};

struct sp_pool_options fixture_options(void)
{
    return (struct sp_pool_options){
        .name = "unit",
        .max_queue = 100,
        .cancel_grace_ms = 100,
        .shared_memory_size = 1u << 20,
        .index = 3,
        .max_sessions = 1000,
    };
}

void fixture_open(struct fixture *fixture, const struct sp_pool_options *options)
{
    *fixture = (struct fixture){0};
    const struct sp_pool_hooks hooks = {.attention = note_attention,
                                        .ended = note_ended,
                                        .changed = note_changed,
                                        .question = answer_question,
                                        .user = fixture};
    assert_int_equal(sp_pool_open(options, &hooks, &no_log, &fixture->pool, NULL),
                     SNAKEPIT_OK);
}

struct side *fixture_add(struct fixture *fixture, uint32_t capacity)
{
    assert_true(fixture->side_count < FIXTURE_SIDES);
    struct side *side = &fixture->sides[fixture->side_count++];
    const struct sp_control_shape shape = {
        .slots = FIXTURE_SLOTS,
        .executors = capacity,
        .leases = FIXTURE_LEASES,
        .epoch = fixture->side_count,
        .requests_size = fixture->pool->store.segment.size,
        .results_size = 1u << 20,
    };
    assert_int_equal(sp_port_new(&shape, &side->port, NULL), SNAKEPIT_OK);
    side->fake = fake_worker_new(side->port, &fixture->pool->store.segment);
    const struct sp_seat_terms terms = {.port = side->port,
                                        .worker = side,
                                        .worker_id = fixture->side_count,
                                        .requests = fixture->requests,
                                        .idempotent = fixture->idempotent_tools,
                                        .batches = fixture->batch_tools};
    assert_int_equal(sp_pool_add_seat(fixture->pool, &terms, &side->seat), SNAKEPIT_OK);
    return side;
}

void fixture_kill(struct fixture *fixture, struct side *side, const char *cause)
{
    if (side->seat == NULL) {
        return;
    }
    fake_stop(side->fake);
    const struct sp_failure failure = {.err = SNAKEPIT_WORKER_DIED, .cause = cause};
    sp_pool_seat_died(fixture->pool, side->seat, &failure);
    sp_pool_remove_seat(fixture->pool, side->seat);
    side->seat = NULL;
}

void fixture_close(struct fixture *fixture)
{
    sp_pool_begin_close(fixture->pool);
    sp_pool_end_all(fixture->pool);
    fixture_drain(fixture);
    for (uint32_t i = 0; i < fixture->side_count; i++) {
        struct side *side = &fixture->sides[i];
        fixture_kill(fixture, side, "the test is over");
        fake_worker_free(side->fake);
        sp_port_unref(side->port);
    }
    fixture_drain(fixture);
    sp_pool_close(fixture->pool);
}

// ---- Calls --------------------------------------------------------------------

static void keep_outcome(struct outcome *outcome, struct sp_call *call)
{
    outcome->ended++;
    outcome->err = call->err;
    outcome->attempts = call->retries + 1;
    outcome->retry_after_ms = call->retry_after_ms;
    outcome->stage[0] = 0;
    if (call->err != SNAKEPIT_OK) {
        strncpy(outcome->stage, call->fault.stage, sizeof outcome->stage - 1);
    }
    outcome->body_size = call->body.size;
    size_t size =
        call->body.size < sizeof outcome->body ? call->body.size : sizeof outcome->body;
    if (size > 0) {
        memcpy(outcome->body, call->body.data, size);
    }
    sp_pool_release(call);
}

static void call_done(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct sp_call *call = sp_call_of(answer);
    assert_int_equal(call->err, err);
    keep_outcome(user, call);
}

static void fill_writer(snakepit_writer *writer, const char *text)
{
    if (text != NULL) {
        assert_int_equal(sp_buf_append(&writer->buf, text, strlen(text)), SNAKEPIT_OK);
    }
}

static struct sp_order make_order(const char *tool,
                                  const char *session,
                                  const snakepit_writer *args,
                                  uint32_t timeout_ms)
{
    return (struct sp_order){
        .text = {.tool = tool,
                 .tool_size = (uint32_t)strlen(tool),
                 .session = session,
                 .session_size = session == NULL ? 0 : (uint32_t)strlen(session),
                 .args = args},
        .timeout_ms = timeout_ms,
    };
}

static snakepit_err submit(struct fixture *fixture,
                           const char *tool,
                           const snakepit_writer *args,
                           uint32_t timeout_ms,
                           struct outcome *outcome)
{
    struct sp_order order = make_order(tool, fixture->session, args, timeout_ms);
    order.idempotent = fixture->idempotent;
    order.done = call_done;
    order.user = outcome;
    order.id = &outcome->id;
    return sp_pool_submit(fixture->pool, &order);
}

snakepit_err fixture_submit(struct fixture *fixture,
                            const char *tool,
                            const char *text,
                            uint32_t timeout_ms,
                            struct outcome *outcome)
{
    *outcome = (struct outcome){0};
    struct snakepit_writer writer = {0};
    fill_writer(&writer, text);
    snakepit_err err = submit(fixture, tool, &writer, timeout_ms, outcome);
    sp_buf_fini(&writer.buf);
    return err;
}

snakepit_err fixture_submit_tensor(struct fixture *fixture,
                                   const char *tool,
                                   uint32_t timeout_ms,
                                   struct outcome *outcome)
{
    static const uint8_t bytes[64] = {1, 2, 3};
    const snakepit_tensor tensor = {
        .data = bytes, .dtype = SNAKEPIT_UINT8, .rank = 1, .shape = {64}};
    *outcome = (struct outcome){0};
    snakepit_writer *writer = snakepit_writer_new();
    assert_non_null(writer);
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, "x");
    snakepit_writer_tensor(writer, &tensor);
    snakepit_err err = submit(fixture, tool, writer, timeout_ms, outcome);
    snakepit_writer_free(writer);
    return err;
}

snakepit_err fixture_submit_lent(struct fixture *fixture,
                                 const char *tool,
                                 const snakepit_writer *args,
                                 struct sp_loan *loan,
                                 struct outcome *outcome)
{
    struct sp_order order = make_order(tool, fixture->session, args, 0);
    order.text.loan = loan;
    order.done = call_done;
    order.user = outcome;
    order.id = &outcome->id;
    return sp_pool_submit(fixture->pool, &order);
}

static void *call_and_wait(void *argument)
{
    struct caller *caller = argument;
    struct snakepit_writer writer = {0};
    struct sp_call *call = NULL;
    (void)sp_buf_append(&writer.buf, caller->text, strlen(caller->text));
    struct sp_order order =
        make_order(caller->tool, caller->session, &writer, caller->timeout_ms);
    order.idempotent = caller->idempotent;
    (void)sp_pool_call(caller->fixture->pool, &order, &call);
    keep_outcome(&caller->outcome, call);
    sp_buf_fini(&writer.buf);
    return NULL;
}

void fixture_call(struct caller *caller,
                  struct fixture *fixture,
                  const char *tool,
                  const char *text,
                  uint32_t timeout_ms)
{
    *caller = (struct caller){
        .fixture = fixture,
        .session = fixture->session,
        .tool = tool,
        .text = text,
        .timeout_ms = timeout_ms,
        .idempotent = fixture->idempotent,
    };
    assert_int_equal(pthread_create(&caller->thread, NULL, call_and_wait, caller), 0);
}

void fixture_join(struct caller *caller)
{
    assert_int_equal(pthread_join(caller->thread, NULL), 0);
}

// ---- The loop -----------------------------------------------------------------

void fixture_drain_queue(struct fixture *fixture, uint32_t queue)
{
    struct sp_pool_news news = {.readable = 0};
    struct sp_link *link;
    struct sp_stream *stream;
    sp_list_init(&news.ended);
    sp_pool_collect(fixture->pool, queue, &news);
    if (news.asked) {
        (void)sp_pool_serve_questions(fixture->pool, queue);
        sp_pool_collect(fixture->pool, queue, &news);
    }
    while ((link = sp_list_take(&news.ended)) != NULL) {
        struct sp_call *call = SP_ENTRY(link, struct sp_call, link);
        sp_call_open(call);
        call->done(call->user, call->err, sp_call_answer(call));
    }
    while (news.readable-- > 0 &&
           (stream = sp_stream_take_readable(fixture->pool, queue)) != NULL) {
        stream->ready(stream->ready_user, (snakepit_stream *)(void *)stream);
    }
}

void fixture_drain(struct fixture *fixture)
{
    fixture_drain_queue(fixture, SP_QUEUE_DEFAULT);
}

static bool order_cancel(void *worker, uint64_t call, uint32_t slot)
{
    struct side *side = worker;
    (void)slot;
    side->cancels++;
    side->cancelled_call = call;
    return true;
}

static void order_kill(void *worker, enum sp_death death, const char *why, bool closing)
{
    (void)closing;
    struct side *side = worker;
    side->kills++;
    side->death = death;
    side->why = why;
}

static void order_spent(void *worker)
{
    struct side *side = worker;
    side->spent++;
}

static void order_stuck(void *worker, bool alone)
{
    struct side *side = worker;
    side->stuck++;
    side->alone = alone;
}

static void order_checked(void *worker, snakepit_err err, const snakepit_fault *fault)
{
    struct side *side = worker;
    side->checks++;
    side->checked = err;
    assert_int_equal(fault->err, err);
}

static bool order_map(void *worker, const struct sp_window *window)
{
    struct side *side = worker;
    side->maps += side->is_full ? 0 : 1;
    side->mapped = side->is_full ? side->mapped : window->serial;
    return !side->is_full;
}

static bool order_unmap(void *worker, const struct sp_window *window)
{
    struct side *side = worker;
    (void)window;
    side->unmaps += side->is_full ? 0 : 1;
    return !side->is_full;
}

bool fixture_tick(struct fixture *fixture, uint32_t ms)
{
    static const struct sp_pool_orders orders = {.cancel = order_cancel,
                                                 .spent = order_spent,
                                                 .stuck = order_stuck,
                                                 .checked = order_checked,
                                                 .kill = order_kill,
                                                 .map = order_map,
                                                 .unmap = order_unmap};
    fixture->ahead_ns += ms * SP_NS_PER_MS;
    bool again =
        sp_pool_tick(fixture->pool, sp_clock_now() + fixture->ahead_ns, &orders);
    fixture_drain(fixture);
    return again;
}

bool fixture_serve_one(struct fixture *fixture, struct side *side)
{
    struct fake_call call;
    if (!fake_take_started(side->fake, &call)) {
        return false;
    }
    fake_serve(side->fake, &call);
    fixture_drain(fixture);
    return true;
}

uint32_t fixture_in_line(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->pool->lock);
    uint32_t count = fixture->pool->line.count;
    pthread_mutex_unlock(&fixture->pool->lock);
    return count;
}

uint32_t fixture_placed(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->pool->lock);
    uint32_t count = fixture->pool->placed;
    pthread_mutex_unlock(&fixture->pool->lock);
    return count;
}

uint64_t fixture_ended(const struct fixture *fixture)
{
    uint64_t count = 0;
    for (uint32_t err = 0; err < SP_ERRORS; err++) {
        count += fixture->pool->counters.ended[err];
    }
    return count;
}

uint64_t fixture_failed(const struct fixture *fixture)
{
    return fixture_ended(fixture) - fixture->pool->counters.ended[SNAKEPIT_OK];
}
