// SPDX-License-Identifier: MIT
// snakepit demo: both kinds of worker at work, and a crash, in one screen; or, as `demo
// recycling`, workers that make room for others. Every result is checked, and a wrong
// one ends the command with 1.
#include "cli/demo.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/examples.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/pit.h"
#include "cli/pythons.h"
#include "cli/report.h"
#include "cli/text.h"

#define CLOSE_GRACE_MS 500u

typedef void step_fn(struct sp_demo *demo);

#define STEPS_MOST 6
#define POOLS_MOST 4

// What there is to see. The lists end with NULL.
struct sp_demo_program {
    const char *word; // that asks for it; NULL: none does
    const char *file; // of examples/
    const char *pools[POOLS_MOST];
    step_fn *steps[STEPS_MOST];
};

static const struct sp_demo_program programs[] = {
    {.file = "hybrid.yaml",
     .pools = {"text", "arrays"},
     .steps =
         {sp_demo_text, sp_demo_arrays, sp_demo_load, sp_demo_latency, sp_demo_crash}},
    {.word = "recycling",
     .file = "recycling.yaml",
     .pools = {"aged", "counted", "grown"},
     .steps = {sp_demo_aged, sp_demo_by_hand, sp_demo_counted, sp_demo_grown}},
};

// The screen is for the demonstration: the deaths it causes need no log.
static void
drop_line(void *user, snakepit_log_level level, const char *event, const char *line)
{
    (void)user;
    (void)level;
    (void)event;
    (void)line;
}

static bool may_go_on(const struct sp_demo *demo)
{
    return sp_cli_interrupted() == 0 && demo->cli->lost == 0;
}

// What the pool's interpreter is, into `room`.
static void describe_python(const struct sp_pool_config *pool, char *room, size_t size)
{
    struct sp_interpreter python;
    sp_cli_format(room, size, "%s", pool->python);
    if (sp_interpreter_probe(pool->python, NULL, &python, NULL) == SNAKEPIT_OK) {
        sp_cli_format(
            room, size, "Python %s, %s", python.version, sp_cli_build_of(&python));
        sp_interpreter_fini(&python);
    }
}

static void show_pool(struct sp_demo *demo, const char *name, uint64_t since)
{
    uint64_t took = sp_clock_now() - since;
    const struct sp_pool_config *pool = sp_config_pool(demo->config, name);
    snakepit_pool_stats stats = {.size = sizeof stats};
    char ready[SP_DEMO_FORMAT_MAX];
    char python[64];
    if (pool == NULL ||
        snakepit_pool_get_stats(demo->pit, name, &stats) != SNAKEPIT_OK) {
        return;
    }
    describe_python(pool, python, sizeof(python));
    sp_cli_print(demo->cli,
                 "%-7s %s profile: %u x %u, %s; ready after %s\n",
                 name,
                 stats.profile,
                 stats.workers,
                 stats.threads_per_worker,
                 python,
                 sp_demo_duration(took, ready));
    const char *wanted = sp_profile_name(pool->worker_profile);
    if (strncmp(stats.profile, wanted, strlen(wanted)) != 0) {
        sp_cli_print(
            demo->cli,
            "        fell back: this Python does not run threads in parallel (see "
            "snakepit python)\n");
    }
    sp_cli_flush(demo->cli);
}

static int start(struct sp_demo *demo)
{
    const char *const *pools = demo->program->pools;
    uint64_t since = sp_clock_now();
    for (size_t i = 0; pools[i] != NULL; i++) {
        snakepit_message why = {0};
        snakepit_err err = sp_cli_await_ready(demo->pit, pools[i], &why);
        if (err == SNAKEPIT_CANCELLED) {
            return sp_cli_report_interrupt(demo->cli, NULL);
        }
        if (err != SNAKEPIT_OK) {
            return sp_cli_report(demo->cli, err, why.text, false);
        }
        show_pool(demo, pools[i], since);
    }
    return SP_CLI_EXIT_OK;
}

static int run_steps(struct sp_demo *demo)
{
    step_fn *const *steps = demo->program->steps;
    for (size_t i = 0; steps[i] != NULL && may_go_on(demo); i++) {
        steps[i](demo);
    }
    if (sp_cli_interrupted() != 0) {
        return sp_cli_report_interrupt(demo->cli, NULL);
    }
    if (demo->wrong) {
        sp_cli_complain(demo->cli, "a result was wrong");
        return SP_CLI_EXIT_FAILED;
    }
    sp_cli_print(demo->cli, "All results were right.\n");
    return SP_CLI_EXIT_OK;
}

static int open_and_run(struct sp_demo *demo)
{
    const snakepit_open_options quiet = {
        .size = sizeof(quiet), .log = drop_line, .log_level = SNAKEPIT_LOG_OFF};
    snakepit_message why = {0};
    sp_cli_interrupts_init();
    snakepit_err err = sp_config_read_file(demo->file, &demo->config, &why);
    if (err == SNAKEPIT_OK) {
        bool wants_log = secure_getenv("SNAKEPIT_LOG") != NULL;
        err =
            snakepit_open_file(demo->file, wants_log ? NULL : &quiet, &demo->pit, &why);
    }
    if (err != SNAKEPIT_OK) {
        return sp_cli_report(demo->cli, err, why.text, false);
    }
    sp_cli_print(demo->cli, "Snakepit %s: %s\n", snakepit_version(), demo->file);
    sp_cli_flush(demo->cli);
    int status = start(demo);
    if (status == SP_CLI_EXIT_OK) {
        status = run_steps(demo);
    }
    snakepit_close(demo->pit, CLOSE_GRACE_MS);
    return status;
}

// The one that the command line asks for; NULL: there is no such.
static const struct sp_demo_program *choose(const struct sp_cli *cli)
{
    const char *word = cli->args.count > 0 ? cli->args.words[0] : NULL;
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        const char *asks = programs[i].word;
        bool same =
            word == NULL ? asks == NULL : asks != NULL && strcmp(word, asks) == 0;
        if (same) {
            return &programs[i];
        }
    }
    return NULL;
}

int sp_cli_demo(struct sp_cli *cli)
{
    struct sp_demo demo = {.cli = cli,
                           .program = choose(cli),
                           .file = cli->args.texts[SP_CLI_DEMO_CONFIG]};
    struct sp_buf found = {0};
    if (demo.program == NULL) {
        return sp_cli_complain_usage(
            cli, "demo", "demo takes nothing or the word recycling");
    }
    if (demo.file == NULL &&
        sp_cli_find_example(demo.program->file, &found) == SNAKEPIT_OK) {
        demo.file = (const char *)found.data;
    }
    int status = SP_CLI_EXIT_FAILED;
    if (demo.file != NULL) {
        status = open_and_run(&demo);
    } else {
        sp_cli_complain(
            cli,
            "examples/%s is neither beside this program nor here; name it with "
            "--config FILE",
            demo.program->file);
    }
    sp_config_free(demo.config);
    sp_buf_fini(&found);
    return status;
}
