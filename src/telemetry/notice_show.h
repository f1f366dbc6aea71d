// SPDX-License-Identifier: MIT
// Events as programs see them.
#ifndef TELEMETRY_NOTICE_SHOW_H
#define TELEMETRY_NOTICE_SHOW_H

#include <snakepit/notice.h>

#include "telemetry/notice.h"

// Writes the fields that were told to `fields`, and the event, which borrows them, to
// `shown`.
void sp_notice_show(const struct sp_notice *notice,
                    snakepit_field fields[SP_NOTICE_FIELDS_MOST],
                    snakepit_notice *shown);

#endif
