// SPDX-License-Identifier: MIT
#include "windows.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "ipc/futex.h"
#include "state.h"

// The host has sent it before the call, or does so in its next turn.
#define COMES_WITHIN_NS (5 * SP_NS_PER_S)

// What the host says, if it makes sense.
static bool read_map(const uint8_t *body, size_t size, struct sp_map *map)
{
    if (size != sizeof *map) {
        return false;
    }
    memcpy(map, body, sizeof *map);
    return map->window > 0 && map->window <= SP_WINDOWS_MAX;
}

static void unmap(struct sp_windows *windows, uint32_t number)
{
    const uint8_t *base = atomic_exchange_explicit(
        &windows->of[number - 1].base, NULL, memory_order_acq_rel);
    if (base != NULL) {
        (void)munmap((void *)(uintptr_t)base, windows->of[number - 1].size);
    }
}

// 0, or an errno.
static uint32_t
map_memory(struct sp_runtime *runtime, const struct sp_map *map, int memory)
{
    struct sp_windows *windows = &runtime->windows;
    struct sp_segment segment;
    snakepit_err err = sp_segment_attach(&segment, memory, map->size, false, NULL);
    if (err != SNAKEPIT_OK) {
        return err == SNAKEPIT_SYSTEM && errno > 0 ? (uint32_t)errno : EINVAL;
    }
    if (runtime->view.shape.payloads_hidden) {
        sp_segment_hide(&segment);
    }
    unmap(windows, map->window);
    windows->of[map->window - 1].size = map->size;
    // [windows:map] the size before the address, by which executors find it.
    atomic_store_explicit(
        &windows->of[map->window - 1].base, segment.base, memory_order_release);
    return 0;
}

void sp_windows_map(struct sp_runtime *runtime,
                    const uint8_t *body,
                    size_t size,
                    const struct sp_packet_fds *fds)
{
    struct sp_map map;
    if (!read_map(body, size, &map)) {
        return;
    }
    const struct sp_mapped mapped = {
        .serial = map.serial,
        .error = fds->count == 1 ? map_memory(runtime, &map, fds->of[0]) : EINVAL};
    atomic_fetch_add_explicit(&runtime->windows.changed, 1, memory_order_release);
    (void)sp_futex_wake(&runtime->windows.changed, INT32_MAX);
    (void)sp_channel_send(runtime->channel, SP_MESSAGE_MAPPED, &mapped, sizeof mapped);
}

void sp_windows_unmap(struct sp_runtime *runtime, const uint8_t *body, size_t size)
{
    struct sp_map map;
    if (read_map(body, size, &map)) {
        unmap(&runtime->windows, map.window);
    }
}

static const uint8_t *look(struct sp_windows *windows, uint32_t number, uint64_t *size)
{
    const uint8_t *base = atomic_load_explicit(&windows->of[number - 1].base,
                                               memory_order_acquire); // [windows:map]
    *size = windows->of[number - 1].size;
    return base;
}

static const uint8_t *
wait_for(struct sp_windows *windows, uint32_t number, uint64_t *size)
{
    const uint64_t until = sp_clock_now() + COMES_WITHIN_NS;
    for (;;) {
        const uint32_t seen =
            atomic_load_explicit(&windows->changed, memory_order_acquire);
        const uint8_t *base = look(windows, number, size);
        if (base != NULL || sp_clock_now() >= until) {
            return base;
        }
        (void)sp_futex_wait(&windows->changed, seen, until);
    }
}

const uint8_t *
sp_windows_find(struct sp_runtime *runtime, uint32_t number, uint64_t *size)
{
    if (number == 0 || number > SP_WINDOWS_MAX) {
        return NULL;
    }
    const uint8_t *base = look(&runtime->windows, number, size);
    if (base != NULL) {
        return base;
    }
    Py_BEGIN_ALLOW_THREADS; // the host's word does not need the interpreter
    base = wait_for(&runtime->windows, number, size);
    Py_END_ALLOW_THREADS;
    return base;
}
