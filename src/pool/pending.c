// SPDX-License-Identifier: MIT
// A pairing heap: a call joins it and a leaf leaves it in one step, and most calls are
// leaves, since deadlines mostly come in the order in which they are set.
#include "pool/pending.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "pool/call.h"

#define FIRST_BUCKETS 64u

void sp_pending_init(struct sp_pending *pending)
{
    *pending = (struct sp_pending){.buckets = NULL};
}

void sp_pending_fini(struct sp_pending *pending)
{
    SP_CHECK(pending->count == 0);
    sp_free((void *)pending->buckets);
    sp_pending_init(pending);
}

// ---- By time ------------------------------------------------------------------

// The later one of two heaps becomes the first child of the earlier one.
static struct sp_call *meld(struct sp_call *one, struct sp_call *other)
{
    if (one == NULL || other == NULL) {
        return one == NULL ? other : one;
    }
    bool swap = other->pending.due < one->pending.due;
    struct sp_call *first = swap ? other : one;
    struct sp_call *second = swap ? one : other;
    struct sp_call *child = first->pending.child;
    second->pending.next = child;
    second->pending.previous = first;
    if (child != NULL) {
        child->pending.previous = second;
    }
    first->pending.child = second;
    first->pending.next = NULL;
    first->pending.previous = NULL;
    return first;
}

// One heap of the children of a call that leaves: neighbours first, then all of them
// from the last pair to the first.
static struct sp_call *meld_children(struct sp_call *child)
{
    struct sp_call *pairs = NULL; // the last one first, by `next`
    while (child != NULL) {
        struct sp_call *partner = child->pending.next;
        struct sp_call *rest = partner == NULL ? NULL : partner->pending.next;
        struct sp_call *pair = meld(child, partner);
        pair->pending.next = pairs;
        pairs = pair;
        child = rest;
    }
    struct sp_call *whole = NULL;
    while (pairs != NULL) {
        struct sp_call *rest = pairs->pending.next;
        whole = meld(whole, pairs);
        pairs = rest;
    }
    if (whole != NULL) {
        whole->pending.next = NULL;
        whole->pending.previous = NULL;
    }
    return whole;
}

static void join_heap(struct sp_pending *pending, struct sp_call *call, uint64_t due)
{
    call->pending.due = due;
    call->pending.child = NULL;
    call->pending.next = NULL;
    call->pending.previous = NULL;
    if (due != SP_NEVER) {
        pending->root = meld(pending->root, call);
    }
}

static void leave_heap(struct sp_pending *pending, struct sp_call *call)
{
    struct sp_pending_links *links = &call->pending;
    if (links->due == SP_NEVER) {
        return;
    }
    struct sp_call *below = meld_children(links->child);
    if (pending->root == call) {
        pending->root = below;
        return;
    }
    struct sp_call *before = links->previous;
    if (before->pending.child == call) {
        before->pending.child = links->next;
    } else {
        before->pending.next = links->next;
    }
    if (links->next != NULL) {
        links->next->pending.previous = before;
    }
    pending->root = meld(pending->root, below);
}

void sp_pending_set_due(struct sp_pending *pending, struct sp_call *call, uint64_t due)
{
    leave_heap(pending, call);
    join_heap(pending, call, due);
}

struct sp_call *sp_pending_due(const struct sp_pending *pending, uint64_t now)
{
    struct sp_call *first = pending->root;
    return first != NULL && first->pending.due <= now ? first : NULL;
}

// ---- By id --------------------------------------------------------------------

// The first link of the bucket of an id.
static struct sp_call **bucket_of(struct sp_pending *pending, uint64_t id)
{
    // The low bits are the pool's, the same in all.
    return pending->buckets == NULL
               ? &pending->only
               : &pending->buckets[sp_call_id_number(id) & pending->mask];
}

static void chain(struct sp_pending *pending, struct sp_call *call)
{
    struct sp_call **bucket = bucket_of(pending, call->id);
    call->pending.chain = *bucket;
    *bucket = call;
}

static void grow(struct sp_pending *pending)
{
    size_t before = pending->buckets == NULL ? 1 : pending->mask + 1;
    size_t after = pending->buckets == NULL ? FIRST_BUCKETS : before * 2;
    struct sp_call **wider =
        (struct sp_call **)sp_alloc_array(after, sizeof(struct sp_call *));
    if (wider == NULL) {
        return;
    }
    struct sp_pending old = *pending;
    pending->buckets = wider;
    pending->only = NULL;
    pending->mask = after - 1;
    for (size_t i = 0; i < before; i++) {
        struct sp_call *call = old.buckets == NULL ? old.only : old.buckets[i];
        while (call != NULL) {
            struct sp_call *next = call->pending.chain;
            chain(pending, call);
            call = next;
        }
    }
    sp_free((void *)old.buckets);
}

void sp_pending_add(struct sp_pending *pending, struct sp_call *call, uint64_t due)
{
    if (pending->count > pending->mask) {
        grow(pending);
    }
    pending->count++;
    chain(pending, call);
    join_heap(pending, call, due);
}

void sp_pending_remove(struct sp_pending *pending, struct sp_call *call)
{
    struct sp_call **link = bucket_of(pending, call->id);
    while (*link != call) {
        SP_CHECK(*link != NULL);
        link = &(*link)->pending.chain;
    }
    *link = call->pending.chain;
    pending->count--;
    leave_heap(pending, call);
}

struct sp_call *sp_pending_find(struct sp_pending *pending, uint64_t id)
{
    struct sp_call *call = *bucket_of(pending, id);
    while (call != NULL && call->id != id) {
        call = call->pending.chain;
    }
    return call;
}
