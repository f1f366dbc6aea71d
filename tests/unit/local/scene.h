// SPDX-License-Identifier: MIT
// A daemon with a local door, and clients by hand.
#ifndef UNIT_LOCAL_SCENE_H
#define UNIT_LOCAL_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "fake_pit.h"
#include "local/local.h"
#include "server/inside.h"
#include "support/doors.h"
#include "support/local_client.h"

#include <cmocka.h> // has a macro that is called as one of ours

#define SCENE static __attribute__((unused))
#define SLOTS 8u

static char folder[64];
static char path[96];
static struct sp_config *config;
static struct sp_server *server;
static struct sp_local *local;
static struct local_client client;
static struct local_client other;
static const uint8_t *heard;
static size_t heard_size;

static const struct sp_protocol nothing = {.open = NULL};

// {"x": 1}
static const uint8_t args[] = {0x81, 0xa1, 'x', 1};

SCENE void scene_serve(const char *keys, const char *of_listener)
{
    char yaml[512];
    snakepit_message why = {{0}};
    int length =
        snprintf(yaml,
                 sizeof yaml,
                 "pooling_enabled: false\n"
                 "serve: {listen: [{address: \"unix:%s\", door: local%s}]%s}\n",
                 path,
                 of_listener,
                 keys);
    assert_int_equal(sp_config_read_memory(yaml, (size_t)length, &config, &why),
                     SNAKEPIT_OK);
    const struct sp_server_options options = {.pit = pit,
                                              .config = &config->serve,
                                              .log = &doors_no_log,
                                              .protocol = &nothing,
                                              .packets = &sp_local_ops,
                                              .packets_user = local};
    if (sp_server_open(&options, &server, &why) != SNAKEPIT_OK) {
        fail_msg("%s", why.text);
    }
}

SCENE int scene_open_pit(void)
{
    pit_open_ready("");
    (void)strcpy(folder, "/tmp/snakepit-local-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/door.sock", folder);
    local = sp_local_new();
    assert_non_null(local);
    client.fd = -1;
    other.fd = -1;
    return 0;
}

SCENE int scene_prepare(void **state)
{
    (void)pit_prepare(state);
    return scene_open_pit();
}

static void end_client(struct local_client *one)
{
    if (one->fd >= 0) {
        local_client_end(one);
    }
}

SCENE int scene_clear(void **state)
{
    end_client(&client);
    end_client(&other);
    if (server != NULL) {
        sp_server_close(server);
    }
    (void)pit_tidy(state);
    sp_server_free(server);
    server = NULL;
    sp_local_free(local);
    sp_config_free(config);
    config = NULL;
    (void)rmdir(folder);
    return 0;
}

#define test(name) cmocka_unit_test_setup_teardown(name, scene_prepare, scene_clear)

SCENE void come_in(void)
{
    scene_serve("", "");
    assert_true(local_client_begin(&client, path, SLOTS));
}

SCENE void greet(struct local_client *one)
{
    assert_true(local_client_connect(one, path));
    assert_true(local_client_greet(one, SP_LAYOUT_VERSION));
    assert_int_equal(local_client_answer(one, &heard, &heard_size), SP_LOCAL_WELCOME);
}

// What a message says under `key`.
SCENE snakepit_value said(const char *key)
{
    snakepit_reader reader;
    snakepit_value value = {.kind = SNAKEPIT_NIL};
    snakepit_reader_init(&reader, heard, heard_size);
    assert_int_equal(snakepit_reader_find(&reader, key, &reader), SNAKEPIT_OK);
    assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_OK);
    return value;
}

SCENE bool is_said(const char *key, const char *part)
{
    const snakepit_value value = said(key);
    return value.kind == SNAKEPIT_TEXT &&
           memmem(value.as.text.data, value.as.text.size, part, strlen(part)) != NULL;
}

// Calls `tool` in slot 0 and waits.
SCENE struct sp_slot_result call(const char *tool, const void *with, size_t size)
{
    struct sp_slot_result result;
    local_client_fill(&client, 0, tool, with, size);
    local_client_submit(&client, 0, 0);
    assert_true(local_client_await(&client, 0, &result));
    assert_int_equal(result.call, client.call);
    heard = client.results.base + result.body;
    heard_size = result.body_size;
    return result;
}

SCENE void assert_serves(struct local_client *one)
{
    struct sp_slot_result result;
    local_client_fill(one, 0, "echo", args, sizeof args);
    local_client_submit(one, 0, 0);
    assert_true(local_client_await(one, 0, &result));
    assert_int_equal(result.status, SP_STATUS_OK);
    assert_int_equal(result.body_size, sizeof args);
    assert_memory_equal(one->results.base + result.body, args, sizeof args);
}

#define AWAIT(condition)                                     \
    do {                                                     \
        uint64_t until_ = sp_clock_now() + 30 * SP_NS_PER_S; \
        while (!(condition)) {                               \
            assert_true(sp_clock_now() < until_);            \
            (void)usleep(1000);                              \
        }                                                    \
    } while (0)

#endif
