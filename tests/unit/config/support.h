// SPDX-License-Identifier: MIT
// What the tests of configurations share.
#ifndef UNIT_CONFIG_SUPPORT_H
#define UNIT_CONFIG_SUPPORT_H

// cmocka.h needs these first.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"

extern char **environ;

// Removes every variable of ours, so that the machine's do not decide a test, and names
// an interpreter that is there on every machine: reading a configuration runs nothing.
static inline int set_environment(void **state)
{
    (void)state;
    for (size_t i = 0; environ[i] != NULL;) {
        if (strncmp(environ[i], "SNAKEPIT_", 9) != 0) {
            i++;
            continue;
        }
        char *name = strndup(environ[i], strcspn(environ[i], "="));
        assert_non_null(name);
        unsetenv(name);
        free(name);
    }
    return setenv("SNAKEPIT_PYTHON", "/bin/sh", 1);
}

// The configuration of `yaml`, which must be right.
static inline struct sp_config *read_good(const char *yaml)
{
    struct sp_config *config = NULL;
    snakepit_message why = {0};
    snakepit_err err = sp_config_read_memory(yaml, strlen(yaml), &config, &why);
    if (err != SNAKEPIT_OK) {
        fail_msg("%s", why.text);
    }
    return config;
}

// `yaml` is refused with exactly this sentence.
static inline void assert_refused(const char *yaml, const char *sentence)
{
    struct sp_config *config = NULL;
    snakepit_message why = {0};
    snakepit_err err = sp_config_read_memory(yaml, strlen(yaml), &config, &why);
    if (err == SNAKEPIT_OK) {
        sp_config_free(config);
        fail_msg("accepted, but expected: %s", sentence);
    }
    assert_string_equal(why.text, sentence);
    assert_int_equal(err, SNAKEPIT_INVALID_CONFIG);
    assert_null(config);
}

#endif
