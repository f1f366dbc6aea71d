// SPDX-License-Identifier: MIT
// Workers that emit events, and the listener that hears them, on a clock that goes on
// only when the test says so.
#include "process/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fakes.h"
#include "payload/writer.h"

#define TALKERS 2u
#define TUBE_AT 256u
#define TOTAL   (TUBE_AT + SP_TUBE_BYTES + 65536u)

// A worker's memory, with both of its ends.
struct talker {
    struct sp_control header;
    _Alignas(SP_LINE) uint8_t results[TOTAL];
    struct sp_events_writer writer;
    struct sp_events events;
    uint32_t heard;
};

static struct {
    struct sp_loop loop;
    struct sp_listener listener;
    struct talker talkers[TALKERS];
    uint64_t costs;   // ns that the program takes for an event
    uint32_t refused; // times
    uint64_t dropped; // as the last event says
    char order[256];  // whose events came
} scene;

static void on_event(void *user, const snakepit_event *event)
{
    (void)user;
    size_t at = strlen(scene.order);
    if (at + 1 < sizeof scene.order) {
        scene.order[at] = (char)('a' + event->worker);
        scene.order[at + 1] = 0;
    }
    scene.talkers[event->worker].heard++;
    scene.dropped = event->dropped;
    machine.now += scene.costs;
}

static void on_refused(struct sp_events *events)
{
    (void)events;
    scene.refused++;
}

static void woken(void *user)
{
    (void)user;
}

static int prepare(void **state)
{
    static const struct sp_event_sink sink = {.event = on_event, .log = &machine.log};
    (void)state;
    machine_reset();
    memset(&scene, 0, sizeof scene);
    assert_int_equal(sp_loop_init(&scene.loop, woken, NULL, NULL), SNAKEPIT_OK);
    sp_listener_init(&scene.listener, &scene.loop, &sink);
    for (uint32_t i = 0; i < TALKERS; i++) {
        struct talker *talker = &scene.talkers[i];
        sp_events_writer_init(&talker->writer,
                              &talker->header,
                              talker->results + TUBE_AT,
                              TUBE_AT,
                              machine.now);
        talker->events =
            (struct sp_events){.pool = "pool", .worker = i, .refused = on_refused};
        sp_events_reader_init(
            &talker->events.reader, &talker->header, talker->results, TOTAL);
    }
    return 0;
}

static int tidy(void **state)
{
    (void)state;
    sp_listener_close(&scene.listener);
    sp_loop_fini(&scene.loop);
    return 0;
}

static void emit(uint32_t number, uint32_t count)
{
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_array(writer, 7);
    snakepit_writer_str(writer, "name");
    snakepit_writer_uint(writer, 1);
    snakepit_writer_str(writer, "");
    snakepit_writer_str(writer, "");
    snakepit_writer_uint(writer, 1);
    snakepit_writer_map(writer, 0);
    snakepit_writer_map(writer, 0);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(sp_events_put(
            &scene.talkers[number].writer, writer->buf.data, writer->buf.size));
    }
    snakepit_writer_free(writer);
}

static void notice(uint32_t number)
{
    sp_listener_notice(&scene.listener, &scene.talkers[number].events);
}

static void run(uint64_t ms)
{
    machine_run(&scene.loop, ms);
}

static void events_are_told_as_soon_as_they_are_noticed(void **state)
{
    (void)state;
    emit(0, 3);
    run(30);
    assert_int_equal(scene.talkers[0].heard, 0);
    notice(0);
    run(1);
    assert_int_equal(scene.talkers[0].heard, 3);
}

static void a_worker_that_has_spoken_is_looked_at_again_by_itself(void **state)
{
    (void)state;
    emit(0, 1);
    notice(0);
    run(1);
    emit(0, 1);
    run(10);
    assert_int_equal(scene.talkers[0].heard, 1);
    run(15);
    assert_int_equal(scene.talkers[0].heard, 2);
}

static void one_that_is_silent_is_not_looked_at_until_it_says_so(void **state)
{
    (void)state;
    emit(0, 1);
    notice(0);
    run(50);
    assert_false(sp_timer_runs(&scene.listener.timer));
    assert_false(sp_link_used(&scene.talkers[0].events.link));
    emit(0, 1);
    run(50);
    assert_int_equal(scene.talkers[0].heard, 1);
    notice(0);
    run(1);
    assert_int_equal(scene.talkers[0].heard, 2);
}

static void a_turn_ends_in_time_and_the_loop_rests_four_times_as_long(void **state)
{
    (void)state;
    scene.costs = SP_NS_PER_MS;
    emit(0, 10);
    notice(0);
    run(1);
    uint32_t first = scene.talkers[0].heard;
    assert_in_range(first, 2, 3);
    run(5);
    assert_int_equal(scene.talkers[0].heard, first);
    run(5);
    assert_in_range(scene.talkers[0].heard, first + 2, first + 3);
}

static void a_rest_is_not_cut_short_by_a_notice(void **state)
{
    (void)state;
    scene.costs = SP_NS_PER_MS;
    emit(0, 10);
    notice(0);
    run(1);
    uint32_t first = scene.talkers[0].heard;
    emit(1, 1);
    notice(1);
    run(3);
    assert_int_equal(scene.talkers[0].heard, first);
    assert_int_equal(scene.talkers[1].heard, 0);
}

static void who_was_not_heard_is_the_first_of_the_next_turn(void **state)
{
    (void)state;
    scene.costs = SP_NS_PER_MS;
    emit(0, 10);
    emit(1, 10);
    notice(0);
    notice(1);
    run(1);
    assert_int_equal(scene.talkers[1].heard, 0);
    run(12);
    assert_true(scene.talkers[1].heard > 0);
    assert_non_null(strstr(scene.order, "aab"));
}

static void what_makes_no_sense_is_refused_and_not_read_on(void **state)
{
    (void)state;
    assert_true(sp_events_put(&scene.talkers[0].writer, (const uint8_t *)"\xc1", 1));
    emit(0, 1);
    notice(0);
    run(50);
    assert_int_equal(scene.refused, 1);
    assert_int_equal(scene.talkers[0].heard, 0);
    assert_false(sp_link_used(&scene.talkers[0].events.link));
}

static void what_was_dropped_is_told_with_the_next_event(void **state)
{
    (void)state;
    sp_events_drop(&scene.talkers[0].header);
    sp_events_drop(&scene.talkers[0].header);
    emit(0, 1);
    notice(0);
    run(1);
    assert_int_equal(scene.dropped, 2);
}

static void what_a_worker_has_said_before_it_left_is_told(void **state)
{
    (void)state;
    emit(0, 5);
    notice(0);
    sp_listener_part(&scene.listener, &scene.talkers[0].events);
    assert_int_equal(scene.talkers[0].heard, 5);
    assert_false(sp_link_used(&scene.talkers[0].events.link));
    run(50);
    assert_int_equal(scene.talkers[0].heard, 5);
}

static void one_that_leaves_is_heard_for_a_while_alone(void **state)
{
    (void)state;
    scene.costs = SP_NS_PER_MS;
    emit(0, 30);
    sp_listener_part(&scene.listener, &scene.talkers[0].events);
    assert_int_equal(scene.talkers[0].heard, 10);
}

#define test(name) cmocka_unit_test_setup_teardown(name, prepare, tidy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(events_are_told_as_soon_as_they_are_noticed),
        test(a_worker_that_has_spoken_is_looked_at_again_by_itself),
        test(one_that_is_silent_is_not_looked_at_until_it_says_so),
        test(a_turn_ends_in_time_and_the_loop_rests_four_times_as_long),
        test(a_rest_is_not_cut_short_by_a_notice),
        test(who_was_not_heard_is_the_first_of_the_next_turn),
        test(what_makes_no_sense_is_refused_and_not_read_on),
        test(what_was_dropped_is_told_with_the_next_event),
        test(what_a_worker_has_said_before_it_left_is_told),
        test(one_that_leaves_is_heard_for_a_while_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
