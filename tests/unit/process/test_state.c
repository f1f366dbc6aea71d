// SPDX-License-Identifier: MIT
#include "process/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void each_event_leads_where_the_table_says(void **state)
{
    (void)state;
    static const enum sp_worker_state expected[SP_WORKER_STATES][SP_WORKER_EVENTS] = {
        {SP_WORKER_READY, SP_WORKER_STOPPING, SP_WORKER_STOPPING, SP_WORKER_DEAD},
        {SP_WORKER_READY, SP_WORKER_DRAINING, SP_WORKER_STOPPING, SP_WORKER_DEAD},
        {SP_WORKER_DRAINING, SP_WORKER_DRAINING, SP_WORKER_STOPPING, SP_WORKER_DEAD},
        {SP_WORKER_STOPPING, SP_WORKER_STOPPING, SP_WORKER_STOPPING, SP_WORKER_DEAD},
        {SP_WORKER_DEAD, SP_WORKER_DEAD, SP_WORKER_DEAD, SP_WORKER_DEAD},
    };
    for (int from = 0; from < SP_WORKER_STATES; from++) {
        for (int event = 0; event < SP_WORKER_EVENTS; event++) {
            assert_int_equal(
                sp_worker_next((enum sp_worker_state)from, (enum sp_worker_event)event),
                expected[from][event]);
        }
    }
}

static void no_worker_comes_back(void **state)
{
    (void)state;
    // Whatever happens, a worker only moves on: numbers of states never fall.
    for (int from = 0; from < SP_WORKER_STATES; from++) {
        for (int event = 0; event < SP_WORKER_EVENTS; event++) {
            assert_true((int)sp_worker_next((enum sp_worker_state)from,
                                            (enum sp_worker_event)event) >= from);
        }
    }
}

static void states_have_names(void **state)
{
    (void)state;
    assert_string_equal(sp_worker_state_name(SP_WORKER_STARTING), "STARTING");
    assert_string_equal(sp_worker_state_name(SP_WORKER_READY), "READY");
    assert_string_equal(sp_worker_state_name(SP_WORKER_DRAINING), "DRAINING");
    assert_string_equal(sp_worker_state_name(SP_WORKER_STOPPING), "STOPPING");
    assert_string_equal(sp_worker_state_name(SP_WORKER_DEAD), "DEAD");
}

static void each_event_leads_a_template_where_the_table_says(void **state)
{
    (void)state;
    static const enum sp_template_state
        expected[SP_TEMPLATE_STATES][SP_TEMPLATE_EVENTS] = {
            {SP_TEMPLATE_READY, SP_TEMPLATE_STOPPING, SP_TEMPLATE_DEAD},
            {SP_TEMPLATE_READY, SP_TEMPLATE_STOPPING, SP_TEMPLATE_DEAD},
            {SP_TEMPLATE_STOPPING, SP_TEMPLATE_STOPPING, SP_TEMPLATE_DEAD},
            {SP_TEMPLATE_DEAD, SP_TEMPLATE_DEAD, SP_TEMPLATE_DEAD},
        };
    for (int from = 0; from < SP_TEMPLATE_STATES; from++) {
        for (int event = 0; event < SP_TEMPLATE_EVENTS; event++) {
            assert_int_equal(sp_template_next((enum sp_template_state)from,
                                              (enum sp_template_event)event),
                             expected[from][event]);
        }
    }
}

static void states_of_a_template_have_names(void **state)
{
    (void)state;
    assert_string_equal(sp_template_state_name(SP_TEMPLATE_STARTING), "STARTING");
    assert_string_equal(sp_template_state_name(SP_TEMPLATE_READY), "READY");
    assert_string_equal(sp_template_state_name(SP_TEMPLATE_STOPPING), "STOPPING");
    assert_string_equal(sp_template_state_name(SP_TEMPLATE_DEAD), "DEAD");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_event_leads_where_the_table_says),
        cmocka_unit_test(no_worker_comes_back),
        cmocka_unit_test(states_have_names),
        cmocka_unit_test(each_event_leads_a_template_where_the_table_says),
        cmocka_unit_test(states_of_a_template_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
