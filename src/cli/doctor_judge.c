// SPDX-License-Identifier: MIT
// All findings of all facts. Nothing here asks the machine.
#include "cli/doctor.h"

#include "cli/text.h"

static void judge_variable(const struct sp_interpreter_entry *entry,
                           struct sp_doctor_findings *findings)
{
    struct sp_doctor_finding *found =
        sp_doctor_find(findings, SP_DOCTOR_PYTHON_VARIABLE, SP_DOCTOR_ERROR, NULL);
    sp_cli_explain(&found->what, "%s: %s", entry->found_as, entry->problem);
    sp_cli_explain(&found->remedy,
                   "set %s to a CPython of 3.9 or later that has the bridge, or unset "
                   "it",
                   entry->found_as);
}

static void judge_forced_gil(const struct sp_interpreter *python,
                             struct sp_doctor_findings *findings)
{
    struct sp_doctor_finding *found =
        sp_doctor_find(findings, SP_DOCTOR_GIL_FORCED, SP_DOCTOR_WARNING, NULL);
    sp_cli_explain(&found->what,
                   "%s is free-threaded, and starts with the GIL on",
                   python->executable);
    sp_cli_explain(&found->remedy, "unset PYTHON_GIL, which asks for it");
}

static void judge_lack(const struct sp_doctor_facts *facts,
                       size_t usable,
                       size_t equipped,
                       struct sp_doctor_findings *findings)
{
    struct sp_doctor_finding *found;
    if (usable == 0) {
        found = sp_doctor_find(findings, SP_DOCTOR_NO_PYTHON, SP_DOCTOR_ERROR, NULL);
        sp_cli_explain(&found->what, "there is no CPython of 3.9 or later on PATH");
        sp_cli_explain(&found->remedy,
                       "install one, or set SNAKEPIT_PYTHON to one that is elsewhere");
    } else if (equipped == 0) {
        found = sp_doctor_find(findings, SP_DOCTOR_NO_BRIDGE, SP_DOCTOR_ERROR, NULL);
        sp_cli_split(facts->no_bridge, &found->what, &found->remedy);
    }
}

static void judge_pythons(const struct sp_doctor_facts *facts,
                          struct sp_doctor_findings *findings)
{
    size_t usable = 0;
    size_t equipped = 0;
    size_t parallel = 0;
    for (size_t i = 0; i < facts->pythons->count; i++) {
        const struct sp_interpreter_entry *entry = &facts->pythons->items[i];
        const struct sp_interpreter *python = &entry->interpreter;
        if (entry->problem != NULL) {
            judge_variable(entry, findings);
            continue;
        }
        usable++;
        equipped += python->has_bridge;
        parallel += sp_interpreter_runs_threads(python);
        if (python->free_threaded && python->gil_enabled) {
            judge_forced_gil(python, findings);
        }
        sp_doctor_judge_recursion(python, NULL, findings);
    }
    judge_lack(facts, usable, equipped, findings);
    if (usable > 0 && parallel == 0) {
        struct sp_doctor_finding *found =
            sp_doctor_find(findings, SP_DOCTOR_NO_THREADS, SP_DOCTOR_NOTE, NULL);
        sp_cli_explain(&found->what,
                       "no interpreter here runs threads in parallel: thread pools "
                       "become process pools");
        sp_cli_explain(&found->remedy,
                       "install a free-threaded Python, 3.14t best; `tools/bootstrap` "
                       "builds 3.13t");
    }
}

// Errors first; otherwise in the order in which they were found.
static void sort(struct sp_doctor_findings *findings)
{
    for (size_t i = 1; i < findings->count; i++) {
        struct sp_doctor_finding moved = findings->items[i];
        size_t at = i;
        while (at > 0 && findings->items[at - 1].severity < moved.severity) {
            findings->items[at] = findings->items[at - 1];
            at--;
        }
        findings->items[at] = moved;
    }
}

void sp_doctor_judge(const struct sp_doctor_facts *facts,
                     struct sp_doctor_findings *findings)
{
    if (facts->config == NULL) {
        judge_pythons(facts, findings);
    }
    for (size_t i = 0; facts->config != NULL && i < facts->config->count; i++) {
        sp_doctor_judge_pool(&facts->pools[i], facts, findings);
        sp_doctor_judge_devices(&facts->pools[i], facts->machine, findings);
    }
    sp_doctor_judge_cores(facts, findings);
    sp_doctor_judge_limits(facts, findings);
    sp_doctor_judge_kernel(facts, findings);
    sort(findings);
}
