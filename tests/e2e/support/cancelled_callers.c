// SPDX-License-Identifier: MIT
// Ends threads by pthread_cancel() while they are inside the library, in many ways and
// at many moments; then sees whether the pit still works, and closes it.
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include <snakepit/snakepit.h>

#define ROUNDS 20

static snakepit *pit;

static const snakepit_call_options short_call = {.size = sizeof short_call,
                                                 .timeout_ms = 150};

// A thread is cancelled at the first place outside of the library that allows it.
static void *in_call(void *unused)
{
    for (;;) {
        snakepit_answer *answer = NULL;
        (void)snakepit_call_json(pit, "spin", "{\"seconds\":5}", &short_call, &answer);
        snakepit_answer_free(answer);
        pthread_testcancel();
    }
    return unused;
}

static void *in_echo(void *unused)
{
    for (;;) {
        snakepit_answer *answer = NULL;
        (void)snakepit_call_json(pit, "echo", "{\"value\":1}", NULL, &answer);
        snakepit_answer_free(answer);
        pthread_testcancel();
    }
    return unused;
}

static void *in_stream(void *unused)
{
    for (;;) {
        snakepit_stream *stream = NULL;
        (void)snakepit_stream_open(pit, "numbers", NULL, &short_call, &stream);
        (void)snakepit_stream_next(stream, &(snakepit_reader){0});
        snakepit_stream_close(stream);
        pthread_testcancel();
    }
    return unused;
}

static void forget(void *user, snakepit_err err, snakepit_answer *answer)
{
    (void)user;
    (void)err;
    snakepit_answer_free(answer);
}

static void *in_submit(void *unused)
{
    for (;;) {
        snakepit_call_id call = 0;
        (void)snakepit_submit(pit, "ping", NULL, &short_call, forget, NULL, &call);
        (void)snakepit_cancel(pit, call);
        pthread_testcancel();
    }
    return unused;
}

static void *in_others(void *unused)
{
    snakepit_writer *value = snakepit_writer_new();
    snakepit_writer_int(value, 1);
    for (;;) {
        snakepit_answer *answer = NULL;
        snakepit_pool_stats stats = {.size = sizeof stats};
        (void)snakepit_session_put(pit, "s", "k", value, NULL);
        (void)snakepit_session_get(pit, "s", "k", &answer);
        snakepit_answer_free(answer);
        (void)snakepit_session_close(pit, "s");
        (void)snakepit_pool_get_stats(pit, NULL, &stats);
        (void)snakepit_await_ready(pit, NULL, 10, NULL);
        pthread_testcancel();
    }
    return unused;
}

// The call waits for a tool of the host, which is a place that allows it.
static snakepit_err ask(void *user,
                        const snakepit_tool_info *info,
                        const snakepit_reader *arguments,
                        snakepit_writer *result,
                        snakepit_message *why)
{
    const struct timespec time = {.tv_nsec = 2000000};
    (void)user;
    (void)info;
    (void)arguments;
    (void)result;
    (void)why;
    (void)nanosleep(&time, NULL);
    return SNAKEPIT_OK;
}

static void *in_tool(void *unused)
{
    const snakepit_call_options options = {.size = sizeof options, .pool = "asks"};
    for (;;) {
        snakepit_answer *answer = NULL;
        (void)snakepit_call_json(pit, "host", "{\"tool\":\"ask\"}", &options, &answer);
        snakepit_answer_free(answer);
        pthread_testcancel();
    }
    return unused;
}

static void *in_drain(void *unused)
{
    for (;;) {
        (void)snakepit_drain(pit, 5);
        pthread_testcancel();
    }
    return unused;
}

// Cancelled at any place outside of the library, which it has just left.
static void *anywhere(void *unused)
{
    (void)pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &(int){0});
    snakepit_answer *answer = NULL;
    (void)snakepit_call(pit, "ping", NULL, NULL, &answer);
    for (;;) {
    }
    return unused;
}

static void pause_ms(long ms)
{
    const struct timespec time = {.tv_nsec = ms * 1000000};
    (void)nanosleep(&time, NULL);
}

static const char *fails(void)
{
    snakepit_answer *answer = NULL;
    const snakepit_call_options options = {.size = sizeof options, .timeout_ms = 30000};
    snakepit_err err = snakepit_call_json(pit, "ping", NULL, &options, &answer);
    snakepit_answer_free(answer);
    return err == SNAKEPIT_OK ? NULL : snakepit_err_name(err);
}

int main(int count, char **words)
{
    void *(*const ways[])(void *) = {
        in_call, in_echo, in_stream, in_submit, in_others, in_tool, in_drain, anywhere};
    enum { WAYS = sizeof ways / sizeof *ways };
    snakepit_message why;
    if (count != 2 || snakepit_open_file(words[1], NULL, &pit, &why) != SNAKEPIT_OK ||
        snakepit_await_ready(pit, NULL, 60000, &why) != SNAKEPIT_OK) {
        return 1;
    }
    (void)snakepit_tool_register(pit, "ask", ask, NULL, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[WAYS];
        for (int i = 0; i < WAYS; i++) {
            (void)pthread_create(&threads[i], NULL, ways[i], NULL);
        }
        pause_ms(round * 7 % 30);
        for (int i = 0; i < WAYS; i++) {
            (void)pthread_cancel(threads[i]);
        }
        for (int i = 0; i < WAYS; i++) {
            (void)pthread_join(threads[i], NULL);
        }
    }
    const char *wrong = fails();
    printf("%s\n", wrong == NULL ? "it works" : wrong);
    snakepit_close(pit, 0);
    printf("closed\n");
    return 0;
}
