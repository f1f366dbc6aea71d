// SPDX-License-Identifier: MIT
// Keys of one map that differ in MessagePack and are equal in Python: 1, 1.0 and true,
// or the same key twice. Python would keep the value of the last of them.
#ifndef PAYLOAD_KEYS_H
#define PAYLOAD_KEYS_H

#include <snakepit/payload.h>

#include "base/slice.h"

// Looks through one whole value, whose depth was checked; its tensors need not have a
// place yet. INVALID_ARGUMENT: there are such keys; `wrong` names two of them and the
// place of their map. NO_MEMORY. MALFORMED. Sorts each map's keys in memory of its own.
snakepit_err sp_keys_check(struct sp_slice value, snakepit_message *wrong);

#endif
