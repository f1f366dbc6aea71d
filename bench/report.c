// SPDX-License-Identifier: MIT
// Rows, and how they are written. Ratios are taken within a round, where both sides had
// the same machine, and only then is the median taken.
#include "report.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define BUSY 0.05 // a part of all cores that other programs may take without a word

const char *const bench_side_names[BENCH_SIDES] = {
    "product", "limit", "pipe", "processpool", "orjson", "msgspec"};

// ---- Rows ---------------------------------------------------------------------

// Of a round's figures, the product's over another side's.
static void
ratios(const struct report_input *input, enum bench_side side, double *result)
{
    for (size_t i = 0; i < input->rounds; i++) {
        double other = input->figures[side][i];
        result[i] = other > 0 ? input->figures[BENCH_PRODUCT][i] / other : NAN;
    }
}

static void fill(struct report_row *row, const struct report_input *input)
{
    double round[BENCH_ROUNDS];
    snprintf(row->name, sizeof row->name, "%s", input->name);
    snprintf(row->python, sizeof row->python, "%s", input->python);
    snprintf(row->unit, sizeof row->unit, "%s", input->unit);
    for (int side = 0; side < BENCH_SIDES; side++) {
        row->figures[side] = bench_median(input->figures[side], input->rounds);
    }
    row->json = input->json;
    ratios(input, BENCH_PROCESSPOOL, round);
    row->to_processpool = bench_median(round, input->rounds);
    ratios(input, BENCH_LIMIT, round);
    row->to_limit = bench_median(round, input->rounds);
    if (input->json) {
        ratios(input, BENCH_ORJSON, round);
        row->to_orjson = bench_median(round, input->rounds);
    }
    double ratio = input->json ? row->to_orjson : row->to_limit;
    const double *spread = isnan(ratio) ? input->figures[BENCH_PRODUCT] : round;
    row->spread[0] = bench_least(spread, input->rounds);
    row->spread[1] = bench_most(spread, input->rounds);
}

// ---- Table --------------------------------------------------------------------

// A few digits that mean something, or a dash.
static const char *cell(char text[32], double value)
{
    if (isnan(value)) {
        return "-";
    }
    double size = fabs(value);
    if (size > 0 && size < 0.01) {
        snprintf(text, 32, "%.2g", value);
        return text;
    }
    int decimals = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3;
    snprintf(text, 32, "%.*f", decimals, value);
    return text;
}

void report_header(size_t rounds, double busy)
{
    struct utsname system = {0};
    uname(&system);
    printf("snakepit-bench %s on Linux %s, %ld cores; medians of %zu rounds\n",
           snakepit_version(),
           system.release,
           sysconf(_SC_NPROCESSORS_ONLN),
           rounds);
    if (busy > BUSY) {
        printf("CAUTION      other programs kept %.0f %% of the cores busy just before "
               "this began, "
               "and\n             what waits by spinning suffers most from that\n",
               busy * 100);
    }
    puts("product      the public API with its defaults, one worker: process profile, "
         "or on\n"
         "             free-threaded Python (3.13t) the thread profile\n"
         "limit        a bare slot-and-ring hop with the same argument bytes; its "
         "function has\n"
         "             the same body and takes the decoded map\n"
         "pipe         multiprocessing.Pipe; processpool: ProcessPoolExecutor(1)\n"
         "/limit       product / limit within a round: less is better for times, more "
         "for rates\n"
         "JSON         one thread, without a call; beside orjson.loads() and .dumps() "
         "and "
         "msgspec.json\n"
         "spread       least..most of /limit over the rounds; without a limit, of the "
         "product\n");
    printf("%-24s %-6s %10s %10s %10s %11s %-8s %8s %17s %12s\n",
           "case",
           "python",
           "product",
           "limit",
           "pipe",
           "processpool",
           "unit",
           "/limit",
           "spread",
           "/processpool");
    fflush(stdout);
}

static const char *spread_of(char text[80], const struct report_row *row)
{
    char spread[2][32];
    snprintf(text,
             80,
             "%s..%s",
             cell(spread[0], row->spread[0]),
             cell(spread[1], row->spread[1]));
    return text;
}

static void print_json_row(struct report *report, const struct report_row *row)
{
    char cells[4][32];
    char spread[80];
    if (!report->json) {
        printf("\n%-24s %-6s %10s %10s %10s %-8s %8s %17s\n",
               "case",
               "python",
               "product",
               "orjson",
               "msgspec",
               "unit",
               "/orjson",
               "spread");
    }
    report->json = true;
    printf("%-24s %-6s %10s %10s %10s %-8s %8s %17s\n",
           row->name,
           row->python,
           cell(cells[0], row->figures[BENCH_PRODUCT]),
           cell(cells[1], row->figures[BENCH_ORJSON]),
           cell(cells[2], row->figures[BENCH_MSGSPEC]),
           row->unit,
           cell(cells[3], row->to_orjson),
           spread_of(spread, row));
    fflush(stdout);
}

static void print_row(const struct report_row *row)
{
    char cells[BENCH_SIDES][32];
    char ratio[2][32];
    char spread[80];
    printf("%-24s %-6s %10s %10s %10s %11s %-8s %8s %17s %12s\n",
           row->name,
           row->python,
           cell(cells[0], row->figures[0]),
           cell(cells[1], row->figures[1]),
           cell(cells[2], row->figures[2]),
           cell(cells[3], row->figures[3]),
           row->unit,
           cell(ratio[0], row->to_limit),
           spread_of(spread, row),
           cell(ratio[1], row->to_processpool));
    fflush(stdout);
}

void report_add(struct report *report, const struct report_input *input)
{
    if (report->count == REPORT_ROWS) {
        bench_fatal("more than %d rows", REPORT_ROWS);
    }
    struct report_row *row = &report->rows[report->count++];
    fill(row, input);
    if (row->json) {
        print_json_row(report, row);
    } else {
        print_row(row);
    }
}

// ---- Requirements -------------------------------------------------------------

enum of { FIGURE, TO_LIMIT, TO_PROCESSPOOL, TO_ORJSON };
enum is { AT_MOST, AT_LEAST };

struct requirement {
    const char *name;
    enum of of;
    enum is is;
    double must;
    double aim;
};

#define REQUIREMENT(name, of, is, must, aim) {name, of, is, must, aim},
static const struct requirement requirements[] = {
#include "requirements.def"
};
#undef REQUIREMENT

static bool holds(const struct requirement *requirement, double value, double bound)
{
    return requirement->is == AT_MOST ? value <= bound : value >= bound;
}

static void print_requirement(const struct requirement *requirement,
                              const struct report_row *row)
{
    const double values[] = {row->figures[BENCH_PRODUCT],
                             row->to_limit,
                             row->to_processpool,
                             row->to_orjson};
    const char *units[] = {row->unit, "x limit", "x processpool", "x orjson"};
    double value = values[requirement->of];
    const char *unit = units[requirement->of];
    if (isnan(value)) {
        return;
    }
    char text[32];
    printf("%-6s %-24s %-6s %8s %-14s must be %s %g, aim %g\n",
           !holds(requirement, value, requirement->must) ? "missed"
           : holds(requirement, value, requirement->aim) ? "ok+"
                                                         : "ok",
           row->name,
           row->python,
           cell(text, value),
           unit,
           requirement->is == AT_MOST ? "<=" : ">=",
           requirement->must,
           requirement->aim);
}

void report_requirements(const struct report *report)
{
    puts("\nMust hold (ok+: the aim too)");
    for (size_t i = 0; i < sizeof requirements / sizeof requirements[0]; i++) {
        for (size_t row = 0; row < report->count; row++) {
            if (strcmp(report->rows[row].name, requirements[i].name) == 0) {
                print_requirement(&requirements[i], &report->rows[row]);
            }
        }
    }
}

// ---- JSON ---------------------------------------------------------------------

static void write_number(FILE *file, const char *key, double value)
{
    if (isnan(value)) {
        fprintf(file, "\"%s\": null, ", key);
    } else {
        fprintf(file, "\"%s\": %.6g, ", key, value);
    }
}

static void write_row(FILE *file, const struct report_row *row)
{
    fprintf(file, "  {\"case\": \"%s\", \"python\": \"%s\", ", row->name, row->python);
    for (int side = 0; side < BENCH_SIDES; side++) {
        write_number(file, bench_side_names[side], row->figures[side]);
    }
    fprintf(file, "\"unit\": \"%s\", ", row->unit);
    write_number(file, "ratio_to_limit", row->to_limit);
    write_number(file, "ratio_to_processpool", row->to_processpool);
    write_number(file, "ratio_to_orjson", row->json ? row->to_orjson : NAN);
    fprintf(file, "\"spread\": [%.6g, %.6g]}", row->spread[0], row->spread[1]);
}

void report_write(const struct report *report, const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        bench_fatal("%s cannot be written: %s", path, strerror(errno));
    }
    fputs("[\n", file);
    for (size_t i = 0; i < report->count; i++) {
        write_row(file, &report->rows[i]);
        fputs(i + 1 < report->count ? ",\n" : "\n", file);
    }
    fputs("]\n", file);
    if (fclose(file) != 0) {
        bench_fatal("%s cannot be written: %s", path, strerror(errno));
    }
}
