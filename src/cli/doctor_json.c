// SPDX-License-Identifier: MIT
// The report for scripts. docs/operating.md describes its shape: members may be added,
// and stay as they are.
#include <snakepit/snakepit.h>

#include "cli/doctor.h"
#include "cli/json.h"
#include "cli/pythons.h"

// What has no limit is null.
static void write_amount(snakepit_writer *writer, const char *key, uint64_t value)
{
    snakepit_writer_str(writer, key);
    if (value == SP_DOCTOR_UNLIMITED) {
        snakepit_writer_nil(writer);
    } else {
        snakepit_writer_uint(writer, value);
    }
}

static void write_limits(snakepit_writer *writer, const struct sp_doctor_facts *facts)
{
    uint64_t needs[SP_DOCTOR_LIMITS];
    sp_doctor_needs(facts, needs);
    snakepit_writer_str(writer, "limits");
    snakepit_writer_map(writer, SP_DOCTOR_LIMITS);
    for (int limit = 0; limit < SP_DOCTOR_LIMITS; limit++) {
        const struct sp_doctor_range *range = &facts->machine->limits[limit];
        snakepit_writer_str(writer,
                            sp_doctor_limit_row((enum sp_doctor_limit)limit)->key);
        snakepit_writer_map(writer, 3);
        write_amount(writer, "soft", range->soft);
        write_amount(writer, "hard", range->hard);
        sp_pair_number(writer, "needed", needs[limit]);
    }
}

static void write_features(snakepit_writer *writer,
                           const struct sp_doctor_machine *machine)
{
    snakepit_writer_str(writer, "features");
    snakepit_writer_map(writer, SP_KERNEL_FEATURES);
    for (int feature = 0; feature < SP_KERNEL_FEATURES; feature++) {
        sp_pair_bool(writer,
                     sp_kernel_row((enum sp_kernel_feature)feature)->name,
                     machine->features[feature]);
    }
}

static void write_machine(snakepit_writer *writer, const struct sp_doctor_facts *facts)
{
    const struct sp_doctor_machine *machine = facts->machine;
    const struct sp_doctor_group *group = &machine->group;
    snakepit_writer_str(writer, "machine");
    snakepit_writer_map(writer, 9);
    sp_pair_text(writer, "kernel", machine->kernel);
    sp_pair_number(writer, "cores", machine->cores);
    sp_pair_number(writer, "numa_nodes", machine->nodes);
    sp_pair_number(writer, "nvidia_devices", machine->nvidia_devices);
    sp_pair_number(writer, "seccomp", machine->seccomp);
    sp_pair_bool(writer, "proc", machine->has_proc);
    snakepit_writer_str(writer, "cgroup");
    snakepit_writer_map(writer, 6);
    write_amount(writer,
                 "cpu_percent",
                 group->cpu_percent != 0 ? group->cpu_percent : SP_DOCTOR_UNLIMITED);
    write_amount(writer, "memory", group->memory);
    write_amount(writer, "tasks_left", group->tasks);
    sp_pair_bool(writer, "v2", group->is_v2);
    sp_pair_bool(writer, "memory_delegated", group->may_limit_memory);
    sp_pair_bool(writer, "cpu_delegated", group->may_limit_cpu);
    write_limits(writer, facts);
    write_features(writer, machine);
}

static void write_library(snakepit_writer *writer,
                          const struct sp_examined_library *library)
{
    snakepit_writer_map(writer, 4);
    sp_pair_text(writer, "title", library->title);
    sp_pair_text(writer, "version", library->version);
    sp_pair_bool(writer, "thread_safe", library->thread_safe && !library->too_old);
    sp_pair_text(writer, "minimum", library->minimum);
}

static void write_adapter(snakepit_writer *writer, const struct sp_doctor_pool *pool)
{
    static const char *const outcomes[] = {"not imported", "ok", "failed", "late"};
    const struct sp_examination *adapter = &pool->adapter;
    snakepit_writer_map(writer, 7);
    sp_pair_text(writer, "name", pool->config->adapter);
    sp_pair_text(writer, "outcome", outcomes[adapter->outcome]);
    sp_pair_number(writer, "import_us", adapter->import_us);
    snakepit_writer_str(writer, "imports_us");
    snakepit_writer_map(writer, (uint32_t)adapter->import_count);
    for (size_t i = 0; i < adapter->import_count; i++) {
        sp_pair_number(writer, adapter->imports[i].package, adapter->imports[i].us);
    }
    sp_pair_bool(writer, "gil_enabled", adapter->gil_enabled);
    snakepit_writer_str(writer, "thread_safe");
    if (adapter->declares) {
        snakepit_writer_bool(writer, adapter->thread_safe);
    } else {
        snakepit_writer_nil(writer);
    }
    snakepit_writer_str(writer, "libraries");
    snakepit_writer_array(writer, (uint32_t)adapter->library_count);
    for (size_t i = 0; i < adapter->library_count; i++) {
        write_library(writer, &adapter->libraries[i]);
    }
}

static void write_pool(snakepit_writer *writer, const struct sp_doctor_pool *pool)
{
    struct sp_doctor_shape shape;
    sp_doctor_shape(pool, &shape);
    snakepit_writer_map(writer, SP_CLI_PYTHON_PAIRS + 7);
    sp_pair_text(writer, "name", pool->config->name);
    sp_pair_text(
        writer, "worker_profile", sp_profile_name(pool->config->worker_profile));
    sp_pair_text(writer, "runs_as", sp_profile_name(shape.profile));
    sp_pair_number(writer, "workers", shape.workers);
    sp_pair_number(writer, "threads_per_worker", shape.threads);
    sp_cli_write_python(writer, pool->python);
    snakepit_writer_str(writer, "thread_variables");
    snakepit_writer_map(writer, SP_THREAD_VARIABLES);
    for (size_t i = 0; i < SP_THREAD_VARIABLES; i++) {
        sp_pair_number(writer, sp_interpreter_thread_variable(i), pool->threads[i]);
    }
    snakepit_writer_str(writer, "adapter");
    write_adapter(writer, pool);
}

static void write_findings(snakepit_writer *writer,
                           const struct sp_doctor_findings *findings)
{
    snakepit_writer_str(writer, "findings");
    snakepit_writer_array(writer, (uint32_t)findings->count);
    for (size_t i = 0; i < findings->count; i++) {
        const struct sp_doctor_finding *finding = &findings->items[i];
        snakepit_writer_map(writer, 5);
        sp_pair_text(writer, "code", sp_doctor_code_name(finding->code));
        sp_pair_text(writer, "severity", sp_doctor_severity_name(finding->severity));
        sp_pair_text(writer, "pool", finding->pool);
        sp_pair_text(writer, "message", finding->what.text);
        sp_pair_text(writer, "remedy", finding->remedy.text);
    }
}

static void write_all(snakepit_writer *writer,
                      const struct sp_doctor_facts *facts,
                      const struct sp_doctor_findings *findings,
                      bool ok)
{
    size_t pools = facts->config != NULL ? facts->config->count : 0;
    snakepit_writer_map(writer, 9);
    sp_pair_text(writer, "version", SNAKEPIT_VERSION);
    sp_pair_text(writer, "file", facts->config != NULL ? facts->config->file : NULL);
    sp_pair_bool(writer, "ok", ok);
    sp_pair_number(writer, "errors", findings->counts[SP_DOCTOR_ERROR]);
    sp_pair_number(writer, "warnings", findings->counts[SP_DOCTOR_WARNING]);
    write_machine(writer, facts);
    snakepit_writer_str(writer, "interpreters");
    sp_cli_write_pythons(writer, facts->pythons);
    snakepit_writer_str(writer, "pools");
    snakepit_writer_array(writer, (uint32_t)pools);
    for (size_t i = 0; i < pools; i++) {
        write_pool(writer, &facts->pools[i]);
    }
    write_findings(writer, findings);
}

snakepit_err sp_doctor_print_json(struct sp_cli *cli,
                                  const struct sp_doctor_facts *facts,
                                  const struct sp_doctor_findings *findings,
                                  bool ok)
{
    snakepit_writer *writer = snakepit_writer_new();
    if (writer == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    write_all(writer, facts, findings, ok);
    snakepit_err err = sp_cli_print_json(cli, writer);
    snakepit_writer_free(writer);
    return err;
}
