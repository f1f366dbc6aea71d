// SPDX-License-Identifier: MIT
// The system refuses: the n-th call that gets a descriptor, memory, a thread or a
// process fails, for each n from the opening of a pit over the death of a worker to the
// end. What lacks something for a moment works afterwards, what lacks it for good says
// so; nothing aborts, nothing hangs, and nothing stays.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <snakepit/snakepit.h>

#include "base/clock.h"
#include "support/census.h"
#include "support/load.h"
#include "support/refusals.h"

#define PATIENCE_MS 30000u
#define BRIEF_MS    300u // for what is not to be expected
#define STUCK_S     90u  // a life that takes so long hangs

static const char temporary[] =
    "python_version_detection: 'off'\n"
    "pools:\n"
    "  - {name: one, pool_size: 1, restart_limit: 1000, "
    "restart_backoff_ms: 1, restart_backoff_max_ms: 5, "
    "shared_memory_size: 64MiB, python: " SP_HOSTILE_WORKER "}\n";
static const char final[] =
    "python_version_detection: 'off'\n"
    "pools:\n"
    "  - {name: one, pool_size: 1, restart_limit: 2, "
    "restart_backoff_ms: 1, restart_backoff_max_ms: 1, "
    "shared_memory_size: 64MiB, python: " SP_HOSTILE_WORKER "}\n";

static _Atomic int callbacks;

static snakepit *open_pit(const char *yaml, bool logs, snakepit_err *err)
{
    snakepit_message why = {0};
    snakepit *pit = NULL;
    const snakepit_open_options options = {.size = sizeof options,
                                           .log = load_no_log,
                                           .log_level = logs ? SNAKEPIT_LOG_ERROR
                                                             : SNAKEPIT_LOG_OFF};
    *err = snakepit_open_memory(yaml, strlen(yaml), &options, &pit, &why);
    if (*err != SNAKEPIT_OK) {
        assert_true(*err == SNAKEPIT_SYSTEM || *err == SNAKEPIT_NO_MEMORY);
        // Which call, and what to do.
        assert_true(*err == SNAKEPIT_NO_MEMORY || strstr(why.text, ": ") != NULL);
        assert_string_not_equal(why.text, snakepit_err_text(SNAKEPIT_SYSTEM));
    }
    return pit;
}

static snakepit_err call_one(snakepit *pit)
{
    const snakepit_call_options options = {.size = sizeof options,
                                           .timeout_ms = PATIENCE_MS};
    snakepit_answer *answer = NULL;
    snakepit_err err = snakepit_call_json(pit, "echo", "{\"a\":1}", &options, &answer);
    if (err == SNAKEPIT_OK) {
        assert_string_equal(snakepit_answer_json(answer), "{\"a\":1}");
    }
    snakepit_answer_free(answer);
    return err;
}

static void on_done(void *user, snakepit_err err, snakepit_answer *answer)
{
    (void)user;
    (void)err;
    snakepit_answer_free(answer);
    callbacks++;
}

static int submit_once(snakepit *pit)
{
    snakepit_message why = {0};
    const snakepit_call_options options = {
        .size = sizeof options, .timeout_ms = PATIENCE_MS, .why = &why};
    snakepit_err err =
        snakepit_submit(pit, "echo", NULL, &options, on_done, NULL, NULL);
    assert_true(err == SNAKEPIT_OK || why.text[0] != 0);
    return err == SNAKEPIT_OK;
}

static void kill_worker(snakepit *pit)
{
    snakepit_worker_info row = {.size = sizeof row};
    size_t count = 0;
    assert_int_equal(snakepit_pool_workers(pit, NULL, &row, 1, &count), SNAKEPIT_OK);
    if (count > 0 && row.pid > 0) {
        (void)census_signal_child(row.pid, SIGKILL);
    }
}

// What is lacked for a moment: in the end all is well.
static void live_and_recover(void)
{
    snakepit_err err;
    snakepit_message why = {0};
    snakepit *pit = open_pit(temporary, true, &err);
    if (pit == NULL) {
        return;
    }
    assert_int_equal(snakepit_await_ready(pit, NULL, PATIENCE_MS, &why), SNAKEPIT_OK);
    assert_int_equal(call_one(pit), SNAKEPIT_OK);
    callbacks = 0;
    int submitted = submit_once(pit);
    kill_worker(pit);
    uint64_t until = sp_clock_now() + PATIENCE_MS * SP_NS_PER_MS;
    do {
        err = call_one(pit); // the first may meet the death
        assert_true(sp_clock_now() < until);
    } while (err != SNAKEPIT_OK);
    submitted += submit_once(pit);
    snakepit_close(pit, PATIENCE_MS);
    assert_int_equal(callbacks, submitted);
}

// What is never there again: every outcome is an error, and there is an end.
static void live_without(void)
{
    snakepit_err err;
    snakepit_message why = {0};
    snakepit *pit = open_pit(final, false, &err);
    if (pit == NULL) {
        return;
    }
    callbacks = 0;
    err = snakepit_await_ready(pit, NULL, BRIEF_MS, &why);
    if (err != SNAKEPIT_OK && strstr(why.text, "; the last start failed: ") != NULL) {
        // Told which call, by the name of its errno.
        assert_non_null(strstr(why.text, "(E"));
    }
    int submitted = submit_once(pit);
    if (err == SNAKEPIT_OK) {
        kill_worker(pit);
    }
    snakepit_close(pit, 0);
    assert_int_equal(callbacks, submitted);
}

static void let_each_call_fail(long count, void (*live)(void))
{
    struct census before = census_take();
    const char *refused = "";
    long n = 1;
    for (; refused != NULL; n++) {
        (void)alarm(STUCK_S);
        refuse_from(n, count);
        live();
        refused = refused_first();
        refuse_from(0, 0);
        refuse_from(0, 0);
        (void)alarm(0);
        struct census after = census_take();
        if (after.descriptors != before.descriptors ||
            after.children != before.children || after.mappings != before.mappings) {
            fail_msg("call %ld, %s: %u descriptors, %u children and %llu mappings "
                     "before, then %u, %u and %llu",
                     n,
                     refused,
                     before.descriptors,
                     before.children,
                     (unsigned long long)before.mappings,
                     after.descriptors,
                     after.children,
                     (unsigned long long)after.mappings);
        }
    }
    (void)printf("system: %ld calls, %ld at once\n", n - 1, count);
    assert_true(n > 40);
}

static void one_call_that_fails_is_an_error_or_got_over(void **state)
{
    (void)state;
    let_each_call_fail(1, live_and_recover);
}

static void many_calls_that_fail_are_too(void **state)
{
    (void)state;
    let_each_call_fail(12, live_and_recover);
}

static void what_is_refused_for_good_is_an_error(void **state)
{
    (void)state;
    let_each_call_fail(REFUSE_FOREVER, live_without);
}

int main(void)
{
    (void)setenv("SNAKEPIT_HOSTILE_MODE", "0", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_call_that_fails_is_an_error_or_got_over),
        cmocka_unit_test(many_calls_that_fail_are_too),
        cmocka_unit_test(what_is_refused_for_good_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
