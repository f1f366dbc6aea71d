// SPDX-License-Identifier: MIT
// The words of adapter_args that are options in disguise.
#ifndef CONFIG_ARGUMENTS_H
#define CONFIG_ARGUMENTS_H

#include "config/draft.h"

// Takes `--adapter X`, `--mode M` and `--max-workers N` (also `--flag=value`) out of
// the pool's adapter_args and sets what they mean, unless a variable did.
// INVALID_CONFIG: a value is missing or wrong, or contradicts the key. NO_MEMORY.
snakepit_err sp_arguments_apply(struct sp_draft *draft);

#endif
