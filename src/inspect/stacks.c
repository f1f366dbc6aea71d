// SPDX-License-Identifier: MIT
// Executors say in their stamps where their thread's state is. The others are found by
// the list that Python links all states of threads in.
#include "inspect/stacks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "inspect/threads.h"

#define THREADS_MOST 256u // that take no calls

// Owner: one thread, for one reading.
struct reading {
    const struct sp_stacks_source *source;
    pid_t pid;
    struct sp_python_map map;
    struct sp_objects objects;
    struct sp_frames frames;
    struct sp_memory memory;
    sp_stack_fn *take;
    void *user;
};

// ---- Refusals -----------------------------------------------------------------

static snakepit_err refuse(snakepit_message *why, snakepit_err err, const char *text)
{
    (void)snprintf(why->text, sizeof why->text, "%s", text);
    return err;
}

static snakepit_err refuse_read(snakepit_message *why, int failed)
{
    if (failed == ESRCH) {
        return refuse(why, SNAKEPIT_NOT_FOUND, "the worker is gone");
    }
    (void)snprintf(
        why->text,
        sizeof why->text,
        "the worker's memory cannot be read (process_vm_readv: %s)%s",
        strerrordesc_np(failed),
        failed == EPERM
            ? "; the program must run as the worker's user, or with CAP_SYS_PTRACE, "
              "and kernel.yama.ptrace_scope must be 0 or 1"
        : failed == ENOSYS ? "; the kernel, or the container's filter of system calls, "
                             "does not have it"
                           : "");
    return SNAKEPIT_SYSTEM;
}

static snakepit_err check(struct reading *reading, snakepit_message *why)
{
    const struct sp_python_map *shared = &reading->source->view->header->python;
    uint32_t known = atomic_load_explicit(&shared->known, memory_order_acquire);
    uint64_t unused;
    if (known == SP_PYTHON_UNTOLD) {
        return refuse(why, SNAKEPIT_AGAIN, "the worker has not joined its host yet");
    }
    if (!sp_objects_take_map(shared, &reading->map)) {
        return refuse(why,
                      SNAKEPIT_UNSUPPORTED,
                      "the stacks of its Python cannot be read: that takes 3.11, 3.12 "
                      "or 3.13, and a bridge that was built with the header "
                      "internal/pycore_frame.h");
    }
    return sp_memory_pointer(&reading->memory, reading->map.main_state, &unused)
               ? SNAKEPIT_OK
               : refuse_read(why, reading->memory.failed);
}

// ---- Executors ----------------------------------------------------------------

static uint64_t running_us(uint64_t since)
{
    uint64_t now = sp_clock_ticks();
    uint64_t per_us = sp_clock_ticks_per_us();
    return now > since && per_us > 0 ? (now - since) / per_us : 0;
}

static uint64_t executor_state(const struct reading *reading, uint32_t index)
{
    const struct sp_stamp *stamp = &reading->source->view->stamps[index];
    return atomic_load_explicit(&stamp->state, memory_order_acquire);
}

static bool is_wanted(const struct reading *reading, uint32_t index)
{
    const struct sp_stamp *stamp = &reading->source->view->stamps[index];
    const uint64_t call = reading->source->call;
    return call == 0 ||
           atomic_load_explicit(&stamp->call, memory_order_acquire) == call;
}

// The call is looked at before and after, so that a stack is not told to be another
// call's.
static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text);
    return size >= strlen(end) && strcmp(text + size - strlen(end), end) == 0;
}

// Of the bridge, or of what starts a worker or its threads.
static bool is_ours(const struct sp_code_place *place)
{
    return strstr(place->file, "/snakepit_bridge/") != NULL ||
           strcmp(place->file, "<string>") == 0 ||
           ends_with(place->file, "/threading.py");
}

// The outermost functions, which have called the tool, are of no interest.
static void leave_out_ours(struct sp_frames *frames)
{
    uint32_t count = frames->count;
    while (count > 0 && is_ours(&frames->places[count - 1])) {
        count--;
    }
    if (count > 0) {
        frames->count = count;
    }
}

static void tell_executor(struct reading *reading, uint32_t index)
{
    const struct sp_stamp *stamp = &reading->source->view->stamps[index];
    uint64_t state = executor_state(reading, index);
    uint64_t call = atomic_load_explicit(&stamp->call, memory_order_acquire);
    uint64_t since = atomic_load_explicit(&stamp->since, memory_order_relaxed);
    if (state == 0) {
        return;
    }
    struct sp_stack stack = {
        .executor = index,
        .thread = atomic_load_explicit(&stamp->thread, memory_order_relaxed),
        .call = call,
        .running_us = call == 0 ? 0 : running_us(since),
        .frames = &reading->frames,
    };
    sp_frames_read(&reading->objects, state, &reading->frames);
    if (call != 0) {
        leave_out_ours(&reading->frames);
    }
    reading->frames.moved |=
        atomic_load_explicit(&stamp->call, memory_order_acquire) != call;
    stack.state = sp_threads_state(reading->source->in_proc, stack.thread);
    reading->take(reading->user, &stack);
}

// ---- Other threads ------------------------------------------------------------

static bool is_executors(const struct reading *reading, uint64_t state)
{
    for (uint32_t i = 0; i < reading->source->view->shape.executors; i++) {
        if (executor_state(reading, i) == state) {
            return true;
        }
    }
    return false;
}

static void tell_thread(struct reading *reading, uint64_t state)
{
    struct sp_stack stack = {.executor = SP_NO_EXECUTOR, .frames = &reading->frames};
    if (is_executors(reading, state)) {
        return;
    }
    (void)sp_memory_pointer(
        &reading->memory, state + reading->map.state_thread, &stack.thread);
    sp_frames_read(&reading->objects, state, &reading->frames);
    stack.state = sp_threads_state(reading->source->in_proc, stack.thread);
    if (stack.state == 0) {
        stack.thread = 0; // it is another number than the kernel's
    }
    reading->take(reading->user, &stack);
}

// Tells the states from one on, as `link` leads, while they are of that interpreter.
// Gives how many more may follow.
static uint32_t tell_list(struct reading *reading,
                          uint64_t state,
                          uint32_t link,
                          uint64_t interpreter,
                          uint32_t most)
{
    uint64_t its;
    for (; state != 0 && most > 0; most--) {
        sp_memory_forget(&reading->memory);
        if (!sp_memory_pointer(
                &reading->memory, state + reading->map.state_interpreter, &its) ||
            its != interpreter) {
            break;
        }
        tell_thread(reading, state);
        if (!sp_memory_pointer(&reading->memory, state + link, &state)) {
            break;
        }
    }
    return most;
}

static void tell_others(struct reading *reading)
{
    const struct sp_python_map *map = &reading->map;
    uint64_t interpreter;
    uint64_t before;
    if (!sp_memory_pointer(
            &reading->memory, map->main_state + map->state_interpreter, &interpreter) ||
        !sp_memory_pointer(
            &reading->memory, map->main_state + map->state_previous, &before)) {
        return;
    }
    uint32_t left =
        tell_list(reading, map->main_state, map->state_next, interpreter, THREADS_MOST);
    (void)tell_list(reading, before, map->state_previous, interpreter, left);
}

static void tell_all(struct reading *reading)
{
    for (uint32_t i = 0; i < reading->source->view->shape.executors; i++) {
        if (is_wanted(reading, i)) {
            tell_executor(reading, i);
        }
    }
    if (reading->source->call == 0) {
        tell_others(reading);
    }
}

snakepit_err sp_stacks_read(const struct sp_stacks_source *source,
                            sp_stack_fn *take,
                            void *user,
                            snakepit_message *why)
{
    struct reading *reading = sp_alloc(sizeof *reading);
    if (reading == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    reading->source = source;
    reading->pid = source->pid;
    reading->objects.memory = &reading->memory;
    reading->objects.map = &reading->map;
    reading->take = take;
    reading->user = user;
    sp_memory_init(&reading->memory,
                   sp_memory_of_process,
                   &reading->pid,
                   sp_clock_now() + source->time_ms * SP_NS_PER_MS);
    snakepit_err err = check(reading, why);
    if (err == SNAKEPIT_OK) {
        tell_all(reading);
    }
    sp_buf_fini(&reading->objects.table);
    sp_free(reading);
    return err;
}
