// SPDX-License-Identifier: MIT
#include "payload/powers.h"

const struct sp_power sp_powers[] = {
#define POWER(high, low) {UINT64_C(high), UINT64_C(low)},
#include "payload/powers.def"
#undef POWER
};
