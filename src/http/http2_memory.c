// SPDX-License-Identifier: MIT
// Each block has a link before it, which is as large as what malloc(3) aligns to.
#include "http/http2_memory.h"

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

_Static_assert(sizeof(struct sp_link) % _Alignof(max_align_t) == 0,
               "what is behind a link is aligned for anything");

static void *put(struct sp_http2_memory *memory, struct sp_link *link)
{
    if (link == NULL) {
        return NULL;
    }
    sp_list_append(&memory->blocks, link);
    return link + 1;
}

static struct sp_link *link_of(void *block)
{
    return (struct sp_link *)block - 1;
}

static void *on_malloc(size_t size, void *user)
{
    return size > SIZE_MAX - sizeof(struct sp_link)
               ? NULL
               : put(user, sp_realloc(NULL, sizeof(struct sp_link) + size));
}

static void on_free(void *block, void *user)
{
    (void)user;
    if (block != NULL) {
        sp_list_remove(link_of(block));
        sp_free(link_of(block));
    }
}

static void *on_calloc(size_t count, size_t size, void *user)
{
    return size != 0 && count > (SIZE_MAX - sizeof(struct sp_link)) / size
               ? NULL
               : put(user, sp_alloc(sizeof(struct sp_link) + count * size));
}

static void *on_realloc(void *block, size_t size, void *user)
{
    if (block == NULL || size > SIZE_MAX - sizeof(struct sp_link)) {
        return on_malloc(size, user);
    }
    struct sp_http2_memory *memory = user;
    struct sp_link *old = link_of(block);
    sp_list_remove(old);
    struct sp_link *link = sp_realloc(old, sizeof(struct sp_link) + size);
    if (link == NULL) {
        sp_list_append(&memory->blocks, old);
    }
    return put(memory, link);
}

void sp_http2_memory_init(struct sp_http2_memory *memory)
{
    sp_list_init(&memory->blocks);
}

nghttp2_mem sp_http2_memory_functions(struct sp_http2_memory *memory)
{
    return (nghttp2_mem){.mem_user_data = memory,
                         .malloc = on_malloc,
                         .free = on_free,
                         .calloc = on_calloc,
                         .realloc = on_realloc};
}

void sp_http2_memory_fini(struct sp_http2_memory *memory)
{
    struct sp_link *link;
    while ((link = sp_list_take(&memory->blocks)) != NULL) {
        sp_free(link);
    }
}
