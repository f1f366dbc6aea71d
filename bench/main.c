// SPDX-License-Identifier: MIT
// snakepit-bench: measures the product beside the limit and what people use today. It
// judges nothing: the exit status says only whether it could measure and every answer
// was right.
#include "bench.h"

#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

#define SAMPLES 400000u
#define LOOK    (300 * SP_NS_PER_MS) // at what else the machine does

static const struct bench_python pythons[] = {
    {"system", BENCH_PYTHON_SYSTEM, BENCH_MODULES "/system", false},
#ifdef BENCH_PYTHON_FT
    {"ft", BENCH_PYTHON_FT, BENCH_MODULES "/ft", true},
#endif
};

static const struct bench_case *const cases[] = {
    &bench_case_warm,
    &bench_case_paced,
    &bench_case_inflight,
    &bench_case_callers,
    &bench_case_host_tool,
    &bench_case_scaling,
    &bench_case_executors,
    &bench_case_callers4,
    &bench_case_batch,
    &bench_case_cancel,
    &bench_case_view,
    &bench_case_result,
    &bench_case_stream,
    &bench_case_cpu,
    &bench_case_idle,
    &bench_case_start,
    &bench_case_start_many,
    &bench_case_import,
    &bench_case_death,
    &bench_case_recycle,
    &bench_case_stuck_c,
    &bench_case_stuck_loop,
    &bench_case_stuck_lock,
    &bench_case_private_memory,
    &bench_case_profiles,
    &bench_case_mark,
    &bench_case_trace,
    &bench_case_local_warm,
    &bench_case_local_inflight,
    &bench_case_local_clients,
    &bench_case_local_fairness,
    &bench_case_json_read_maps,
    &bench_case_json_read_floats,
    &bench_case_json_read_text,
    &bench_case_json_read_signs,
    &bench_case_json_write_maps,
    &bench_case_json_write_floats,
    &bench_case_json_write_text,
    &bench_case_json_write_signs,
};

#define PYTHONS (sizeof pythons / sizeof pythons[0])
#define CASES   (sizeof cases / sizeof cases[0])

struct options {
    const char *output;
    const char *only;   // what a row's name begins with
    const char *python; // "system", "ft" or "all"
    double seconds;
    size_t rounds;
};

// ---- Options ------------------------------------------------------------------

static void print_help(void)
{
    puts("usage: snakepit-bench [--output FILE] [--quick] [--case NAME]\n"
         "                      [--python system|ft|all] [--repeat N]\n"
         "\n"
         "  --output FILE  write the rows as JSON\n"
         "  --quick        under a minute instead of some; for a look, not for a "
         "figure\n"
         "  --case NAME    measure only this, or all whose name begins so\n"
         "  --python KIND  on this interpreter only\n"
         "  --repeat N     so many rounds, 1 to 99 (5; 2 with --quick)\n"
         "\n"
         "cases:");
    for (size_t i = 0; i < CASES; i++) {
        for (int row = 0; row < BENCH_FIGURES && cases[i]->rows[row] != NULL; row++) {
            printf("  %s\n", cases[i]->rows[row]);
        }
    }
}

static bool has_row(const struct bench_case *what, const char *name)
{
    return strncmp(what->rows[0], name, strlen(name)) == 0 ||
           (what->rows[1] != NULL && strncmp(what->rows[1], name, strlen(name)) == 0);
}

static void check_options(const struct options *options)
{
    bool known = options->only == NULL;
    for (size_t i = 0; i < CASES && !known; i++) {
        known = has_row(cases[i], options->only);
    }
    if (!known) {
        bench_fatal("there is no case %s; --help names them", options->only);
    }
    known = strcmp(options->python, "all") == 0;
    for (size_t i = 0; i < PYTHONS; i++) {
        known = known || strcmp(options->python, pythons[i].kind) == 0;
    }
    if (!known) {
        bench_fatal("there is no interpreter \"%s\"; it was built for%s%s",
                    options->python,
                    " system",
                    PYTHONS > 1 ? " and ft" : "");
    }
}

static size_t read_rounds(const char *text)
{
    char *end;
    unsigned long rounds = strtoul(text, &end, 10);
    if (*end != 0 || rounds < 1 || rounds > BENCH_ROUNDS) {
        bench_fatal(
            "--repeat takes a number from 1 to %d, not \"%s\"", BENCH_ROUNDS, text);
    }
    return rounds;
}

static struct options read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"output", required_argument, NULL, 'o'},
        {"quick", no_argument, NULL, 'q'},
        {"case", required_argument, NULL, 'c'},
        {"python", required_argument, NULL, 'p'},
        {"repeat", required_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct options options = {.python = "all", .seconds = 0.5};
    for (int name; (name = getopt_long(argc, argv, "o:qc:p:r:h", names, NULL)) != -1;) {
        switch (name) {
        case 'o':
            options.output = optarg;
            break;
        case 'q':
            options.seconds = 0.1;
            break;
        case 'c':
            options.only = optarg;
            break;
        case 'p':
            options.python = optarg;
            break;
        case 'r':
            options.rounds = read_rounds(optarg);
            break;
        case 'h':
            print_help();
            exit(0);
        default:
            exit(2);
        }
    }
    if (optind != argc) {
        bench_fatal("\"%s\" is not an option; see --help", argv[optind]);
    }
    if (options.rounds == 0) {
        options.rounds = options.seconds < 0.5 ? 2 : 5;
    }
    check_options(&options);
    return options;
}

// ---- Cases --------------------------------------------------------------------

void bench_open_limit(struct bench *bench,
                      const struct bench_case *what,
                      unsigned index)
{
    limit_open(&bench->limits[index],
               &(struct limit_options){
                   .python = bench->python->program,
                   .modules = bench->python->modules,
                   .script = BENCH_SOURCE "/limit/limit_worker.py",
                   .executors = what->executors[index],
                   .forks = what->workers,
                   .tensors = what->tensors,
               });
}

static const char *adapter_of(const struct bench_case *what)
{
    return what->adapter != NULL ? what->adapter
           : what->tensors       ? "tensor_adapter:TensorAdapter"
                                 : "bench_adapter:BenchAdapter";
}

struct product_options bench_product_options(const struct bench *bench,
                                             const struct bench_case *what)
{
    struct product_options options = {
        .python = bench->python->program,
        .folder = BENCH_SOURCE,
        .adapter = adapter_of(what),
        .threads = bench->python->threads && !what->processes,
        .workers = what->workers,
        .quiet = what->workers_die,
    };
    options.line = what->line;
    memcpy(options.executors, what->executors, sizeof options.executors);
    return options;
}

void bench_open_product(struct bench *bench, const struct bench_case *what)
{
    const struct product_options options = bench_product_options(bench, what);
    product_open(&bench->product, &options);
}

static bool has_limit(const struct bench_case *what, unsigned index)
{
    return what->limit != NULL && !what->opens_itself && what->executors[index] != 0;
}

static void open_case(struct bench *bench, const struct bench_case *what)
{
    for (unsigned i = 0; i < PRODUCT_POOLS; i++) {
        if (has_limit(what, i)) {
            bench_open_limit(bench, what, i);
        }
    }
    if (!what->opens_itself) {
        bench_open_product(bench, what);
    }
}

static void close_case(struct bench *bench, const struct bench_case *what)
{
    if (!what->opens_itself) {
        product_close(&bench->product);
    }
    for (unsigned i = 0; i < PRODUCT_POOLS; i++) {
        if (has_limit(what, i)) {
            limit_close(&bench->limits[i]);
        }
    }
}

static void measure_side(struct bench *bench,
                         const struct bench_case *what,
                         enum bench_side side,
                         double figures[BENCH_FIGURES])
{
    if (side == BENCH_PRODUCT) {
        what->product(bench, figures);
    } else if (side == BENCH_LIMIT) {
        if (what->limit != NULL) {
            what->limit(bench, figures);
        }
    } else if (what->peer != NULL && what->json == (side >= BENCH_ORJSON)) {
        const struct peers_request request = {
            .side = bench_side_names[side],
            .what = what->peer,
            .seconds = bench->seconds,
        };
        peers_measure(&bench->peers, &request, figures, BENCH_FIGURES);
    }
}

// Measures every side once.
static void run_round(struct bench *bench,
                      const struct bench_case *what,
                      size_t round,
                      struct report_input inputs[BENCH_FIGURES])
{
    for (int side = 0; side < BENCH_SIDES; side++) {
        double figures[BENCH_FIGURES] = {NAN, NAN};
        measure_side(bench, what, (enum bench_side)side, figures);
        for (int row = 0; row < BENCH_FIGURES; row++) {
            inputs[row].figures[side][round] = figures[row];
        }
    }
}

static void run_case(struct bench *bench,
                     const struct bench_case *what,
                     size_t rounds,
                     struct report *report)
{
    static struct report_input inputs[BENCH_FIGURES];
    open_case(bench, what);
    for (size_t round = 0; round < rounds; round++) {
        run_round(bench, what, round, inputs);
    }
    close_case(bench, what);
    for (int row = 0; row < BENCH_FIGURES && what->rows[row] != NULL; row++) {
        inputs[row].name = what->rows[row];
        inputs[row].python = bench->peers.version;
        inputs[row].unit = what->unit;
        inputs[row].json = what->json;
        inputs[row].rounds = rounds;
        report_add(report, &inputs[row]);
    }
}

static bool runs_on(const struct bench_case *what, const struct bench_python *python)
{
    return python->threads ? !what->json : !what->free_threaded_only;
}

static void
run_python(struct bench *bench, const struct options *options, struct report *report)
{
    peers_open(&bench->peers, bench->python->program, BENCH_SOURCE "/peers.py");
    for (size_t i = 0; i < CASES; i++) {
        if ((options->only == NULL || has_row(cases[i], options->only)) &&
            runs_on(cases[i], bench->python)) {
            run_case(bench, cases[i], options->rounds, report);
        }
    }
    peers_close(&bench->peers);
}

int main(int argc, char **argv)
{
    static struct report report;
    struct options options = read_options(argc, argv);
    struct bench bench = {.seconds = options.seconds};
    signal(SIGPIPE, SIG_IGN);
    bench_samples_init(&bench.samples, SAMPLES);
    report_header(options.rounds, bench_machine_busy(LOOK));
    for (size_t i = 0; i < PYTHONS; i++) {
        if (strcmp(options.python, "all") == 0 ||
            strcmp(options.python, pythons[i].kind) == 0) {
            bench.python = &pythons[i];
            run_python(&bench, &options, &report);
        }
    }
    report_requirements(&report);
    if (options.output != NULL) {
        report_write(&report, options.output);
    }
    bench_samples_fini(&bench.samples);
    return 0;
}
