// SPDX-License-Identifier: MIT
#include "cli/target.h"

#include <string.h>

#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/own.h"
#include "cli/remote.h"
#include "cli/report.h"
#include "cli/text.h"
#include "cli/value.h"
#include "http/problem.h"

// ---- Opening ----------------------------------------------------------------------

static const char *command_of(enum sp_cli_option_id config)
{
    return sp_cli_command_at(sp_cli_option_at(config)->command)->name;
}

static int complain(struct sp_cli *cli, enum sp_cli_option_id config, const char *what)
{
    snakepit_message sentence;
    const char *command = command_of(config);
    sp_cli_explain(&sentence, "%s %s", command, what);
    return sp_cli_complain_usage(cli, command, sentence.text);
}

bool sp_cli_target_is_named(struct sp_cli *cli,
                            enum sp_cli_option_id config,
                            int *status)
{
    const char *file = cli->args.texts[config];
    if (file != NULL && cli->args.texts[SP_CLI_CLIENT_CONNECT] != NULL) {
        *status =
            complain(cli, config, "takes one of --config FILE and --connect ADDRESS");
        return false;
    }
    if (file == NULL && sp_cli_remote_address(cli) == NULL) {
        *status = complain(cli, config, "needs --config FILE or --connect ADDRESS");
        return false;
    }
    return true;
}

bool sp_cli_target_open(struct sp_cli *cli,
                        enum sp_cli_option_id config,
                        bool as_json,
                        struct sp_cli_target **target,
                        int *status)
{
    snakepit_message why = {0};
    struct sp_cli_remote *remote = NULL;
    const char *file = cli->args.texts[config];
    if (!sp_cli_target_is_named(cli, config, status)) {
        return false;
    }
    sp_cli_interrupts_init();
    const char *address = sp_cli_remote_address(cli);
    snakepit_err err = file != NULL ? sp_cli_own_open(file, target, &why)
                       : sp_cli_is_local_door(address)
                           ? sp_cli_own_connect(address, target, &why)
                           : sp_cli_remote_open(cli, address, &remote, &why);
    if (err != SNAKEPIT_OK) {
        *status = sp_cli_report(cli, err, why.text, as_json);
        return false;
    }
    if (remote != NULL) {
        *target = sp_cli_remote_target(remote);
    }
    return true;
}

void sp_cli_target_close(struct sp_cli_target *target)
{
    target->ops->close(target);
}

// ---- Results ----------------------------------------------------------------------

// A failure that an answer does not explain further is a sentence that stands for
// itself.
static bool is_sentence(const snakepit_fault *fault)
{
    return fault->stage[0] == '\0' && fault->type[0] == '\0' &&
           fault->cause[0] == '\0' && fault->traceback[0] == '\0';
}

int sp_cli_result_report(struct sp_cli *cli,
                         const struct sp_cli_result *result,
                         bool as_json)
{
    if (result->err == SNAKEPIT_OK) {
        return SP_CLI_EXIT_OK;
    }
    if (result->err == SNAKEPIT_CANCELLED && sp_cli_interrupted() != 0) {
        return sp_cli_report_interrupt(cli, result->note);
    }
    if (result->fault == NULL) {
        return sp_cli_report(cli, result->err, result->why.text, as_json);
    }
    return result->fault == &result->problem.fault && is_sentence(result->fault)
               ? sp_cli_report(cli, result->err, result->fault->message, as_json)
               : sp_cli_report_fault(cli, result->fault, as_json);
}

int sp_cli_result_report_named(struct sp_cli *cli,
                               const struct sp_cli_result *result,
                               bool as_json)
{
    const bool stopped = result->err == SNAKEPIT_CANCELLED && sp_cli_interrupted() != 0;
    if (result->err == SNAKEPIT_OK || stopped) {
        return sp_cli_result_report(cli, result, as_json);
    }
    const snakepit_fault plain = sp_fault_of(result->err, result->why.text);
    return sp_cli_report_fault(
        cli, result->fault != NULL ? result->fault : &plain, as_json);
}

// What was printed is there before the workers are stopped.
static int show(struct sp_cli *cli,
                const struct sp_cli_result *result,
                void (*print)(struct sp_cli *cli, const snakepit_reader *map))
{
    snakepit_reader map;
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_err err = writer == NULL ? SNAKEPIT_NO_MEMORY
                                      : sp_cli_value_read(result->json, writer, &map);
    int status = SP_CLI_EXIT_OK;
    if (err == SNAKEPIT_OK) {
        print(cli, &map);
        sp_cli_flush(cli);
    } else {
        status = sp_cli_report(
            cli,
            err == SNAKEPIT_NO_MEMORY ? err : SNAKEPIT_PROTOCOL,
            err == SNAKEPIT_NO_MEMORY ? "" : "the answer is no map and cannot be shown",
            false);
    }
    snakepit_writer_free(writer);
    return status;
}

int sp_cli_result_show(struct sp_cli *cli,
                       const struct sp_cli_result *result,
                       bool as_json,
                       void (*print)(struct sp_cli *cli, const snakepit_reader *map))
{
    if (result->err != SNAKEPIT_OK) {
        return sp_cli_result_report(cli, result, as_json);
    }
    if (!as_json) {
        return show(cli, result, print);
    }
    sp_cli_print_json_text(cli, (const char *)result->json.data, result->json.size);
    sp_cli_flush(cli);
    return SP_CLI_EXIT_OK;
}

void sp_cli_result_fini(struct sp_cli_result *result)
{
    snakepit_answer_free(result->answer);
    if (result->stream != NULL) {
        snakepit_stream_close(result->stream);
    }
    sp_cli_problem_fini(&result->problem);
    sp_buf_fini(&result->text);
    *result = (struct sp_cli_result){.err = SNAKEPIT_OK};
}
