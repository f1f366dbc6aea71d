// SPDX-License-Identifier: MIT
#include "cli/top_figures.h"

#include <inttypes.h>

#include "cli/text.h"

#define COUNT_PLAIN UINT64_C(100000)

// With one decimal where it is a small number.
static void write_scaled(char room[SP_TOP_FIGURE],
                         double value,
                         double step,
                         const char *const *units)
{
    size_t unit = 0;
    while (value >= step && units[unit + 1] != NULL) {
        value /= step;
        unit++;
    }
    sp_cli_format(
        room, SP_TOP_FIGURE, value < 9.95 ? "%.1f%s" : "%.0f%s", value, units[unit]);
}

void sp_top_write_count(char room[SP_TOP_FIGURE], uint64_t count)
{
    static const char *const units[] = {"", "k", "M", "G", "T", NULL};
    if (count < COUNT_PLAIN) {
        sp_cli_format(room, SP_TOP_FIGURE, "%" PRIu64, count);
    } else {
        write_scaled(room, (double)count, 1000, units);
    }
}

void sp_top_write_bytes(char room[SP_TOP_FIGURE], uint64_t bytes)
{
    static const char *const units[] = {"", "k", "M", "G", "T", NULL};
    if (bytes < 1024) {
        sp_cli_format(room, SP_TOP_FIGURE, "%" PRIu64, bytes);
    } else {
        write_scaled(room, (double)bytes, 1024, units);
    }
}

void sp_top_write_rate(char room[SP_TOP_FIGURE], double rate)
{
    if (rate <= 0) {
        sp_cli_format(room, SP_TOP_FIGURE, "0");
    } else if (rate < 99.95) {
        sp_cli_format(room, SP_TOP_FIGURE, "%.1f", rate);
    } else {
        sp_top_write_count(room, rate < 1e15 ? (uint64_t)(rate + 0.5) : UINT64_MAX);
    }
}

// Two units, the larger first.
static void
write_two(char room[SP_TOP_FIGURE], uint64_t seconds, uint64_t large, const char *names)
{
    const uint64_t small = large == 86400 ? 3600 : large / 60;
    sp_cli_format(room,
                  SP_TOP_FIGURE,
                  "%" PRIu64 "%c%" PRIu64 "%c",
                  seconds / large,
                  names[0],
                  seconds % large / small,
                  names[1]);
}

void sp_top_write_span(char room[SP_TOP_FIGURE], uint64_t us)
{
    const uint64_t seconds = us / 1000000;
    if (us < 1000) {
        sp_cli_format(room, SP_TOP_FIGURE, "%" PRIu64 "us", us);
    } else if (us < 1000000) {
        sp_cli_format(
            room, SP_TOP_FIGURE, us < 9950 ? "%.1fms" : "%.0fms", (double)us / 1e3);
    } else if (seconds < 60) {
        sp_cli_format(
            room, SP_TOP_FIGURE, us < 9950000 ? "%.1fs" : "%.0fs", (double)us / 1e6);
    } else if (seconds < 3600) {
        write_two(room, seconds, 60, "ms");
    } else if (seconds < 86400) {
        write_two(room, seconds, 3600, "hm");
    } else {
        write_two(room, seconds, 86400, "dh");
    }
}
