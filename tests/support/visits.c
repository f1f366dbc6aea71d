// SPDX-License-Identifier: MIT
#include "support/visits.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/load.h"

#define LARGE  300000u // bytes, which are copied beside the daemon's loop
#define WINDOW 8u
#define WRONG  3 // exit status of a client whose answer was not right

void visit_expect(bool right, const char *what, snakepit_err err)
{
    if (!right) {
        (void)fprintf(
            stderr, "client %d: %s: %s\n", getpid(), what, snakepit_err_name(err));
        _exit(WRONG);
    }
}

snakepit *visit_join(const char *address)
{
    const snakepit_open_options open = {.size = sizeof open, .log = load_no_log};
    const snakepit_connect_options options = {
        .size = sizeof options, .open = &open, .timeout_ms = VISIT_TIMEOUT_MS};
    snakepit *pit = NULL;
    snakepit_message why = {{0}};
    snakepit_err err = snakepit_connect(address, &options, &pit, &why);
    visit_expect(err == SNAKEPIT_OK, why.text, err);
    return pit;
}

static bool is_sum(const snakepit_answer *answer, uint64_t nonce)
{
    snakepit_reader reader;
    snakepit_value value = {0};
    snakepit_answer_reader(answer, &reader);
    return snakepit_reader_next(&reader, &value) == SNAKEPIT_OK &&
           value.kind == SNAKEPIT_INTEGER && (uint64_t)value.as.integer == nonce + 1;
}

static void write_sum(char text[64], uint64_t nonce)
{
    (void)snprintf(text, 64, "{\"a\": %llu, \"b\": 1}", (unsigned long long)nonce);
}

void visit_add(snakepit *pit, uint64_t nonce)
{
    char text[64];
    snakepit_answer *answer = NULL;
    write_sum(text, nonce);
    snakepit_err err = snakepit_call_json(pit, "add", text, NULL, &answer);
    visit_expect(err == SNAKEPIT_OK && is_sum(answer, nonce), "add", err);
    snakepit_answer_free(answer);
}

static void call_with_much(snakepit *pit, uint64_t nonce)
{
    static char text[LARGE + 64];
    snakepit_answer *answer = NULL;
    const size_t head =
        (size_t)snprintf(text, 64, "{\"x\":\"%llu", (unsigned long long)nonce);
    memset(text + head, 'x', LARGE);
    memcpy(text + head + LARGE, "\"}", 3);
    snakepit_err err = snakepit_call_json(pit, "echo", text, NULL, &answer);
    const char *json = snakepit_answer_json(answer);
    visit_expect(
        err == SNAKEPIT_OK && json != NULL && strcmp(json, text) == 0, "echo", err);
    snakepit_answer_free(answer);
}

static void read_stream(snakepit *pit, uint64_t nonce)
{
    snakepit_stream *stream = NULL;
    snakepit_reader chunk;
    char text[64];
    const uint32_t wanted = (uint32_t)(nonce % 90);
    uint32_t count = 0;
    (void)snprintf(text, sizeof text, "{\"count\": %u}", wanted);
    snakepit_err err =
        snakepit_stream_open_json(pit, "stream_fibonacci", text, NULL, &stream);
    while (err == SNAKEPIT_OK &&
           (err = snakepit_stream_next(stream, &chunk)) == SNAKEPIT_OK) {
        count++;
    }
    visit_expect(err == SNAKEPIT_END && count == wanted, "stream", err);
    snakepit_stream_close(stream);
}

static void on_done(void *user, snakepit_err err, snakepit_answer *answer)
{
    uint64_t *nonce = user;
    visit_expect(err == SNAKEPIT_OK && is_sum(answer, *nonce), "a submitted call", err);
    *nonce = 0;
    snakepit_answer_free(answer);
}

static void submit_some(snakepit *pit, uint64_t nonce)
{
    uint64_t nonces[WINDOW];
    snakepit_queue *queue = NULL;
    snakepit_err err = snakepit_queue_new(pit, &queue, NULL);
    visit_expect(err == SNAKEPIT_OK, "a queue", err);
    const snakepit_call_options options = {.size = sizeof options, .queue = queue};
    for (uint32_t i = 0; i < WINDOW; i++) {
        char text[64];
        nonces[i] = nonce + i;
        write_sum(text, nonces[i]);
        err =
            snakepit_submit_json(pit, "add", text, &options, on_done, &nonces[i], NULL);
        visit_expect(err == SNAKEPIT_OK, "submit", err);
    }
    for (uint32_t ran = 0; ran < WINDOW;) {
        const size_t now = snakepit_queue_drain(queue, VISIT_TIMEOUT_MS);
        visit_expect(now > 0, "no callback in time", SNAKEPIT_DEADLINE_EXCEEDED);
        ran += (uint32_t)now;
    }
    for (uint32_t i = 0; i < WINDOW; i++) {
        visit_expect(nonces[i] == 0, "a call was not reported", SNAKEPIT_OK);
    }
    err = snakepit_queue_free(queue);
    visit_expect(err == SNAKEPIT_OK, "queue_free", err);
}

static void keep_value(snakepit *pit, uint64_t nonce)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    char session[32];
    (void)snprintf(session, sizeof session, "s%llu", (unsigned long long)nonce);
    snakepit_writer *value = snakepit_writer_new();
    snakepit_writer_uint(value, nonce);
    snakepit_err err = snakepit_session_put(pit, session, "key", value, NULL);
    visit_expect(err == SNAKEPIT_OK, "session_put", err);
    snakepit_writer_free(value);
    err = snakepit_pool_get_stats(pit, NULL, &stats);
    visit_expect(err == SNAKEPIT_OK, "get_stats", err);
    err = snakepit_session_close(pit, session);
    visit_expect(err == SNAKEPIT_OK, "session_close", err);
}

void visit_anything(snakepit *pit, uint64_t nonce, uint64_t chance)
{
    static void (*const ways[])(snakepit *pit, uint64_t nonce) = {visit_add,
                                                                  visit_add,
                                                                  visit_add,
                                                                  submit_some,
                                                                  read_stream,
                                                                  keep_value,
                                                                  call_with_much};
    ways[chance % (sizeof ways / sizeof ways[0])](pit, nonce);
}
