// SPDX-License-Identifier: MIT
// What may be wrong: each of these spoils one thing of a scene.
#ifndef UNIT_CLI_DOCTOR_SPOILS_H
#define UNIT_CLI_DOCTOR_SPOILS_H

#include <string.h>

#include "doctor_scene.h"

#define MIB (UINT64_C(1) << 20)

static char no_such[] = "no such file";
static char bridgeless[] = "/opt/python has no snakepit_bridge; install it there";
static char old_3_13[] = "3.13.7";

static void leave_no_file(struct scene *scene)
{
    scene->facts.config = NULL;
    scene->facts.pools = NULL;
}

static void leave_no_python(struct scene *scene)
{
    leave_no_file(scene);
    scene->pythons.count = 0;
}

static void break_variable(struct scene *scene)
{
    leave_no_file(scene);
    static struct sp_interpreter_entry entries[2];
    entries[0] = scene->entry;
    entries[1] = (struct sp_interpreter_entry){.found_as = "SNAKEPIT_PYTHON",
                                               .problem = no_such};
    scene->pythons = (struct sp_interpreter_list){entries, 2};
}

static void lose_every_bridge(struct scene *scene)
{
    leave_no_file(scene);
    scene->entry.interpreter.has_bridge = false;
}

static void have_only_the_gil(struct scene *scene)
{
    leave_no_file(scene);
    scene->entry.interpreter.free_threaded = false;
    scene->entry.interpreter.gil_enabled = true;
}

static void force_the_gil(struct scene *scene)
{
    leave_no_file(scene);
    static struct sp_interpreter_entry entries[2];
    entries[0] = scene->entry;
    entries[1] = scene->entry;
    entries[1].interpreter.gil_enabled = true;
    scene->pythons = (struct sp_interpreter_list){entries, 2};
}

static void take_an_endless_python(struct scene *scene)
{
    leave_no_file(scene);
    scene->entry.interpreter.version = old_3_13;
}

static void give_the_pool_an_endless_python(struct scene *scene)
{
    scene->entry.interpreter.version = old_3_13;
}

static void lose_the_pools_python(struct scene *scene)
{
    scene->pool.python = NULL;
    (void)strcpy(scene->pool.problem.text, no_such);
}

static void switch_pooling_off_too(struct scene *scene)
{
    lose_the_pools_python(scene);
    scene->config.pooling_enabled = false;
}

static void lose_the_pools_bridge(struct scene *scene)
{
    scene->entry.interpreter.has_bridge = false;
    (void)strcpy(scene->pool.problem.text, bridgeless);
}

static void give_the_pool_a_gil(struct scene *scene)
{
    scene->entry.interpreter.free_threaded = false;
    scene->entry.interpreter.gil_enabled = true;
    scene->pool.adapter.gil_enabled = true;
}

static void give_and_refuse_a_gil(struct scene *scene)
{
    give_the_pool_a_gil(scene);
    scene->pool_config.on_unsupported = SP_UNSUPPORTED_REFUSE;
}

static void give_and_allow_a_gil(struct scene *scene)
{
    give_the_pool_a_gil(scene);
    scene->pool_config.on_unsupported = SP_UNSUPPORTED_ALLOW;
}

static void break_the_adapter(struct scene *scene)
{
    scene->pool.adapter.outcome = SP_EXAMINED_FAILED;
    (void)strcpy(scene->pool.adapter.why.text, "ImportError: no");
}

static void hang_the_adapter(struct scene *scene)
{
    scene->pool.adapter.outcome = SP_EXAMINED_LATE;
}

static void exceed_the_start(struct scene *scene)
{
    scene->pool.adapter.import_us = 31000000;
}

static void slow_the_adapter(struct scene *scene)
{
    scene->pool.adapter.import_us = 16000000;
}

static void sandbox_the_adapter(struct scene *scene)
{
    scene->pool.adapter = (struct sp_examination){0};
}

static void switch_the_gil_on(struct scene *scene)
{
    scene->pool.adapter.gil_enabled = true;
    (void)strcpy(scene->pool.adapter.gil_enabled_by, "oldlib");
}

static void declare_unsafe(struct scene *scene)
{
    scene->pool.adapter.thread_safe = false;
}

static void declare_unsafe_and_refuse(struct scene *scene)
{
    scene->pool.adapter.thread_safe = false;
    scene->pool_config.on_unsupported = SP_UNSUPPORTED_REFUSE;
}

static void declare_nothing(struct scene *scene)
{
    scene->pool.adapter.declares = false;
    scene->pool.adapter.thread_safe = false;
}

static void declare_nothing_and_refuse(struct scene *scene)
{
    declare_nothing(scene);
    scene->pool_config.undeclared_adapter = SP_UNDECLARED_REFUSE;
}

static void import_pandas(struct scene *scene)
{
    scene_library(scene, "pandas")->thread_safe = false;
}

// Processes that are to become threads.
static void make_adaptive(struct scene *scene)
{
    scene->pool_config.worker_profile = SP_PROFILE_PROCESS;
    scene->pool_config.threads_per_worker = 1;
    scene->pool_config.adaptive_pooling = true;
}

static void make_adaptive_with_a_gil(struct scene *scene)
{
    make_adaptive(scene);
    give_the_pool_a_gil(scene);
}

static void make_adaptive_and_switch_the_gil_on(struct scene *scene)
{
    make_adaptive(scene);
    switch_the_gil_on(scene);
}

static void make_adaptive_and_declare_nothing(struct scene *scene)
{
    make_adaptive(scene);
    declare_nothing(scene);
}

static void make_adaptive_and_declare_unsafe(struct scene *scene)
{
    make_adaptive(scene);
    declare_unsafe(scene);
}

static void make_adaptive_and_import_pandas(struct scene *scene)
{
    make_adaptive(scene);
    import_pandas(scene);
}

static void import_an_old_numpy(struct scene *scene)
{
    struct sp_examined_library *library = scene_library(scene, "NumPy");
    (void)strcpy(library->version, "1.26.4");
    (void)strcpy(library->minimum, "2.1");
    library->too_old = true;
}

// 2 workers x 4 threads x 3 on 8 cores.
static void multiply_threads(struct scene *scene)
{
    scene_library(scene, "NumPy")->has_threads = true;
    scene->pool.threads[1] = 3;
}

static void give_devices(struct scene *scene, char **names, size_t count)
{
    static char cuda[] = "CUDA_VISIBLE_DEVICES";
    scene->machine.nvidia_devices = 2;
    scene->pool_config.devices = (struct sp_devices){
        .variable = cuda, .values = {names, count}, .workers_per_device = 4};
}

static char first[] = "0";
static char both[] = "0,1";
static char third[] = "1,2";
static char named[] = "GPU-8932";

static void name_a_device_that_is_not_there(struct scene *scene)
{
    static char *names[] = {first, both, third};
    give_devices(scene, names, 3);
}

static void have_no_device(struct scene *scene)
{
    static char *names[] = {first};
    give_devices(scene, names, 1);
    scene->machine.nvidia_devices = 0;
}

static void name_a_device_twice(struct scene *scene)
{
    static char *names[] = {first, named, first};
    give_devices(scene, names, 3);
}

// 8 processes, and room for 4.
static void crowd_a_device(struct scene *scene)
{
    static char *names[] = {first};
    give_devices(scene, names, 1);
    declare_unsafe(scene);
}

static void call_more_than_there_are_cores(struct scene *scene)
{
    scene->pool_config.pool_size.max = 3;
}

static void quota_of_half_the_cores(struct scene *scene)
{
    scene->machine.group.cpu_percent = 350;
}

static void quota_and_no_file(struct scene *scene)
{
    leave_no_file(scene);
    scene->machine.group.cpu_percent = 150;
}

static void have_two_nodes(struct scene *scene)
{
    scene->machine.nodes = 2;
}

static void limit_to(struct scene *scene, enum sp_doctor_limit limit, uint64_t value)
{
    scene->machine.limits[limit] = (struct sp_doctor_range){value, 2 * value};
}

static void limit_files(struct scene *scene)
{
    limit_to(scene, SP_DOCTOR_FILES, 16);
}

static void limit_addresses(struct scene *scene)
{
    limit_to(scene, SP_DOCTOR_ADDRESSES, 191 * MIB);
}

static void limit_file_size(struct scene *scene)
{
    limit_to(scene, SP_DOCTOR_FILE_SIZE, 63 * MIB);
}

static void limit_processes(struct scene *scene)
{
    limit_to(scene, SP_DOCTOR_PROCESSES, 100);
    scene->machine.tasks_of_user = 90;
}

static void limit_tasks(struct scene *scene)
{
    scene->machine.group.tasks = 8;
}

static void unmount_proc(struct scene *scene)
{
    scene->machine.has_proc = false;
}

static void lose_pidfd(struct scene *scene)
{
    scene->machine.features[SP_KERNEL_PIDFD] = false;
}

static void lose_memfd(struct scene *scene)
{
    scene->machine.features[SP_KERNEL_MEMFD] = false;
}

static void lose_futex_waitv(struct scene *scene)
{
    scene->machine.features[SP_KERNEL_FUTEX_WAITV] = false;
}

static void lose_slices(struct scene *scene)
{
    scene->machine.features[SP_KERNEL_TIME_SLICE] = false;
}

static void lose_slices_without_file(struct scene *scene)
{
    leave_no_file(scene);
    lose_slices(scene);
}

static void lose_landlock_without_file(struct scene *scene)
{
    leave_no_file(scene);
    scene->machine.features[SP_KERNEL_LANDLOCK] = false;
}

static void want_a_missing_landlock(struct scene *scene)
{
    static char *paths[1];
    scene->machine.features[SP_KERNEL_LANDLOCK] = false;
    scene->pool_config.sandbox.landlock.items = paths;
}

static void want_a_missing_seccomp(struct scene *scene)
{
    scene->machine.features[SP_KERNEL_SECCOMP] = false;
    scene->pool_config.sandbox.seccomp = SP_SECCOMP_DEFAULT;
}

static void want_a_limit_of_memory(struct scene *scene)
{
    scene->machine.group.may_limit_memory = false;
    scene->pool_config.sandbox.memory_max = MIB;
}

static void want_a_limit_of_cpu(struct scene *scene)
{
    scene->machine.group.may_limit_cpu = false;
    scene->pool_config.sandbox.cpu_max = 50;
}

static void stand_under_a_filter(struct scene *scene)
{
    scene->machine.seccomp = 2;
}

static void be_delegated_nothing(struct scene *scene)
{
    leave_no_file(scene);
    scene->machine.group.may_limit_cpu = false;
}

#endif
