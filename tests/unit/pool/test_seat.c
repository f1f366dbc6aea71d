// SPDX-License-Identifier: MIT
#include "pool/seat.h"

#include "pool/loads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"

#define LEASES 4u
#define SEATS  5

static struct sp_store store;
static struct sp_port *port;
static struct sp_seat *seats[SEATS];
static struct sp_loads loads;

static int open_seats(void **state)
{
    (void)state;
    const struct sp_control_shape shape = {.slots = 16,
                                           .executors = 2,
                                           .leases = LEASES,
                                           .requests_size = 4096,
                                           .results_size = 65536};
    assert_int_equal(sp_store_init(&store, 65536, NULL), SNAKEPIT_OK);
    assert_int_equal(sp_port_new(&shape, &port, NULL), SNAKEPIT_OK);
    sp_loads_init(&loads);
    for (int i = 0; i < SEATS; i++) {
        assert_int_equal(sp_seat_new(port, 2, &seats[i]), SNAKEPIT_OK);
    }
    return 0;
}

static int close_seats(void **state)
{
    (void)state;
    for (int i = 0; i < SEATS; i++) {
        sp_seat_free(&store, seats[i]);
    }
    sp_port_unref(port);
    sp_store_fini(&store);
    return 0;
}

// ---- Leases -------------------------------------------------------------------

static void give_share(struct sp_parcel *parcel)
{
    *parcel = (struct sp_parcel){.share_count = 1};
    parcel->shares = sp_alloc(sizeof *parcel->shares);
    assert_non_null(parcel->shares);
    assert_int_equal(sp_share_new(&store, 64, &parcel->shares[0]), SNAKEPIT_OK);
}

static void drop_share(struct sp_parcel *parcel)
{
    for (uint32_t i = 0; i < parcel->share_count; i++) {
        sp_share_unref(&store, parcel->shares[i]);
    }
    sp_free(parcel->shares);
}

static void there_are_as_many_leases_as_the_port_has(void **state)
{
    (void)state;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < LEASES; i++) {
        seen |= 1u << sp_seat_take_lease(seats[0]);
    }
    assert_int_equal(seen, (1u << LEASES) - 1);
    assert_int_equal(sp_seat_take_lease(seats[0]), SP_NO_LEASE);
    assert_int_equal(seats[0]->leases_out, LEASES);
}

static void a_call_whose_tensors_are_not_kept_frees_its_lease(void **state)
{
    (void)state;
    struct sp_parcel parcel;
    give_share(&parcel);
    uint32_t number = sp_seat_take_lease(seats[0]);
    sp_seat_end_lease(&store, seats[0], number, &parcel, false);
    assert_int_equal(seats[0]->leases_out, 0);
    assert_int_equal(parcel.share_count, 1); // the call's still
    assert_int_equal(sp_seat_return_lease(&store, seats[0], number), SNAKEPIT_PROTOCOL);
    drop_share(&parcel);
}

static void kept_tensors_live_until_they_are_returned(void **state)
{
    (void)state;
    struct sp_parcel parcel;
    give_share(&parcel);
    uint32_t number = sp_seat_take_lease(seats[0]);
    sp_seat_end_lease(&store, seats[0], number, &parcel, true);
    assert_null(parcel.shares);
    assert_int_equal(sp_arena_used(&store.arena), 64);
    assert_int_equal(sp_seat_return_lease(&store, seats[0], number), SNAKEPIT_OK);
    assert_int_equal(sp_arena_used(&store.arena), 0);
    assert_int_equal(sp_seat_return_lease(&store, seats[0], number), SNAKEPIT_PROTOCOL);
    assert_int_equal(seats[0]->leases_out, 0);
}

static void a_return_may_come_before_the_end_of_the_call(void **state)
{
    (void)state;
    struct sp_parcel parcel;
    give_share(&parcel);
    uint32_t number = sp_seat_take_lease(seats[0]);
    assert_int_equal(sp_seat_return_lease(&store, seats[0], number), SNAKEPIT_OK);
    assert_int_equal(sp_seat_return_lease(&store, seats[0], number), SNAKEPIT_PROTOCOL);
    assert_int_equal(seats[0]->leases_out, 1);
    sp_seat_end_lease(&store, seats[0], number, &parcel, true);
    assert_int_equal(seats[0]->leases_out, 0);
    assert_int_equal(parcel.share_count, 1);
    drop_share(&parcel);
}

static void a_lease_that_was_never_out_is_not_returned(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < LEASES; i++) {
        assert_int_equal(sp_seat_return_lease(&store, seats[0], i), SNAKEPIT_PROTOCOL);
    }
}

static void a_seat_that_goes_gives_its_tensors_back(void **state)
{
    (void)state;
    struct sp_parcel parcel;
    give_share(&parcel);
    uint32_t number = sp_seat_take_lease(seats[0]);
    sp_seat_end_lease(&store, seats[0], number, &parcel, true);
    sp_seat_free(&store, seats[0]);
    seats[0] = NULL;
    assert_int_equal(sp_arena_used(&store.arena), 0);
    sp_seat_free(&store, NULL);
}

// ---- By load -------------------------------------------------------------

static void add_all(void)
{
    for (int i = 0; i < SEATS; i++) {
        sp_loads_add(&loads, seats[i]);
    }
}

static void the_least_loaded_comes_first(void **state)
{
    (void)state;
    assert_null(sp_loads_least(&loads));
    add_all();
    for (uint32_t i = 0; i < SEATS; i++) {
        sp_loads_set_load(&loads, seats[i], 10 - i);
    }
    for (int i = SEATS - 1; i >= 0; i--) {
        assert_ptr_equal(sp_loads_least(&loads), seats[i]);
        sp_loads_set_load(&loads, seats[i], 20);
    }
}

static void among_equals_the_most_recently_used_comes_first(void **state)
{
    (void)state;
    add_all();
    for (int i = 0; i < SEATS; i++) {
        sp_loads_set_load(&loads, seats[i], 1);
    }
    sp_loads_set_load(&loads, seats[2], 0);
    sp_loads_set_load(&loads, seats[4], 0);
    sp_loads_set_load(&loads, seats[1], 0);
    assert_ptr_equal(sp_loads_least(&loads), seats[1]);
    sp_loads_set_load(&loads, seats[1], 1);
    assert_ptr_equal(sp_loads_least(&loads), seats[4]);
}

// Its worker is cold, and the others need not wait for it.
static void a_new_seat_comes_second(void **state)
{
    (void)state;
    sp_loads_add(&loads, seats[0]);
    sp_loads_add(&loads, seats[3]);
    sp_loads_add(&loads, seats[1]);
    assert_ptr_equal(sp_loads_least(&loads), seats[0]);
    sp_loads_remove(&loads, seats[0]);
    assert_ptr_equal(sp_loads_least(&loads), seats[1]);
    sp_loads_remove(&loads, seats[3]);
    sp_loads_add(&loads, seats[0]);
    assert_ptr_equal(sp_loads_least(&loads), seats[1]);
    sp_loads_set_load(&loads, seats[0], 1);
    sp_loads_set_load(&loads, seats[0], 0);
    assert_ptr_equal(sp_loads_least(&loads), seats[0]);
    sp_loads_set_load(&loads, seats[0], 1);
    sp_loads_set_load(&loads, seats[1], 1);
    sp_loads_set_load(&loads, seats[1], 0);
    sp_loads_add(&loads, seats[2]);
    assert_ptr_equal(sp_loads_least(&loads), seats[1]);
    sp_loads_set_load(&loads, seats[1], 1);
    assert_ptr_equal(sp_loads_least(&loads), seats[2]);
}

static void a_closed_seat_is_never_chosen(void **state)
{
    (void)state;
    add_all();
    for (int i = 0; i < SEATS; i++) {
        assert_int_equal(loads.count, SEATS - i);
        struct sp_seat *least = sp_loads_least(&loads);
        assert_non_null(least);
        sp_loads_remove(&loads, least);
        sp_loads_remove(&loads, least); // twice is once
        sp_loads_set_load(&loads, least, 3);
    }
    assert_null(sp_loads_least(&loads));
}

static uint32_t lowest_open_load(void)
{
    uint32_t lowest = UINT32_MAX;
    for (int i = 0; i < SEATS; i++) {
        if (seats[i]->open && seats[i]->load < lowest) {
            lowest = seats[i]->load;
        }
    }
    return lowest;
}

static void whatever_happens_the_choice_is_the_least_loaded(void **state)
{
    (void)state;
    unsigned seed = 5;
    for (int step = 0; step < 20000; step++) {
        struct sp_seat *seat = seats[rand_r(&seed) % SEATS];
        if (rand_r(&seed) % 8 == 0) {
            if (seat->open) {
                sp_loads_remove(&loads, seat);
            } else {
                sp_loads_add(&loads, seat);
            }
        } else {
            sp_loads_set_load(&loads, seat, (uint32_t)rand_r(&seed) % 8);
        }
        struct sp_seat *least = sp_loads_least(&loads);
        assert_int_equal(least == NULL, loads.count == 0);
        assert_true(least == NULL || least->load == lowest_open_load());
    }
}

static void the_most_load_there_can_be_has_its_place(void **state)
{
    (void)state;
    add_all();
    for (int i = 0; i < SEATS; i++) {
        sp_loads_set_load(&loads, seats[i], SP_SLOTS_MAX);
    }
    assert_non_null(sp_loads_least(&loads));
}

static void every_failed_allocation_is_survived(void **state)
{
    (void)state;
    struct sp_seat *seat = NULL;
    for (long nth = 1; nth <= 2; nth++) {
        sp_memory_fail_at(nth);
        assert_int_equal(sp_seat_new(port, 1, &seat), SNAKEPIT_NO_MEMORY);
        assert_null(seat);
    }
    sp_memory_fail_at(3);
    assert_int_equal(sp_seat_new(port, 1, &seat), SNAKEPIT_OK);
    sp_memory_fail_at(0);
    sp_seat_free(&store, seat);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_seats, close_seats)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(there_are_as_many_leases_as_the_port_has),
        test(a_call_whose_tensors_are_not_kept_frees_its_lease),
        test(kept_tensors_live_until_they_are_returned),
        test(a_return_may_come_before_the_end_of_the_call),
        test(a_lease_that_was_never_out_is_not_returned),
        test(a_seat_that_goes_gives_its_tensors_back),
        test(the_least_loaded_comes_first),
        test(among_equals_the_most_recently_used_comes_first),
        test(a_new_seat_comes_second),
        test(a_closed_seat_is_never_chosen),
        test(whatever_happens_the_choice_is_the_least_loaded),
        test(the_most_load_there_can_be_has_its_place),
        test(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
