// SPDX-License-Identifier: MIT
// What workers may read; they map it read-only. The host reads back nothing but the
// names of sessions, whose places and sizes it keeps for itself: docs/decisions/0001.
#include "pool/store.h"

#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/memory.h"
#include "payload/tensor.h"
#include "payload/writer.h"
#include "pool/seat.h"

snakepit_err sp_store_init(struct sp_store *store, uint64_t size, snakepit_message *why)
{
    sp_list_init(&store->shares);
    SP_CHECK(pthread_mutex_init(&store->lock, NULL) == 0);
    snakepit_err err = sp_segment_create(
        &store->segment, SP_SEGMENT_NAMES "requests", size, true, why);
    if (err == SNAKEPIT_OK) {
        err = sp_arena_init(&store->arena, store->segment.base, 0, size);
    }
    if (err != SNAKEPIT_OK) {
        sp_store_fini(store);
    }
    return err;
}

void sp_store_fini(struct sp_store *store)
{
    struct sp_link *link;
    // Tensors that the program never gave back.
    while ((link = sp_list_take(&store->shares)) != NULL) {
        sp_free(SP_ENTRY(link, struct sp_share, link));
    }
    sp_arena_fini(&store->arena);
    sp_segment_fini(&store->segment);
    pthread_mutex_destroy(&store->lock);
}

uint64_t sp_store_backed(const struct sp_store *store)
{
    struct stat now;
    const uint64_t block = 512; // whatever the size of pages
    return fstat(store->segment.fd, &now) == 0 ? (uint64_t)now.st_blocks * block : 0;
}

// ---- Shares -------------------------------------------------------------------

snakepit_err
sp_share_new(struct sp_store *store, uint64_t bytes, struct sp_share **share)
{
    struct sp_share *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    made->bytes = bytes > 0 ? bytes : 1;
    made->refs = 1;
    snakepit_err err = sp_arena_alloc(&store->arena, made->bytes, &made->offset);
    if (err != SNAKEPIT_OK) {
        sp_free(made);
        return err;
    }
    pthread_mutex_lock(&store->lock);
    sp_list_append(&store->shares, &made->link);
    pthread_mutex_unlock(&store->lock);
    *share = made;
    return SNAKEPIT_OK;
}

void sp_share_ref(struct sp_store *store, struct sp_share *share)
{
    pthread_mutex_lock(&store->lock);
    share->refs++;
    pthread_mutex_unlock(&store->lock);
}

void sp_share_unref(struct sp_store *store, struct sp_share *share)
{
    pthread_mutex_lock(&store->lock);
    SP_CHECK(share->refs > 0);
    bool last = --share->refs == 0;
    if (last && share->loan == NULL) {
        sp_list_remove(&share->link);
    }
    pthread_mutex_unlock(&store->lock);
    if (last && share->loan == NULL) {
        sp_arena_free(&store->arena, share->offset, share->bytes);
    } else if (last) {
        sp_loan_unref(share->loan);
    }
    if (last) {
        sp_free(share);
    }
}

struct sp_share *sp_share_find(struct sp_store *store, const void *data)
{
    const uint8_t *base = store->segment.base;
    const uint8_t *at = data;
    // As numbers: a pointer that is not ours may not be compared with one that is.
    if ((uintptr_t)at < (uintptr_t)base ||
        (uintptr_t)at >= (uintptr_t)base + store->segment.size) {
        return NULL;
    }
    uint64_t offset = (uint64_t)(at - base);
    struct sp_share *found = NULL;
    pthread_mutex_lock(&store->lock);
    for (struct sp_link *link = store->shares.next; link != &store->shares;
         link = link->next) {
        struct sp_share *share = SP_ENTRY(link, struct sp_share, link);
        if (share->offset == offset) {
            found = share;
            break;
        }
    }
    pthread_mutex_unlock(&store->lock);
    return found;
}

// ---- Parcels ------------------------------------------------------------------

snakepit_err sp_parcel_new(struct sp_store *store, struct sp_parcel **parcel)
{
    struct sp_parcel *made = sp_alloc(sizeof *made);
    struct sp_orphan *orphan = sp_alloc(sizeof *orphan);
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    if (made != NULL && orphan != NULL) {
        err = sp_arena_alloc(&store->arena, SP_PARCEL_BLOCK, &made->block);
    }
    if (err != SNAKEPIT_OK) {
        sp_free(orphan);
        sp_free(made);
        return err;
    }
    made->orphan = orphan;
    *parcel = made;
    return SNAKEPIT_OK;
}

void sp_parcel_strip(struct sp_store *store, struct sp_parcel *parcel)
{
    if (parcel->body_is_range) {
        sp_arena_free(&store->arena, parcel->body, parcel->body_size);
        parcel->body_is_range = false;
    }
    if (parcel->shares != NULL) {
        for (uint32_t i = 0; i < parcel->share_count; i++) {
            sp_share_unref(store, parcel->shares[i]);
        }
        sp_free((void *)parcel->shares);
        parcel->shares = NULL;
        parcel->share_count = 0;
    }
    if (parcel->reply != NULL) {
        sp_parcel_empty(store, parcel->reply);
    }
}

void sp_parcel_free(struct sp_store *store, struct sp_parcel *parcel)
{
    if (parcel != NULL) {
        sp_parcel_empty(store, parcel);
        sp_parcel_free(store, parcel->reply);
        sp_arena_free(&store->arena, parcel->block, SP_PARCEL_BLOCK);
        sp_free(parcel->orphan);
        sp_free(parcel);
    }
}

static bool is_packed(const snakepit_tensor *tensor)
{
    static const int64_t zero[SNAKEPIT_MAX_RANK];
    snakepit_tensor packed = *tensor;
    sp_tensor_set_packed(&packed);
    size_t bytes = tensor->rank * sizeof zero[0];
    return memcmp(tensor->strides, zero, bytes) == 0 ||
           memcmp(tensor->strides, packed.strides, bytes) == 0;
}

// Whether a tensor lies in the memory that is on loan, as one has to lie in a segment.
static bool is_lent(const struct sp_store *store,
                    const struct sp_loan *loan,
                    const struct sp_tensor_ref *ref)
{
    if (loan == NULL || loan->store != store || ref->bytes == 0) {
        return false;
    }
    const uintptr_t base = (uintptr_t)loan->base;
    const uintptr_t at = (uintptr_t)ref->tensor.data;
    return at >= base && at - base <= loan->size &&
           ref->bytes <= loan->size - (at - base) &&
           (at - base) % SP_TENSOR_ALIGN == 0 && is_packed(&ref->tensor);
}

static snakepit_err lend_tensor(struct sp_loan *loan,
                                const struct sp_tensor_ref *ref,
                                struct sp_share **share)
{
    struct sp_share *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    sp_loan_ref(loan);
    made->loan = loan;
    made->offset = (uint64_t)((const uint8_t *)ref->tensor.data - loan->base);
    made->bytes = ref->bytes;
    made->refs = 1;
    *share = made;
    return SNAKEPIT_OK;
}

// One share for a tensor: the one it lies in already, packed, what is on loan, or a
// copy.
static snakepit_err share_tensor(struct sp_store *store,
                                 struct sp_loan *loan,
                                 const struct sp_tensor_ref *ref,
                                 struct sp_share **share)
{
    if (is_lent(store, loan, ref)) {
        return lend_tensor(loan, ref, share);
    }
    struct sp_share *here = sp_share_find(store, ref->tensor.data);
    if (here != NULL && here->bytes >= ref->bytes && is_packed(&ref->tensor)) {
        sp_share_ref(store, here);
        *share = here;
        return SNAKEPIT_OK;
    }
    snakepit_err err = sp_share_new(store, ref->bytes, share);
    if (err == SNAKEPIT_OK) {
        sp_tensor_pack(&ref->tensor, store->segment.base + (*share)->offset);
    }
    return err;
}

static snakepit_err share_tensors(struct sp_store *store,
                                  struct sp_parcel *parcel,
                                  const struct sp_request_text *text,
                                  uint8_t *body)
{
    const snakepit_writer *args = text->args;
    parcel->shares =
        (struct sp_share **)sp_alloc_array(args->tensor_count, sizeof *parcel->shares);
    if (parcel->shares == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (size_t i = 0; i < args->tensor_count; i++) {
        struct sp_share **share = &parcel->shares[parcel->share_count];
        snakepit_err err = share_tensor(store, text->loan, &args->tensors[i], share);
        if (err != SNAKEPIT_OK) {
            return err;
        }
        parcel->share_count++;
        const uint32_t window = (*share)->loan == NULL ? 0 : (*share)->loan->window;
        sp_tensor_ref_place_in(&args->tensors[i], body, window, (*share)->offset);
    }
    return SNAKEPIT_OK;
}

static snakepit_err place_body(struct sp_store *store,
                               struct sp_parcel *parcel,
                               const snakepit_writer *args)
{
    const uint32_t before = parcel->name_size + parcel->session_size;
    size_t size = args == NULL ? 0 : args->buf.size;
    parcel->body = parcel->block + before;
    if (size > SP_PARCEL_BLOCK - before - parcel->trace_size) {
        snakepit_err err = sp_arena_alloc(&store->arena, size, &parcel->body);
        if (err != SNAKEPIT_OK) {
            return err;
        }
        parcel->body_is_range = true;
    }
    parcel->body_size = (uint32_t)size;
    if (size > 0) {
        memcpy(store->segment.base + parcel->body, args->buf.data, size);
    }
    return SNAKEPIT_OK;
}

// A tracestate that does not fit in beside long names is left out. Returns its size.
static uint32_t
place_trace(uint8_t *block, uint32_t before, const struct sp_request_text *text)
{
    const size_t room = SP_PARCEL_BLOCK - before - SP_TRACE_CONTEXT;
    const size_t state = text->tracestate.size > room ? 0 : text->tracestate.size;
    uint8_t *at = block + SP_PARCEL_BLOCK - SP_TRACE_CONTEXT - state;
    // As they were written just now: a load that spans several stores would wait for
    // them.
    memcpy(at, text->trace->trace, 16);
    memcpy(at + 16, text->trace->span, 8);
    at[24] = text->trace->flags;
    if (state > 0) {
        memcpy(at + SP_TRACE_CONTEXT, text->tracestate.data, state);
    }
    return SP_TRACE_CONTEXT + (uint32_t)state;
}

snakepit_err sp_parcel_fill(struct sp_store *store,
                            struct sp_parcel *parcel,
                            const struct sp_request_text *text)
{
    SP_CHECK(parcel->share_count == 0 && !parcel->body_is_range);
    uint8_t *block = store->segment.base + parcel->block;
    memcpy(block, text->tool, text->tool_size);
    if (text->session_size > 0) {
        memcpy(block + text->tool_size, text->session, text->session_size);
    }
    parcel->name_size = text->tool_size;
    parcel->session_size = text->session_size;
    parcel->trace_size =
        text->trace == NULL
            ? 0
            : place_trace(block, text->tool_size + text->session_size, text);
    snakepit_err err = place_body(store, parcel, text->args);
    if (err == SNAKEPIT_OK && text->args != NULL && text->args->tensor_count > 0) {
        err = share_tensors(store, parcel, text, store->segment.base + parcel->body);
    }
    if (err != SNAKEPIT_OK) {
        sp_parcel_empty(store, parcel);
    }
    return err;
}
