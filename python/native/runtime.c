// SPDX-License-Identifier: MIT
// Shared memory from the worker's side: what is mapped. What is lent of it is in
// leases.c.
#include "state.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "crash.h"
#include "descriptors.h"
#include "ending.h"
#include "frames.h"
#include "template.h"

// ---- Attach -------------------------------------------------------------------

static int refuse(const char *what)
{
    PyErr_Format(
        PyExc_RuntimeError, "%s; a worker is started by its host, not by hand", what);
    return -1;
}

static int fail_to_map(const snakepit_message *why)
{
    PyErr_SetString(PyExc_MemoryError, why->text);
    return -1;
}

static int map_control(struct sp_runtime *runtime)
{
    struct stat status;
    if (fstat(SP_FD_CONTROL, &status) != 0 || status.st_size <= 0) {
        return refuse("there is no control segment");
    }
    uint64_t size = (uint64_t)status.st_size;
    snakepit_message why;
    snakepit_err err =
        sp_segment_attach(&runtime->control, SP_FD_CONTROL, size, true, &why);
    if (err == SNAKEPIT_SYSTEM) {
        return fail_to_map(&why);
    }
    if (err != SNAKEPIT_OK ||
        sp_control_open(runtime->control.base, size, &runtime->view) != SNAKEPIT_OK) {
        return refuse("the control segment is not one of this version");
    }
    // Each of many workers that start at once would spin to measure it.
    sp_clock_adopt_ticks_per_us(runtime->view.header->ticks_per_us);
    return 0;
}

static int map_payloads(struct sp_runtime *runtime)
{
    const struct sp_control_shape *shape = &runtime->view.shape;
    snakepit_message why;
    snakepit_err err = sp_segment_attach(
        &runtime->requests, SP_FD_REQUESTS, shape->requests_size, false, &why);
    if (err == SNAKEPIT_OK) {
        err = sp_segment_attach(
            &runtime->results, SP_FD_RESULTS, shape->results_size, true, &why);
    }
    if (err == SNAKEPIT_SYSTEM) {
        return fail_to_map(&why);
    }
    if (err != SNAKEPIT_OK) {
        return refuse("the payload segments are missing or too small");
    }
    if (shape->payloads_hidden) {
        sp_segment_hide(&runtime->requests);
        sp_segment_hide(&runtime->results);
    }
    uint64_t inline_areas = (uint64_t)shape->slots * SP_INLINE_RESULT;
    if (sp_arena_init(&runtime->arena,
                      runtime->results.base,
                      inline_areas,
                      shape->results_size) != SNAKEPIT_OK) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

// The mappings stay; what remains open must not pass to programs that user code starts.
static void hide_descriptors(struct sp_runtime *runtime)
{
    runtime->stack = sp_crash_keep(SP_FD_CONTROL);
    close(SP_FD_CONTROL);
    close(SP_FD_REQUESTS);
    close(SP_FD_RESULTS);
    (void)fcntl(SP_FD_CHANNEL, F_SETFD, FD_CLOEXEC);
    (void)fcntl(SP_FD_DOORBELL, F_SETFD, FD_CLOEXEC);
}

static int make_tables(struct sp_runtime *runtime)
{
    const struct sp_control_shape *shape = &runtime->view.shape;
    runtime->leases = calloc(shape->leases, sizeof *runtime->leases);
    runtime->executors = calloc(shape->executors, sizeof *runtime->executors);
    if (runtime->leases == NULL || runtime->executors == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    pthread_mutex_init(&runtime->leases_lock, NULL);
    pthread_mutex_init(&runtime->events_lock, NULL);
    for (uint32_t i = 0; i < shape->executors; i++) {
        runtime->executors[i].runtime = runtime;
        runtime->executors[i].index = i;
        pthread_mutex_init(&runtime->executors[i].batch.lock, NULL);
    }
    return 0;
}

static void point_intake(struct sp_runtime *runtime)
{
    struct sp_control *header = runtime->view.header;
    runtime->intake = (struct sp_intake){
        .cells = runtime->view.submit,
        .mask = runtime->view.shape.slots - 1,
        .head = &header->submit_head,
        .bell = &header->bell,
        .stop = &header->stop,
        .executors = runtime->view.shape.executors,
    };
}

static struct sp_runtime runtime;

struct sp_runtime *sp_runtime_here(void)
{
    return &runtime;
}

struct sp_runtime *sp_runtime_attach(struct sp_codec *codec)
{
    if (runtime.codec != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "attach() was called before");
        return NULL;
    }
    sp_ending_follow_host();
    if (map_control(&runtime) != 0 || map_payloads(&runtime) != 0 ||
        make_tables(&runtime) != 0) {
        return NULL;
    }
    hide_descriptors(&runtime);
    sp_frames_describe(&runtime.view.header->python);
    point_intake(&runtime);
    runtime.channel = SP_FD_CHANNEL;
    runtime.doorbell = SP_FD_DOORBELL;
    sp_descriptors_note(&runtime);
    runtime.codec = codec;
    codec->runtime = &runtime;
    return &runtime;
}

// ---- Memory -------------------------------------------------------------------

const uint8_t *
sp_runtime_memory(struct sp_runtime *runtime, uint32_t window, uint64_t *size)
{
    if (window != 0) {
        return sp_windows_find(runtime, window, size);
    }
    *size = runtime->requests.size;
    return runtime->requests.base;
}

uint8_t *sp_runtime_results(struct sp_runtime *runtime, uint64_t *size)
{
    *size = runtime->results.size;
    return runtime->results.base;
}

void sp_runtime_free(struct sp_runtime *runtime, uint64_t offset, uint64_t bytes)
{
    sp_arena_free(&runtime->arena, offset, bytes);
}
