// SPDX-License-Identifier: MIT
// A fault as the client reads it: the map of payload/wire.h, with more keys.
#include <string.h>

#include "local/inside.h"
#include "payload/wire.h"
#include "payload/writer.h"

#define TEXTS 9
#define TIMES 5

struct named {
    const char *key;
    const char *text;
};

struct counted {
    const char *key;
    uint64_t number;
};

// Cut between two characters.
static size_t length_of(const char *text)
{
    size_t size = strnlen(text, SP_FAULT_TEXT_MAX);
    if (size == SP_FAULT_TEXT_MAX) {
        while (size > 0 && ((uint8_t)text[size] & 0xc0) == 0x80) {
            size--;
        }
    }
    return size;
}

static void write_all(snakepit_writer *writer,
                      snakepit_err err,
                      const struct named texts[TEXTS],
                      const struct counted numbers[TIMES])
{
    uint32_t count = 1;
    for (size_t i = 0; i < TEXTS; i++) {
        count += texts[i].text[0] != '\0' ? 1 : 0;
    }
    for (size_t i = 0; i < TIMES; i++) {
        count += numbers[i].number != 0 ? 1 : 0;
    }
    snakepit_writer_map(writer, count);
    snakepit_writer_str(writer, "err");
    snakepit_writer_int(writer, (int64_t)err);
    for (size_t i = 0; i < TEXTS; i++) {
        if (texts[i].text[0] != '\0') {
            snakepit_writer_str(writer, texts[i].key);
            snakepit_writer_strn(writer, texts[i].text, length_of(texts[i].text));
        }
    }
    for (size_t i = 0; i < TIMES; i++) {
        if (numbers[i].number != 0) {
            snakepit_writer_str(writer, numbers[i].key);
            snakepit_writer_uint(writer, numbers[i].number);
        }
    }
}

static void
write_fault(snakepit_writer *writer, const snakepit_answer *answer, bool tracebacks)
{
    const snakepit_fault *fault = snakepit_answer_fault(answer);
    const struct named texts[TEXTS] = {
        {"type", fault->type},
        {"message", fault->message},
        {"traceback", tracebacks ? fault->traceback : ""},
        {"arguments", fault->arguments},
        {"stage", fault->stage},
        {"cause", fault->cause},
        {"last_output", fault->last_output},
        {"crash_stack", fault->crash_stack},
        {"late_stack", fault->late_stack},
    };
    const struct counted numbers[TIMES] = {
        {"worker", fault->worker},
        {"stop", (uint64_t)fault->stop},
        {"tool_runs", fault->tool_runs ? 1 : 0},
        {"late_ms", fault->late_ms},
        {"retry_after_ms", snakepit_answer_retry_after_ms(answer)},
    };
    write_all(writer, fault->err, texts, numbers);
}

// Whether that says that a pool took no further call, and not what was wrong with one.
static bool is_refusal(snakepit_err err)
{
    switch (err) {
    case SNAKEPIT_SATURATED:
    case SNAKEPIT_WORKER_BUSY:
    case SNAKEPIT_SESSION_LOST:
    case SNAKEPIT_BREAKER_OPEN:
    case SNAKEPIT_POOL_FAILED:
    case SNAKEPIT_POOL_DOWN:
    case SNAKEPIT_POOL_REMOVED:
    case SNAKEPIT_SHUTTING_DOWN:
    case SNAKEPIT_NO_MEMORY:
        return true;
    default:
        return false;
    }
}

bool sp_local_write_fault(struct sp_local_loop *loop,
                          const snakepit_answer *answer,
                          snakepit_err err,
                          const char *why)
{
    snakepit_writer *writer = loop->text;
    snakepit_writer_reset(writer);
    if (answer != NULL) {
        write_fault(writer, answer, loop->serve->options->config->tracebacks);
    } else {
        snakepit_writer_map(writer, 3);
        snakepit_writer_str(writer, "err");
        snakepit_writer_int(writer, (int64_t)err);
        snakepit_writer_str(writer, "stage");
        snakepit_writer_str(writer, is_refusal(err) ? "line" : "");
        snakepit_writer_str(writer, "message");
        snakepit_writer_str(
            writer, why != NULL && why[0] != '\0' ? why : snakepit_err_text(err));
    }
    return snakepit_writer_error(writer) == SNAKEPIT_OK;
}
