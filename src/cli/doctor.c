// SPDX-License-Identifier: MIT
// snakepit doctor: gathers facts, has them judged, and prints both. It starts no pool.
// Each interpreter and each import of an adapter is a process of its own, and bounded
// in time.
#include "cli/doctor.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snakepit/snakepit.h>

#include "base/memory.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/text.h"

// What was gathered. Owner: the main thread.
struct doctor {
    struct sp_config *config; // NULL: no file was named
    struct sp_doctor_machine machine;
    struct sp_interpreter_list pythons;
    snakepit_message no_bridge;
    struct sp_doctor_pool *pools;
    struct sp_interpreter *of_pools; // one for each pool; those that were asked are set
    struct sp_doctor_findings findings;
};

// ---- The pools ----------------------------------------------------------------

static bool is_sandboxed(const struct sp_sandbox *sandbox)
{
    return sandbox->no_new_privs || sandbox->seccomp != SP_SECCOMP_OFF ||
           sandbox->landlock.items != NULL || sandbox->memory_max != 0 ||
           sandbox->cpu_max != 0 || sandbox->uid != NULL;
}

static void ask_python(struct sp_doctor_pool *pool,
                       struct sp_interpreter *python,
                       char **environment)
{
    if (pool->config->python == NULL) {
        sp_cli_explain(&pool->problem, "there is no Python interpreter");
        return;
    }
    snakepit_err err =
        sp_interpreter_probe(pool->config->python, environment, python, &pool->problem);
    if (err != SNAKEPIT_OK && pool->problem.text[0] == '\0') {
        sp_cli_explain(&pool->problem, "%s", snakepit_err_text(err));
    }
    pool->python = err == SNAKEPIT_OK ? python : NULL;
    if (err == SNAKEPIT_OK && !python->has_bridge) {
        sp_interpreter_explain_bridge(python, &pool->problem);
    }
}

static void
import_adapter(struct sp_doctor_pool *pool, char **environment, char *folder)
{
    const struct sp_examine_options options = {
        .pool = pool->config,
        .environment = environment,
        .folder = folder,
        .timeout_ms = pool->config->start_timeout_ms, // as long as a worker has
    };
    if (pool->python != NULL && pool->python->has_bridge &&
        !is_sandboxed(&pool->config->sandbox)) {
        sp_interpreter_examine(pool->python, &options, &pool->adapter);
    }
}

// As a worker finds them, in the profile that the pool really gets. NO_MEMORY.
static snakepit_err read_threads(struct sp_doctor_pool *pool)
{
    struct sp_doctor_shape shape;
    sp_doctor_shape(pool, &shape);
    const struct sp_thread_env wanted = {
        .profile = shape.profile,
        .threads_per_worker = shape.threads,
        .workers = shape.workers,
        .cores = sp_config_cores(),
        .user = &pool->config->adapter_env,
        .inherited = environ,
    };
    return sp_interpreter_library_threads(&wanted, pool->threads);
}

// NO_MEMORY.
static snakepit_err
look_at_pool(struct doctor *doctor, struct sp_doctor_pool *pool, size_t index)
{
    char **environment = NULL;
    pool->config = &doctor->config->pools[index];
    snakepit_err err = sp_interpreter_pool_env(pool->config, &environment);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    ask_python(pool, &doctor->of_pools[index], environment);
    import_adapter(pool, environment, doctor->config->directory);
    sp_interpreter_free_env(environment);
    return read_threads(pool);
}

// NO_MEMORY.
static snakepit_err look_at_pools(struct doctor *doctor)
{
    size_t count = doctor->config->count;
    doctor->pools = sp_alloc_array(count + 1, sizeof *doctor->pools);
    doctor->of_pools = sp_alloc_array(count + 1, sizeof *doctor->of_pools);
    snakepit_err err = doctor->pools != NULL && doctor->of_pools != NULL
                           ? SNAKEPIT_OK
                           : SNAKEPIT_NO_MEMORY;
    for (size_t i = 0; err == SNAKEPIT_OK && i < count; i++) {
        err = look_at_pool(doctor, &doctor->pools[i], i);
    }
    return err;
}

// ---- The command --------------------------------------------------------------

static void explain_bridge(struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->pythons.count; i++) {
        const struct sp_interpreter_entry *entry = &doctor->pythons.items[i];
        if (entry->problem == NULL && !entry->interpreter.has_bridge) {
            sp_interpreter_explain_bridge(&entry->interpreter, &doctor->no_bridge);
            return;
        }
    }
}

static snakepit_err
gather(struct doctor *doctor, const char *file, snakepit_message *why)
{
    snakepit_err err = SNAKEPIT_OK;
    if (file != NULL) {
        err = sp_config_read_file(file, &doctor->config, why);
    }
    if (err != SNAKEPIT_OK) {
        return err;
    }
    sp_doctor_look(&doctor->machine, file != NULL);
    err = sp_interpreter_find(&doctor->pythons);
    if (err == SNAKEPIT_OK) {
        explain_bridge(doctor);
    }
    return err == SNAKEPIT_OK && file != NULL ? look_at_pools(doctor) : err;
}

static void doctor_fini(struct doctor *doctor)
{
    for (size_t i = 0; doctor->pools != NULL && i < doctor->config->count; i++) {
        if (doctor->pools[i].python != NULL) {
            sp_interpreter_fini(&doctor->of_pools[i]);
        }
    }
    sp_free(doctor->pools);
    sp_free(doctor->of_pools);
    sp_interpreter_list_fini(&doctor->pythons);
    sp_doctor_findings_fini(&doctor->findings);
    sp_config_free(doctor->config);
}

static snakepit_err judge_and_print(struct sp_cli *cli, struct doctor *doctor, bool *ok)
{
    bool strict = cli->args.texts[SP_CLI_DOCTOR_STRICT] != NULL;
    const struct sp_doctor_facts facts = {
        .machine = &doctor->machine,
        .pythons = &doctor->pythons,
        .no_bridge = doctor->no_bridge.text,
        .config = doctor->config,
        .pools = doctor->pools,
    };
    sp_doctor_judge(&facts, &doctor->findings);
    if (doctor->findings.is_cut) {
        return SNAKEPIT_NO_MEMORY;
    }
    *ok = doctor->findings.counts[SP_DOCTOR_ERROR] == 0 &&
          (!strict || doctor->findings.counts[SP_DOCTOR_WARNING] == 0);
    if (cli->args.texts[SP_CLI_DOCTOR_JSON] != NULL) {
        return sp_doctor_print_json(cli, &facts, &doctor->findings, *ok);
    }
    sp_doctor_print(cli, &facts, &doctor->findings);
    return SNAKEPIT_OK;
}

int sp_cli_doctor(struct sp_cli *cli)
{
    struct doctor doctor = {0};
    snakepit_message why = {0};
    bool ok = false;
    bool json = cli->args.texts[SP_CLI_DOCTOR_JSON] != NULL;
    const char *file = cli->args.count > 0 ? cli->args.words[0] : NULL;
    snakepit_err err = gather(&doctor, file, &why);
    err = err == SNAKEPIT_OK ? judge_and_print(cli, &doctor, &ok) : err;
    int status = ok ? SP_CLI_EXIT_OK : SP_CLI_EXIT_FAILED;
    if (err != SNAKEPIT_OK) {
        status = sp_cli_report(cli, err, why.text, json);
    }
    doctor_fini(&doctor);
    return status;
}
