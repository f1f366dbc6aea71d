// SPDX-License-Identifier: MIT
// Keys of a configuration in the terms of the modules that obey them.
#include "pit/pit.h"

// The errors that the bits of a list of choices stand for, in the order of the choices
// in config/options.def.
static uint32_t errors_of(uint32_t bits, const snakepit_err *choices, uint32_t count)
{
    uint32_t errors = 0;
    for (uint32_t i = 0; i < count; i++) {
        errors |= (bits >> i & 1) != 0 ? SP_ERROR_BIT(choices[i]) : 0;
    }
    return errors;
}

struct sp_retry_terms sp_pit_retry_terms(const struct sp_retry_keys *keys)
{
    static const snakepit_err choices[] = {
        SNAKEPIT_WORKER_DIED, SNAKEPIT_WORKER_LOST, SNAKEPIT_TOOL_FAILED};
    return (struct sp_retry_terms){
        .max_attempts = keys->max_attempts,
        .backoff_ms = keys->backoff_ms,
        .backoff_max_ms = keys->backoff_max_ms,
        .max_tokens = keys->max_tokens,
        .token_ratio = keys->token_ratio,
        .on = errors_of(keys->on, choices, sizeof choices / sizeof choices[0]),
    };
}

struct sp_breaker_terms sp_pit_breaker_terms(const struct sp_breaker_keys *keys)
{
    static const snakepit_err choices[] = {SNAKEPIT_WORKER_DIED,
                                           SNAKEPIT_WORKER_LOST,
                                           SNAKEPIT_PROTOCOL,
                                           SNAKEPIT_DEADLINE_EXCEEDED,
                                           SNAKEPIT_TOOL_FAILED};
    return (struct sp_breaker_terms){
        .failures = keys->failures,
        .window_ms = keys->window_ms,
        .open_ms = keys->open_ms,
        .on = errors_of(keys->on, choices, sizeof choices / sizeof choices[0]),
    };
}
