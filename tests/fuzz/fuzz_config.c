// SPDX-License-Identifier: MIT
// Any bytes as a configuration: never a crash, and always either a configuration or a
// sentence.
#include <stdlib.h>

#include "base/check.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_environment(void)
{
    static int done;
    if (!done) {
        // Reading looks for interpreters but runs none.
        setenv("SNAKEPIT_PYTHON", "/bin/sh", 1);
        done = 1;
    }
}

// Whatever listens, lesson 33 holds.
static void check_serve(const struct sp_serve_config *serve)
{
    SP_CHECK(serve->listen.count >= 1);
    for (size_t i = 0; i < serve->listen.count; i++) {
        const struct sp_listener_config *item = &serve->listen.items[i];
        bool others = item->parsed.kind != SP_ADDRESS_SYSTEMD &&
                      !sp_address_is_local(&item->parsed);
        SP_CHECK(item->address != NULL);
        SP_CHECK((item->tls.certificate == NULL) == (item->tls.key == NULL));
        SP_CHECK(!others || (item->tls.certificate != NULL &&
                             (item->tokens != NULL || item->tls.client_ca != NULL)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_config *config = NULL;
    snakepit_message why = {0};
    set_environment();
    snakepit_err err = sp_config_read_memory((const char *)data, size, &config, &why);
    SP_CHECK((err == SNAKEPIT_OK) == (config != NULL));
    SP_CHECK((err == SNAKEPIT_OK) == (why.text[0] == '\0'));
    for (size_t i = 0; config != NULL && i < config->count; i++) {
        const struct sp_pool_config *pool = &config->pools[i];
        SP_CHECK(pool->name != NULL && pool->adapter != NULL &&
                 pool->adapter_config != NULL);
        SP_CHECK(pool->python != NULL || !config->pooling_enabled);
        SP_CHECK(pool->pool_size.min >= 1 &&
                 pool->pool_size.min <= pool->pool_size.max &&
                 pool->threads_per_worker >= 1);
    }
    if (config != NULL) {
        check_serve(&config->serve);
    }
    sp_config_free(config);
    return 0;
}
