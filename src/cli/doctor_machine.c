// SPDX-License-Identifier: MIT
// What the kernel says of this machine and this process. What cannot be read limits
// nothing.
#include <ctype.h>
#include <dirent.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cgroup_tree.h"
#include "base/file.h"
#include "cli/doctor.h"

#define STATUS_MAX SP_CGROUP_TEXT_MAX
#define LINE_MOST  64u // of a status file, of the lines that are looked for

// ---- /proc --------------------------------------------------------------------

// The number behind "\nName:" in the text of a status file; 0 if it is not there.
static uint64_t number_of(const char *status, const char *name, int base)
{
    const char *at = strstr(status, name);
    return at != NULL ? strtoull(at + strlen(name), NULL, base) : 0;
}

// The kernel does not count the processes of who may exceed the limit.
static bool is_exempt(const char *status)
{
    uint64_t powers = number_of(status, "\nCapEff:", 16);
    uint64_t mighty =
        (UINT64_C(1) << CAP_SYS_RESOURCE) | (UINT64_C(1) << CAP_SYS_ADMIN);
    return getuid() == 0 || (powers & mighty) != 0;
}

// The processes of this user, each with its threads.
static uint64_t count_tasks(void)
{
    uint64_t count = 0;
    DIR *processes = opendir("/proc");
    const struct dirent *entry;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this thread's alone
    while (processes != NULL && (entry = readdir(processes)) != NULL) {
        char path[300];
        char status[STATUS_MAX];
        if (!isdigit((unsigned char)entry->d_name[0])) {
            continue;
        }
        (void)snprintf(path, sizeof path, "/proc/%s/status", entry->d_name);
        (void)sp_file_read_cut(path, LINE_MOST, status, sizeof status);
        if (strstr(status, "\nUid:") != NULL &&
            number_of(status, "\nUid:", 10) == getuid()) {
            count += number_of(status, "\nThreads:", 10);
        }
    }
    if (processes != NULL) {
        (void)closedir(processes);
    }
    return count;
}

// ---- NUMA ---------------------------------------------------------------------

static bool
has_core_from_to(const cpu_set_t *cores, unsigned long at, unsigned long last)
{
    while (at <= last && at < CPU_SETSIZE && !CPU_ISSET(at, cores)) {
        at++;
    }
    return at <= last && at < CPU_SETSIZE;
}

// Whether one of our cores is in a list of the kernel's, "0-3,8".
static bool has_core_of(const cpu_set_t *cores, const char *list)
{
    const char *at = list;
    while (isdigit((unsigned char)*at)) {
        char *end;
        unsigned long first = strtoul(at, &end, 10);
        unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
        if (has_core_from_to(cores, first, last)) {
            return true;
        }
        at = *end == ',' ? end + 1 : "";
    }
    return false;
}

uint32_t sp_doctor_count_nodes(const char *folder)
{
    uint32_t count = 0;
    cpu_set_t cores;
    DIR *nodes =
        sched_getaffinity(0, sizeof cores, &cores) == 0 ? opendir(folder) : NULL;
    const struct dirent *entry;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this thread's alone
    while (nodes != NULL && (entry = readdir(nodes)) != NULL) {
        char node[512];
        char list[SP_CGROUP_TEXT_MAX];
        if (strncmp(entry->d_name, "node", 4) == 0 &&
            isdigit((unsigned char)entry->d_name[4])) {
            (void)snprintf(node, sizeof node, "%.200s/%s", folder, entry->d_name);
            sp_cgroup_read(node, "cpulist", list);
            count += has_core_of(&cores, list);
        }
    }
    if (nodes != NULL) {
        (void)closedir(nodes);
    }
    return count > 0 ? count : 1;
}

// ---- Devices ------------------------------------------------------------------

static uint32_t count_entries(const char *folder, bool (*counts)(const char *name))
{
    uint32_t count = 0;
    DIR *entries = opendir(folder);
    const struct dirent *entry;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this thread's alone
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        count += counts(entry->d_name) ? 1 : 0;
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    return count;
}

static bool begins_with(const char *name, const char *start)
{
    return strncmp(name, start, strlen(start)) == 0;
}

// nvidia0 and so on, not nvidiactl and its like.
static bool is_numbered(const char *name)
{
    static const char start[] = "nvidia";
    const char *number = name + sizeof start - 1;
    return begins_with(name, start) && number[0] != '\0' &&
           number[strspn(number, "0123456789")] == '\0';
}

static bool is_entry(const char *name)
{
    return name[0] != '.';
}

// One for all devices of a WSL machine; and what the one device of a Jetson is made of.
static bool is_uncounted(const char *name)
{
    return strcmp(name, "dxg") == 0 || begins_with(name, "nvhost-") ||
           strcmp(name, "nvgpu") == 0;
}

// Those that the driver has found may not have their files yet: the first program that
// wants one has them made.
uint32_t sp_doctor_count_devices(const char *folder, const char *found)
{
    uint32_t files = count_entries(folder, is_numbered);
    uint32_t of_driver = count_entries(found, is_entry);
    return files > of_driver ? files : of_driver;
}

bool sp_doctor_has_uncounted_devices(const char *folder)
{
    return count_entries(folder, is_uncounted) > 0;
}

// ---- All of it ----------------------------------------------------------------

static uint64_t value_of(rlim_t limit)
{
    return limit == RLIM_INFINITY ? SP_DOCTOR_UNLIMITED : (uint64_t)limit;
}

static void look_at_limits(struct sp_doctor_machine *machine)
{
    for (int limit = 0; limit < SP_DOCTOR_LIMITS; limit++) {
        struct rlimit now = {RLIM_INFINITY, RLIM_INFINITY};
        int resource = sp_doctor_limit_row((enum sp_doctor_limit)limit)->resource;
        (void)getrlimit((__rlimit_resource_t)resource, &now);
        machine->limits[limit] =
            (struct sp_doctor_range){value_of(now.rlim_cur), value_of(now.rlim_max)};
    }
}

void sp_doctor_look(struct sp_doctor_machine *machine, bool wants_tasks)
{
    struct utsname name;
    char text[STATUS_MAX];
    *machine = (struct sp_doctor_machine){.cores = sp_config_cores()};
    if (uname(&name) == 0) {
        (void)snprintf(machine->kernel, sizeof machine->kernel, "%.63s", name.release);
    }
    machine->has_proc = access("/proc/self/fd", R_OK | X_OK) == 0;
    sp_cgroup_read("/proc/self", "cgroup", text);
    sp_doctor_look_at_groups(SP_CGROUP_ROOT, text, &machine->group);
    look_at_limits(machine);
    (void)sp_file_read_cut("/proc/self/status", LINE_MOST, text, sizeof text);
    machine->seccomp = (uint32_t)number_of(text, "\nSeccomp:", 10);
    bool limited = machine->limits[SP_DOCTOR_PROCESSES].soft != SP_DOCTOR_UNLIMITED;
    if (wants_tasks && limited && !is_exempt(text)) {
        machine->tasks_of_user = count_tasks();
    }
    for (int feature = 0; feature < SP_KERNEL_FEATURES; feature++) {
        machine->features[feature] = sp_kernel_has((enum sp_kernel_feature)feature);
    }
    machine->nvidia_devices =
        sp_doctor_count_devices("/dev", "/proc/driver/nvidia/gpus");
    machine->has_uncounted_devices = sp_doctor_has_uncounted_devices("/dev");
    machine->nodes = sp_doctor_count_nodes("/sys/devices/system/node");
}
