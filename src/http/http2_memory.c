// SPDX-License-Identifier: MIT
// Each block has a header before it, as large as what malloc(3) aligns to, or twice.
#include "http/http2_memory.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"

struct header {
    struct sp_link link;
    size_t size; // with the header
    _Alignas(max_align_t) uint8_t data[];
};

static struct header *header_of(void *block)
{
    return SP_ENTRY(block, struct header, data);
}

static struct header *take(struct sp_http2_memory *memory, size_t size)
{
    if (size > SIZE_MAX - sizeof(struct header)) {
        return NULL;
    }
    size += sizeof(struct header);
    struct header *header = sp_blocks_take(memory->spare, size);
    if (header != NULL) {
        header->link = (struct sp_link){NULL, NULL};
        header->size = size;
        sp_list_append(&memory->blocks, &header->link);
    }
    return header;
}

static void *on_malloc(size_t size, void *user)
{
    struct header *header = take(user, size);
    return header == NULL ? NULL : header->data;
}

static void on_free(void *block, void *user)
{
    struct sp_http2_memory *memory = user;
    if (block != NULL) {
        struct header *header = header_of(block);
        sp_list_remove(&header->link);
        sp_blocks_give(memory->spare, header, header->size);
    }
}

static void *on_calloc(size_t count, size_t size, void *user)
{
    size_t all = 0;
    void *block =
        __builtin_mul_overflow(count, size, &all) ? NULL : on_malloc(all, user);
    return block == NULL ? NULL : memset(block, 0, all);
}

static void *on_realloc(void *block, size_t size, void *user)
{
    void *other = on_malloc(size, user);
    if (block != NULL && other != NULL) {
        const size_t old = header_of(block)->size - sizeof(struct header);
        memcpy(other, block, old < size ? old : size);
        on_free(block, user);
    }
    return other;
}

void sp_http2_memory_init(struct sp_http2_memory *memory, struct sp_blocks *spare)
{
    sp_list_init(&memory->blocks);
    memory->spare = spare;
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
        struct header *header = SP_ENTRY(link, struct header, link);
        sp_blocks_give(memory->spare, header, header->size);
    }
}
