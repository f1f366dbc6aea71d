// SPDX-License-Identifier: MIT
// snakepit call: one call, from the command line to its answer.
#include <string.h>

#include "cli/json.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/target.h"

#define SESSION_MAX 255u

static bool print_chunk(void *user, struct sp_slice json)
{
    struct sp_cli *cli = user;
    sp_cli_print_json_text(cli, (const char *)json.data, json.size);
    sp_cli_flush(cli);
    return cli->lost == 0;
}

static int
call(struct sp_cli *cli, const struct sp_cli_arguments *arguments, bool as_json)
{
    const struct sp_cli_args *given = &cli->args;
    struct sp_cli_target *target = NULL;
    struct sp_cli_result result = {.err = SNAKEPIT_OK};
    int status = SP_CLI_EXIT_OK;
    const bool stream = given->texts[SP_CLI_CALL_STREAM] != NULL;
    const struct sp_cli_ask ask = {
        .pool = given->words[0],
        .tool = given->words[1],
        .arguments = arguments,
        .timeout_ms = (uint32_t)given->numbers[SP_CLI_CALL_TIMEOUT],
        .priority = (uint32_t)given->numbers[SP_CLI_CALL_PRIORITY],
        .session = given->texts[SP_CLI_CALL_SESSION],
        .chunk = stream ? print_chunk : NULL,
        .user = cli};
    if (!sp_cli_target_open(cli, SP_CLI_CALL_CONFIG, as_json, &target, &status)) {
        return status;
    }
    target->ops->call(target, &ask, &result);
    if (result.err == SNAKEPIT_OK && !stream) {
        sp_cli_print_json_text(cli, (const char *)result.json.data, result.json.size);
        // The answer is there before the workers are stopped.
        sp_cli_flush(cli);
    }
    status = sp_cli_result_report_named(cli, &result, as_json);
    sp_cli_result_fini(&result);
    sp_cli_target_close(target);
    return status;
}

int sp_cli_call(struct sp_cli *cli)
{
    const struct sp_cli_args *given = &cli->args;
    const char *session = given->texts[SP_CLI_CALL_SESSION];
    const bool as_json = given->texts[SP_CLI_CALL_JSON] != NULL;
    if (session != NULL && strlen(session) > SESSION_MAX) {
        return sp_cli_complain_usage(cli, "call", "a session id has at most 255 bytes");
    }
    snakepit_message why = {0};
    struct sp_cli_arguments arguments;
    int status = SP_CLI_EXIT_OK;
    if (!sp_cli_target_is_named(cli, SP_CLI_CALL_CONFIG, &status)) {
        return status;
    }
    snakepit_err err = sp_cli_read_arguments(given->words[2], &arguments, &why);
    status = err == SNAKEPIT_OK ? call(cli, &arguments, as_json)
                                : sp_cli_report(cli, err, why.text, as_json);
    sp_cli_arguments_fini(&arguments);
    return status;
}
