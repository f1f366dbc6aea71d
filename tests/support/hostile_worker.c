// SPDX-License-Identifier: MIT
// Stands in for `python -m snakepit_bridge.worker`: starts like one, answers calls like
// one, and meanwhile writes random bytes over all that it shares with its host. What it
// does in a life follows from SNAKEPIT_HOSTILE_SEED and its epoch, so a life can be
// lived again.
//
// It never gives a wrong answer as an answer: what it has answered it leaves alone, but
// for the state word, and what it may have spoilt before it read it gets no answer. So
// an answer that is not right was confused by the host.
//
// SNAKEPIT_HOSTILE_UNTIL_MS, on CLOCK_MONOTONIC: from then on it behaves.
// SNAKEPIT_HOSTILE_MODE: what it does, instead of chance; see enum mode.
// SNAKEPIT_HOSTILE_CHUNKS: at most so many does it give of a stream, each the
// arguments.
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "chance.h"
#include "ipc/channel.h"
#include "ipc/completion.h"
#include "ipc/control.h"
#include "ipc/futex.h"
#include "ipc/lifeline.h"
#include "ipc/ring.h"
#include "ipc/tube.h"
#include "support/hostile_chunks.h"

enum mode {
    HEADER = 1 << 0,     // all of the header but the lifeline
    RINGS = 1 << 1,      // any cell of any ring, also well-formed ones
    SLOTS = 1 << 2,      // requests and results of calls that it has not answered
    STATES = 1 << 3,     // any state word
    RESULTS = 1 << 4,    // result bytes that belong to no answer
    LIFELINE = 1 << 5,   // any byte of the mutex
    PLAYS_DEAD = 1 << 6, // says that it has died, and lives on
    CHANNEL = 1 << 7,    // messages that do not exist
    STAMPS = 1 << 8,
    LIES = 1 << 9,      // answers that make no sense, twice, or none
    DOORBELL = 1 << 10, // rings without a reason, and makes the host's descriptor wait
    CRASHES = 1 << 11,
    FREEZES = 1 << 12, // stops itself
    ASKS = 1 << 13, // questions that make no sense, twice, or that it says were heard
    REPORTS = 1 << 14, // events that are none, are not there, or are larger than all
    MODES = 15,
};

#define LARGEST (64u * 1024u)

static struct hostile {
    struct sp_segment control, requests, results;
    struct sp_control_view view;
    uint32_t mode;
    uint32_t chunks;      // of a stream, at most
    uint64_t until;       // CLOCK_MONOTONIC ns
    uint64_t attack;      // when scribbling begins
    uint64_t end;         // when this life ends
    bool played_dead;     // owner: the scribbler
    pthread_mutex_t lock; // guards the rest
    uint64_t head;        // next submit cell; private, for the shared one may be spoilt
    uint64_t bump;        // next large answer; never used twice
    bool answered[SP_SLOTS_MAX]; // and not taken again since
    bool soiled[SP_SLOTS_MAX];   // the request may not be the host's any more
} self;

static uint64_t variable(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL || text[0] == 0 ? otherwise : strtoull(text, NULL, 10);
}

// ---- Answering ----------------------------------------------------------------

static void notify(uint32_t id)
{
    sp_completion_put(&self.view, id, SP_FD_DOORBELL);
}

// Lock held.
static void publish(uint32_t id, const struct sp_slot_result *result)
{
    struct sp_slot_result *shared = &self.view.slots[id].result;
    shared->status = result->status;
    shared->call = result->call;
    shared->body = result->body;
    shared->body_size = result->body_size;
    shared->lease = result->lease;
    shared->held = result->held;
    shared->ran_ticks = result->ran_ticks;
    uint32_t word = atomic_exchange(&shared->state, SP_SLOT_DONE);
    self.answered[id] = true;
    sp_futex_wake(&shared->state, INT32_MAX);
    if ((word & (SP_SLOT_NOTIFY | SP_SLOT_TOLD)) == SP_SLOT_NOTIFY) {
        notify(id);
    }
}

// A question, right or not. Lock held.
static void publish_question(uint32_t id, const struct sp_slot_request *request)
{
    static const uint8_t right[] = {0x92, 0xa4, 'e', 'c', 'h', 'o', 0x80};
    struct sp_slot_result *shared = &self.view.slots[id].result;
    uint64_t area = (uint64_t)id * SP_INLINE_RESULT;
    memcpy(self.results.base + area, right, sizeof right);
    shared->status = below(8) != 0 ? SP_STATUS_QUESTION : (uint32_t)nasty();
    shared->call = below(8) != 0 ? request->call : nasty();
    shared->body = below(4) != 0 ? area : nasty();
    shared->body_size = below(4) != 0 ? (uint32_t)sizeof right : (uint32_t)nasty();
    shared->lease = below(4) != 0 ? SP_NO_LEASE : (uint32_t)nasty();
    uint32_t word = atomic_load(&shared->state);
    uint32_t asks = below(16) != 0 ? SP_SLOT_ASKING : SP_SLOT_ANSWERING;
    uint32_t told = (word & SP_SLOT_NOTIFY) != 0 ? SP_SLOT_TOLD : 0;
    word += (uint32_t)below(2) << SP_SLOT_TURN_SHIFT;
    atomic_store(&shared->state, (word & ~(uint32_t)SP_SLOT_STATE) | told | asks);
    sp_futex_wake(&shared->state, INT32_MAX);
    for (uint64_t times = below(8) != 0 ? 1 : below(3); told != 0 && times > 0;
         times--) {
        notify(id);
    }
}

static bool within(uint64_t offset, uint64_t size, uint64_t total)
{
    return offset <= total && size <= total - offset;
}

// Where an answer of `size` bytes goes; false: nowhere.
static bool find_room(uint32_t id, uint32_t size, struct sp_slot_result *result)
{
    result->body = (uint64_t)id * SP_INLINE_RESULT;
    if (size <= SP_INLINE_RESULT) {
        return true;
    }
    if (self.mode == 0 && self.bump + size > self.results.size / 4 * 3) {
        self.bump =
            (uint64_t)self.view.shape.slots * SP_INLINE_RESULT; // long ago copied
    }
    if (size > LARGEST || self.bump + size > self.results.size / 4 * 3) {
        return false;
    }
    result->body = self.bump;
    result->lease = (uint32_t)(self.bump / 64 % self.view.shape.leases);
    self.bump += size;
    return true;
}

static void answer_right(uint32_t id, const struct sp_slot_request *request)
{
    struct sp_slot_result result = {
        .status = SP_STATUS_OK, .call = request->call, .lease = SP_NO_LEASE};
    result.body_size = request->kind == SP_CALL_PROBE ? 1 : request->body_size;
    if (!find_room(id, result.body_size, &result)) {
        result = (struct sp_slot_result){.status = SP_STATUS_FAULT,
                                         .call = request->call,
                                         .body = (uint64_t)id * SP_INLINE_RESULT,
                                         .lease = SP_NO_LEASE};
    } else if (request->kind == SP_CALL_PROBE) {
        self.results.base[result.body] = 0xc3;
    } else {
        memcpy(self.results.base + result.body,
               self.requests.base + request->body,
               result.body_size);
    }
    publish(id, &result);
}

// The number of the call is never right here, or the status says that it is not an
// answer.
static void answer_wrong(uint32_t id, const struct sp_slot_request *request)
{
    struct sp_slot_result result = {.status = (uint32_t)nasty(),
                                    .call = request->call | UINT64_C(1) << 63,
                                    .body = nasty(),
                                    .body_size = (uint32_t)nasty(),
                                    .lease = (uint32_t)nasty(),
                                    .held = (uint32_t)nasty(),
                                    .ran_ticks = nasty()};
    if (below(2) == 0) {
        result.call = request->call;
        result.status = SP_STATUS_FAULT + (uint32_t)below(3);
    }
    publish(id, &result);
    if (below(4) == 0) {
        notify(id);
    }
}

static void answer(uint32_t id, const struct sp_slot_request *request, bool trusted)
{
    bool sound =
        trusted && within(request->body, request->body_size, self.requests.size);
    bool lies =
        (self.mode & LIES) != 0 && sp_clock_now() > self.attack && below(16) == 0;
    pthread_mutex_lock(&self.lock);
    if (sound && !lies) {
        answer_right(id, request);
    } else if (below(3) != 0) {
        answer_wrong(id, request);
    }
    pthread_mutex_unlock(&self.lock);
}

// Asks, and goes on as if there had been a reply.
static void ask(uint32_t id, const struct sp_slot_request *request)
{
    _Atomic uint32_t *state = &self.view.slots[id].result.state;
    pthread_mutex_lock(&self.lock);
    publish_question(id, request);
    pthread_mutex_unlock(&self.lock);
    hostile_pause_us(below(1000));
    uint32_t word = atomic_load(state);
    uint32_t running = (word & ~(uint32_t)SP_SLOT_STATE) | SP_SLOT_RUNNING;
    if ((word & SP_SLOT_STATE) == SP_SLOT_ASKING) {
        (void)atomic_compare_exchange_strong(state, &word, running);
    }
}

static bool start(struct sp_slot *slot)
{
    uint32_t word = atomic_load(&slot->result.state);
    if (self.chunks > 0) {
        sp_tube_clear(slot);
    }
    while ((word & SP_SLOT_STATE) == SP_SLOT_QUEUED) {
        uint32_t running = (word & ~(uint32_t)SP_SLOT_STATE) | SP_SLOT_RUNNING;
        if (atomic_compare_exchange_weak(&slot->result.state, &word, running)) {
            return true;
        }
    }
    return false;
}

static bool take(uint32_t *id, struct sp_slot_request *request, bool *trusted)
{
    uint32_t mask = self.view.shape.slots - 1;
    bool started = false;
    pthread_mutex_lock(&self.lock);
    bool taken = sp_ring_peek(self.view.submit, mask, self.head, id);
    if (taken) {
        self.head++;
        taken = *id <= mask;
    }
    if (taken) {
        self.answered[*id] = false;
        started = start(&self.view.slots[*id]);
        memcpy(request, &self.view.slots[*id].request, sizeof *request);
        *trusted = started && !self.soiled[*id];
        self.soiled[*id] = false;
        if (!started) {
            const struct sp_slot_result skipped = {.status = SP_STATUS_SKIPPED,
                                                   .call = request->call,
                                                   .lease = SP_NO_LEASE};
            publish(*id, &skipped);
        }
    }
    pthread_mutex_unlock(&self.lock);
    return taken && started;
}

static void *execute(void *argument)
{
    uint32_t id;
    bool trusted;
    struct sp_slot_request request;
    struct sp_bell *bell = &self.view.header->bell;
    const struct hostile_chunks chunks = {
        &self.view, &self.results, self.requests.base, self.chunks, notify};
    for (;;) {
        uint32_t heard = atomic_load(&bell->word);
        if (!take(&id, &request, &trusted)) {
            // With a limit, for the count of sleepers may be spoilt.
            atomic_store(&bell->sleepers, self.view.shape.executors);
            (void)sp_futex_wait(&bell->word, heard, sp_clock_now() + SP_NS_PER_MS);
            continue;
        }
        if (self.mode != 0 && below(8) == 0) {
            hostile_pause_us(
                below(2000)); // so that there is something to scribble over
        }
        while ((self.mode & ASKS) != 0 && sp_clock_now() > self.attack &&
               below(4) == 0) {
            ask(id, &request);
        }
        hostile_give_chunks(&chunks, id, &request);
        answer(id, &request, trusted);
    }
    return argument;
}

// ---- Scribbling: one write each, lock held ------------------------------------

static void scribble_bytes(uint8_t *at, uint64_t size)
{
    uint64_t count = 1 + below(16);
    for (uint64_t i = 0; i < count; i++) {
        at[below(size)] = (uint8_t)dice();
    }
}

static void scribble_header(void)
{
    uint8_t *base = (uint8_t *)self.view.header;
    uint64_t before = offsetof(struct sp_control, lifeline);
    uint64_t behind = offsetof(struct sp_control, bell);
    if (below(2) == 0) {
        scribble_bytes(base, before);
    } else {
        scribble_bytes(base + behind, sizeof(struct sp_control) - behind);
    }
}

static void scribble_ring(void)
{
    sp_cell *rings[] = {self.view.submit,
                        self.view.done,
                        self.view.request_returns,
                        self.view.result_returns};
    uint64_t which = below(4);
    uint64_t cells = which < 2 ? self.view.shape.slots : self.view.shape.leases;
    uint64_t number = below(2) == 0 ? below(cells) : nasty();
    uint64_t position = below(64);
    if (which == 1) {
        position = atomic_load(&self.view.header->done_tail) + below(3);
    }
    uint64_t cell = below(3) == 0 ? nasty() : (position + 1) << 32 | (uint32_t)number;
    atomic_store(&rings[which][position & (cells - 1)], cell);
}

static void scribble_slot(void)
{
    uint32_t id = (uint32_t)below(below(2) == 0 ? 4 : self.view.shape.slots);
    struct sp_slot *slot = &self.view.slots[id];
    if (self.answered[id]) {
        return;
    }
    if (below(4) == 0) {
        self.soiled[id] = true;
        scribble_bytes((uint8_t *)&slot->request, sizeof slot->request);
        return;
    }
    slot->result.status = (uint32_t)nasty();
    slot->result.call = dice() | UINT64_C(1) << 63;
    slot->result.body = nasty();
    slot->result.body_size = (uint32_t)nasty();
    slot->result.lease = (uint32_t)nasty();
    slot->result.held = (uint32_t)nasty();
    slot->result.ran_ticks = nasty();
}

static void scribble_state(void)
{
    uint32_t id = (uint32_t)below(below(2) == 0 ? 4 : self.view.shape.slots);
    _Atomic uint32_t *word = &self.view.slots[id].result.state;
    uint32_t state = below(4) == 0 ? (uint32_t)nasty() : (uint32_t)below(8);
    atomic_store(word, state | (uint32_t)below(16) << 8);
    if (below(2) == 0) {
        sp_futex_wake(word, INT32_MAX);
    }
}

static void scribble_results(void)
{
    uint32_t id = (uint32_t)below(self.view.shape.slots);
    uint64_t tail = self.results.size / 4 * 3;
    if (below(2) == 0) {
        scribble_bytes(self.results.base + tail, self.results.size - tail);
    } else if (!self.answered[id]) {
        scribble_bytes(self.results.base + (uint64_t)id * SP_INLINE_RESULT,
                       SP_INLINE_RESULT);
    }
}

static void scribble_lifeline(void)
{
    if (below(2000) == 0) { // or it would be its only deed
        scribble_bytes((uint8_t *)&self.view.header->lifeline, sizeof(pthread_mutex_t));
    }
}

static void play_dead(void)
{
    if (below(500) == 0) {
        _Atomic uint32_t *word = sp_lifeline_word(&self.view.header->lifeline);
        atomic_fetch_or(word, FUTEX_OWNER_DIED);
        sp_futex_wake(word, INT32_MAX);
        self.played_dead = true;
        self.mode = 0; // from now on it serves, for whoever still asks
    }
}

static void shout(void)
{
    uint8_t bytes[512];
    if (below(500) != 0) {
        return;
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)dice();
    }
    struct sp_message_head head = {(uint32_t)below(18), (uint32_t)nasty()};
    size_t size = below(sizeof bytes);
    if (below(2) == 0) {
        head.size = size >= sizeof head ? (uint32_t)(size - sizeof head) : 0;
    }
    memcpy(bytes, &head, sizeof head);
    (void)!write(SP_FD_CHANNEL, bytes, size);
}

// A tail of chance, over chunks of chance where no answer is.
static void report(void)
{
    struct sp_slot_result *events = &self.view.header->events.result;
    events->tube = self.results.size / 4 * 3 / SP_LINE * SP_LINE;
    scribble_bytes(self.results.base + events->tube, SP_TUBE_BYTES);
    atomic_fetch_add(&events->tube_tail, 16 * below(64));
    if (below(100) == 0) {
        (void)sp_channel_send(SP_FD_CHANNEL, SP_MESSAGE_EVENTS, NULL, 0);
    }
    if (below(100) == 0) {
        const struct sp_mapped any = {nasty(), (uint32_t)below(2), 0};
        (void)sp_channel_send(SP_FD_CHANNEL, SP_MESSAGE_MAPPED, &any, sizeof any);
    }
}

// The descriptor is one and the same on both sides, its flags too.
static void play_with_doorbell(void)
{
    uint64_t number = 1 + below(3);
    (void)fcntl(SP_FD_DOORBELL, F_SETFL, 0);
    if (below(2) == 0) {
        (void)!write(SP_FD_DOORBELL, &number, sizeof number);
        return;
    }
    (void)fcntl(SP_FD_DOORBELL, F_SETFL, O_NONBLOCK);
    (void)!read(SP_FD_DOORBELL, &number, sizeof number);
    (void)fcntl(SP_FD_DOORBELL, F_SETFL, 0);
}

static void scribble_once(void)
{
    const struct {
        uint32_t mode;
        void (*write)(void);
    } deeds[] = {
        {HEADER, scribble_header},
        {RINGS, scribble_ring},
        {SLOTS, scribble_slot},
        {STATES, scribble_state},
        {RESULTS, scribble_results},
        {LIFELINE, scribble_lifeline},
        {PLAYS_DEAD, play_dead},
        {CHANNEL, shout},
        {DOORBELL, play_with_doorbell},
        {REPORTS, report},
    };
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        if ((self.mode & deeds[i].mode) != 0) {
            pthread_mutex_lock(&self.lock);
            deeds[i].write();
            pthread_mutex_unlock(&self.lock);
        }
    }
    if ((self.mode & STAMPS) != 0) {
        scribble_bytes((uint8_t *)self.view.stamps,
                       self.view.shape.executors * sizeof(struct sp_stamp));
    }
}

static void end_life(void)
{
    if (sp_clock_now() >= self.until) {
        _exit(0);
    }
    if ((self.mode & CRASHES) != 0) {
        (void)raise(SIGSEGV);
    }
    if ((self.mode & FREEZES) != 0) {
        (void)raise(SIGSTOP);
    }
    _exit((int)below(5));
}

static void *scribble(void *argument)
{
    while (sp_clock_now() < self.attack) {
        hostile_pause_us(1000);
    }
    while (!self.played_dead) {
        scribble_once();
        if (below(64) == 0) {
            hostile_pause_us(100); // the host needs the processor, too
        }
        if (sp_clock_now() > (self.end < self.until ? self.end : self.until)) {
            end_life();
        }
    }
    return argument; // and lives on
}

// ---- Life ---------------------------------------------------------------------

static void map(struct sp_segment *segment, int fd, uint64_t size, bool writable)
{
    SP_CHECK(sp_segment_attach(segment, fd, size, writable, NULL) == SNAKEPIT_OK);
}

static void attach(void)
{
    struct stat status;
    SP_CHECK(fstat(SP_FD_CONTROL, &status) == 0);
    uint64_t size = (uint64_t)status.st_size;
    map(&self.control, SP_FD_CONTROL, size, true);
    SP_CHECK(sp_control_open(self.control.base, size, &self.view) == SNAKEPIT_OK);
    map(&self.requests, SP_FD_REQUESTS, self.view.shape.requests_size, false);
    map(&self.results, SP_FD_RESULTS, self.view.shape.results_size, true);
    self.bump = (uint64_t)self.view.shape.slots * SP_INLINE_RESULT;
    SP_CHECK(pthread_mutex_init(&self.lock, NULL) == 0);
}

static void choose_life(void)
{
    uint64_t now = sp_clock_now();
    chance_seed =
        variable("SNAKEPIT_HOSTILE_SEED", 1) * 1000003 + self.view.shape.epoch;
    self.until =
        variable("SNAKEPIT_HOSTILE_UNTIL_MS", UINT64_MAX / SP_NS_PER_MS) * SP_NS_PER_MS;
    uint32_t modes = 1 + (uint32_t)below(3);
    for (uint32_t i = 0; i < modes; i++) {
        self.mode |= 1u << below(MODES);
    }
    self.mode = (uint32_t)variable("SNAKEPIT_HOSTILE_MODE", self.mode);
    self.chunks = (uint32_t)variable("SNAKEPIT_HOSTILE_CHUNKS", 0);
    if (now >= self.until) {
        self.mode = 0;
    }
    self.attack = now + below(60) * SP_NS_PER_MS;
    self.end = self.attack + (20 + below(400)) * SP_NS_PER_MS;
}

static void start_threads(void)
{
    pthread_t thread;
    for (uint32_t i = 0; i < self.view.shape.executors; i++) {
        SP_CHECK(pthread_create(&thread, NULL, execute, NULL) == 0);
    }
    if (self.mode != 0) {
        SP_CHECK(pthread_create(&thread, NULL, scribble, NULL) == 0);
    }
}

static void serve_channel(void)
{
    static uint8_t room[SP_MESSAGE_MAX];
    for (;;) {
        struct sp_message_head head;
        const uint8_t *body;
        snakepit_err err = sp_channel_receive(SP_FD_CHANNEL, room, &head, &body);
        if (err == SNAKEPIT_END ||
            (err == SNAKEPIT_OK && head.type == SP_MESSAGE_STOP)) {
            _exit(0);
        }
        if (err == SNAKEPIT_OK && head.type == SP_MESSAGE_PING) {
            (void)sp_channel_send(SP_FD_CHANNEL, SP_MESSAGE_PONG, body, head.size);
        }
    }
}

int main(void)
{
    // {"gil_enabled": false, "free_threaded": true, "thread_safe": true}
    static const char ready[] = "\x83\xab"
                                "gil_enabled"
                                "\xc2"
                                "\xad"
                                "free_threaded"
                                "\xc3"
                                "\xab"
                                "thread_safe"
                                "\xc3";
    attach();
    choose_life();
    SP_CHECK(sp_lifeline_hold(&self.view.header->lifeline) == 0);
    const struct sp_hello hello = {
        .version = SP_LAYOUT_VERSION, .pid = getpid(), .tid = (int32_t)gettid()};
    (void)sp_channel_send(SP_FD_CHANNEL, SP_MESSAGE_HELLO, &hello, sizeof hello);
    (void)sp_channel_send(SP_FD_CHANNEL, SP_MESSAGE_READY, ready, sizeof ready - 1);
    start_threads();
    serve_channel();
}
