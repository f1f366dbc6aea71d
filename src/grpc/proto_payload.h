// SPDX-License-Identifier: MIT
// Values of the pit as the Payload of proto/snakepit/v1/snakepit.proto, and back.
#ifndef GRPC_PROTO_PAYLOAD_H
#define GRPC_PROTO_PAYLOAD_H

#include <snakepit/snakepit.h>

#include "grpc/messages.h"
#include "protobuf/scratch.h"

// Writes the one value of a payload. With `arguments` that is a map: nothing is an
// empty one, and a tensor that is nowhere asked for becomes the member of its name;
// without, such a tensor is refused, as is a payload without a value. `most_values` is
// that of struct sp_body. The data of tensors is borrowed: what the payload was decoded
// from must live until the writer was taken. MALFORMED, INVALID_ARGUMENT, NO_MEMORY:
// `why` says what is wrong, and where.
snakepit_err sp_payload_read(const struct sp_v1_payload *payload,
                             bool arguments,
                             uint64_t most_values,
                             snakepit_writer *writer,
                             snakepit_message *why);

// The form of an answer: what was asked for, else that of the request (NULL: it has
// none), else Struct. INVALID_ARGUMENT: a number that is no form.
snakepit_err sp_payload_form(int32_t asked,
                             const struct sp_v1_payload *request,
                             enum sp_v1_form *form);

// Fills a payload with the value that comes next, in `form`. It borrows from the value,
// the data of tensors always, and from `scratch`. UNSERIALISABLE: the form cannot say
// it; MALFORMED, NO_MEMORY. `why` says what is wrong.
snakepit_err sp_payload_write(const snakepit_reader *value,
                              enum sp_v1_form form,
                              struct sp_scratch *scratch,
                              struct sp_v1_payload *payload,
                              snakepit_message *why);

// Borrows all texts. Without `insight` those that show the inside of an adapter are
// empty, as for sp_fault_write(). Texts that are not UTF-8 are mended in `scratch`;
// without memory they are empty.
void sp_fault_to_proto(const snakepit_fault *fault,
                       bool insight,
                       uint32_t retry_after_ms,
                       struct sp_scratch *scratch,
                       struct sp_v1_fault *message);

#endif
