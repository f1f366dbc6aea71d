// SPDX-License-Identifier: MIT
// What a worker has printed last. Who may observe its pool may read it: the events of
// its lines are told to the same clients.
#include "pit/output.h"

#include "api/gate.h"
#include "api/inside.h"
#include "api/reply.h"
#include "base/memory.h"
#include "payload/pairs.h"

static void answer(struct sp_exchange *exchange,
                   const char *pool,
                   uint64_t worker,
                   const struct sp_worker_output *output)
{
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_map(writer, 4);
    sp_pair_text(writer, "pool", pool);
    sp_pair_number(writer, "worker", worker);
    sp_pair_text(writer, "stdout", output->text[0]);
    sp_pair_text(writer, "stderr", output->text[1]);
    sp_api_reply_value(exchange, writer);
    snakepit_writer_free(writer);
}

void sp_api_worker_output(struct sp_exchange *exchange, const struct sp_params *params)
{
    uint64_t worker = 0;
    snakepit_message why = {{0}};
    const char *pool = sp_api_worker_named(exchange, params, &worker);
    if (pool == NULL) {
        return;
    }
    struct sp_worker_output *output = sp_alloc(sizeof *output);
    snakepit_err err =
        output == NULL
            ? SNAKEPIT_NO_MEMORY
            : sp_pit_worker_output(sp_api_of(exchange)->pit, pool, worker, output);
    if (err == SNAKEPIT_OK) {
        answer(exchange, pool, worker, output);
    } else if (err == SNAKEPIT_NO_MEMORY) {
        sp_api_fail(exchange, err, NULL);
    } else { // it has just ended
        sp_api_explain_no_worker(worker, &why);
        sp_api_fail(exchange, SNAKEPIT_NOT_FOUND, why.text);
    }
    sp_free(output);
}
