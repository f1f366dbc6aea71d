// SPDX-License-Identifier: MIT
// A question is copied out of the worker's reach, asked without the lock, and replied
// to under it, if the call still stands where it stood. The one thing to know:
// `serving` keeps a submitted call from being handed to its callback while somebody
// works for it.
#include "pool/question.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fork.h"
#include "base/memory.h"
#include "ipc/wait.h"
#include "payload/writer.h"
#include "pool/affinity.h"
#include "pool/inside.h"
#include "pool/placement.h"
#include "pool/stream.h"

// A question that the calling thread serves. Lives on its stack.
struct asker {
    struct asker *outer;
    struct sp_pool *pool;
    struct sp_call *call;
    const struct sp_question *question;
    struct sp_port *port; // pinned
    uint64_t id;          // of the call
    uint64_t deadline;
    uint32_t slot;
    uint32_t turn;
    uint32_t depth; // 1: the outermost
    bool lends;     // its executor was told to run another call
};

static _Thread_local struct asker *innermost;
static _Thread_local struct sp_patience patience;

// What is said in reply. Without a parcel the reply has no body.
struct outcome {
    enum sp_reply_kind kind;
    struct sp_parcel *parcel;
};

// Whether the call still stands where it asked.
static bool stands(const struct asker *asker)
{
    const struct sp_call *call = asker->call;
    return call->id == asker->id && call->phase == SP_CALL_PLACED &&
           call->placement.seat->port == asker->port &&
           call->placement.slot == asker->slot && !call->placement.seat->violated &&
           !call->placement.seat->silent && !call->placement.seat->dead;
}

// ---- Asking -------------------------------------------------------------------

static snakepit_err explain(struct sp_question *question, snakepit_err err)
{
    if (err != SNAKEPIT_OK && question->why.text[0] == 0) {
        (void)snprintf(question->why.text,
                       sizeof question->why.text,
                       "%s",
                       snakepit_err_text(err));
    }
    return err;
}

static snakepit_err ask(const struct asker *asker, struct sp_question *question)
{
    const struct sp_pool_hooks *hooks = &asker->pool->hooks;
    if (asker->depth > SP_QUESTIONS_NESTED) {
        (void)snprintf(
            question->why.text,
            sizeof question->why.text,
            "tools of the host and the calls that they make may be nested %u "
            "deep at most; does one call itself?",
            SP_QUESTIONS_NESTED);
        question->type = "RecursionError";
        return SNAKEPIT_UNSUPPORTED;
    }
    if (hooks->question == NULL) {
        return SNAKEPIT_UNKNOWN_TOOL;
    }
    snakepit_err err = hooks->question(hooks->user, question);
    return err == SNAKEPIT_OK ? snakepit_writer_error(question->result) : err;
}

static void write_fault(struct sp_question *question, snakepit_err err)
{
    snakepit_writer *writer = question->result;
    snakepit_writer_reset(writer);
    snakepit_writer_map(writer, 4);
    snakepit_writer_str(writer, "err");
    snakepit_writer_int(writer, err);
    snakepit_writer_str(writer, "code");
    snakepit_writer_str(writer, snakepit_err_name(err));
    snakepit_writer_str(writer, "message");
    snakepit_writer_str(writer, question->why.text);
    snakepit_writer_str(writer, "type");
    snakepit_writer_str(writer, question->type == NULL ? "" : question->type);
}

// Puts what the writer holds where the worker reads. Without memory the reply is a
// fault that says so by having no body.
static void
fill(struct sp_store *store, const snakepit_writer *writer, struct outcome *outcome)
{
    const struct sp_request_text text = {.tool = "", .args = writer};
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    if (outcome->parcel != NULL) {
        sp_parcel_empty(store, outcome->parcel);
        err = SNAKEPIT_OK;
    } else {
        err = sp_parcel_new(store, &outcome->parcel);
    }
    if (err == SNAKEPIT_OK && writer->buf.size <= SP_BODY_MAX) {
        err = sp_parcel_fill(store, outcome->parcel, &text);
    }
    if (err != SNAKEPIT_OK) {
        outcome->kind = SP_REPLY_FAULT;
        sp_parcel_free(store, outcome->parcel);
        outcome->parcel = NULL;
    }
}

// What the call keeps from one question to the next. NO_MEMORY.
static snakepit_err copy_body(struct sp_call *call, struct sp_question *question)
{
    if (call->inquiry.reply == NULL) {
        call->inquiry.reply = snakepit_writer_new();
    }
    call->inquiry.body.size = 0;
    if (call->inquiry.reply == NULL ||
        sp_buf_append(&call->inquiry.body, question->body.data, question->body.size) !=
            SNAKEPIT_OK) {
        return SNAKEPIT_NO_MEMORY;
    }
    question->body.data = call->inquiry.body.data;
    question->result = call->inquiry.reply;
    snakepit_writer_reset(call->inquiry.reply);
    return SNAKEPIT_OK;
}

// From the question's bytes to the reply's. No lock. True: somebody else answers it.
static bool
work(struct asker *asker, struct sp_question *question, struct outcome *outcome)
{
    struct sp_store *store = &asker->pool->store;
    outcome->kind = SP_REPLY_FAULT;
    if (copy_body(asker->call, question) != SNAKEPIT_OK) {
        sp_parcel_free(store, outcome->parcel);
        outcome->parcel = NULL;
        return false;
    }
    innermost = asker;
    snakepit_err err = ask(asker, question);
    innermost = asker->outer;
    if (!sp_fork_is_here(asker->pool->process)) {
        return false;
    }
    if (err == SNAKEPIT_AGAIN && question->relays) {
        return true;
    }
    if (explain(question, err) == SNAKEPIT_OK) {
        outcome->kind = SP_REPLY_RESULT;
    } else {
        write_fault(question, err);
    }
    fill(store, question->result, outcome);
    return false;
}

// ---- Replying -----------------------------------------------------------------

// The reply to a call that stands; it keeps the parcel.
static void reply(struct asker *asker, struct outcome *outcome)
{
    struct sp_call *call = asker->call;
    struct sp_seat *seat = call->placement.seat;
    struct sp_store *store = &asker->pool->store;
    struct sp_parcel *parcel = outcome->parcel;
    struct sp_port_reply text = {.kind = outcome->kind, .lease = SP_NO_LEASE};
    if (parcel != NULL && parcel->share_count > 0) {
        sp_pool_take_returns(asker->pool, seat);
        text.lease = sp_seat_take_lease(seat);
        if (text.lease == SP_NO_LEASE) {
            text.kind = SP_REPLY_FAULT;
            sp_parcel_empty(store, parcel);
        }
    }
    if (parcel != NULL) {
        text.body = parcel->body;
        text.body_size = parcel->body_size;
    }
    call->parcel->reply = parcel;
    sp_wait_note_cpu(&asker->port->view.header->host_cpu);
    bool taken = sp_port_reply(asker->port, asker->slot, asker->turn, &text);
    if (text.lease != SP_NO_LEASE) {
        sp_seat_end_lease(store, seat, text.lease, parcel, taken);
    }
}

// The call may have ended while it was served; then its callback has waited.
static void stop_serving(struct sp_pool *pool, struct sp_call *call)
{
    bool asks = call->inquiry.again;
    call->inquiry.serving = false;
    call->inquiry.again = false;
    if (!call->reports) {
        return;
    }
    struct sp_lane *lane = sp_pool_lane(pool, call);
    if (call->stream != NULL && call->stream->left) {
        sp_lane_put_readable(lane, call);
    } else if (call->asynchronous && call->phase == SP_CALL_ENDED) {
        sp_list_append(&lane->ended, &call->link);
    } else if (asks && call->phase != SP_CALL_ENDED) {
        sp_pool_note_question(pool, call);
        return;
    } else {
        return;
    }
    pool->hooks.ended(pool->hooks.user, call->queue);
}

static void describe(const struct asker *asker,
                     const struct sp_port_question *heard,
                     struct sp_question *question)
{
    const struct sp_call *call = asker->call;
    *question = (struct sp_question){
        .pool = asker->pool->name,
        .call = asker->id,
        .worker = call->placement.seat->worker_id,
        .deadline = sp_pool_told_deadline(asker->pool, call),
        .body = {heard->body, heard->body_size},
        .memory = {asker->port->results.base, asker->port->results.size},
        .relays = call->asks != NULL,
    };
}

// The call's session and trace, for as long as the tool runs: the call may end before.
struct kept_texts {
    uint8_t session[SP_SESSION_MAX];
    uint8_t tracestate[SP_TRACESTATE_MAX];
};

static void copy_texts(const struct sp_call *call,
                       struct kept_texts *room,
                       struct sp_question *question)
{
    const struct sp_store *store = &call->pool->store;
    const struct sp_slice session = sp_parcel_session(store, call->parcel);
    const struct sp_slice trace = sp_parcel_trace(store, call->parcel);
    memcpy(room->session, session.data, session.size);
    question->session = (struct sp_slice){room->session, session.size};
    if (trace.size > 0) {
        const size_t size = trace.size - SP_TRACE_CONTEXT;
        memcpy(&question->trace, trace.data, SP_TRACE_CONTEXT);
        memcpy(room->tracestate, trace.data + SP_TRACE_CONTEXT, size);
        question->tracestate = (struct sp_slice){room->tracestate, size};
    }
}

// A child that the tool has forked returns from it: its call ends here, and nothing
// that is the parent's is touched. The lock may be held by a thread that does not exist
// here.
static void leave(struct sp_pool *pool, struct sp_call *call)
{
    static const struct sp_failure forked = {.err = SNAKEPIT_FORKED};
    innermost = NULL;
    SP_CHECK(pthread_mutex_init(&pool->lock, NULL) == 0);
    pthread_mutex_lock(&pool->lock);
    call->phase = SP_CALL_ENDED;
    sp_call_set_failure(call, &forked);
}

// ---- Questions that are deferred ----------------------------------------------------

struct sp_deferred_question {
    struct asker asker;
    struct outcome outcome;
    uint32_t lease; // of the question
};

// The question is answered, and the call goes on. The lock is held.
static void end_question(struct asker *asker, struct outcome *outcome, uint32_t lease)
{
    struct sp_pool *pool = asker->pool;
    if (stands(asker)) {
        reply(asker, outcome);
    } else {
        sp_parcel_free(&pool->store, outcome->parcel);
    }
    sp_port_return_result(asker->port, lease);
    sp_port_unpin(asker->port);
    stop_serving(pool, asker->call);
}

// False: there is no memory for it.
static bool
hand_on(const struct asker *asker, const struct outcome *outcome, uint32_t lease)
{
    struct sp_deferred_question *held = sp_alloc(sizeof *held);
    if (held == NULL) {
        return false;
    }
    *held = (struct sp_deferred_question){*asker, *outcome, lease};
    held->asker.outer = NULL;
    held->asker.question = NULL;
    asker->call->asks(asker->call->asks_user, held);
    return true;
}

void sp_deferred_question_look(const struct sp_deferred_question *held,
                               struct sp_slice *body,
                               struct sp_slice *memory)
{
    const struct sp_buf *kept = &held->asker.call->inquiry.body;
    const struct sp_segment *results = &held->asker.port->results;
    *body = (struct sp_slice){kept->data, kept->size};
    *memory = (struct sp_slice){results->base, results->size};
}

void sp_deferred_question_answer(struct sp_deferred_question *held,
                                 enum sp_reply_kind kind,
                                 const snakepit_writer *writer)
{
    struct sp_pool *pool = held->asker.pool;
    struct sp_after after = {0};
    held->outcome.kind = kind;
    if (kind != SP_REPLY_LEFT) {
        fill(&pool->store, writer, &held->outcome);
    } else if (held->outcome.parcel != NULL) {
        sp_parcel_free(&pool->store, held->outcome.parcel);
        held->outcome.parcel = NULL;
    }
    pthread_mutex_lock(&pool->lock);
    end_question(&held->asker, &held->outcome, held->lease);
    sp_pool_unlock(pool, &after);
    sp_free(held);
}

// ---- Serving ----------------------------------------------------------------------

void sp_pool_serve_question(struct sp_pool *pool,
                            struct sp_call *call,
                            struct sp_after *after)
{
    struct sp_port_question heard;
    struct sp_question question;
    struct kept_texts texts;
    struct sp_port *port = call->placement.seat->port;
    snakepit_err err = sp_port_take_question(port, call->placement.slot, &heard);
    if (err != SNAKEPIT_OK) {
        if (err == SNAKEPIT_PROTOCOL) {
            sp_pool_fail_for_violation(pool, call, after);
        }
        return;
    }
    pool->counters.questions++;
    struct asker asker = {.outer = innermost,
                          .pool = pool,
                          .call = call,
                          .question = &question,
                          .port = port,
                          .id = call->id,
                          .deadline = call->deadline,
                          .slot = call->placement.slot,
                          .turn = heard.turn,
                          .depth = innermost == NULL ? 1 : innermost->depth + 1};
    struct outcome outcome = {.parcel = call->parcel->reply};
    call->parcel->reply = NULL;
    call->inquiry.serving = true;
    port->pins++;
    describe(&asker, &heard, &question);
    copy_texts(call, &texts, &question);
    sp_pool_unlock(pool, after);
    const bool later = work(&asker, &question, &outcome);
    if (later && hand_on(&asker, &outcome, heard.lease)) {
        pthread_mutex_lock(&pool->lock);
        return;
    }
    if (!sp_fork_is_here(pool->process)) {
        leave(pool, call);
        return;
    }
    if (later) {
        sp_parcel_free(&pool->store, outcome.parcel);
        outcome = (struct outcome){.kind = SP_REPLY_FAULT}; // there is no memory
    }
    pthread_mutex_lock(&pool->lock);
    end_question(&asker, &outcome, heard.lease);
}

// ---- Submitted calls ----------------------------------------------------------

void sp_pool_note_question(struct sp_pool *pool, struct sp_call *call)
{
    if (call->inquiry.serving) {
        call->inquiry.again = true;
    } else if (!sp_link_used(&call->inquiry.link)) {
        sp_list_append(&sp_pool_lane(pool, call)->questions, &call->inquiry.link);
    }
}

void sp_pool_leave_question(struct sp_pool *pool, struct sp_seat *seat, uint32_t slot)
{
    static const struct sp_port_reply left = {.kind = SP_REPLY_LEFT,
                                              .lease = SP_NO_LEASE};
    struct sp_port_question heard;
    snakepit_err err = sp_port_take_question(seat->port, slot, &heard);
    if (err == SNAKEPIT_PROTOCOL) {
        sp_pool_violation(pool, seat);
    } else if (err == SNAKEPIT_OK) {
        (void)sp_port_reply(seat->port, slot, heard.turn, &left);
        sp_port_return_result(seat->port, heard.lease);
    }
}

// ---- Calls from within a host's tool ------------------------------------------

bool sp_question_is_open(void)
{
    return innermost != NULL;
}

const struct sp_trace_context *sp_question_trace(struct sp_slice *state)
{
    if (innermost == NULL || !sp_trace_is_one(&innermost->question->trace)) {
        return NULL;
    }
    *state = innermost->question->tracestate;
    return &innermost->question->trace;
}

void sp_question_limit(struct sp_call *call)
{
    if (innermost != NULL && innermost->deadline < call->deadline) {
        call->deadline = innermost->deadline;
        if (call->line_deadline > call->deadline) {
            call->line_deadline = call->deadline;
        }
    }
}

static struct asker *asker_of(const struct sp_pool *pool)
{
    struct asker *asker = innermost;
    while (asker != NULL && asker->pool != pool) {
        asker = asker->outer;
    }
    return asker;
}

static snakepit_err take_lease(struct sp_seat *seat, struct sp_call *call)
{
    if (call->parcel->share_count > 0) {
        sp_pool_take_returns(call->pool, seat);
    }
    if (!sp_placement_take_lease(call, seat)) {
        sp_call_set_failure(call, sp_schedule_refusal(SP_UNLEASED));
        return SNAKEPIT_NO_MEMORY;
    }
    return SNAKEPIT_OK;
}

// Puts the call into a slot of the asking worker, and tells its executor.
static snakepit_err hand_over(struct asker *asker, struct sp_call *call)
{
    static const struct sp_failure full = {
        .err = SNAKEPIT_SATURATED,
        .message = "the worker whose call asks has no slot left for a call from within "
                   "the host's tool",
        .stage = "line"};
    struct sp_slot_request request;
    sp_call_describe(call, &request);
    if (!sp_port_submit_served(asker->port, &request, call, &call->placement.slot)) {
        sp_call_set_failure(call, &full);
        return full.err;
    }
    const struct sp_port_reply serve = {
        .kind = SP_REPLY_SERVE, .body = call->placement.slot, .lease = SP_NO_LEASE};
    if (!sp_port_reply(asker->port, asker->slot, asker->turn, &serve)) {
        sp_port_drop(asker->port, call->placement.slot);
        return SNAKEPIT_NOT_FOUND;
    }
    asker->turn = sp_port_next_turn(asker->turn);
    asker->lends = true;
    return SNAKEPIT_OK;
}

snakepit_err sp_question_place(struct sp_pool *pool, struct sp_call *call)
{
    // A daemon runs it like any other call.
    struct asker *asker = pool->options.relays ? NULL : asker_of(pool);
    if (asker == NULL || asker->lends || sp_call_is_pending(call) || !stands(asker)) {
        return SNAKEPIT_NOT_FOUND;
    }
    struct sp_seat *seat = asker->call->placement.seat;
    if (sp_affinity_binds(pool, call) && call->tie->seat != NULL &&
        call->tie->seat != seat) {
        return SNAKEPIT_NOT_FOUND;
    }
    snakepit_err err = take_lease(seat, call);
    if (err == SNAKEPIT_OK) {
        err = hand_over(asker, call);
    }
    if (err != SNAKEPIT_OK) {
        sp_placement_end_lease(pool, call, seat, false);
        return err;
    }
    sp_placement_begin(pool, call, seat, true);
    if (call->tie != NULL && seat->open) {
        sp_affinity_placed(call, seat);
    }
    return SNAKEPIT_OK;
}

// Sleeps until the executor has read that it was to serve. The lock is released.
static void await_asker(struct asker *asker, uint64_t deadline, struct sp_after *after)
{
    const struct sp_call *call = asker->call;
    struct sp_port *port = asker->port;
    struct sp_wait wait = {
        .patience = &patience,
        .peer_cpu = &port->view.header->worker_cpu,
        .waiting = port->view.shape.waiting,
        .deadline = deadline,
        .moves = &call->moves,
        .moves_seen = atomic_load_explicit(&call->moves, memory_order_acquire),
    };
    sp_pool_unlock(asker->pool, after);
    (void)sp_wait_slot(&port->view.slots[asker->slot], &wait);
    pthread_mutex_lock(&asker->pool->lock);
}

// The worker could keep this thread for ever. It need not have broken a rule: one that
// was stopped (SIGSTOP) does the same.
static void give_up_on(struct sp_pool *pool, struct sp_seat *seat)
{
    seat->silent = true;
    sp_loads_remove(&pool->loads, seat);
    pool->hooks.attention(pool->hooks.user);
}

void sp_question_resume(struct sp_pool *pool, struct sp_after *after)
{
    struct asker *asker = asker_of(pool);
    if (asker == NULL || !asker->lends) {
        return;
    }
    asker->lends = false;
    uint64_t deadline = sp_clock_now() + pool->options.cancel_grace_ms * SP_NS_PER_MS;
    while (stands(asker) && sp_port_serves(asker->port, asker->slot, asker->turn)) {
        if (sp_clock_now() >= deadline) {
            give_up_on(pool, asker->call->placement.seat);
            return;
        }
        await_asker(asker, deadline, after);
    }
}
