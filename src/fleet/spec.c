// SPDX-License-Identifier: MIT
#include "fleet/spec.h"

#include <unistd.h>

#include "base/memory.h"
#include "interpreter/interpreter.h"

static uint32_t scaled(uint32_t workers, uint32_t before, uint32_t after)
{
    return (uint32_t)(((uint64_t)workers * before + after - 1) / after);
}

struct sp_range sp_range_scaled(struct sp_range size, uint32_t before, uint32_t after)
{
    return (struct sp_range){scaled(size.min, before, after),
                             scaled(size.max, before, after)};
}

struct sp_spec_terms sp_spec_terms_of(struct sp_config *config,
                                      const struct sp_pool_config *pool)
{
    return (struct sp_spec_terms){.config = config,
                                  .pool = pool,
                                  .profile = pool->worker_profile,
                                  .size = pool->pool_size,
                                  .threads = pool->threads_per_worker};
}

snakepit_err sp_spec_new(const struct sp_spec_terms *terms, struct sp_fleet_spec **spec)
{
    const struct sp_thread_env wanted = {
        .profile = terms->profile,
        .threads_per_worker = terms->threads,
        .workers = terms->size.max,
        .cores = sp_config_cores(),
        .user = &terms->pool->adapter_env,
        .inherited = terms->config->environment,
    };
    struct sp_fleet_spec *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = sp_interpreter_thread_env(&wanted, &made->environment);
    if (err != SNAKEPIT_OK) {
        sp_free(made);
        return err;
    }
    made->refs = 1;
    made->terms = *terms;
    sp_config_ref(terms->config);
    *spec = made;
    return SNAKEPIT_OK;
}

struct sp_fleet_spec *sp_spec_ref(struct sp_fleet_spec *spec)
{
    spec->refs++;
    return spec;
}

void sp_spec_unref(struct sp_fleet_spec *spec)
{
    if (spec != NULL && --spec->refs == 0) {
        sp_interpreter_free_env(spec->environment);
        sp_config_free(spec->terms.config);
        sp_free(spec);
    }
}
