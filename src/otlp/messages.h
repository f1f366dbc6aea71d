// SPDX-License-Identifier: MIT
// Messages of OpenTelemetry's protocol, from the rows of otlp/otlp.def; see
// protobuf/declare.def.
#ifndef OTLP_MESSAGES_H
#define OTLP_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "protobuf/type.h"

#define SP_PROTO_ROWS "otlp/otlp.def"
#include "protobuf/declare.def"

#endif
