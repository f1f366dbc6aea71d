// SPDX-License-Identifier: MIT
// What requests of both kinds begin with.
#ifndef OTLP_COMMON_H
#define OTLP_COMMON_H

#include "otlp/messages.h"
#include "otlp/otlp.h"
#include "protobuf/scratch.h"

// The name and the version of this library.
struct sp_otlp_scope sp_otlp_scope_of_ours(void);
// Who tells, as a message in `scratch`; NULL: no memory.
struct sp_otlp_resource *sp_otlp_resource_of(const struct sp_otlp_teller *teller,
                                             struct sp_scratch *scratch);

#endif
