// SPDX-License-Identifier: MIT
// The connection's life: connect and greet, then messages, until it is lost. Where it
// is to be found again, the same on the loop, again and again with growing pauses.
#include "remote/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/memory.h"
#include "remote/inside.h"

#define PAUSE_MS        10u // before the daemon is looked for, at first
#define PAUSE_MOST_MS   1000u
#define MESSAGES_A_TURN 64 // so that the loop's other work has its turn

// What came with a packet; or nothing did.
struct packet {
    struct sp_message_head head;
    struct sp_slice body;
    struct sp_buf large;
    struct sp_packet_fds fds;
};

static snakepit_err receive(struct sp_daemon *daemon, struct packet *packet)
{
    const uint8_t *body = NULL;
    *packet = (struct packet){0};
    snakepit_err err = sp_channel_receive_with(daemon->fd,
                                               daemon->inbox->room,
                                               &packet->head,
                                               &body,
                                               &packet->large,
                                               &packet->fds);
    packet->body = (struct sp_slice){body, packet->head.size};
    return err;
}

static void drop(struct packet *packet)
{
    sp_packet_fds_close(&packet->fds);
    sp_buf_fini(&packet->large);
}

// ---- Greeting -----------------------------------------------------------------

static snakepit_err greet(int fd)
{
    const struct sp_local_greeting greeting = {.magic = SP_LOCAL_MAGIC,
                                               .version = SP_LAYOUT_VERSION};
    return sp_channel_send(fd, SP_LOCAL_GREETING, &greeting, sizeof greeting);
}

static snakepit_err
take_refusal(const struct packet *packet, const char *path, snakepit_message *why)
{
    char text[512];
    snakepit_reader map;
    snakepit_reader_init(&map, packet->body.data, packet->body.size);
    (void)sp_remote_text(&map, "message", text, sizeof text);
    if (why != NULL) {
        (void)snprintf(why->text,
                       sizeof why->text,
                       "the daemon at \"%.200s\" refuses: %s",
                       path,
                       text);
    }
    uint64_t err = sp_remote_number(&map, "err", INT16_MAX, SNAKEPIT_DENIED);
    return err == SNAKEPIT_OK ? SNAKEPIT_PROTOCOL : (snakepit_err)err;
}

// The first message of the daemon.
static snakepit_err take_welcome(struct sp_daemon *daemon,
                                 const struct packet *packet,
                                 struct sp_remote_pools *pools,
                                 snakepit_message *why)
{
    snakepit_reader map;
    if (packet->head.type == SP_LOCAL_REFUSED) {
        return take_refusal(packet, daemon->path, why);
    }
    snakepit_reader_init(&map, packet->body.data, packet->body.size);
    if (packet->head.type != SP_LOCAL_WELCOME ||
        !sp_remote_text(&map, "version", daemon->version, sizeof daemon->version)) {
        return SNAKEPIT_PROTOCOL;
    }
    return sp_remote_pools_read(&map, pools);
}

static void explain(snakepit_message *why, snakepit_err err, const char *path)
{
    if (why != NULL && why->text[0] == '\0') {
        (void)snprintf(why->text,
                       sizeof why->text,
                       "the daemon at \"%.200s\" %s",
                       path,
                       err == SNAKEPIT_PROTOCOL
                           ? "does not speak as a daemon does; is it "
                             "one of this version?"
                       : err == SNAKEPIT_UNREACHABLE
                           ? "does not answer in time; is it stopped, or overloaded?"
                           : snakepit_err_text(err));
    }
}

static snakepit_err await_welcome(struct sp_daemon *daemon,
                                  struct sp_remote_pools *pools,
                                  snakepit_message *why)
{
    struct packet packet;
    const uint64_t deadline =
        sp_clock_now() + daemon->options.timeout_ms * SP_NS_PER_MS;
    snakepit_err err = greet(daemon->fd);
    if (err != SNAKEPIT_OK) {
        return SNAKEPIT_UNREACHABLE;
    }
    do {
        if (!sp_socket_wait(daemon->fd, false, deadline)) {
            return SNAKEPIT_UNREACHABLE;
        }
        err = receive(daemon, &packet);
    } while (err == SNAKEPIT_NOT_FOUND);
    err = err == SNAKEPIT_OK    ? take_welcome(daemon, &packet, pools, why)
          : err == SNAKEPIT_END ? SNAKEPIT_UNREACHABLE
                                : err;
    drop(&packet);
    return err;
}

static snakepit_err find_first(struct sp_daemon *daemon,
                               struct sp_remote_pools *pools,
                               snakepit_message *why)
{
    snakepit_err err = sp_socket_connect(daemon->path, &daemon->fd, why);
    if (err == SNAKEPIT_OK) {
        err = await_welcome(daemon, pools, why);
        if (err != SNAKEPIT_OK) {
            explain(why, err, daemon->path);
        }
    }
    if (err == SNAKEPIT_OK) {
        sp_asks_begin(&daemon->asks);
        sp_daemon_ask_to_follow(daemon);
    } else if (err == SNAKEPIT_UNREACHABLE && daemon->options.reconnects) {
        sp_descriptor_close(&daemon->fd);
        sp_asks_miss(&daemon->asks, err, why->text);
        err = SNAKEPIT_OK;
    }
    return err;
}

snakepit_err sp_daemon_connect(const struct sp_daemon_options *options,
                               struct sp_daemon **daemon,
                               struct sp_remote_pools *pools,
                               snakepit_message *why)
{
    snakepit_message room = {{0}};
    struct sp_daemon *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    made->options = *options;
    made->fd = -1;
    made->pause_ms = PAUSE_MS;
    sp_asks_init(&made->asks);
    made->path = sp_strdup(options->path);
    made->inbox = sp_alloc(sizeof *made->inbox);
    snakepit_err err = made->path == NULL || made->inbox == NULL
                           ? SNAKEPIT_NO_MEMORY
                           : find_first(made, pools, why != NULL ? why : &room);
    if (err != SNAKEPIT_OK) {
        sp_daemon_free(made);
        return err;
    }
    *daemon = made;
    return SNAKEPIT_OK;
}

// ---- Its end, and the search for another one -------------------------------------

static void on_again(struct sp_timer *timer);

static void close_socket(struct sp_daemon *daemon)
{
    sp_watch_stop(&daemon->watch);
    sp_timer_stop(&daemon->late);
    pthread_mutex_lock(&daemon->asks.lock);
    sp_descriptor_close(&daemon->fd);
    pthread_mutex_unlock(&daemon->asks.lock);
    daemon->greeted = false;
    daemon->leaving = false;
}

static void look_again_later(struct sp_daemon *daemon)
{
    sp_timer_start(daemon->loop, &daemon->again, on_again, daemon->pause_ms, 0);
    daemon->pause_ms =
        daemon->pause_ms * 2 > PAUSE_MOST_MS ? PAUSE_MOST_MS : daemon->pause_ms * 2;
}

static void lose(struct sp_daemon *daemon, const char *why)
{
    const bool was_there = !daemon->greeted;
    close_socket(daemon);
    sp_asks_end(&daemon->asks, SNAKEPIT_DAEMON_LOST);
    if (was_there) {
        daemon->options.hooks.lost(daemon->options.hooks.user, why);
    }
    if (daemon->options.reconnects) {
        look_again_later(daemon);
    }
}

// ---- Messages -----------------------------------------------------------------

static snakepit_err take_opened(struct sp_daemon *daemon, struct packet *packet)
{
    struct sp_local_opened opened;
    if (packet->body.size != sizeof opened || packet->fds.count != SP_LOCAL_FDS) {
        return SNAKEPIT_PROTOCOL;
    }
    memcpy(&opened, packet->body.data, sizeof opened);
    int *fds = packet->fds.of;
    for (size_t i = 0; i < SP_LOCAL_FDS; i++) {
        fds[i] = sp_descriptor_keep(fds[i]);
    }
    packet->fds.count = 0;
    const struct sp_port_parts parts = {.control = fds[SP_LOCAL_FD_CONTROL],
                                        .results = fds[SP_LOCAL_FD_RESULTS],
                                        .bell = fds[SP_LOCAL_FD_BELL],
                                        .doorbell = fds[SP_LOCAL_FD_DOORBELL],
                                        .control_size = opened.control_size,
                                        .results_size = opened.results_size};
    daemon->options.hooks.opened(daemon->options.hooks.user, opened.circuit, &parts);
    return SNAKEPIT_OK;
}

static snakepit_err take_unopened(struct sp_daemon *daemon, const snakepit_reader *map)
{
    char text[512];
    uint64_t circuit = sp_remote_number(map, "circuit", INT64_MAX, 0);
    uint64_t err = sp_remote_number(map, "err", INT16_MAX, SNAKEPIT_PROTOCOL);
    if (!sp_remote_text(map, "message", text, sizeof text) || err == SNAKEPIT_OK) {
        return SNAKEPIT_PROTOCOL;
    }
    daemon->options.hooks.unopened(
        daemon->options.hooks.user, circuit, (snakepit_err)err, text);
    return SNAKEPIT_OK;
}

static snakepit_err take_pools(struct sp_daemon *daemon, const snakepit_reader *map)
{
    struct sp_remote_pools pools = {0};
    snakepit_err err = sp_remote_pools_read(map, &pools);
    if (err == SNAKEPIT_OK) {
        daemon->options.hooks.pools(daemon->options.hooks.user, &pools);
        sp_remote_pools_free(&pools);
    }
    return err;
}

static snakepit_err take_news(struct sp_daemon *daemon, struct sp_slice body)
{
    struct sp_local_news_head head;
    if (body.size < sizeof head) {
        return SNAKEPIT_PROTOCOL;
    }
    memcpy(&head, body.data, sizeof head);
    return daemon->options.hooks.news(
        daemon->options.hooks.user,
        &head,
        (struct sp_slice){body.data + sizeof head, body.size - sizeof head});
}

// Of a daemon that was found again.
static snakepit_err take_first(struct sp_daemon *daemon, const struct packet *packet)
{
    struct sp_remote_pools pools = {0};
    snakepit_message why = {{0}};
    snakepit_err err = take_welcome(daemon, packet, &pools, &why);
    if (err != SNAKEPIT_OK) {
        explain(&why, err, daemon->path);
        sp_asks_miss(&daemon->asks, err, why.text);
        return err;
    }
    daemon->greeted = false;
    daemon->pause_ms = PAUSE_MS;
    sp_timer_stop(&daemon->late);
    daemon->options.hooks.pools(daemon->options.hooks.user, &pools);
    sp_asks_begin(&daemon->asks); // who waited for a daemon finds its pools
    sp_daemon_ask_to_follow(daemon);
    daemon->options.hooks.found(daemon->options.hooks.user);
    sp_remote_pools_free(&pools);
    return SNAKEPIT_OK;
}

static snakepit_err take_message(struct sp_daemon *daemon, struct packet *packet)
{
    snakepit_reader map;
    snakepit_reader_init(&map, packet->body.data, packet->body.size);
    if (daemon->greeted) {
        return take_first(daemon, packet);
    }
    switch (packet->head.type) {
    case SP_LOCAL_OPENED:
        return take_opened(daemon, packet);
    case SP_LOCAL_UNOPENED:
        return take_unopened(daemon, &map);
    case SP_LOCAL_POOLS:
        return take_pools(daemon, &map);
    case SP_LOCAL_ANSWER:
        return sp_asks_take(&daemon->asks, packet->body);
    case SP_LOCAL_NEWS:
        return take_news(daemon, packet->body);
    case SP_LOCAL_LEAVING:
        daemon->leaving = true;
        daemon->options.hooks.leaving(daemon->options.hooks.user);
        return SNAKEPIT_OK;
    default:
        return SNAKEPIT_PROTOCOL;
    }
}

static void on_message(struct sp_watch *watch)
{
    struct sp_daemon *daemon = watch->user;
    for (int i = 0; i < MESSAGES_A_TURN && daemon->fd >= 0; i++) {
        struct packet packet;
        snakepit_err err = receive(daemon, &packet);
        if (err == SNAKEPIT_NOT_FOUND) {
            return;
        }
        err = err == SNAKEPIT_OK ? take_message(daemon, &packet) : err;
        drop(&packet);
        if (err == SNAKEPIT_END) {
            lose(daemon,
                 daemon->leaving ? "it was told to end"
                                 : "it has ended, or has closed the connection");
        } else if (err != SNAKEPIT_OK) {
            lose(daemon, "it has said what makes no sense");
        }
    }
}

// ---- On the loop --------------------------------------------------------------

static void on_late(struct sp_timer *timer)
{
    lose(timer->user, "it does not answer");
}

static snakepit_err watch_socket(struct sp_daemon *daemon, snakepit_message *why)
{
    return sp_watch_start(&daemon->watch, daemon->loop, daemon->fd, on_message, why);
}

static void on_again(struct sp_timer *timer)
{
    struct sp_daemon *daemon = timer->user;
    int fd = -1;
    snakepit_message why = {{0}};
    snakepit_err err = sp_socket_connect(daemon->path, &fd, &why);
    if (err != SNAKEPIT_OK) {
        sp_asks_miss(&daemon->asks, err, why.text);
        look_again_later(daemon);
        return;
    }
    pthread_mutex_lock(&daemon->asks.lock);
    daemon->fd = fd;
    pthread_mutex_unlock(&daemon->asks.lock);
    daemon->greeted = true;
    if (greet(fd) != SNAKEPIT_OK || watch_socket(daemon, NULL) != SNAKEPIT_OK) {
        lose(daemon, "");
        return;
    }
    sp_timer_start(daemon->loop, &daemon->late, on_late, daemon->options.timeout_ms, 0);
}

snakepit_err
sp_daemon_start(struct sp_daemon *daemon, struct sp_loop *loop, snakepit_message *why)
{
    daemon->loop = loop;
    daemon->watch.user = daemon;
    daemon->again.user = daemon;
    daemon->late.user = daemon;
    if (daemon->fd < 0) {
        look_again_later(daemon);
        return SNAKEPIT_OK;
    }
    return watch_socket(daemon, why);
}

void sp_daemon_stop(struct sp_daemon *daemon)
{
    if (daemon->loop != NULL) {
        sp_timer_stop(&daemon->again);
    }
    close_socket(daemon);
    sp_asks_end(&daemon->asks, SNAKEPIT_SHUTTING_DOWN);
}

void sp_daemon_free(struct sp_daemon *daemon)
{
    if (daemon == NULL) {
        return;
    }
    sp_descriptor_close(&daemon->fd);
    sp_asks_fini(&daemon->asks);
    sp_free(daemon->inbox);
    sp_free(daemon->path);
    sp_free(daemon);
}

const char *sp_daemon_version(const struct sp_daemon *daemon)
{
    return daemon->version;
}

bool sp_daemon_is_there(const struct sp_daemon *daemon)
{
    return daemon->fd >= 0 && !daemon->greeted;
}

bool sp_daemon_is_leaving(const struct sp_daemon *daemon)
{
    return daemon->leaving;
}

const char *sp_daemon_path(const struct sp_daemon *daemon)
{
    return daemon->path;
}

// ---- Circuits -----------------------------------------------------------------

bool sp_daemon_open_circuit(struct sp_daemon *daemon,
                            const char *pool,
                            const struct sp_segment *requests,
                            uint32_t slots,
                            uint64_t *circuit)
{
    struct {
        struct sp_local_open open;
        char name[256];
    } message = {.open = {.requests_size = requests->size, .slots = slots}};
    const size_t size = strnlen(pool, sizeof message.name);
    int memory;
    if (!sp_daemon_is_there(daemon) || daemon->leaving ||
        sp_segment_read_only_fd(requests, &memory, NULL) != SNAKEPIT_OK) {
        return false;
    }
    message.open.circuit = ++daemon->last_circuit;
    message.open.name_size = (uint32_t)size;
    memcpy(message.name, pool, size);
    snakepit_err err = sp_channel_send_with(
        daemon->fd, SP_LOCAL_OPEN, &message, sizeof message.open + size, &memory, 1);
    sp_descriptor_close(&memory);
    *circuit = message.open.circuit;
    return err == SNAKEPIT_OK;
}

void sp_daemon_close_circuit(struct sp_daemon *daemon, uint64_t circuit)
{
    if (sp_daemon_is_there(daemon)) {
        // Where the daemon is too slow to hear it, it learns of it at the end.
        (void)sp_channel_send(daemon->fd, SP_LOCAL_CLOSE, &circuit, sizeof circuit);
    }
}

bool sp_daemon_cancel(struct sp_daemon *daemon,
                      uint64_t circuit,
                      uint64_t call,
                      uint32_t slot)
{
    const struct sp_local_cancel cancel = {
        .circuit = circuit, .call = call, .slot = slot};
    return sp_daemon_is_there(daemon) &&
           sp_channel_send(daemon->fd, SP_LOCAL_CANCEL, &cancel, sizeof cancel) ==
               SNAKEPIT_OK;
}
