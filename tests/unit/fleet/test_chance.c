// SPDX-License-Identifier: MIT
// Whatever happens to its workers and in what order, a fleet is sound, and ends.
#include "fleet/plan.h"

#include "planned.h"

#include <string.h>

#include "support/chance.h"

#define EVENT(name) SP_FLEET_##name

// Workers and a template as numbers, which do what chance says.
struct world {
    struct planned planned;
    bool alive[PLANNED_POSTS * SP_PLACES_PER_POST];
    uint32_t left; // have exited, and left something behind
    bool template_alive;
    bool stopped;
};

// Carries out what a step orders; returns what answers it.
static struct sp_fleet_event carry_out(struct world *world)
{
    struct planned *planned = &world->planned;
    struct sp_fleet_event answer = {.kind = EVENT(NOTHING), .reason = "why"};
    for (uint32_t i = 0; i < planned->out.count; i++) {
        const struct sp_fleet_action *action = &planned->out.items[i];
        bool fails = below(4) == 0;
        answer.place = action->place;
        if (action->kind == SP_FLEET_DO_START) {
            assert_false(world->alive[action->place]);
            world->alive[action->place] = !fails;
            answer.kind = fails ? EVENT(START_FAILED) : EVENT(STARTED);
        } else if (action->kind == SP_FLEET_DO_START_TEMPLATE) {
            assert_false(world->template_alive);
            world->template_alive = !fails;
            answer.kind = fails ? EVENT(TEMPLATE_FAILED) : EVENT(TEMPLATE_STARTED);
        } else if (action->kind == SP_FLEET_DO_RESHAPE) {
            assert_int_equal(i + 1, planned->out.count);
            planned_reshape(planned, action->number);
            answer.kind = EVENT(RESHAPED);
        } else if (action->kind == SP_FLEET_DO_TELL_STOPPED) {
            assert_false(world->stopped);
            world->stopped = true;
        } else if (action->kind <= SP_FLEET_DO_KILL) {
            assert_true(world->alive[action->place]);
        }
        assert_true(answer.kind == EVENT(NOTHING) || i + 1 == planned->out.count);
    }
    return answer;
}

static void happen(struct world *world, const struct sp_fleet_event *event)
{
    struct sp_fleet_event next = *event;
    for (int i = 0; next.kind != EVENT(NOTHING); i++) {
        assert_true(i < 100); // the loop is to go on
        planned_step(&world->planned, &next);
        next = carry_out(world);
    }
}

static struct sp_fleet_worker any_worker(const struct world *world)
{
    uint32_t bits = (uint32_t)below(256);
    return (struct sp_fleet_worker){.began = world->planned.now - bits,
                                    .born = (bits & 7) != 0,
                                    .forked = (bits & 8) != 0,
                                    .free_threaded = true,
                                    .gil_enabled = (bits & 0xf0) == 0xf0,
                                    .thread_safe = true,
                                    .adapter_failed = (bits & 0xe0) == 0xe0,
                                    .told = (bits & 0x18) == 0x18,
                                    .worked = (bits & 0x20) != 0,
                                    .memory = (uint64_t)bits << 20};
}

static void something_of_the_worker(struct world *world, uint32_t place)
{
    static const enum sp_fleet_event_kind kinds[] = {EVENT(READY),
                                                     EVENT(READY),
                                                     EVENT(GIL),
                                                     EVENT(IDLE),
                                                     EVENT(REPLACE),
                                                     EVENT(WEIGHED),
                                                     EVENT(STUCK),
                                                     EVENT(DENIED),
                                                     EVENT(EXITED),
                                                     EVENT(EXITED),
                                                     EVENT(TOLD)};
    if (!world->alive[place]) {
        return;
    }
    const struct sp_fleet_event event = {
        .kind = kinds[below(sizeof kinds / sizeof kinds[0])],
        .place = place,
        .worker = any_worker(world),
        .alone = below(2) == 0,
        .reason = "why"};
    if (event.kind == EVENT(EXITED)) {
        world->alive[place] = false;
        world->left++;
    }
    happen(world, &event);
}

// A reload, or a switch of the profile.
static struct sp_fleet_event any_respec(struct world *world)
{
    const struct sp_fleet_plan *plan = &world->planned.plan;
    bool threads = below(2) == 0;
    uint32_t most = 1 + (uint32_t)below(4);
    struct sp_fleet_event event = {
        .kind = EVENT(RESPEC),
        .recycle = SP_RECYCLE_BY_RELOAD,
        .terms = {.config = &world->planned.config,
                  .profile = threads ? SP_PROFILE_THREAD : SP_PROFILE_PROCESS,
                  .size = {1 + (uint32_t)below(most), most},
                  .threads = threads ? 1 + (uint32_t)below(2) : 1,
                  .roll = below(4) != 0}};
    if (!event.terms.roll) {
        event.terms.profile = plan->profile;
        event.terms.threads = plan->threads;
    }
    planned_extend(&world->planned, most);
    return event;
}

static void something_else(struct world *world)
{
    struct sp_fleet_event event = {.kind = EVENT(TIMER), .reason = "why"};
    switch (below(10)) {
    case 8:
        if (below(4) == 0) {
            event = any_respec(world);
        }
        break;
    case 0:
        event.kind = EVENT(RETRY);
        break;
    case 1:
        event.kind = world->template_alive ? EVENT(TEMPLATE_READY) : EVENT(TIMER);
        break;
    case 2:
        event.kind = world->template_alive ? EVENT(TEMPLATE_GONE) : EVENT(TIMER);
        world->template_alive = false;
        break;
    case 3:
    case 4:
    case 5:
        event.kind = world->left > 0 ? EVENT(GONE) : EVENT(TIMER);
        world->left -= world->left > 0;
        break;
    case 6:
        event.kind = EVENT(RESIZE);
        event.number = 1 + (uint32_t)below(5);
        break;
    case 7:
        event.kind = EVENT(LOAD);
        event.load = (struct sp_fleet_load){.running = (uint32_t)below(8),
                                            .waiting = (uint32_t)below(2)};
        break;
    default:
        break;
    }
    happen(world, &event);
}

static void assert_sound(const struct world *world)
{
    const struct sp_fleet_plan *plan = &world->planned.plan;
    uint32_t alive = world->left;
    for (uint32_t i = 0; i < plan->posts * SP_PLACES_PER_POST; i++) {
        assert_int_equal(world->alive[i], plan->places[i].state != SP_PLACE_EMPTY);
        alive += world->alive[i];
    }
    assert_int_equal(sp_fleet_alive(plan), alive);
    assert_true(sp_fleet_starting(plan) <= plan->config->startup_batch_size);
    assert_true(sp_fleet_serving(plan) <= plan->posts);
    assert_int_equal(world->template_alive, plan->template.state != SP_PLANNED_NONE);
    if (plan->phase == SP_FLEET_RUNNING) {
        assert_true((plan->shown == SP_POOL_READY) ==
                    (sp_fleet_serving(plan) >= plan->least));
    }
}

static void end(struct world *world)
{
    const struct sp_fleet_event stop = {.kind = EVENT(STOP)};
    happen(world, &stop);
    for (uint32_t i = 0; i < PLANNED_POSTS * SP_PLACES_PER_POST; i++) {
        if (world->alive[i]) {
            const struct sp_fleet_event exited = {
                .kind = EVENT(EXITED), .place = i, .reason = "why"};
            world->alive[i] = false;
            world->left++;
            happen(world, &exited);
        }
    }
    if (world->template_alive) {
        const struct sp_fleet_event gone = {.kind = EVENT(TEMPLATE_GONE),
                                            .reason = "why"};
        world->template_alive = false;
        happen(world, &gone);
    }
    for (; world->left > 0; world->left--) {
        const struct sp_fleet_event gone = {.kind = EVENT(GONE)};
        assert_false(world->stopped);
        happen(world, &gone);
    }
    assert_true(world->stopped);
}

static void whatever_happens_a_fleet_is_sound_and_ends(void **state)
{
    (void)state;
    static struct world world;
    for (uint32_t seed = 1; seed <= 300; seed++) {
        memset(&world, 0, sizeof world);
        atomic_store(&chance_seed, seed);
        if (seed % 2 == 0) {
            planned_init(&world.planned, 4);
        } else {
            planned_init_threads(&world.planned, 2, 2);
        }
        world.planned.config.template = SP_TEMPLATE_AUTO;
        // Half of those of either profile follow the work.
        if (seed % 4 < 2) {
            world.planned.config.pool_size.min = 1;
            world.planned.plan.least = 1;
            world.planned.plan.target = 1;
        }
        world.planned.config.worker_max_memory = 100u << 20;
        world.planned.config.worker_max_memory_hard = 200u << 20;
        const struct sp_fleet_event begin = {.kind = EVENT(BEGIN)};
        happen(&world, &begin);
        for (int step = 0; step < 500; step++) {
            world.planned.now += below(100) * MS;
            uint32_t places = world.planned.plan.posts * SP_PLACES_PER_POST;
            something_of_the_worker(&world, (uint32_t)below(places));
            something_else(&world);
            assert_sound(&world);
        }
        end(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_a_fleet_is_sound_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
