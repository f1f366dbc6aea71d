// SPDX-License-Identifier: MIT
// Questions to the daemon, each with a thread that waits for its answer.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"
#include "ipc/futex.h"
#include "payload/writer.h"
#include "remote/inside.h"

// On the stack of the thread that waits.
struct ask {
    struct sp_link link;
    uint64_t ticket;
    snakepit_err err;
    struct sp_buf answer; // [err, message, value]
    _Atomic uint32_t over;
};

void sp_asks_init(struct sp_asks *asks)
{
    SP_CHECK(pthread_mutex_init(&asks->lock, NULL) == 0);
    sp_list_init(&asks->waiting);
    asks->refuses = SNAKEPIT_DAEMON_LOST;
}

void sp_asks_fini(struct sp_asks *asks)
{
    pthread_mutex_destroy(&asks->lock);
}

// Lock held; whoever waits frees it as soon as it is over.
static void finish(struct ask *ask, snakepit_err err)
{
    sp_list_remove(&ask->link);
    ask->err = err;
    atomic_store_explicit(&ask->over, 1, memory_order_release);
    sp_futex_wake(&ask->over, 1);
}

void sp_asks_begin(struct sp_asks *asks)
{
    pthread_mutex_lock(&asks->lock);
    asks->refuses = SNAKEPIT_OK;
    asks->found = true;
    pthread_mutex_unlock(&asks->lock);
}

void sp_asks_end(struct sp_asks *asks, snakepit_err err)
{
    pthread_mutex_lock(&asks->lock);
    // Where there was none so far, why is known better.
    if (asks->found || err == SNAKEPIT_SHUTTING_DOWN) {
        asks->refuses = err;
        asks->why.text[0] = '\0';
    }
    while (!sp_list_empty(&asks->waiting)) {
        finish(SP_ENTRY(asks->waiting.next, struct ask, link), err);
    }
    pthread_mutex_unlock(&asks->lock);
}

void sp_asks_miss(struct sp_asks *asks, snakepit_err err, const char *why)
{
    pthread_mutex_lock(&asks->lock);
    if (!asks->found) {
        asks->refuses = err;
        (void)snprintf(asks->why.text, sizeof asks->why.text, "%s", why);
    }
    pthread_mutex_unlock(&asks->lock);
}

static struct ask *find(const struct sp_asks *asks, uint64_t ticket)
{
    for (struct sp_link *link = asks->waiting.next; link != &asks->waiting;
         link = link->next) {
        struct ask *ask = SP_ENTRY(link, struct ask, link);
        if (ask->ticket == ticket) {
            return ask;
        }
    }
    return NULL;
}

snakepit_err sp_asks_take(struct sp_asks *asks, struct sp_slice message)
{
    struct sp_local_ask head;
    if (message.size < sizeof head) {
        return SNAKEPIT_PROTOCOL;
    }
    memcpy(&head, message.data, sizeof head);
    pthread_mutex_lock(&asks->lock);
    struct ask *ask = find(asks, head.ticket);
    if (ask != NULL) { // else nobody waits any more
        finish(ask,
               sp_buf_append(&ask->answer,
                             message.data + sizeof head,
                             message.size - sizeof head));
    }
    pthread_mutex_unlock(&asks->lock);
    return SNAKEPIT_OK;
}

// ---- Asking -------------------------------------------------------------------

static snakepit_err write_message(struct sp_buf *message,
                                  uint64_t ticket,
                                  const char *what,
                                  const snakepit_writer *body)
{
    const struct sp_local_ask head = {.ticket = ticket};
    snakepit_writer *writer = snakepit_writer_new();
    if (writer == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_writer_array(writer, 2);
    snakepit_writer_str(writer, what);
    if (body != NULL) {
        sp_writer_value(writer, (struct sp_slice){body->buf.data, body->buf.size});
    } else {
        snakepit_writer_map(writer, 0);
    }
    snakepit_err err = snakepit_writer_error(writer);
    err = err == SNAKEPIT_OK ? sp_buf_append(message, &head, sizeof head) : err;
    err = err == SNAKEPIT_OK
              ? sp_buf_append(message, writer->buf.data, writer->buf.size)
              : err;
    snakepit_writer_free(writer);
    return err;
}

// Its message is sent while the lock is held, so that the socket stays what it is.
static snakepit_err
send_ask(struct sp_daemon *daemon, const struct sp_buf *message, uint64_t deadline)
{
    for (;;) {
        pthread_mutex_lock(&daemon->asks.lock);
        int fd = daemon->fd;
        snakepit_err err =
            fd < 0 ? SNAKEPIT_DAEMON_LOST
                   : sp_channel_send(fd, SP_LOCAL_ASK, message->data, message->size);
        int reason = errno;
        pthread_mutex_unlock(&daemon->asks.lock);
        if (err != SNAKEPIT_SYSTEM) {
            return err;
        }
        if (reason != EAGAIN) {
            return SNAKEPIT_DAEMON_LOST;
        }
        // The daemon is slow to read.
        if (!sp_socket_wait(fd, true, deadline)) {
            return SNAKEPIT_DEADLINE_EXCEEDED;
        }
    }
}

static void await(struct sp_asks *asks, struct ask *ask, uint64_t deadline)
{
    while (atomic_load_explicit(&ask->over, memory_order_acquire) == 0 &&
           sp_clock_now() < deadline) {
        (void)sp_futex_wait(&ask->over, 0, deadline);
    }
    pthread_mutex_lock(&asks->lock);
    if (atomic_load_explicit(&ask->over, memory_order_relaxed) == 0) {
        finish(ask, SNAKEPIT_DEADLINE_EXCEEDED);
    }
    pthread_mutex_unlock(&asks->lock);
}

static void tell(snakepit_message *why, snakepit_err err)
{
    if (why != NULL) {
        (void)snprintf(why->text, sizeof why->text, "%s", snakepit_err_text(err));
    }
}

// Lock held.
static snakepit_err refuse(const struct sp_asks *asks, snakepit_message *why)
{
    if (asks->why.text[0] == '\0') {
        tell(why, asks->refuses);
    } else if (why != NULL) {
        *why = asks->why;
    }
    return asks->refuses;
}

// Its number and its place among those that wait.
static snakepit_err enter(struct sp_asks *asks, struct ask *ask, snakepit_message *why)
{
    pthread_mutex_lock(&asks->lock);
    snakepit_err err = asks->refuses;
    if (err == SNAKEPIT_OK) {
        ask->ticket = ++asks->last_ticket;
        sp_list_append(&asks->waiting, &ask->link);
    } else {
        (void)refuse(asks, why);
    }
    pthread_mutex_unlock(&asks->lock);
    return err;
}

snakepit_err sp_daemon_missing(struct sp_daemon *daemon, snakepit_message *why)
{
    struct sp_asks *asks = &daemon->asks;
    pthread_mutex_lock(&asks->lock);
    snakepit_err err = asks->found ? SNAKEPIT_OK : refuse(asks, why);
    pthread_mutex_unlock(&asks->lock);
    return err;
}

// Leaves the value alone in `answer`.
static snakepit_err open_answer(struct sp_buf *answer, snakepit_message *why)
{
    snakepit_reader at;
    snakepit_value head;
    snakepit_value err;
    snakepit_value text;
    snakepit_reader_init(&at, answer->data, answer->size);
    if (snakepit_reader_next(&at, &head) != SNAKEPIT_OK ||
        head.kind != SNAKEPIT_ARRAY || head.as.count != 3 ||
        snakepit_reader_next(&at, &err) != SNAKEPIT_OK ||
        err.kind != SNAKEPIT_INTEGER || err.as.integer < 0 ||
        err.as.integer > INT16_MAX || snakepit_reader_next(&at, &text) != SNAKEPIT_OK ||
        text.kind != SNAKEPIT_TEXT) {
        return SNAKEPIT_PROTOCOL;
    }
    if (err.as.integer != SNAKEPIT_OK && why != NULL) {
        size_t size = text.as.text.size < sizeof why->text ? text.as.text.size
                                                           : sizeof why->text - 1;
        memcpy(why->text, text.as.text.data, size);
        why->text[size] = '\0';
        sp_text_clean(why->text, size, SP_TEXT_LINE);
    }
    size_t before = (size_t)(at.at - answer->data);
    answer->size -= before;
    memmove(answer->data, answer->data + before, answer->size);
    return (snakepit_err)err.as.integer;
}

snakepit_err sp_daemon_ask(struct sp_daemon *daemon,
                           const char *what,
                           const snakepit_writer *body,
                           struct sp_buf *answer,
                           snakepit_message *why)
{
    struct ask ask = {0};
    struct sp_buf message = {0};
    const uint64_t deadline =
        sp_clock_now() + daemon->options.timeout_ms * SP_NS_PER_MS;
    *answer = (struct sp_buf){0};
    snakepit_err err = enter(&daemon->asks, &ask, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    err = write_message(&message, ask.ticket, what, body);
    err = err == SNAKEPIT_OK ? send_ask(daemon, &message, deadline) : err;
    await(&daemon->asks, &ask, err == SNAKEPIT_OK ? deadline : 0);
    sp_buf_fini(&message);
    err = err == SNAKEPIT_OK ? ask.err : err;
    if (err != SNAKEPIT_OK) {
        tell(why, err);
    } else {
        err = open_answer(&ask.answer, why);
    }
    if (err == SNAKEPIT_OK) {
        *answer = ask.answer;
    } else {
        sp_buf_fini(&ask.answer);
    }
    return err;
}

// ---- Following ------------------------------------------------------------------

static void write_follow(const struct sp_daemon *daemon, snakepit_writer *writer)
{
    const struct sp_daemon_follow *follow = &daemon->options.follow;
    snakepit_writer_map(writer, 4);
    snakepit_writer_str(writer, "level");
    snakepit_writer_uint(writer, (uint64_t)follow->level);
    snakepit_writer_str(writer, "events");
    snakepit_writer_bool(writer, follow->events);
    snakepit_writer_str(writer, "sessions");
    snakepit_writer_bool(writer, follow->sessions || atomic_load(&daemon->sessions));
    snakepit_writer_str(writer, "records");
    snakepit_writer_bool(writer, atomic_load(&daemon->records));
}

void sp_daemon_ask_to_follow(struct sp_daemon *daemon)
{
    const struct sp_daemon_follow *follow = &daemon->options.follow;
    struct sp_buf message = {0};
    if (follow->level >= SP_LOG_OFF && !follow->events && !follow->sessions &&
        !atomic_load(&daemon->sessions) && !atomic_load(&daemon->records)) {
        return;
    }
    snakepit_writer *writer = snakepit_writer_new();
    if (writer == NULL) {
        return;
    }
    write_follow(daemon, writer);
    if (write_message(&message, 0, "follow", writer) == SNAKEPIT_OK) {
        // The socket is new, so there is room.
        (void)sp_channel_send(daemon->fd, SP_LOCAL_ASK, message.data, message.size);
    }
    sp_buf_fini(&message);
    snakepit_writer_free(writer);
}

static snakepit_err follow_now(struct sp_daemon *daemon)
{
    struct sp_buf answer = {0};
    snakepit_writer *writer = snakepit_writer_new();
    if (writer == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    write_follow(daemon, writer);
    snakepit_err err = sp_daemon_ask(daemon, "follow", writer, &answer, NULL);
    sp_buf_fini(&answer);
    snakepit_writer_free(writer);
    return err;
}

void sp_daemon_follow_sessions(struct sp_daemon *daemon)
{
    if (!atomic_exchange(&daemon->sessions, true)) {
        (void)follow_now(daemon); // where there is none now, the next one is asked
    }
}

snakepit_err sp_daemon_record(struct sp_daemon *daemon, bool on)
{
    atomic_store(&daemon->records, on);
    return follow_now(daemon);
}
