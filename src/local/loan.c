// SPDX-License-Identifier: MIT
// Large tensors of a client of our own user are not copied: the pool's workers map its
// memory, and each call that uses it holds a loan. The client knows the tensors of a
// call by a number, its lease, which it gets back once nobody reads them any more.
//
// A loan may end on any thread, after its circuit or even after the loop. So its last
// reference only notes that, in what a loop and its loans share; the loop does the
// rest.
#include <unistd.h>

#include "base/descriptor.h"
#include "base/memory.h"
#include "ipc/ring.h"
#include "local/inside.h"
#include "pit/relay.h"

// Of one loop. Owner: whoever has a reference.
struct sp_local_returns {
    _Atomic uint32_t refs;
    _Atomic bool any; // something is in `over`
    pthread_mutex_t lock;
    struct sp_loop *loop; // NULL: it has ended. Guarded by the lock, as the next is
    struct sp_link over;  // loans that have ended
};

struct sp_local_loan {
    struct sp_loan loan;
    struct sp_window *window;         // one reference
    struct sp_local_returns *returns; // one reference
    // Owner: the thread of the loop.
    struct sp_link mine;              // of its circuit, while that lives
    struct sp_local_circuit *circuit; // NULL: it has ended
    uint32_t lease;                   // the client's
    bool held;                        // and it was told that it will get that back
    struct sp_link over;              // of `returns`, guarded by its lock
};

// ---- What a loop has ----------------------------------------------------------------

struct sp_local_returns *sp_local_returns_new(struct sp_loop *loop)
{
    struct sp_local_returns *returns = sp_alloc(sizeof *returns);
    if (returns != NULL) {
        atomic_init(&returns->refs, 1);
        pthread_mutex_init(&returns->lock, NULL);
        sp_list_init(&returns->over);
        returns->loop = loop;
    }
    return returns;
}

static void unref_returns(struct sp_local_returns *returns)
{
    if (atomic_fetch_sub_explicit(&returns->refs, 1, memory_order_acq_rel) == 1) {
        pthread_mutex_destroy(&returns->lock);
        sp_free(returns);
    }
}

static uint64_t *word_of(struct sp_local_circuit *circuit, uint32_t lease)
{
    return &circuit->lent[lease / 64];
}

// Its last reference is gone, and the loop lives.
static void end(struct sp_local_loan *loan)
{
    struct sp_local_circuit *circuit = loan->circuit;
    if (circuit != NULL) {
        *word_of(circuit, loan->lease) &= ~(UINT64_C(1) << loan->lease % 64);
        sp_list_remove(&loan->mine);
    }
    if (circuit != NULL && loan->held) {
        sp_ring_put(circuit->view.request_returns,
                    circuit->view.shape.leases - 1,
                    circuit->returned_tail++,
                    loan->lease);
    }
    sp_window_unref(loan->window);
    unref_returns(loan->returns);
    sp_free(loan);
}

void sp_local_returns_take(struct sp_local_returns *returns)
{
    struct sp_link *link;
    if (!atomic_load_explicit(&returns->any, memory_order_relaxed)) {
        return;
    }
    pthread_mutex_lock(&returns->lock);
    atomic_store_explicit(&returns->any, false, memory_order_relaxed);
    while ((link = sp_list_take(&returns->over)) != NULL) {
        pthread_mutex_unlock(&returns->lock);
        end(SP_ENTRY(link, struct sp_local_loan, over));
        pthread_mutex_lock(&returns->lock);
    }
    pthread_mutex_unlock(&returns->lock);
}

void sp_local_returns_close(struct sp_local_returns *returns)
{
    if (returns == NULL) {
        return;
    }
    pthread_mutex_lock(&returns->lock);
    returns->loop = NULL;
    pthread_mutex_unlock(&returns->lock);
    sp_local_returns_take(returns);
    unref_returns(returns);
}

// sp_loan.ended.
static void on_ended(struct sp_loan *ended)
{
    struct sp_local_loan *loan = SP_ENTRY(ended, struct sp_local_loan, loan);
    struct sp_local_returns *returns = loan->returns;
    pthread_mutex_lock(&returns->lock);
    const bool lives = returns->loop != NULL;
    if (lives) {
        sp_list_append(&returns->over, &loan->over);
        atomic_store_explicit(&returns->any, true, memory_order_relaxed);
        sp_loop_wake(returns->loop);
    }
    pthread_mutex_unlock(&returns->lock);
    if (!lives) {
        sp_window_drop(loan->window);
        unref_returns(returns);
        sp_free(loan);
    }
}

// ---- Lending ------------------------------------------------------------------------

// What the kernel calls each user whom this user namespace does not know.
#define STRANGER 65534u

bool sp_local_may_lend(const struct sp_local_connection *connection)
{
    return connection->peer.uid == geteuid() && connection->peer.uid != STRANGER;
}

// The pool's window on the circuit's memory, once its workers have that. NULL: not yet,
// or never.
static struct sp_window *ready_window(struct sp_local_circuit *circuit)
{
    const struct sp_slice memory = {circuit->requests.base, circuit->requests.size};
    if (circuit->window == NULL && circuit->memory >= 0) {
        if (sp_pit_window_open(circuit->pit,
                               circuit->pool,
                               circuit->memory,
                               memory,
                               &circuit->window) == SNAKEPIT_OK) {
            circuit->memory = -1; // the window's
        }
    }
    return circuit->window != NULL && sp_window_is_ready(circuit->window)
               ? circuit->window
               : NULL;
}

bool sp_local_lend(struct sp_local_call *call, uint32_t lease)
{
    struct sp_local_circuit *circuit = call->circuit;
    const uint64_t bit = UINT64_C(1) << lease % 64;
    if (lease >= circuit->view.shape.leases || (*word_of(circuit, lease) & bit) != 0) {
        return false; // it would not know what we give back
    }
    struct sp_window *window = ready_window(circuit);
    struct sp_local_loan *loan = window == NULL ? NULL : sp_alloc(sizeof *loan);
    if (loan == NULL) {
        return false;
    }
    sp_window_lend(window, &loan->loan);
    loan->loan.ended = on_ended;
    loan->window = window;
    loan->returns = circuit->loop->returns;
    atomic_fetch_add_explicit(&loan->returns->refs, 1, memory_order_relaxed);
    loan->circuit = circuit;
    loan->lease = lease;
    *word_of(circuit, lease) |= bit;
    sp_list_append(&circuit->loans, &loan->mine);
    call->loan = loan;
    return true;
}

struct sp_loan *sp_local_loan_of(const struct sp_local_call *call)
{
    return call->loan == NULL ? NULL : &call->loan->loan;
}

bool sp_local_loan_leave(struct sp_local_call *call)
{
    struct sp_local_loan *loan = call->loan;
    call->loan = NULL;
    if (loan == NULL) {
        return false;
    }
    if (atomic_load_explicit(&loan->loan.refs, memory_order_acquire) == 1) {
        end(loan);
        return false;
    }
    loan->held = true;
    sp_loan_unref(&loan->loan);
    return true;
}

void sp_local_loans_leave(struct sp_local_circuit *circuit)
{
    for (struct sp_link *link = circuit->loans.next; link != &circuit->loans;
         link = link->next) {
        SP_ENTRY(link, struct sp_local_loan, mine)->circuit = NULL;
    }
    sp_list_init(&circuit->loans); // they have no circuit any more
    if (circuit->window != NULL) {
        sp_window_unref(circuit->window);
        circuit->window = NULL;
    }
    sp_descriptor_close(&circuit->memory);
}
