// SPDX-License-Identifier: MIT
// snakepit config: the reference of a configuration and its schema, made from
// config/options.def.
#include <snakepit/snakepit.h>

#include "cli/output.h"
#include "cli/reference.h"

int sp_cli_config(struct sp_cli *cli)
{
    bool reference = cli->args.texts[SP_CLI_CONFIG_REFERENCE] != NULL;
    bool schema = cli->args.texts[SP_CLI_CONFIG_SCHEMA] != NULL;
    if (reference == schema) {
        return sp_cli_complain_usage(
            cli, "config", "config needs --reference or --schema");
    }
    struct sp_buf text = {0};
    snakepit_err err = schema ? sp_cli_json_schema(&text) : sp_cli_reference(&text);
    if (err == SNAKEPIT_OK) {
        sp_cli_write(cli, text.data, text.size);
    } else {
        sp_cli_complain(cli, "%s", snakepit_err_text(err));
    }
    sp_buf_fini(&text);
    return sp_cli_exit_of(err);
}
