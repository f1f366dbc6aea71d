// SPDX-License-Identifier: MIT
// Memory runs out, in the library and in what it calls: the n-th request of the process
// fails, for each n from the opening of a pit to its end. Every function then says so,
// or gives the right value; nothing crashes, and nothing stays.
//
// malloc() and its kin are this program's own here, and exported, so that no request
// gets past them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <snakepit/snakepit.h>

#include "support/census.h"
#include "support/load.h"

#define LONG_TEXT 20000

// ---- The heap -----------------------------------------------------------------

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

#define EXPORTED __attribute__((visibility("default")))

static _Atomic long left;    // requests until the first that fails; over 0: counts
static _Atomic long failing; // so many fail then
static _Atomic bool has_failed;

static bool must_fail(void)
{
    if (atomic_load(&left) <= 0 && atomic_load(&failing) <= 0) {
        return false;
    }
    if (atomic_load(&left) > 0 && atomic_fetch_sub(&left, 1) > 1) {
        return false;
    }
    if (atomic_fetch_sub(&failing, 1) <= 0) {
        return false;
    }
    atomic_store(&has_failed, true);
    errno = ENOMEM;
    return true;
}

EXPORTED void *malloc(size_t size)
{
    return must_fail() ? NULL : __libc_malloc(size);
}

EXPORTED void *calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : __libc_calloc(count, size);
}

EXPORTED void *realloc(void *block, size_t size)
{
    return must_fail() ? NULL : __libc_realloc(block, size);
}

EXPORTED void *aligned_alloc(size_t alignment, size_t size)
{
    return must_fail() ? NULL : __libc_memalign(alignment, size);
}

EXPORTED int posix_memalign(void **block, size_t alignment, size_t size)
{
    void *made = must_fail() ? NULL : __libc_memalign(alignment, size);
    *block = made != NULL ? made : *block;
    return made != NULL ? 0 : ENOMEM;
}

static void fail_from(long n, long count)
{
    atomic_store(&has_failed, false);
    atomic_store(&failing, n > 0 ? count : 0);
    atomic_store(&left, n);
}

// ---- What a program does ------------------------------------------------------

static char long_json[LONG_TEXT + 64];
static _Atomic int callbacks;
static _Atomic int wrong;

// Right, or an error that says that something ran out.
static void judge(snakepit_err err, bool right)
{
    bool told = err == SNAKEPIT_NO_MEMORY || err == SNAKEPIT_SYSTEM ||
                err == SNAKEPIT_POOL_FAILED || err == SNAKEPIT_WORKER_DIED ||
                err == SNAKEPIT_WORKER_LOST || err == SNAKEPIT_SHUTTING_DOWN ||
                err == SNAKEPIT_DEADLINE_EXCEEDED;
    if (err == SNAKEPIT_OK ? !right : !told) {
        (void)fprintf(stderr, "wrong: %s, right=%d\n", snakepit_err_name(err), right);
        wrong++;
    }
}

// The worker gives back what it was given. Without memory for its text there is none.
static bool is_echo(snakepit_answer *answer, const char *json)
{
    const char *text = snakepit_answer_json(answer);
    return text == NULL || strcmp(text, json) == 0;
}

static void on_done(void *user, snakepit_err err, snakepit_answer *answer)
{
    judge(err, is_echo(answer, user));
    snakepit_answer_free(answer);
    callbacks++;
}

static void call(snakepit *pit, const char *json, const snakepit_call_options *options)
{
    snakepit_answer *answer = NULL;
    snakepit_err err = snakepit_call_json(pit, "echo", json, options, &answer);
    judge(err, is_echo(answer, json));
    judge(snakepit_answer_fault(answer)->err, err == SNAKEPIT_OK);
    snakepit_answer_free(answer);
}

static void call_with_tensors(snakepit *pit, const snakepit_call_options *options)
{
    static const double data[600] = {1.5};
    snakepit_tensor tensor = {
        .data = data, .dtype = SNAKEPIT_FLOAT64, .rank = 1, .shape = {600}};
    snakepit_answer *answer = NULL;
    snakepit_writer *args = snakepit_writer_new();
    if (args != NULL) {
        snakepit_writer_map(args, 1);
        snakepit_writer_str(args, "tensor");
        snakepit_writer_tensor(args, &tensor);
        // The worker's copy of it is not a tensor of its own, which is another error.
        (void)snakepit_call(pit, "echo", args, options, &answer);
    }
    snakepit_answer_free(answer);
    snakepit_writer_free(args);
}

static void use_session(snakepit *pit)
{
    snakepit_answer *answer = NULL;
    snakepit_writer *value = snakepit_writer_new();
    if (value != NULL) {
        snakepit_writer_int(value, 7);
        judge(snakepit_session_put(pit, "s", "k", value, NULL), true);
        snakepit_err err = snakepit_session_get(pit, "s", "k", &answer);
        bool lost = err == SNAKEPIT_NOT_FOUND; // the put has failed
        judge(lost ? SNAKEPIT_NO_MEMORY : err, is_echo(answer, "7"));
        snakepit_answer_free(answer);
        answer = NULL;
        (void)snakepit_session_list(pit, "s", &answer);
    }
    snakepit_answer_free(answer);
    snakepit_writer_free(value);
}

static int submit(snakepit *pit, const snakepit_call_options *options)
{
    static char json[] = "{}";
    snakepit_writer *args = snakepit_writer_new();
    snakepit_writer_map(args, 0);
    snakepit_err err =
        args == NULL ? SNAKEPIT_NO_MEMORY
                     : snakepit_submit(pit, "echo", args, options, on_done, json, NULL);
    judge(err, true);
    snakepit_writer_free(args);
    return err == SNAKEPIT_OK;
}

// From the opening of a pit to its end.
static void live(void)
{
    static const char yaml[] =
        "python_version_detection: 'off'\n"
        "pools:\n"
        "  - {name: one, pool_size: 1, python: " SP_HOSTILE_WORKER
        ", shared_memory_size: 64MiB, start_timeout_ms: 15000,\n"
        "     restart_backoff_ms: 1, restart_backoff_max_ms: 2}\n";
    const snakepit_open_options options = {
        .size = sizeof options, .log = load_no_log, .log_level = SNAKEPIT_LOG_ERROR};
    const snakepit_call_options tied = {
        .size = sizeof tied, .session_id = "s", .timeout_ms = 20000};
    snakepit_message why;
    snakepit *pit = NULL;
    snakepit_err err =
        snakepit_open_memory(yaml, sizeof yaml - 1, &options, &pit, &why);
    judge(err, pit != NULL);
    if (err != SNAKEPIT_OK) {
        return;
    }
    judge(snakepit_await_ready(pit, NULL, 20000, &why), true);
    callbacks = 0;
    int submitted = submit(pit, &tied);
    call(pit, "{\"a\":1,\"b\":[\"x\\ny\",{\"$bytes\":\"AAAA\"},1.5]}", &tied);
    call(pit, long_json, NULL);
    call_with_tensors(pit, &tied);
    use_session(pit);
    submitted += submit(pit, NULL);
    snakepit_close(pit, 20000);
    assert_int_equal(callbacks, submitted);
}

// ---- The test -----------------------------------------------------------------

static void let_each_request_fail(long count)
{
    struct census before = census_take();
    bool failed = true;
    long n = 1;
    for (; failed; n++) {
        fail_from(n, count);
        live();
        failed = atomic_load(&has_failed);
        fail_from(0, 0);
        assert_int_equal(wrong, 0);
        struct census after = census_take();
        assert_int_equal(after.children, before.children);
        assert_int_equal(after.descriptors, before.descriptors);
        assert_int_equal(after.mappings, before.mappings);
    }
    (void)printf("memory: %ld requests, %ld at once\n", n, count);
    assert_true(n > 200); // libyaml's are most of them
}

static void one_request_that_fails_is_an_error_or_harmless(void **state)
{
    (void)state;
    let_each_request_fail(1);
}

static void many_requests_that_fail_are_too(void **state)
{
    (void)state;
    let_each_request_fail(20);
}

int main(void)
{
    (void)setenv("SNAKEPIT_HOSTILE_MODE", "0", 1);
    (void)strcpy(long_json, "{\"x\":\"");
    memset(long_json + 6, 'y', LONG_TEXT);
    (void)strcpy(long_json + 6 + LONG_TEXT, "\"}");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request_that_fails_is_an_error_or_harmless),
        cmocka_unit_test(many_requests_that_fail_are_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
