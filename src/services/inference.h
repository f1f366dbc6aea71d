// SPDX-License-Identifier: MIT
// A ModelInferRequest as a request of the Open Inference Protocol.
#ifndef SERVICES_INFERENCE_H
#define SERVICES_INFERENCE_H

#include <snakepit/payload.h>

#include "grpc/messages.h"
#include "inference/request.h"

// Fills a request, whose `args` are set, and checks it. It borrows from the message.
// INVALID_ARGUMENT, NO_MEMORY: `why`. Any thread.
snakepit_err sp_inference_read_message(const struct sp_oip_request *message,
                                       struct sp_inference_request *request,
                                       snakepit_message *why);

#endif
