// SPDX-License-Identifier: MIT
// Who holds a block: a Tensor, an answer, a lease of the host's. Apart from the rest of
// a tensor, for leases end blocks and making one may end leases.
#include "tensor.h"

#include "base/memory.h"

void sp_block_ref(struct sp_block *block)
{
    atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
}

void sp_block_unref(struct sp_block *block)
{
    // [block:refs] every use of the block is over before it is handed out again; each
    // release pairs with the acquire of the last.
    if (atomic_fetch_sub_explicit(&block->refs, 1, memory_order_acq_rel) == 1) {
        sp_runtime_free(block->runtime, block->offset, block->bytes);
        sp_free(block);
    }
}
