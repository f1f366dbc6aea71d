// SPDX-License-Identifier: MIT
// snakepit top: follows a daemon on a full screen. One thread waits for the daemon, for
// keys and for signals at the same time, and is never in a request.
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/interrupt.h"
#include "cli/operate.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/stacks.h"
#include "cli/text.h"
#include "cli/top_feed.h"
#include "cli/top_layout.h"
#include "cli/top_once.h"
#include "cli/top_screen.h"
#include "cli/value.h"

#define INTERVAL_MS 250u
#define LOOK_MS     250 // between two looks at the size of the terminal, and at ages

// Owner: the main thread.
struct top {
    struct sp_cli *cli;
    struct sp_top_feed feed;
    struct sp_top_ui ui;
    struct sp_top_table table;
    struct sp_top_grid grid;
    struct sp_top_screen *screen;
    struct sp_cli_pending *pending; // an action that is under way
    struct sp_top_action action;    // which
    uint64_t shown_events;          // how many had come when it was drawn last
    uint64_t drawn_ns;
    bool changed; // by something else than an event
    bool over;
};

// ---- The table --------------------------------------------------------------------

static void make_table(struct top *top)
{
    const struct sp_top_choice choice =
        sp_top_ui_choice(&top->ui, sp_top_feed_now_ms(&top->feed));
    if (sp_top_table_make(&top->table, &top->feed.model, &choice) != SNAKEPIT_OK) {
        sp_top_ui_say(&top->ui, true, "there is no memory for all of it");
    }
}

static void draw(struct top *top)
{
    const struct sp_top_scene scene = {
        .ui = &top->ui,
        .model = &top->feed.model,
        .table = &top->table,
        .address = sp_cli_remote_shown(top->feed.remote),
        .lost = top->feed.lost.text[0] != '\0' ? top->feed.lost.text : NULL,
        .now_ms = sp_top_feed_now_ms(&top->feed)};
    make_table(top);
    if (sp_top_screen_begin(top->screen, &top->grid) == SNAKEPIT_OK) {
        sp_top_layout(&top->grid, &scene);
        sp_top_screen_draw(top->screen, &top->grid);
    }
    top->feed.looks_at_calls = sp_top_ui_place(&top->ui)->view == SP_TOP_CALLS;
    top->shown_events = top->feed.events;
    top->drawn_ns = sp_clock_now();
    top->changed = false;
}

// ---- Actions ----------------------------------------------------------------------

static struct sp_cli_order order_of(const struct sp_top_action *action,
                                    const char *number)
{
    switch (action->act) {
    case SP_TOP_RECYCLE:
        return action->worker != 0
                   ? (struct sp_cli_order){.method = "POST",
                                           .path = "/v1/workers/{}:recycle",
                                           .names = {number}}
                   : (struct sp_cli_order){.method = "POST",
                                           .path = "/v1/pools/{}:recycle",
                                           .names = {action->pool}};
    case SP_TOP_CANCEL:
        return (struct sp_cli_order){
            .method = "DELETE", .path = "/v1/calls/{}", .names = {number}};
    default:
        return (struct sp_cli_order){
            .method = "GET", .path = "/v1/workers/{}/stacks", .names = {number}};
    }
}

static void begin_action(struct top *top, const struct sp_top_action *action)
{
    char number[24];
    snakepit_message why;
    if (top->pending != NULL) {
        sp_top_ui_say(
            &top->ui, true, "the daemon has not done the last thing yet; wait");
        return;
    }
    sp_cli_format(number,
                  sizeof number,
                  "%" PRIu64,
                  action->act == SP_TOP_CANCEL ? action->call : action->worker);
    const struct sp_cli_order order = order_of(action, number);
    snakepit_err err =
        sp_cli_pending_begin(top->feed.remote, &order, NULL, &top->pending, &why);
    top->action = *action;
    if (err != SNAKEPIT_OK) {
        sp_top_ui_say(&top->ui,
                      true,
                      "%s",
                      why.text[0] != '\0' ? why.text : snakepit_err_text(err));
    }
}

// Prints the stacks into memory.
static snakepit_err show_stacks(struct top *top, struct sp_slice json)
{
    char *text = NULL;
    size_t size = 0;
    snakepit_reader worker;
    snakepit_writer *writer = snakepit_writer_new();
    struct sp_cli memory = {.out = open_memstream(&text, &size)};
    snakepit_err err = writer == NULL || memory.out == NULL
                           ? SNAKEPIT_NO_MEMORY
                           : sp_cli_value_read(json, writer, &worker);
    if (err == SNAKEPIT_OK) {
        sp_cli_print_stacks(&memory, &worker);
    }
    if (memory.out != NULL && fclose(memory.out) != 0) {
        err = SNAKEPIT_NO_MEMORY;
    }
    if (err == SNAKEPIT_OK) {
        err = sp_top_ui_show(&top->ui, text, size);
    }
    snakepit_writer_free(writer);
    free(text);
    return err;
}

static void say_done(struct top *top, const struct sp_cli_result *result)
{
    const struct sp_top_action *action = &top->action;
    snakepit_err err = result->err;
    if (err == SNAKEPIT_OK && action->act == SP_TOP_STACKS) {
        err = show_stacks(top, result->json);
    }
    if (err != SNAKEPIT_OK) {
        sp_top_ui_say(&top->ui, true, "%s", sp_top_failure(result));
    } else if (action->act == SP_TOP_CANCEL) {
        sp_top_ui_say(&top->ui, false, "call %" PRIu64 " is to end", action->call);
    } else if (action->act == SP_TOP_RECYCLE && action->worker != 0) {
        sp_top_ui_say(
            &top->ui, false, "worker %" PRIu64 " is to be replaced", action->worker);
    } else if (action->act == SP_TOP_RECYCLE) {
        sp_top_ui_say(
            &top->ui, false, "the workers of pool %s are to be replaced", action->pool);
    }
}

static void end_action(struct top *top)
{
    struct sp_cli_result result = {.err = SNAKEPIT_OK};
    sp_cli_pending_end(top->pending, &result);
    top->pending = NULL;
    top->changed = true;
    say_done(top, &result);
    sp_cli_result_fini(&result);
}

static void carry_out(struct top *top, const struct sp_top_action *action)
{
    switch (action->act) {
    case SP_TOP_NOTHING:
        break;
    case SP_TOP_QUIT:
        top->over = true;
        break;
    case SP_TOP_SUSPEND:
        sp_top_screen_suspend(top->screen);
        break;
    case SP_TOP_REDRAW:
        sp_top_screen_refresh(top->screen);
        break;
    case SP_TOP_PAUSE:
        sp_top_feed_pause(&top->feed, top->ui.paused);
        break;
    default:
        begin_action(top, action);
    }
}

// ---- Waiting ----------------------------------------------------------------------

// Each key sees what the one before it has led to.
static void take_keys(struct top *top)
{
    uint32_t key;
    while (!top->over && (key = sp_top_screen_key(top->screen)) != 0) {
        top->changed = true;
        if (key != SP_TOP_KEY_RESIZED) {
            make_table(top);
            const struct sp_top_action action =
                sp_top_ui_key(&top->ui, &top->table, key);
            carry_out(top, &action);
        }
    }
}

static bool is_due(const struct top *top)
{
    return top->changed || top->feed.events != top->shown_events ||
           sp_clock_now() - top->drawn_ns > SP_NS_PER_S;
}

static snakepit_err turn(struct top *top)
{
    struct sp_cli_result result = {.err = SNAKEPIT_OK};
    snakepit_err err = sp_cli_pending_turn(top->feed.remote, STDIN_FILENO, LOOK_MS);
    if (sp_top_feed_turn(&top->feed, &result)) {
        top->changed = true;
    }
    sp_cli_result_fini(&result);
    if (top->pending != NULL && sp_cli_pending_is_done(top->pending)) {
        end_action(top);
    }
    take_keys(top);
    if (!top->over && is_due(top)) {
        draw(top);
    }
    top->over = top->over || sp_top_screen_is_gone(top->screen);
    return err;
}

static int watch(struct top *top)
{
    snakepit_err err = SNAKEPIT_OK;
    top->changed = true;
    while (err == SNAKEPIT_OK && !top->over && sp_cli_interrupted() == 0) {
        err = turn(top);
    }
    sp_top_screen_close(top->screen);
    if (sp_cli_interrupted() != 0) {
        return sp_cli_report_interrupt(top->cli, NULL);
    }
    return err == SNAKEPIT_OK ? SP_CLI_EXIT_OK
                              : sp_cli_report(top->cli, err, "", false);
}

// ---- The beginning ----------------------------------------------------------------

// Waits until so many events have come. False: there is no such daemon, and that was
// told; `*status` is the exit code.
static bool await_events(struct top *top, uint64_t count, bool json, int *status)
{
    struct sp_cli_result result = {.err = SNAKEPIT_OK};
    bool lost = false;
    while (top->feed.events < count && !lost && sp_cli_interrupted() == 0) {
        lost = sp_top_feed_turn(&top->feed, &result);
        if (!lost) {
            result.err = sp_cli_pending_turn(top->feed.remote, -1, LOOK_MS);
            lost = result.err != SNAKEPIT_OK;
        }
    }
    if (!lost && sp_cli_interrupted() != 0) {
        *status = sp_cli_report_interrupt(top->cli, NULL);
    } else if (lost) {
        *status = sp_cli_result_report(top->cli, &result, json);
    }
    sp_cli_result_fini(&result);
    return *status == SP_CLI_EXIT_OK;
}

// Rates are known once there was time for some; calls that wait are told apart.
static int print_once(struct top *top, bool json)
{
    int status = SP_CLI_EXIT_OK;
    top->feed.looks_at_calls = true;
    if (await_events(top, 3, json, &status)) {
        snakepit_err err = sp_top_print_once(top->cli, &top->feed.model, json);
        sp_cli_flush(top->cli);
        status = err == SNAKEPIT_OK ? status : sp_cli_report(top->cli, err, "", json);
    }
    return status;
}

static int show(struct top *top)
{
    snakepit_message why = {0};
    int status = SP_CLI_EXIT_OK;
    if (!await_events(top, 1, false, &status)) {
        return status;
    }
    snakepit_err err = sp_top_screen_open(&top->screen, &why);
    if (err != SNAKEPIT_OK) {
        return sp_cli_report(top->cli, err, why.text, false);
    }
    return watch(top);
}

static bool is_right(struct sp_cli *cli, bool once, int *status)
{
    if (!once && cli->args.texts[SP_CLI_TOP_JSON] != NULL) {
        *status = sp_cli_complain_usage(cli, "top", "--json goes with --once");
        return false;
    }
    if (!once && (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0)) {
        *status = sp_cli_complain_usage(
            cli, "top", "top needs a terminal; --once prints one snapshot without one");
        return false;
    }
    return true;
}

static void free_top(struct top *top)
{
    struct sp_cli_result given_up = {.err = SNAKEPIT_OK};
    if (top->pending != NULL) {
        sp_cli_pending_end(top->pending, &given_up);
        sp_cli_result_fini(&given_up);
    }
    sp_top_feed_fini(&top->feed);
    sp_top_ui_fini(&top->ui);
    sp_top_table_fini(&top->table);
    sp_top_grid_fini(&top->grid);
    if (top->feed.remote != NULL) {
        sp_cli_target_close(sp_cli_remote_target(top->feed.remote));
    }
    sp_free(top);
}

int sp_cli_top(struct sp_cli *cli)
{
    const bool once = cli->args.texts[SP_CLI_TOP_ONCE] != NULL;
    const bool json = cli->args.texts[SP_CLI_TOP_JSON] != NULL;
    const bool told = cli->args.texts[SP_CLI_TOP_INTERVAL] != NULL;
    int status = SP_CLI_EXIT_OK;
    if (!is_right(cli, once, &status)) {
        return status;
    }
    struct top *top = sp_alloc(sizeof *top);
    if (top == NULL) {
        return sp_cli_report(cli, SNAKEPIT_NO_MEMORY, "", json);
    }
    top->cli = cli;
    top->feed.interval_ms =
        told ? (uint32_t)cli->args.numbers[SP_CLI_TOP_INTERVAL] : INTERVAL_MS;
    sp_top_ui_init(&top->ui);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    (void)setlocale(LC_CTYPE, "");
    if (sp_cli_operate_open(cli, "top", json, &top->feed.remote, &status)) {
        status = once ? print_once(top, json) : show(top);
    }
    free_top(top);
    return status;
}
