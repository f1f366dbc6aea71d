// SPDX-License-Identifier: MIT
// Rows, numbers and calls of the demonstration.
#include "cli/demo.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "cli/output.h"
#include "cli/text.h"

#define VERDICT_COLUMN 90

void sp_demo_row(struct sp_demo *demo, bool right, const char *format, ...)
{
    char row[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(row, sizeof(row), format, args);
    va_end(args);
    demo->wrong = demo->wrong || !right;
    sp_cli_print(
        demo->cli, "%-*s %s\n", VERDICT_COLUMN, row, right ? "right" : "WRONG");
    sp_cli_flush(demo->cli);
}

void sp_demo_failed(struct sp_demo *demo,
                    const char *what,
                    snakepit_err err,
                    const snakepit_answer *answer)
{
    const char *message = answer != NULL ? snakepit_answer_fault(answer)->message
                                         : snakepit_err_text(err);
    demo->wrong = true;
    sp_cli_print(
        demo->cli, "%s failed: %s: %s\n", what, snakepit_err_name(err), message);
    sp_cli_flush(demo->cli);
}

snakepit_err sp_demo_call(const struct sp_demo *demo,
                          const char *pool,
                          const char *tool,
                          const snakepit_writer *args,
                          snakepit_answer **answer)
{
    const snakepit_call_options options = {
        .size = sizeof(options), .pool = pool, .timeout_ms = SP_DEMO_TIMEOUT_MS};
    return snakepit_call(demo->pit, tool, args, &options, answer);
}

bool sp_demo_add(const struct sp_demo *demo,
                 const char *pool,
                 snakepit_writer *args,
                 int64_t a,
                 int64_t b)
{
    snakepit_writer_reset(args);
    snakepit_writer_map(args, 2);
    snakepit_writer_str(args, "a");
    snakepit_writer_int(args, a);
    snakepit_writer_str(args, "b");
    snakepit_writer_int(args, b);
    snakepit_answer *answer = NULL;
    snakepit_reader reader;
    snakepit_value value = {.kind = SNAKEPIT_NIL};
    snakepit_err err = sp_demo_call(demo, pool, "add", args, &answer);
    if (err == SNAKEPIT_OK) {
        snakepit_answer_reader(answer, &reader);
        err = snakepit_reader_next(&reader, &value);
    }
    snakepit_answer_free(answer);
    return err == SNAKEPIT_OK && value.kind == SNAKEPIT_INTEGER &&
           value.as.integer == a + b;
}

double sp_demo_number(const snakepit_answer *answer, const char *key)
{
    snakepit_reader reader;
    snakepit_value value;
    snakepit_answer_reader(answer, &reader);
    if (snakepit_reader_find(&reader, key, &reader) != SNAKEPIT_OK ||
        snakepit_reader_next(&reader, &value) != SNAKEPIT_OK) {
        return NAN;
    }
    if (value.kind == SNAKEPIT_REAL) {
        return value.as.real;
    }
    return value.kind == SNAKEPIT_INTEGER ? (double)value.as.integer : NAN;
}

const char *sp_demo_count(uint64_t number, char room[SP_DEMO_FORMAT_MAX])
{
    char digits[SP_DEMO_FORMAT_MAX];
    int length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
    int at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            room[at++] = ',';
        }
        room[at++] = digits[i];
    }
    room[at] = '\0';
    return room;
}

const char *sp_demo_duration(uint64_t ns, char room[SP_DEMO_FORMAT_MAX])
{
    bool in_ms = ns >= SP_NS_PER_MS;
    double value = (double)ns / (double)(in_ms ? SP_NS_PER_MS : SP_NS_PER_US);
    int digits = value < 1 ? 2 : value < 100 ? 1 : 0;
    sp_cli_format(
        room, SP_DEMO_FORMAT_MAX, "%.*f %s", digits, value, in_ms ? "ms" : "us");
    return room;
}
