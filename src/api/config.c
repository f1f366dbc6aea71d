// SPDX-License-Identifier: MIT
// How a pool is configured, and by whom.
#include "api/ask.h"
#include "api/inside.h"
#include "api/reply.h"
#include "payload/pairs.h"
#include "pit/refuse.h"
#include "pit/settings.h"

static void write_setting(void *user, const struct sp_setting *setting)
{
    snakepit_writer *writer = user;
    snakepit_writer_map(writer, 4);
    sp_pair_text(writer, "key", setting->key);
    snakepit_writer_str(writer, "value");
    snakepit_writer_strn(
        writer, (const char *)setting->value.data, setting->value.size);
    sp_pair_text(writer, "origin", setting->origin);
    sp_pair_number(writer, "line", setting->line);
}

void sp_api_pool_config(struct sp_exchange *exchange, const struct sp_params *params)
{
    snakepit_message why = {{0}};
    snakepit *pit = sp_api_of(exchange)->pit;
    const char *pool = sp_api_pool_name(params->of[0]);
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, "options");
    snakepit_writer_array(writer, sp_config_settings());
    snakepit_err err = sp_pit_settings(pit, pool, write_setting, writer);
    if (err == SNAKEPIT_OK) {
        sp_api_reply_value(exchange, writer);
    } else if (err == SNAKEPIT_UNKNOWN_POOL) {
        sp_api_fail(exchange, sp_refuse_pool(pit, pool, &why), why.text);
    } else {
        sp_api_fail(exchange,
                    err,
                    err == SNAKEPIT_AGAIN ? "a reload runs; ask again soon" : NULL);
    }
    snakepit_writer_free(writer);
}
