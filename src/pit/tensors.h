// SPDX-License-Identifier: MIT
// Tensors in a pool's memory for what is still to come from a client.
#ifndef PIT_TENSORS_H
#define PIT_TENSORS_H

#include <stddef.h>

#include <snakepit/snakepit.h>

// As snakepit_tensor_new() of so many bytes, in a pool whose memory is not half full
// then: clients that are slow to send leave the rest to calls that are whole. Any
// thread. NO_MEMORY, UNKNOWN_POOL.
snakepit_err sp_pit_tensor_reserve(snakepit *pit,
                                   const char *pool_name,
                                   size_t bytes,
                                   snakepit_tensor *tensor,
                                   void **data);

#endif
