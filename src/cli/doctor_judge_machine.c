// SPDX-License-Identifier: MIT
// What is to be said of the machine, and of what all pools together ask of it.
#include <inttypes.h>

#include "base/system.h"
#include "cli/doctor.h"
#include "cli/text.h"

#define PERCENT 100u

static bool has_pools(const struct sp_doctor_facts *facts)
{
    return facts->config != NULL && facts->config->pooling_enabled;
}

static size_t pools_of(const struct sp_doctor_facts *facts)
{
    return has_pools(facts) ? facts->config->count : 0;
}

// ---- Cores --------------------------------------------------------------------

static uint64_t round_up_to_cores(uint32_t percent)
{
    return (percent + PERCENT - 1) / PERCENT;
}

// The cores that this process can really use.
static uint64_t cores_of(const struct sp_doctor_machine *machine)
{
    uint64_t quota = round_up_to_cores(machine->group.cpu_percent);
    return quota != 0 && quota < machine->cores ? quota : machine->cores;
}

static const char *largest_variable(const struct sp_doctor_pool *pool, uint32_t value)
{
    size_t index = 0;
    while (index + 1 < SP_THREAD_VARIABLES && pool->threads[index] != value) {
        index++;
    }
    return sp_interpreter_thread_variable(index);
}

// Workers x threads x threads of a library. Gives how many calls run at once.
static uint64_t judge_library_threads(const struct sp_doctor_pool *pool,
                                      const struct sp_doctor_machine *machine,
                                      struct sp_doctor_findings *findings)
{
    struct sp_doctor_shape shape;
    sp_doctor_shape(pool, &shape);
    uint64_t calls = (uint64_t)shape.workers * shape.threads;
    uint64_t cores = cores_of(machine);
    if (shape.library_threads <= 1 || calls * shape.library_threads <= cores) {
        return calls;
    }
    struct sp_doctor_finding *found = sp_doctor_find(
        findings, SP_DOCTOR_LIBRARY_THREADS, SP_DOCTOR_WARNING, pool->config->name);
    sp_cli_explain(&found->what,
                   "%u worker%s x %u thread%s x %u threads of a library (%s) are "
                   "%" PRIu64 " threads that compute, on %" PRIu64 " core%s",
                   shape.workers,
                   shape.workers == 1 ? "" : "s",
                   shape.threads,
                   shape.threads == 1 ? "" : "s",
                   shape.library_threads,
                   largest_variable(pool, shape.library_threads),
                   calls * shape.library_threads,
                   cores,
                   cores == 1 ? "" : "s");
    sp_cli_explain(&found->remedy,
                   "set OMP_NUM_THREADS, OPENBLAS_NUM_THREADS and MKL_NUM_THREADS to "
                   "\"%" PRIu64 "\" in adapter_env",
                   cores / calls > 1 ? cores / calls : 1);
    return calls;
}

static void judge_calls(const struct sp_doctor_machine *machine,
                        uint64_t calls,
                        struct sp_doctor_findings *findings)
{
    uint32_t percent = machine->group.cpu_percent;
    bool limited = cores_of(machine) < machine->cores;
    if (calls <= cores_of(machine)) {
        return;
    }
    struct sp_doctor_finding *found =
        sp_doctor_find(findings,
                       limited ? SP_DOCTOR_QUOTA_EXCEEDED : SP_DOCTOR_CALLS_ABOVE_CORES,
                       limited ? SP_DOCTOR_WARNING : SP_DOCTOR_NOTE,
                       NULL);
    if (limited) {
        sp_cli_explain(&found->what,
                       "the pools run up to %" PRIu64 " calls at once, and the control "
                       "group allows %u %% of one core: the kernel stops all workers "
                       "for the rest of a period when that is used up",
                       calls,
                       percent);
        sp_cli_explain(&found->remedy,
                       "set pool_size so that %" PRIu64 " calls run at once, or raise "
                       "the quota (CPUQuota=, cpu.max)",
                       cores_of(machine));
    } else {
        sp_cli_explain(&found->what,
                       "the pools run up to %" PRIu64 " calls at once on %u core%s, "
                       "which suits tools that wait and slows those that compute",
                       calls,
                       machine->cores,
                       machine->cores == 1 ? "" : "s");
        sp_cli_explain(&found->remedy,
                       "lower pool_size or threads_per_worker if the tools compute");
    }
}

static void judge_quota(const struct sp_doctor_machine *machine,
                        struct sp_doctor_findings *findings)
{
    if (cores_of(machine) == machine->cores) {
        return;
    }
    struct sp_doctor_finding *found =
        sp_doctor_find(findings, SP_DOCTOR_QUOTA_BELOW_CORES, SP_DOCTOR_WARNING, NULL);
    sp_cli_explain(&found->what,
                   "the control group allows %u %% of one core, and a pool without a "
                   "pool_size gets a worker for each of %u cores",
                   machine->group.cpu_percent,
                   machine->cores);
    sp_cli_explain(&found->remedy,
                   "set pool_size, or confine the program to %" PRIu64
                   " cores (taskset, AllowedCPUs=)",
                   cores_of(machine));
}

static void judge_nodes(const struct sp_doctor_machine *machine,
                        struct sp_doctor_findings *findings)
{
    if (machine->nodes <= 1) {
        return;
    }
    struct sp_doctor_finding *found =
        sp_doctor_find(findings, SP_DOCTOR_NUMA, SP_DOCTOR_NOTE, NULL);
    sp_cli_explain(&found->what,
                   "the cores are of %u NUMA nodes: a call whose caller and worker are "
                   "on different ones takes longer, and so do large tensors",
                   machine->nodes);
    sp_cli_explain(&found->remedy,
                   "run one program for each node (numactl --cpunodebind=0 "
                   "--membind=0)");
}

void sp_doctor_judge_cores(const struct sp_doctor_facts *facts,
                           struct sp_doctor_findings *findings)
{
    uint64_t calls = 0;
    for (size_t i = 0; i < pools_of(facts); i++) {
        calls += judge_library_threads(&facts->pools[i], facts->machine, findings);
    }
    if (has_pools(facts)) {
        judge_calls(facts->machine, calls, findings);
    } else {
        judge_quota(facts->machine, findings);
    }
    judge_nodes(facts->machine, findings);
}

// ---- Limits -------------------------------------------------------------------

static const struct {
    enum sp_doctor_limit limit;
    enum sp_doctor_code code;
    const char *lower; // keys that ask for less
} limits[] = {
    {SP_DOCTOR_FILES, SP_DOCTOR_LIMIT_FILES, "pool_size"},
    {SP_DOCTOR_PROCESSES, SP_DOCTOR_LIMIT_PROCESSES, "pool_size or threads_per_worker"},
    {SP_DOCTOR_ADDRESSES, SP_DOCTOR_LIMIT_ADDRESSES, "shared_memory_size or pool_size"},
    {SP_DOCTOR_FILE_SIZE, SP_DOCTOR_LIMIT_FILE_SIZE, "shared_memory_size"},
};

static void explain_hard_limit(const struct sp_doctor_machine *machine,
                               enum sp_doctor_limit limit,
                               uint64_t wanted,
                               char text[SP_DOCTOR_AMOUNT_MAX + 48])
{
    char room[SP_DOCTOR_AMOUNT_MAX];
    uint64_t hard = machine->limits[limit].hard;
    text[0] = '\0';
    if (hard < wanted) {
        sp_cli_format(text,
                      SP_DOCTOR_AMOUNT_MAX + 48,
                      " (only root can: the hard limit is %s)",
                      sp_doctor_amount(limit, hard, room));
    }
}

static void judge_limit(const struct sp_doctor_machine *machine,
                        size_t index,
                        uint64_t need,
                        struct sp_doctor_findings *findings)
{
    enum sp_doctor_limit limit = limits[index].limit;
    bool shared = limit == SP_DOCTOR_PROCESSES;
    uint64_t used = shared ? machine->tasks_of_user : 0;
    uint64_t wanted = need + used;
    if (need == 0 || wanted <= machine->limits[limit].soft || (shared && used == 0)) {
        return;
    }
    char room[3][SP_DOCTOR_AMOUNT_MAX];
    char hard[SP_DOCTOR_AMOUNT_MAX + 48];
    char others[64] = "";
    struct sp_doctor_finding *found =
        sp_doctor_find(findings, limits[index].code, SP_DOCTOR_ERROR, NULL);
    if (shared) {
        sp_cli_format(
            others, sizeof others, ", of which this user has %" PRIu64 " now", used);
    }
    explain_hard_limit(machine, limit, wanted, hard);
    sp_cli_explain(&found->what,
                   "%s: the pools need at least %s, and the limit is %s%s",
                   sp_doctor_limit_row(limit)->name,
                   sp_doctor_amount(limit, need, room[0]),
                   sp_doctor_amount(limit, machine->limits[limit].soft, room[1]),
                   others);
    sp_cli_explain(&found->remedy,
                   "raise %s to at least %s%s, or lower %s",
                   sp_system_limit(sp_doctor_limit_row(limit)->resource),
                   sp_doctor_amount(limit, wanted, room[2]),
                   hard,
                   limits[index].lower);
}

static void judge_tasks(const struct sp_doctor_machine *machine,
                        uint64_t need,
                        struct sp_doctor_findings *findings)
{
    if (need <= machine->group.tasks) {
        return;
    }
    struct sp_doctor_finding *found =
        sp_doctor_find(findings, SP_DOCTOR_LIMIT_TASKS, SP_DOCTOR_ERROR, NULL);
    sp_cli_explain(&found->what,
                   "the pools need at least %" PRIu64 " processes and threads, and the "
                   "control group has room for %" PRIu64,
                   need,
                   machine->group.tasks);
    sp_cli_explain(&found->remedy,
                   "raise its limit (TasksMax=, pids.max, --pids-limit), or lower "
                   "pool_size or threads_per_worker");
}

void sp_doctor_judge_limits(const struct sp_doctor_facts *facts,
                            struct sp_doctor_findings *findings)
{
    uint64_t needs[SP_DOCTOR_LIMITS];
    sp_doctor_needs(facts, needs);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        judge_limit(facts->machine, i, needs[limits[i].limit], findings);
    }
    judge_tasks(facts->machine, needs[SP_DOCTOR_PROCESSES], findings);
}

// ---- The kernel ---------------------------------------------------------------

static bool has_free_threads(const struct sp_doctor_facts *facts)
{
    for (size_t i = 0; i < pools_of(facts); i++) {
        const struct sp_interpreter *python = facts->pools[i].python;
        if (python != NULL && python->free_threaded) {
            return true;
        }
    }
    return false;
}

// How bad it is that a feature is missing, apart from sandboxes.
static enum sp_doctor_severity severity_of(const struct sp_doctor_facts *facts,
                                           enum sp_kernel_feature feature)
{
    switch (feature) {
    case SP_KERNEL_PIDFD:
    case SP_KERNEL_MEMFD:
        return SP_DOCTOR_ERROR;
    case SP_KERNEL_FUTEX_WAITV:
        return SP_DOCTOR_WARNING;
    case SP_KERNEL_TIME_SLICE:
        return has_free_threads(facts) ? SP_DOCTOR_WARNING : SP_DOCTOR_NOTE;
    default:
        return SP_DOCTOR_NOTE;
    }
}

static bool is_of_sandboxes(enum sp_kernel_feature feature)
{
    return feature == SP_KERNEL_SECCOMP || feature == SP_KERNEL_LANDLOCK;
}

static void judge_feature(const struct sp_doctor_facts *facts,
                          enum sp_kernel_feature feature,
                          struct sp_doctor_findings *findings)
{
    const struct sp_kernel_row *row = sp_kernel_row(feature);
    struct sp_doctor_finding *found = sp_doctor_find(
        findings, SP_DOCTOR_KERNEL_FEATURE, severity_of(facts, feature), NULL);
    sp_cli_explain(&found->what,
                   "Linux %s gives no %s to this process: %s",
                   facts->machine->kernel,
                   row->name,
                   row->without);
    sp_cli_explain(&found->remedy,
                   "it came with Linux %s; on a later one, allow it in the filter of "
                   "system calls (seccomp) of the container",
                   row->since);
}

// What a pool's sandbox asks for and the machine does not have.
static void judge_sandbox(const struct sp_doctor_facts *facts,
                          const struct sp_pool_config *config,
                          struct sp_doctor_findings *findings)
{
    const struct sp_sandbox *sandbox = &config->sandbox;
    const bool *features = facts->machine->features;
    const struct sp_doctor_group *group = &facts->machine->group;
    const struct {
        const char *key;
        bool wanted;
        bool there;
        const char *remedy;
    } keys[] = {
        {"seccomp",
         sandbox->seccomp != SP_SECCOMP_OFF,
         features[SP_KERNEL_SECCOMP],
         "run it where the kernel has seccomp filters, or leave the key out"},
        {"landlock",
         sandbox->landlock.items != NULL,
         features[SP_KERNEL_LANDLOCK],
         "run it on Linux 5.13 or later with landlock among its security modules "
         "(lsm=), or leave the key out"},
        {"memory_max",
         sandbox->memory_max != 0,
         group->may_limit_memory,
         "run the program in a control group of version 2 that is delegated to it "
         "(systemd: Delegate=memory cpu and DelegateSubgroup=host), or leave the key "
         "out"},
        {"cpu_max",
         sandbox->cpu_max != 0,
         group->may_limit_cpu,
         "run the program in a control group of version 2 that is delegated to it "
         "(systemd: Delegate=memory cpu and DelegateSubgroup=host), or leave the key "
         "out"},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i].wanted && !keys[i].there) {
            struct sp_doctor_finding *found = sp_doctor_find(
                findings, SP_DOCTOR_SANDBOX_FEATURE, SP_DOCTOR_ERROR, config->name);
            sp_cli_explain(&found->what,
                           "sandbox.%s cannot be had here, so the pool is refused",
                           keys[i].key);
            sp_cli_explain(&found->remedy, "%s", keys[i].remedy);
        }
    }
}

static void judge_proc(const struct sp_doctor_machine *machine,
                       struct sp_doctor_findings *findings)
{
    if (!machine->has_proc) {
        struct sp_doctor_finding *found =
            sp_doctor_find(findings, SP_DOCTOR_NO_PROC, SP_DOCTOR_ERROR, NULL);
        sp_cli_explain(&found->what,
                       "/proc is not mounted, and no pool starts without it");
        sp_cli_explain(&found->remedy, "mount -t proc proc /proc");
    }
}

static void judge_confinement(const struct sp_doctor_machine *machine,
                              bool has_pools,
                              struct sp_doctor_findings *findings)
{
    struct sp_doctor_finding *found;
    if (machine->seccomp == 2) {
        found =
            sp_doctor_find(findings, SP_DOCTOR_SECCOMP_FILTER, SP_DOCTOR_NOTE, NULL);
        sp_cli_explain(&found->what,
                       "a filter of system calls (seccomp) is over this process, as "
                       "containers have it; workers inherit it");
        sp_cli_explain(&found->remedy,
                       "look at it first where a tool or library fails with EPERM or "
                       "ENOSYS");
    }
    if (!has_pools &&
        !(machine->group.may_limit_memory && machine->group.may_limit_cpu)) {
        found = sp_doctor_find(
            findings, SP_DOCTOR_CGROUP_UNDELEGATED, SP_DOCTOR_NOTE, NULL);
        sp_cli_explain(&found->what,
                       "no control group of version 2 with memory and cpu is delegated "
                       "to this process: sandbox.memory_max and cpu_max are refused");
        sp_cli_explain(&found->remedy,
                       "systemd: Delegate=memory cpu and DelegateSubgroup=host, if "
                       "they are wanted");
    }
}

void sp_doctor_judge_kernel(const struct sp_doctor_facts *facts,
                            struct sp_doctor_findings *findings)
{
    for (int id = 0; id < SP_KERNEL_FEATURES; id++) {
        enum sp_kernel_feature feature = (enum sp_kernel_feature)id;
        bool matters = !is_of_sandboxes(feature) || !has_pools(facts);
        if (!facts->machine->features[feature] && matters) {
            judge_feature(facts, feature, findings);
        }
    }
    for (size_t i = 0; i < pools_of(facts); i++) {
        judge_sandbox(facts, facts->pools[i].config, findings);
    }
    judge_proc(facts->machine, findings);
    judge_confinement(facts->machine, has_pools(facts), findings);
}
