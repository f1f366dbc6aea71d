// SPDX-License-Identifier: MIT
// What came out: one row for each case and interpreter, as a table for people, as JSON
// for programs, and as a line for each thing that must hold.
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench.h"

#define REPORT_ROWS 96

// What the rounds of one case measured for one of its rows.
struct report_input {
    const char *name;
    const char *python; // version: "3.11", "3.13t"
    const char *unit;
    bool json;
    size_t rounds;
    double figures[BENCH_SIDES][BENCH_ROUNDS]; // NAN: does not apply
};

struct report_row {
    char name[48];
    char python[32];
    char unit[16];
    bool json;
    double figures[BENCH_SIDES]; // medians of the rounds
    double to_limit;             // medians of the rounds' ratios
    double to_processpool;
    double to_orjson;
    // Least and most of to_limit or to_orjson over the rounds; of the product's figure
    // where there is neither.
    double spread[2];
};

struct report {
    struct report_row rows[REPORT_ROWS];
    size_t count;
    bool json; // the columns of JSON were named
};

// What the sides are called.
extern const char *const bench_side_names[BENCH_SIDES];

// What the columns are. `busy` is the part of the machine that others took, 0 to 1.
void report_header(size_t rounds, double busy);
// Adds a row and prints it.
void report_add(struct report *report, const struct report_input *input);
// A line for each requirement that the rows say something about.
void report_requirements(const struct report *report);
// Writes the rows; ends the program if it cannot.
void report_write(const struct report *report, const char *path);

#endif
