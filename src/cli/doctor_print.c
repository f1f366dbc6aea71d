// SPDX-License-Identifier: MIT
// The report for people: facts in tables, then one finding a line, its remedy below.
#include <inttypes.h>
#include <string.h>

#include <snakepit/snakepit.h>

#include "cli/doctor.h"
#include "cli/output.h"
#include "cli/pythons.h"
#include "cli/table.h"
#include "cli/text.h"
#include "config/program.h"

#define US_A_MS UINT64_C(1000)

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

// ---- The machine and its interpreters -----------------------------------------

static void print_machine(struct sp_cli *cli, const struct sp_doctor_machine *machine)
{
    char room[SP_DOCTOR_AMOUNT_MAX];
    const struct sp_doctor_group *group = &machine->group;
    sp_cli_print(cli,
                 "snakepit %s, Linux %s, %u core%s",
                 SNAKEPIT_VERSION,
                 machine->kernel,
                 machine->cores,
                 plural(machine->cores));
    if (machine->nodes > 1) {
        sp_cli_print(cli, " of %u NUMA nodes", machine->nodes);
    }
    if (machine->nvidia_devices > 0) {
        sp_cli_print(cli,
                     ", %u NVIDIA device%s",
                     machine->nvidia_devices,
                     plural(machine->nvidia_devices));
    }
    if (group->cpu_percent != 0) {
        sp_cli_print(cli, ", quota %u %% of one core", group->cpu_percent);
    }
    if (group->memory != SP_DOCTOR_UNLIMITED) {
        sp_cli_print(cli, ", at most %s memory", sp_doctor_size(group->memory, room));
    }
    sp_cli_print(cli, "\n");
}

static void add_python(struct sp_cli_table *table, const struct sp_interpreter *python)
{
    sp_cli_cell(table, "%s", python->version);
    sp_cli_cell(table, "%s", sp_cli_build_of(python));
    sp_cli_cell(table, "%s", python->has_bridge ? "yes" : "no");
    sp_cli_cell(table, "%s", python->numpy != NULL ? python->numpy : "no");
    sp_cli_cell(table, "%s", sp_cli_profile_of(python));
    sp_cli_cell(table, "%s", python->executable);
}

static void add_row(struct sp_cli_table *table, const char *const *cells)
{
    for (size_t i = 0; i < table->columns; i++) {
        sp_cli_cell(table, "%s", cells[i]);
    }
}

static void print_pythons(struct sp_cli *cli, const struct sp_interpreter_list *pythons)
{
    static const char *const head[] = {
        "version", "build", "bridge", "numpy", "best profile", "path"};
    struct sp_cli_table table = {.columns = 6};
    sp_cli_print(cli, "\ninterpreters\n");
    add_row(&table, head);
    for (size_t i = 0; i < pythons->count; i++) {
        if (pythons->items[i].problem == NULL) {
            add_python(&table, &pythons->items[i].interpreter);
        }
    }
    sp_cli_print_table(cli, &table);
}

// ---- The pools ----------------------------------------------------------------

static void add_shape(struct sp_cli_table *table, const struct sp_doctor_pool *pool)
{
    struct sp_doctor_shape shape;
    sp_doctor_shape(pool, &shape);
    bool falls_back = shape.profile != pool->config->worker_profile;
    sp_cli_cell(table,
                "%s%s%s",
                sp_profile_name(shape.profile),
                falls_back ? ", for want of threads" : "",
                shape.takes_turns ? ", in turns" : "");
    sp_cli_cell(
        table, "%u x %u thread%s", shape.workers, shape.threads, plural(shape.threads));
}

static void add_import(struct sp_cli_table *table, const struct sp_doctor_pool *pool)
{
    const struct sp_examination *adapter = &pool->adapter;
    char slow[SP_EXAMINED_IMPORTS * 96] = "";
    for (size_t i = 0; i < adapter->import_count; i++) {
        size_t used = strlen(slow);
        (void)sp_cli_format(slow + used,
                            sizeof slow - used,
                            "%s%s %" PRIu64,
                            i == 0 ? " (" : ", ",
                            adapter->imports[i].package,
                            adapter->imports[i].us / US_A_MS);
    }
    switch (adapter->outcome) {
    case SP_EXAMINED_OK:
        sp_cli_cell(table,
                    "%" PRIu64 " ms%s%s",
                    adapter->import_us / US_A_MS,
                    slow,
                    slow[0] != '\0' ? ")" : "");
        break;
    case SP_EXAMINED_NOT:
        sp_cli_cell(table, "not imported");
        break;
    case SP_EXAMINED_FAILED:
        sp_cli_cell(table, "failed");
        break;
    case SP_EXAMINED_LATE:
        sp_cli_cell(table, "too slow");
        break;
    }
}

static void print_pools(struct sp_cli *cli, const struct sp_doctor_facts *facts)
{
    static const char *const head[] = {
        "pool", "runs as", "workers", "python", "adapter", "import"};
    struct sp_cli_table table = {.columns = 6};
    sp_cli_print(cli, "\npools of %s\n", facts->config->file);
    add_row(&table, head);
    for (size_t i = 0; i < facts->config->count; i++) {
        const struct sp_doctor_pool *pool = &facts->pools[i];
        const struct sp_interpreter *python = pool->python;
        sp_cli_cell(&table, "%s", pool->config->name);
        add_shape(&table, pool);
        sp_cli_cell(&table,
                    "%s%s%s",
                    python != NULL ? python->version : "none",
                    python != NULL ? ", " : "",
                    python != NULL ? sp_cli_build_of(python) : "");
        sp_cli_cell(&table, "%s", pool->config->adapter);
        add_import(&table, pool);
    }
    sp_cli_print_table(cli, &table);
}

static void add_library(struct sp_cli_table *table,
                        const char *pool,
                        const struct sp_examined_library *library)
{
    sp_cli_cell(table, "%s", pool);
    sp_cli_cell(table, "%s", library->title);
    sp_cli_cell(table, "%s", library->version);
    if (!library->thread_safe) {
        sp_cli_cell(table, "not thread-safe");
    } else {
        sp_cli_cell(table,
                    "thread-safe%s%s%s",
                    library->minimum[0] != '\0' ? " from " : "",
                    library->minimum,
                    library->minimum[0] != '\0' ? " on" : "");
    }
}

static size_t count_libraries(const struct sp_doctor_facts *facts)
{
    size_t count = 0;
    for (size_t i = 0; i < facts->config->count; i++) {
        count += facts->pools[i].adapter.library_count;
    }
    return count;
}

static void print_libraries(struct sp_cli *cli, const struct sp_doctor_facts *facts)
{
    static const char *const head[] = {"pool", "library", "version", "threads"};
    struct sp_cli_table table = {.columns = 4};
    if (count_libraries(facts) == 0) {
        return;
    }
    add_row(&table, head);
    for (size_t i = 0; i < facts->config->count; i++) {
        const struct sp_examination *adapter = &facts->pools[i].adapter;
        for (size_t j = 0; j < adapter->library_count; j++) {
            add_library(&table, facts->pools[i].config->name, &adapter->libraries[j]);
        }
    }
    sp_cli_print(cli, "\nlibraries\n");
    sp_cli_print_table(cli, &table);
}

// ---- Threads of libraries -----------------------------------------------------

static void print_variables(struct sp_cli *cli)
{
    size_t set = 0;
    sp_cli_print(cli, "\nthread variables\n");
    for (size_t i = 0; i < SP_THREAD_VARIABLES; i++) {
        const char *name = sp_interpreter_thread_variable(i);
        const char *value = sp_program_variable(name);
        if (value != NULL) {
            sp_cli_print(cli, "  %s=%s, for all pools\n", name, value);
            set++;
        }
    }
    if (set < SP_THREAD_VARIABLES) {
        sp_cli_print(cli,
                     "  %s, so each pool sets them for its workers\n",
                     set == 0 ? "none is set" : "the others are not set");
    }
}

static void print_variables_of_pools(struct sp_cli *cli,
                                     const struct sp_doctor_facts *facts)
{
    struct sp_cli_table table = {.columns = 1 + SP_THREAD_VARIABLES};
    sp_cli_print(cli, "\nthread variables\n");
    sp_cli_cell(&table, "pool");
    for (size_t i = 0; i < SP_THREAD_VARIABLES; i++) {
        sp_cli_cell(&table, "%s", sp_interpreter_thread_variable(i));
    }
    for (size_t i = 0; i < facts->config->count; i++) {
        sp_cli_cell(&table, "%s", facts->pools[i].config->name);
        for (size_t j = 0; j < SP_THREAD_VARIABLES; j++) {
            sp_cli_cell(&table, "%u", facts->pools[i].threads[j]);
        }
    }
    sp_cli_print_table(cli, &table);
}

// ---- Limits and the kernel ----------------------------------------------------

static void print_limits(struct sp_cli *cli, const struct sp_doctor_facts *facts)
{
    static const char *const head[] = {"limit", "now", "hard", "needed at least"};
    const struct sp_doctor_machine *machine = facts->machine;
    struct sp_cli_table table = {.columns = facts->config != NULL ? 4 : 3};
    uint64_t needs[SP_DOCTOR_LIMITS];
    char room[SP_DOCTOR_AMOUNT_MAX];
    sp_doctor_needs(facts, needs);
    sp_cli_print(cli, "\nlimits\n");
    add_row(&table, head);
    for (int id = 0; id < SP_DOCTOR_LIMITS; id++) {
        enum sp_doctor_limit limit = (enum sp_doctor_limit)id;
        const struct sp_doctor_range *range = &machine->limits[id];
        sp_cli_cell(&table, "%s", sp_doctor_limit_row(limit)->name);
        sp_cli_cell(&table, "%s", sp_doctor_amount(limit, range->soft, room));
        sp_cli_cell(&table, "%s", sp_doctor_amount(limit, range->hard, room));
        if (facts->config != NULL) {
            sp_cli_cell(&table,
                        "%s",
                        needs[id] != 0 ? sp_doctor_amount(limit, needs[id], room)
                                       : "nothing");
        }
    }
    sp_cli_print_table(cli, &table);
}

static const char *delegated(const struct sp_doctor_group *group)
{
    if (!group->is_v2) {
        return "no";
    }
    if (group->may_limit_memory) {
        return group->may_limit_cpu ? "yes, memory and cpu delegated"
                                    : "yes, memory delegated";
    }
    return group->may_limit_cpu ? "yes, cpu delegated" : "yes, nothing delegated";
}

static void print_kernel(struct sp_cli *cli, const struct sp_doctor_machine *machine)
{
    static const char *const filters[] = {"none", "strict", "a filter"};
    struct sp_cli_table table = {.columns = 2};
    sp_cli_print(cli, "\nkernel\n");
    for (int id = 0; id < SP_KERNEL_FEATURES; id++) {
        const struct sp_kernel_row *row = sp_kernel_row((enum sp_kernel_feature)id);
        sp_cli_cell(&table, "%s", row->name);
        sp_cli_cell(&table, "%s", machine->features[id] ? "yes" : "no");
    }
    sp_cli_cell(&table, "cgroup v2");
    sp_cli_cell(&table, "%s", delegated(&machine->group));
    sp_cli_cell(&table, "/proc");
    sp_cli_cell(&table, "%s", machine->has_proc ? "yes" : "no");
    sp_cli_cell(&table, "seccomp over this process");
    sp_cli_cell(&table, "%s", filters[machine->seccomp < 3 ? machine->seccomp : 2]);
    sp_cli_print_table(cli, &table);
}

// ---- Findings -----------------------------------------------------------------

static void print_finding(struct sp_cli *cli, const struct sp_doctor_finding *finding)
{
    bool of_pool = finding->pool != NULL;
    sp_cli_print(cli,
                 "  %-7s  %s%s%s%s  [%s]\n",
                 sp_doctor_severity_name(finding->severity),
                 of_pool ? "pool \"" : "",
                 of_pool ? finding->pool : "",
                 of_pool ? "\": " : "",
                 finding->what.text,
                 sp_doctor_code_name(finding->code));
    sp_cli_print(cli, "  %-7s  -> %s\n", "", finding->remedy.text);
}

static void print_findings(struct sp_cli *cli,
                           const struct sp_doctor_findings *findings)
{
    sp_cli_print(cli, "\nfindings\n");
    for (size_t i = 0; i < findings->count; i++) {
        print_finding(cli, &findings->items[i]);
    }
    if (findings->count == 0) {
        sp_cli_print(cli, "  none\n");
    }
    sp_cli_print(cli,
                 "\n%zu error%s, %zu warning%s, %zu note%s\n",
                 findings->counts[SP_DOCTOR_ERROR],
                 plural(findings->counts[SP_DOCTOR_ERROR]),
                 findings->counts[SP_DOCTOR_WARNING],
                 plural(findings->counts[SP_DOCTOR_WARNING]),
                 findings->counts[SP_DOCTOR_NOTE],
                 plural(findings->counts[SP_DOCTOR_NOTE]));
}

void sp_doctor_print(struct sp_cli *cli,
                     const struct sp_doctor_facts *facts,
                     const struct sp_doctor_findings *findings)
{
    print_machine(cli, facts->machine);
    print_pythons(cli, facts->pythons);
    if (facts->config != NULL && facts->config->count == 0) {
        sp_cli_print(cli, "\npools of %s\n  none\n", facts->config->file);
    } else if (facts->config != NULL) {
        print_pools(cli, facts);
        print_libraries(cli, facts);
        print_variables_of_pools(cli, facts);
    } else {
        print_variables(cli);
    }
    print_limits(cli, facts);
    print_kernel(cli, facts->machine);
    print_findings(cli, findings);
}
