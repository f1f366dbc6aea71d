// SPDX-License-Identifier: MIT
// A machine, an interpreter and a pool that nothing is wrong with, for a test to spoil.
#ifndef UNIT_CLI_DOCTOR_SCENE_H
#define UNIT_CLI_DOCTOR_SCENE_H

#include <stdint.h>
#include <stdio.h>

#include "cli/doctor.h"

struct scene {
    struct sp_doctor_machine machine;
    struct sp_interpreter_entry entry;
    struct sp_interpreter_list pythons;
    struct sp_pool_config pool_config;
    struct sp_config config;
    struct sp_doctor_pool pool;
    struct sp_doctor_facts facts;
};

static char scene_executable[] = "/opt/python";
static char scene_version[] = "3.14.0";
static char scene_pool[] = "text";
static char scene_adapter[] = "shop:Shop";
static char scene_file[] = "shop.yaml";

// 8 cores, a free-threaded Python, and a pool of 2 workers with 4 threads each.
static inline void scene_init(struct scene *scene)
{
    *scene = (struct scene){
        .machine = {.kernel = "6.12",
                    .cores = 8,
                    .group = {.memory = SP_DOCTOR_UNLIMITED,
                              .tasks = SP_DOCTOR_UNLIMITED,
                              .is_v2 = true,
                              .may_limit_memory = true,
                              .may_limit_cpu = true},
                    .has_proc = true,
                    .nodes = 1},
        .entry = {.found_as = "python3",
                  .interpreter = {.executable = scene_executable,
                                  .version = scene_version,
                                  .free_threaded = true,
                                  .has_bridge = true}},
        .pool_config = {.name = scene_pool,
                        .adapter = scene_adapter,
                        .worker_profile = SP_PROFILE_THREAD,
                        .pool_size = {2, 2},
                        .threads_per_worker = 4,
                        .shared_memory_size = UINT64_C(64) << 20,
                        .start_timeout_ms = 30000,
                        .recycle_at_once = 1},
        .pool = {.adapter = {.outcome = SP_EXAMINED_OK,
                             .import_us = 20000,
                             .declares = true,
                             .thread_safe = true},
                 .threads = {1, 1, 1, 1, 1}},
        .config = {.file = scene_file, .count = 1, .pooling_enabled = true},
    };
    for (int i = 0; i < SP_DOCTOR_LIMITS; i++) {
        scene->machine.limits[i] =
            (struct sp_doctor_range){SP_DOCTOR_UNLIMITED, SP_DOCTOR_UNLIMITED};
    }
    for (int i = 0; i < SP_KERNEL_FEATURES; i++) {
        scene->machine.features[i] = true;
    }
    scene->pythons = (struct sp_interpreter_list){&scene->entry, 1};
    scene->config.pools = &scene->pool_config;
    scene->pool.config = &scene->pool_config;
    scene->pool.python = &scene->entry.interpreter;
    scene->facts = (struct sp_doctor_facts){.machine = &scene->machine,
                                            .pythons = &scene->pythons,
                                            .no_bridge = "/opt/python has no bridge; "
                                                         "install it",
                                            .config = &scene->config,
                                            .pools = &scene->pool};
}

static inline struct sp_examined_library *scene_library(struct scene *scene,
                                                        const char *title)
{
    struct sp_examination *adapter = &scene->pool.adapter;
    struct sp_examined_library *library = &adapter->libraries[adapter->library_count++];
    *library = (struct sp_examined_library){
        .thread_safe = true, .reason = "It keeps state.", .pattern = "Hold a lock."};
    (void)snprintf(library->title, sizeof library->title, "%s", title);
    return library;
}

#endif
