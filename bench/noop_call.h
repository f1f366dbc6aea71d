// SPDX-License-Identifier: MIT
// The arguments of a tool that does nothing, by the public API alone: the same for
// snakepit-bench and for bench/paired, which is compiled for other builds as well.
#ifndef BENCH_NOOP_CALL_H
#define BENCH_NOOP_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

// {"x": x, "name": "snake", "n": 3}.
static inline void noop_write(snakepit_writer *writer, uint32_t x)
{
    snakepit_writer_reset(writer);
    snakepit_writer_map(writer, 3);
    snakepit_writer_str(writer, "x");
    snakepit_writer_uint(writer, x);
    snakepit_writer_str(writer, "name");
    snakepit_writer_str(writer, "snake");
    snakepit_writer_str(writer, "n");
    snakepit_writer_int(writer, 3);
}

// Whether the answer is the map that such a tool returns, with the same x.
static inline bool noop_is_right(const snakepit_answer *answer, uint32_t x)
{
    snakepit_reader reader;
    snakepit_value y = {0};
    snakepit_answer_reader(answer, &reader);
    return snakepit_reader_find(&reader, "y", &reader) == SNAKEPIT_OK &&
           snakepit_reader_next(&reader, &y) == SNAKEPIT_OK &&
           y.kind == SNAKEPIT_INTEGER && y.as.integer == x;
}

#endif
