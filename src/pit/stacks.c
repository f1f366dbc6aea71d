// SPDX-License-Identifier: MIT
// Where the threads of a worker are.
#include "base/callback.h"
#include "base/thread.h"
#include "inspect/threads.h"
#include "pit/ask.h"
#include "pit/pit.h"
#include "pit/refuse.h"

struct asked {
    snakepit_stack_fn *take;
    void *user;
};

static void hand_over(const struct asked *asked, const snakepit_stack *stack)
{
    SP_CALLBACK("the callback `take`");
    asked->take(asked->user, stack);
    SP_CALLBACK_RETURNED;
}

static void
take_stack(void *user, const struct sp_stack *stack, const struct sp_call_told *call)
{
    const struct sp_frames *frames = stack->frames;
    snakepit_frame told[SP_FRAMES_MOST];
    for (uint32_t i = 0; i < frames->count; i++) {
        const struct sp_code_place *place = &frames->places[i];
        told[i] = (snakepit_frame){place->function, place->file, place->line};
    }
    const snakepit_stack its = {
        .size = sizeof its,
        .executor = stack->executor == SP_NO_EXECUTOR ? -1 : (int32_t)stack->executor,
        .thread = stack->thread <= INT32_MAX ? (int32_t)stack->thread : 0,
        .state = sp_threads_state_name(stack->state),
        .call = stack->call,
        .tool = call->tool,
        .running_us = stack->running_us,
        .stuck = call->stuck,
        .moved = frames->moved,
        .cut = frames->end == SP_FRAMES_CUT,
        .lost = frames->end == SP_FRAMES_LOST,
        .count = frames->count,
        .frames = told,
    };
    hand_over(user, &its);
}

// NOLINTNEXTLINE(readability-function-size): a callback and its user are one thing
snakepit_err snakepit_worker_stacks(snakepit *pit,
                                    const char *pool,
                                    uint64_t worker,
                                    snakepit_stack_fn *take,
                                    void *user,
                                    snakepit_message *why)
{
    SP_UNCANCELLED;
    snakepit_message reason = {{0}};
    struct asked asked = {take, user};
    snakepit_err err = sp_refuse_no_pit(pit, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (take == NULL) {
        return sp_refuse(
            why, SNAKEPIT_INVALID_ARGUMENT, "`take` is NULL: nobody takes the stacks");
    }
    struct sp_pit_pool *place = sp_pit_find(pit, pool);
    if (place == NULL) {
        return sp_refuse_pool(pit, pool, why);
    }
    if (sp_pit_is_connected(pit)) {
        const struct sp_asked question = {.pool = pool, .worker = worker};
        return sp_ask_stacks(pit, &question, take, user, why);
    }
    err = sp_fleet_stacks(&place->fleet, worker, take_stack, &asked, &reason);
    if (err == SNAKEPIT_NOT_FOUND) {
        return sp_refuse_worker(sp_pool_name(place->pool), worker, why);
    }
    return err == SNAKEPIT_OK ? err : sp_refuse(why, err, "%s", reason.text);
}
