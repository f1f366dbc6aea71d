// SPDX-License-Identifier: MIT
// Tools as models of the Open Inference Protocol, whichever door is asked: a model's
// name is POOL.TOOL.
#ifndef API_MODELS_H
#define API_MODELS_H

#include "api/router.h"
#include "base/slice.h"
#include "inference/model.h"
#include "inference/request.h"
#include "server/exchange.h"

// How long the name of the pool is, at the beginning of a model's; 0: there is no dot.
size_t sp_api_model_pool(const struct sp_exchange *exchange, struct sp_slice name);
// Finds pool and tool of a model: the pool is the one of the longest name that fits,
// since pools and tools may have dots in their names. `version` empty: any. False: it
// was refused, as is a client that may not call there.
bool sp_api_find_model(struct sp_exchange *exchange,
                       struct sp_slice name,
                       struct sp_slice version,
                       struct sp_params *callee);

struct sp_api_model_asked {
    struct sp_params callee;
    char name[SP_PARAM_SIZE];
    // Answers the exchange, with what is known of the model.
    void (*tell)(struct sp_exchange *exchange,
                 const struct sp_api_model_asked *asked,
                 const struct sp_inference_model *model);
};

// Asks for a model, and answers the exchange, now or later: NOT_FOUND where there is
// none of that name, or the tool is not a model.
void sp_api_ask_model(struct sp_exchange *exchange,
                      struct sp_slice name,
                      struct sp_slice version,
                      void (*tell)(struct sp_exchange *exchange,
                                   const struct sp_api_model_asked *asked,
                                   const struct sp_inference_model *model));

// Answers an inference that has failed, in words of models: a tool that is not there is
// a model that is not there, and inputs that its tool does not take are the client's.
void sp_api_fail_inference(struct sp_exchange *exchange,
                           struct sp_slice model,
                           const snakepit_answer *answer,
                           const char *call);

// Whether the pool of the model serves.
bool sp_api_model_serves(const struct sp_exchange *exchange,
                         const struct sp_api_model_asked *asked);
// Whether all pools do, and the daemon does not drain.
bool sp_api_server_is_ready(const struct sp_exchange *exchange);

#define SP_API_EXTENSION_BINARY     "binary_tensor_data"
#define SP_API_EXTENSION_PARAMETERS "parameters"

#endif
