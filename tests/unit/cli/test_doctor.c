// SPDX-License-Identifier: MIT
// Facts in, findings out. Each row spoils one thing of a scene in which nothing is
// wrong.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "doctor_spoils.h"

// ---- The rows -----------------------------------------------------------------

static const struct row {
    void (*spoil)(struct scene *scene);
    enum sp_doctor_code code;
    enum sp_doctor_severity severity;
    const char *what; // a part of it
    const char *remedy;
} rows[] = {
    {leave_no_python, SP_DOCTOR_NO_PYTHON, SP_DOCTOR_ERROR, "on PATH", "install one"},
    {break_variable,
     SP_DOCTOR_PYTHON_VARIABLE,
     SP_DOCTOR_ERROR,
     "SNAKEPIT_PYTHON: no such file",
     "unset it"},
    {lose_every_bridge,
     SP_DOCTOR_NO_BRIDGE,
     SP_DOCTOR_ERROR,
     "/opt/python has no bridge",
     "install it"},
    {have_only_the_gil,
     SP_DOCTOR_NO_THREADS,
     SP_DOCTOR_NOTE,
     "thread pools become process pools",
     "3.14t"},
    {force_the_gil,
     SP_DOCTOR_GIL_FORCED,
     SP_DOCTOR_WARNING,
     "starts with the GIL on",
     "unset PYTHON_GIL"},
    {take_an_endless_python,
     SP_DOCTOR_ENDLESS_RECURSION,
     SP_DOCTOR_NOTE,
     "Python 3.13.7",
     "3.13.8 or later"},
    {give_the_pool_an_endless_python,
     SP_DOCTOR_ENDLESS_RECURSION,
     SP_DOCTOR_NOTE,
     "endless recursion",
     "3.14"},
    {lose_the_pools_python,
     SP_DOCTOR_POOL_NO_PYTHON,
     SP_DOCTOR_ERROR,
     "no such file",
     "`python:`"},
    {switch_pooling_off_too,
     SP_DOCTOR_POOL_NO_PYTHON,
     SP_DOCTOR_NOTE,
     "no such file",
     "`python:`"},
    {lose_the_pools_bridge,
     SP_DOCTOR_POOL_NO_BRIDGE,
     SP_DOCTOR_ERROR,
     "has no snakepit_bridge",
     "install it there"},
    {give_the_pool_a_gil,
     SP_DOCTOR_POOL_FALLS_BACK,
     SP_DOCTOR_WARNING,
     "falls back to 8 processes",
     "worker_profile: process"},
    {give_and_refuse_a_gil,
     SP_DOCTOR_POOL_FALLS_BACK,
     SP_DOCTOR_ERROR,
     "the pool fails (on_unsupported: refuse)",
     "3.14t"},
    {give_and_allow_a_gil,
     SP_DOCTOR_POOL_FALLS_BACK,
     SP_DOCTOR_NOTE,
     "threads take turns",
     "3.14t"},
    {break_the_adapter,
     SP_DOCTOR_ADAPTER_FAILED,
     SP_DOCTOR_ERROR,
     "\"shop:Shop\" cannot be used: ImportError: no",
     "check-adapter shop:Shop --python"},
    {hang_the_adapter,
     SP_DOCTOR_ADAPTER_LATE,
     SP_DOCTOR_ERROR,
     "did not end in time",
     "raise start_timeout_ms"},
    {exceed_the_start,
     SP_DOCTOR_ADAPTER_LATE,
     SP_DOCTOR_ERROR,
     "takes 31000 ms of the 30000",
     "raise start_timeout_ms"},
    {slow_the_adapter,
     SP_DOCTOR_ADAPTER_SLOW,
     SP_DOCTOR_WARNING,
     "takes 16000 ms of the 30000",
     "raise start_timeout_ms"},
    {sandbox_the_adapter,
     SP_DOCTOR_ADAPTER_NOT_IMPORTED,
     SP_DOCTOR_NOTE,
     "sandbox",
     "snakepit tools text"},
    {switch_the_gil_on,
     SP_DOCTOR_ADAPTER_GIL,
     SP_DOCTOR_WARNING,
     "switches the GIL on, for oldlib: it falls back to 8 processes",
     "a version of oldlib"},
    {declare_unsafe,
     SP_DOCTOR_ADAPTER_NOT_SAFE,
     SP_DOCTOR_WARNING,
     "becomes one of processes",
     "worker_profile: process"},
    {declare_unsafe_and_refuse,
     SP_DOCTOR_ADAPTER_NOT_SAFE,
     SP_DOCTOR_ERROR,
     "the pool fails",
     "worker_profile: process"},
    {declare_nothing,
     SP_DOCTOR_ADAPTER_UNDECLARED,
     SP_DOCTOR_WARNING,
     "does not declare",
     "check-adapter shop:Shop"},
    {declare_nothing_and_refuse,
     SP_DOCTOR_ADAPTER_UNDECLARED,
     SP_DOCTOR_ERROR,
     "the pool fails",
     "__thread_safe__ = True"},
    {make_adaptive_with_a_gil,
     SP_DOCTOR_POOL_NOT_ADAPTIVE,
     SP_DOCTOR_WARNING,
     "its interpreter does not run threads in parallel",
     "a free-threaded Python"},
    {make_adaptive_and_switch_the_gil_on,
     SP_DOCTOR_POOL_NOT_ADAPTIVE,
     SP_DOCTOR_WARNING,
     "importing its adapter switches the GIL on",
     "adaptive_pooling"},
    {make_adaptive_and_declare_nothing,
     SP_DOCTOR_POOL_NOT_ADAPTIVE,
     SP_DOCTOR_WARNING,
     "does not declare",
     "__thread_safe__ = True"},
    {make_adaptive_and_declare_unsafe,
     SP_DOCTOR_POOL_NOT_ADAPTIVE,
     SP_DOCTOR_WARNING,
     "says that it is not thread-safe",
     "__thread_safe__ = True"},
    {make_adaptive_and_import_pandas,
     SP_DOCTOR_LIBRARY_UNSAFE,
     SP_DOCTOR_WARNING,
     "imports pandas, which is not thread-safe: It keeps state.",
     "Hold a lock."},
    {import_pandas,
     SP_DOCTOR_LIBRARY_UNSAFE,
     SP_DOCTOR_WARNING,
     "imports pandas, which is not thread-safe: It keeps state.",
     "Hold a lock."},
    {import_an_old_numpy,
     SP_DOCTOR_LIBRARY_OLD,
     SP_DOCTOR_WARNING,
     "NumPy 1.26.4, which is thread-safe from 2.1 on",
     "install NumPy 2.1 or later"},
    {name_a_device_that_is_not_there,
     SP_DOCTOR_DEVICE_MISSING,
     SP_DOCTOR_ERROR,
     "has \"1,2\", and this machine shows 2 NVIDIA devices",
     "--gpus"},
    {have_no_device,
     SP_DOCTOR_DEVICE_MISSING,
     SP_DOCTOR_ERROR,
     "shows 0 NVIDIA devices",
     "take it out"},
    {name_a_device_twice,
     SP_DOCTOR_DEVICE_TWICE,
     SP_DOCTOR_WARNING,
     "has \"0\" more than once",
     "name each device once"},
    {multiply_threads,
     SP_DOCTOR_LIBRARY_THREADS,
     SP_DOCTOR_WARNING,
     "2 workers x 4 threads x 3 threads of a library (OMP_NUM_THREADS) are 24 threads "
     "that compute, on 8 cores",
     "to \"1\" in adapter_env"},
    {call_more_than_there_are_cores,
     SP_DOCTOR_CALLS_ABOVE_CORES,
     SP_DOCTOR_NOTE,
     "up to 12 calls at once on 8 cores",
     "lower pool_size"},
    {quota_of_half_the_cores,
     SP_DOCTOR_QUOTA_EXCEEDED,
     SP_DOCTOR_WARNING,
     "up to 8 calls at once, and the control group allows 350 %",
     "so that 4 calls"},
    {quota_and_no_file,
     SP_DOCTOR_QUOTA_BELOW_CORES,
     SP_DOCTOR_WARNING,
     "a worker for each of 8 cores",
     "to 2 cores"},
    {have_two_nodes, SP_DOCTOR_NUMA, SP_DOCTOR_NOTE, "2 NUMA nodes", "numactl"},
    {limit_files,
     SP_DOCTOR_LIMIT_FILES,
     SP_DOCTOR_ERROR,
     "open files: the pools need at least 32, and the limit is 16",
     "(ulimit -n, LimitNOFILE=) to at least 32, or lower pool_size"},
    {limit_addresses,
     SP_DOCTOR_LIMIT_ADDRESSES,
     SP_DOCTOR_ERROR,
     "address space: the pools need at least 192 MiB, and the limit is 191 MiB",
     "lower shared_memory_size"},
    {limit_file_size,
     SP_DOCTOR_LIMIT_FILE_SIZE,
     SP_DOCTOR_ERROR,
     "size of a file: the pools need at least 64 MiB, and the limit is 63 MiB",
     "ulimit -f"},
    {limit_processes,
     SP_DOCTOR_LIMIT_PROCESSES,
     SP_DOCTOR_ERROR,
     "and the limit is 100, of which this user has 90 now",
     "ulimit -u"},
    {limit_tasks,
     SP_DOCTOR_LIMIT_TASKS,
     SP_DOCTOR_ERROR,
     "has room for 8",
     "TasksMax="},
    {unmount_proc, SP_DOCTOR_NO_PROC, SP_DOCTOR_ERROR, "not mounted", "mount -t proc"},
    {lose_pidfd, SP_DOCTOR_KERNEL_FEATURE, SP_DOCTOR_ERROR, "no pidfd", "Linux 5.4"},
    {lose_memfd, SP_DOCTOR_KERNEL_FEATURE, SP_DOCTOR_ERROR, "no memfd", "Linux 3.17"},
    {lose_futex_waitv,
     SP_DOCTOR_KERNEL_FEATURE,
     SP_DOCTOR_WARNING,
     "no futex_waitv",
     "Linux 5.16"},
    {lose_slices,
     SP_DOCTOR_KERNEL_FEATURE,
     SP_DOCTOR_WARNING,
     "no time_slices",
     "Linux 6.12"},
    {lose_slices_without_file,
     SP_DOCTOR_KERNEL_FEATURE,
     SP_DOCTOR_NOTE,
     "no time_slices",
     "Linux 6.12"},
    {lose_landlock_without_file,
     SP_DOCTOR_KERNEL_FEATURE,
     SP_DOCTOR_NOTE,
     "no landlock",
     "Linux 5.13"},
    {want_a_missing_landlock,
     SP_DOCTOR_SANDBOX_FEATURE,
     SP_DOCTOR_ERROR,
     "sandbox.landlock",
     "lsm="},
    {want_a_missing_seccomp,
     SP_DOCTOR_SANDBOX_FEATURE,
     SP_DOCTOR_ERROR,
     "sandbox.seccomp",
     "leave the key out"},
    {want_a_limit_of_memory,
     SP_DOCTOR_SANDBOX_FEATURE,
     SP_DOCTOR_ERROR,
     "sandbox.memory_max",
     "Delegate="},
    {want_a_limit_of_cpu,
     SP_DOCTOR_SANDBOX_FEATURE,
     SP_DOCTOR_ERROR,
     "sandbox.cpu_max",
     "Delegate="},
    {stand_under_a_filter,
     SP_DOCTOR_SECCOMP_FILTER,
     SP_DOCTOR_NOTE,
     "workers inherit it",
     "EPERM"},
    {be_delegated_nothing,
     SP_DOCTOR_CGROUP_UNDELEGATED,
     SP_DOCTOR_NOTE,
     "no control group of version 2",
     "Delegate="},
};

#define ROWS (sizeof rows / sizeof rows[0])

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" lacks \"%s\"", text, part);
    }
}

static void assert_found(const struct row *row,
                         const struct scene *scene,
                         const struct sp_doctor_findings *findings)
{
    if (findings->count != 1) {
        fail_msg("\"%s\": %zu findings", row->what, findings->count);
    }
    const struct sp_doctor_finding *found = &findings->items[0];
    assert_string_equal(sp_doctor_code_name(found->code),
                        sp_doctor_code_name(row->code));
    assert_has(found->what.text, row->what);
    assert_has(found->remedy.text, row->remedy);
    assert_int_equal(found->severity, row->severity);
    assert_int_equal(findings->counts[row->severity], 1);
    assert_true(found->pool == NULL || found->pool == scene->pool_config.name);
}

// ---- Tests --------------------------------------------------------------------

static void each_row_is_the_only_finding(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        struct scene scene;
        struct sp_doctor_findings findings = {0};
        scene_init(&scene);
        rows[i].spoil(&scene);
        sp_doctor_judge(&scene.facts, &findings);
        assert_found(&rows[i], &scene, &findings);
        sp_doctor_findings_fini(&findings);
    }
}

static void every_finding_has_a_row(void **state)
{
    (void)state;
    for (int code = 0; code < SP_DOCTOR_CODES; code++) {
        size_t row = 0;
        while (row < ROWS && rows[row].code != (enum sp_doctor_code)code) {
            row++;
        }
        // That one follows from another, and has a test of its own.
        if (row == ROWS && code != SP_DOCTOR_DEVICE_CROWDED) {
            fail_msg("%s has no row", sp_doctor_code_name((enum sp_doctor_code)code));
        }
    }
}

static void where_nothing_is_wrong_nothing_is_found(void **state)
{
    (void)state;
    for (int with_file = 0; with_file < 2; with_file++) {
        struct scene scene;
        struct sp_doctor_findings findings = {0};
        scene_init(&scene);
        if (with_file == 0) {
            leave_no_file(&scene);
        }
        sp_doctor_judge(&scene.facts, &findings);
        assert_int_equal(findings.count, 0);
        sp_doctor_findings_fini(&findings);
    }
}

// What would be wrong on threads is not where there is one thread.
static void a_process_pool_may_use_any_library(void **state)
{
    (void)state;
    struct scene scene;
    struct sp_doctor_findings findings = {0};
    scene_init(&scene);
    scene.pool_config.worker_profile = SP_PROFILE_PROCESS;
    scene.pool_config.threads_per_worker = 1;
    import_pandas(&scene);
    import_an_old_numpy(&scene);
    declare_nothing(&scene);
    give_the_pool_a_gil(&scene);
    sp_doctor_judge(&scene.facts, &findings);
    assert_int_equal(findings.count, 0);
    sp_doctor_findings_fini(&findings);
}

// WSL and Jetson show devices, and not how many.
static void devices_that_cannot_be_counted_may_be_there(void **state)
{
    (void)state;
    struct scene scene;
    struct sp_doctor_findings findings = {0};
    scene_init(&scene);
    have_no_device(&scene);
    scene.machine.has_uncounted_devices = true;
    sp_doctor_judge(&scene.facts, &findings);
    assert_int_equal(findings.count, 0);
    sp_doctor_findings_fini(&findings);
}

// The variables say how many threads a library has that is not there.
static void threads_of_no_library_do_not_count(void **state)
{
    (void)state;
    struct scene scene;
    struct sp_doctor_findings findings = {0};
    scene_init(&scene);
    scene.pool.threads[1] = 64;
    sp_doctor_judge(&scene.facts, &findings);
    assert_int_equal(findings.count, 0);
    sp_doctor_findings_fini(&findings);
}

static void errors_come_first_and_notes_last(void **state)
{
    (void)state;
    struct scene scene;
    struct sp_doctor_findings findings = {0};
    scene_init(&scene);
    stand_under_a_filter(&scene);
    import_pandas(&scene);
    limit_files(&scene);
    slow_the_adapter(&scene);
    sp_doctor_judge(&scene.facts, &findings);
    assert_int_equal(findings.count, 4);
    assert_int_equal(findings.items[0].code, SP_DOCTOR_LIMIT_FILES);
    assert_int_equal(findings.items[1].code, SP_DOCTOR_ADAPTER_SLOW);
    assert_int_equal(findings.items[2].code, SP_DOCTOR_LIBRARY_UNSAFE);
    assert_int_equal(findings.items[3].code, SP_DOCTOR_SECCOMP_FILTER);
    sp_doctor_findings_fini(&findings);
}

// A finding that follows from another one.
static void processes_that_threads_become_crowd_a_device(void **state)
{
    (void)state;
    struct scene scene;
    struct sp_doctor_findings findings = {0};
    scene_init(&scene);
    crowd_a_device(&scene);
    sp_doctor_judge(&scene.facts, &findings);
    assert_int_equal(findings.count, 2);
    assert_int_equal(findings.items[0].code, SP_DOCTOR_ADAPTER_NOT_SAFE);
    assert_int_equal(findings.items[1].code, SP_DOCTOR_DEVICE_CROWDED);
    assert_has(findings.items[1].what.text, "become 8 processes");
    assert_has(findings.items[1].what.text, "has enough for 4");
    sp_doctor_findings_fini(&findings);
}

static void a_hard_limit_that_is_too_low_is_told(void **state)
{
    (void)state;
    struct scene scene;
    struct sp_doctor_findings findings = {0};
    scene_init(&scene);
    scene.machine.limits[SP_DOCTOR_FILES] = (struct sp_doctor_range){16, 17};
    sp_doctor_judge(&scene.facts, &findings);
    assert_int_equal(findings.count, 1);
    assert_has(findings.items[0].remedy.text, "only root can: the hard limit is 17");
    sp_doctor_findings_fini(&findings);
}

static void who_is_not_counted_has_no_limit_of_processes(void **state)
{
    (void)state;
    struct scene scene;
    struct sp_doctor_findings findings = {0};
    scene_init(&scene);
    limit_processes(&scene);
    scene.machine.tasks_of_user = 0;
    sp_doctor_judge(&scene.facts, &findings);
    assert_int_equal(findings.count, 0);
    sp_doctor_findings_fini(&findings);
}

static void a_pool_that_falls_back_is_judged_as_what_it_becomes(void **state)
{
    (void)state;
    struct scene scene;
    struct sp_doctor_shape shape;
    scene_init(&scene);
    give_the_pool_a_gil(&scene);
    sp_doctor_shape(&scene.pool, &shape);
    assert_int_equal(shape.profile, SP_PROFILE_PROCESS);
    assert_int_equal(shape.workers, 8);
    assert_int_equal(shape.threads, 1);
    scene.pool_config.on_unsupported = SP_UNSUPPORTED_ALLOW;
    sp_doctor_shape(&scene.pool, &shape);
    assert_int_equal(shape.profile, SP_PROFILE_THREAD);
    assert_true(shape.takes_turns);
    declare_unsafe(&scene); // on threads it is never run
    sp_doctor_shape(&scene.pool, &shape);
    assert_int_equal(shape.profile, SP_PROFILE_PROCESS);
}

static void successors_and_templates_need_descriptors_too(void **state)
{
    (void)state;
    struct scene scene;
    uint64_t before[SP_DOCTOR_LIMITS];
    uint64_t needs[SP_DOCTOR_LIMITS];
    scene_init(&scene);
    sp_doctor_needs(&scene.facts, before);
    scene.pool_config.worker_ttl = 1000;
    sp_doctor_needs(&scene.facts, needs);
    assert_int_equal(needs[SP_DOCTOR_FILES], before[SP_DOCTOR_FILES] + 5);
    assert_int_equal(needs[SP_DOCTOR_ADDRESSES],
                     before[SP_DOCTOR_ADDRESSES] + 64 * MIB);
    scene.pool_config.worker_ttl = 0;
    scene.pool_config.worker_profile = SP_PROFILE_PROCESS;
    sp_doctor_needs(&scene.facts, needs);
    assert_int_equal(needs[SP_DOCTOR_FILES], before[SP_DOCTOR_FILES] + 4);
    scene.config.pooling_enabled = false;
    sp_doctor_needs(&scene.facts, needs);
    assert_int_equal(needs[SP_DOCTOR_FILES], 0);
}

static void sizes_read_well(void **state)
{
    (void)state;
    char room[SP_DOCTOR_AMOUNT_MAX];
    assert_string_equal(sp_doctor_size(4, room), "4 bytes");
    assert_string_equal(sp_doctor_size(1536, room), "1.5 KiB");
    assert_string_equal(sp_doctor_size(512 * MIB, room), "512 MiB");
    assert_string_equal(sp_doctor_size(SP_DOCTOR_UNLIMITED, room), "unlimited");
    assert_string_equal(sp_doctor_amount(SP_DOCTOR_FILES, 1024, room), "1024");
}

// Who is told a code looks for it there.
static void the_page_explains_every_finding(void **state)
{
    (void)state;
    static char page[65536];
    FILE *file = fopen(SP_DOCS "/operating.md", "r");
    assert_non_null(file);
    size_t size = fread(page, 1, sizeof page - 1, file);
    (void)fclose(file);
    assert_true(size > 0 && size < sizeof page - 1);
    for (int code = 0; code < SP_DOCTOR_CODES; code++) {
        char name[64];
        (void)snprintf(name,
                       sizeof name,
                       "| `%s` |",
                       sp_doctor_code_name((enum sp_doctor_code)code));
        assert_has(page, name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_is_the_only_finding),
        cmocka_unit_test(every_finding_has_a_row),
        cmocka_unit_test(where_nothing_is_wrong_nothing_is_found),
        cmocka_unit_test(a_process_pool_may_use_any_library),
        cmocka_unit_test(devices_that_cannot_be_counted_may_be_there),
        cmocka_unit_test(threads_of_no_library_do_not_count),
        cmocka_unit_test(errors_come_first_and_notes_last),
        cmocka_unit_test(processes_that_threads_become_crowd_a_device),
        cmocka_unit_test(a_hard_limit_that_is_too_low_is_told),
        cmocka_unit_test(who_is_not_counted_has_no_limit_of_processes),
        cmocka_unit_test(a_pool_that_falls_back_is_judged_as_what_it_becomes),
        cmocka_unit_test(successors_and_templates_need_descriptors_too),
        cmocka_unit_test(sizes_read_well),
        cmocka_unit_test(the_page_explains_every_finding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
