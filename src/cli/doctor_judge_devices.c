// SPDX-License-Identifier: MIT
// What is to be said of the key `devices` of a pool.
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "cli/text.h"

// CUDA numbers the devices that a process may see from 0. Other names of them, such as
// "GPU-8932f937...", are known to CUDA alone. False: it is none of such numbers.
static bool number_beyond(const char *value, uint32_t count)
{
    const char *at = value;
    while (isdigit((unsigned char)*at)) {
        char *end;
        if (strtoul(at, &end, 10) >= count) {
            return true;
        }
        at = *end == ',' ? end + 1 : "";
    }
    return false;
}

static void judge_presence(const struct sp_doctor_pool *pool,
                           const struct sp_doctor_machine *machine,
                           struct sp_doctor_findings *findings)
{
    const struct sp_devices *devices = &pool->config->devices;
    uint32_t count = machine->nvidia_devices;
    size_t at = 0;
    while (at < devices->values.count &&
           !number_beyond(devices->values.items[at], count)) {
        at++;
    }
    if (at == devices->values.count || machine->has_uncounted_devices ||
        strcmp(devices->variable, "CUDA_VISIBLE_DEVICES") != 0) {
        return;
    }
    struct sp_doctor_finding *found = sp_doctor_find(
        findings, SP_DOCTOR_DEVICE_MISSING, SP_DOCTOR_ERROR, pool->config->name);
    sp_cli_explain(&found->what,
                   "devices.values has \"%s\", and this machine shows %u NVIDIA "
                   "device%s (/dev/nvidia0 and so on), counted from 0",
                   devices->values.items[at],
                   count,
                   count == 1 ? "" : "s");
    sp_cli_explain(&found->remedy,
                   "take it out of the list, or give this process the device (its "
                   "driver, or the container's --gpus)");
}

// Whether value `index` stands in the list before.
static bool is_repeated(const struct sp_texts *values, size_t index)
{
    size_t at = 0;
    while (at < index && strcmp(values->items[at], values->items[index]) != 0) {
        at++;
    }
    return at < index;
}

static void judge_repetition(const struct sp_doctor_pool *pool,
                             struct sp_doctor_findings *findings)
{
    const struct sp_texts *values = &pool->config->devices.values;
    size_t at = 0;
    while (at < values->count && !is_repeated(values, at)) {
        at++;
    }
    if (at == values->count) {
        return;
    }
    struct sp_doctor_finding *found = sp_doctor_find(
        findings, SP_DOCTOR_DEVICE_TWICE, SP_DOCTOR_WARNING, pool->config->name);
    sp_cli_explain(&found->what,
                   "devices.values has \"%s\" more than once, so more workers have it "
                   "than workers_per_device says",
                   values->items[at]);
    sp_cli_explain(&found->remedy,
                   "name each device once, and raise workers_per_device instead");
}

// A thread pool that becomes processes has more workers than were counted.
static void judge_crowd(const struct sp_doctor_pool *pool,
                        struct sp_doctor_findings *findings)
{
    const struct sp_devices *devices = &pool->config->devices;
    uint64_t room = (uint64_t)devices->values.count * devices->workers_per_device;
    struct sp_doctor_shape shape;
    sp_doctor_shape(pool, &shape);
    if (shape.workers <= room) {
        return;
    }
    struct sp_doctor_finding *found = sp_doctor_find(
        findings, SP_DOCTOR_DEVICE_CROWDED, SP_DOCTOR_WARNING, pool->config->name);
    sp_cli_explain(&found->what,
                   "threads become %u processes, and `devices` has enough for %" PRIu64
                   ": several of them share one",
                   shape.workers,
                   room);
    sp_cli_explain(&found->remedy,
                   "let its threads run in parallel, or lower pool_size or "
                   "threads_per_worker");
}

void sp_doctor_judge_devices(const struct sp_doctor_pool *pool,
                             const struct sp_doctor_machine *machine,
                             struct sp_doctor_findings *findings)
{
    if (pool->config->devices.values.count > 0) {
        judge_presence(pool, machine, findings);
        judge_repetition(pool, findings);
        judge_crowd(pool, findings);
    }
}
