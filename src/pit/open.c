// SPDX-License-Identifier: MIT
// A pit with pools of its own, as a configuration says.
#include <stdio.h>

#include "base/thread.h"
#include "pit/detect.h"
#include "pit/log.h"
#include "pit/pit.h"
#include "pit/refuse.h"

static snakepit_err open_pools(snakepit *pit, snakepit_message *why)
{
    struct sp_config *config = pit->config;
    size_t count = config->pooling_enabled ? config->count : 0;
    for (size_t i = 0; i < count; i++) {
        snakepit_err err = sp_pit_open_pool(pit, config, &config->pools[i], why);
        if (err != SNAKEPIT_OK) {
            return err;
        }
    }
    sp_pit_show_pools(pit);
    sp_pit_choose_default_pool(pit, config);
    return SNAKEPIT_OK;
}

snakepit_err sp_pit_check_limits(const struct sp_config *config, snakepit_message *why)
{
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; err == SNAKEPIT_OK && i < config->count; i++) {
        const struct sp_sandbox *sandbox = &config->pools[i].sandbox;
        const struct sp_cgroup_limits limits = {sandbox->memory_max, sandbox->cpu_max};
        snakepit_message reason;
        err = sp_cgroup_check(&limits, &reason);
        if (err != SNAKEPIT_OK && why != NULL) {
            (void)snprintf(why->text,
                           sizeof why->text,
                           "%.200s: pool \"%.64s\": %.700s",
                           config->file,
                           config->pools[i].name,
                           reason.text);
        }
    }
    return err;
}

static void explain_err(snakepit_message *why, snakepit_err err)
{
    if (why != NULL && why->text[0] == 0) {
        (void)snprintf(why->text, sizeof why->text, "%s", snakepit_err_text(err));
    }
}

// Takes `config` in any case. `ear` may be NULL.
static snakepit_err open_config(struct sp_config *config,
                                const snakepit_open_options *options,
                                const struct sp_pit_ear *ear,
                                snakepit **pit,
                                snakepit_message *why)
{
    snakepit *made = NULL;
    if (why != NULL) {
        why->text[0] = 0;
    }
    snakepit_err err = sp_detect_interpreters(config, why);
    err = err == SNAKEPIT_OK ? sp_pit_check_limits(config, why) : err;
    err = err == SNAKEPIT_OK ? sp_pit_new(config, options, ear, &made, why) : err;
    if (err != SNAKEPIT_OK) {
        sp_config_free(config);
        explain_err(why, err);
        return err;
    }
    err = open_pools(made, why);
    err = err == SNAKEPIT_OK ? sp_pit_start_loop(made, why) : err;
    if (err != SNAKEPIT_OK) {
        sp_pit_abandon(made);
        explain_err(why, err);
        return err;
    }
    *pit = made;
    return SNAKEPIT_OK;
}

snakepit_err snakepit_open_file(const char *path,
                                const snakepit_open_options *options,
                                snakepit **pit,
                                snakepit_message *why)
{
    SP_UNCANCELLED;
    struct sp_config *config;
    if (pit == NULL) {
        return sp_refuse(why, SNAKEPIT_INVALID_ARGUMENT, SP_NOWHERE);
    }
    if (path == NULL) {
        return sp_refuse(why,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "the configuration's path is NULL; give that of a file");
    }
    snakepit_err err = sp_config_read_file(path, &config, why);
    return err == SNAKEPIT_OK ? open_config(config, options, NULL, pit, why) : err;
}

snakepit_err sp_pit_open_file(const char *path,
                              const snakepit_open_options *options,
                              const struct sp_pit_ear *ear,
                              snakepit **pit,
                              snakepit_message *why)
{
    struct sp_config *config;
    snakepit_err err = sp_config_read_file(path, &config, why);
    return err == SNAKEPIT_OK ? open_config(config, options, ear, pit, why) : err;
}

snakepit_err snakepit_open_memory(const char *yaml,
                                  size_t bytes,
                                  const snakepit_open_options *options,
                                  snakepit **pit,
                                  snakepit_message *why)
{
    SP_UNCANCELLED;
    struct sp_config *config;
    if (pit == NULL) {
        return sp_refuse(why, SNAKEPIT_INVALID_ARGUMENT, SP_NOWHERE);
    }
    if (yaml == NULL) {
        return sp_refuse(why,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "the configuration's text is NULL; give the address of YAML");
    }
    snakepit_err err = sp_config_read_memory(yaml, bytes, &config, why);
    return err == SNAKEPIT_OK ? open_config(config, options, NULL, pit, why) : err;
}
