// SPDX-License-Identifier: MIT
// snakepit check: what a configuration would become on this machine. A valid file may
// still name an interpreter that cannot serve its pool; that is a fault of the check,
// with its own exit code.
#include <string.h>

#include <snakepit/snakepit.h>

#include "base/memory.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/pythons.h"
#include "cli/report.h"
#include "cli/text.h"

#define POOL_PAIRS (SP_CLI_PYTHON_PAIRS + 9)

// One pool and its interpreter.
struct pool_check {
    const struct sp_pool_config *pool;
    struct sp_interpreter python; // if `probed`
    bool probed;
    bool falls_back;
    bool takes_turns;         // threads under a GIL, as the pool allows
    snakepit_message problem; // "" if there is none
};

// What was found. Owner: the main thread.
struct check {
    struct sp_config *config;
    struct pool_check *pools;
    size_t faults;
};

// What is wrong with an interpreter that runs.
static void judge(struct pool_check *item)
{
    const struct sp_interpreter *python = &item->python;
    bool wants_threads = item->pool->worker_profile == SP_PROFILE_THREAD;
    bool lacks_threads = wants_threads && !sp_interpreter_runs_threads(python);
    bool refuses = item->pool->on_unsupported == SP_UNSUPPORTED_REFUSE;
    bool allows = item->pool->on_unsupported == SP_UNSUPPORTED_ALLOW;
    if (!python->has_bridge) {
        snakepit_message reason;
        sp_interpreter_explain_bridge(python, &reason);
        sp_cli_explain(&item->problem, "%s", reason.text);
    } else if (lacks_threads && refuses) {
        sp_cli_explain(&item->problem,
                       "%s (Python %s, %s) does not run threads in parallel, and "
                       "on_unsupported is refuse",
                       python->executable,
                       python->version,
                       sp_cli_build_of(python));
    }
    item->falls_back = lacks_threads && !refuses && !allows;
    item->takes_turns = lacks_threads && allows;
}

static void probe(struct pool_check *item, char *const *environment, char *folder)
{
    if (item->pool->python == NULL) {
        sp_cli_explain(&item->problem, "there is no Python interpreter");
        return;
    }
    snakepit_err err = sp_interpreter_probe(
        item->pool->python, environment, &item->python, &item->problem);
    item->probed = err == SNAKEPIT_OK;
    if (item->probed) {
        item->problem.text[0] = '\0';
        judge(item);
        if (item->problem.text[0] == '\0') {
            (void)sp_interpreter_finds_adapter(item->python.executable,
                                               item->pool,
                                               environment,
                                               folder,
                                               &item->problem);
        }
    } else if (item->problem.text[0] == '\0') {
        sp_cli_explain(&item->problem, "%s", snakepit_err_text(err));
    }
}

// Sees what a worker would see. NO_MEMORY.
static snakepit_err probe_as_worker(struct pool_check *item, char *folder)
{
    char **environment = NULL;
    snakepit_err err = sp_interpreter_pool_env(item->pool, &environment);
    if (err == SNAKEPIT_OK) {
        probe(item, environment, folder);
        sp_interpreter_free_env(environment);
    }
    return err;
}

// Probes every pool. NO_MEMORY.
static snakepit_err probe_all(struct check *check)
{
    check->pools = sp_alloc_array(check->config->count, sizeof(*check->pools));
    if (check->pools == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; i < check->config->count && err == SNAKEPIT_OK; i++) {
        check->pools[i].pool = &check->config->pools[i];
        err = probe_as_worker(&check->pools[i], check->config->directory);
        check->faults += check->pools[i].problem.text[0] != '\0';
    }
    return err;
}

static void check_fini(struct check *check)
{
    for (size_t i = 0; check->pools != NULL && i < check->config->count; i++) {
        if (check->pools[i].probed) {
            sp_interpreter_fini(&check->pools[i].python);
        }
    }
    sp_free(check->pools);
    sp_config_free(check->config);
}

// ---- As text ------------------------------------------------------------------

static void print_pool(struct sp_cli *cli, const struct pool_check *item, int width)
{
    const struct sp_pool_config *pool = item->pool;
    char shape[64];
    char least[24] = "";
    if (pool->pool_size.min < pool->pool_size.max) {
        sp_cli_format(least, sizeof(least), "%u to ", pool->pool_size.min);
    }
    sp_cli_format(shape,
                  sizeof(shape),
                  "%s%u worker%s x %u thread%s",
                  least,
                  pool->pool_size.max,
                  pool->pool_size.max == 1 ? "" : "s",
                  pool->threads_per_worker,
                  pool->threads_per_worker == 1 ? "" : "s");
    sp_cli_print(cli,
                 "  %-*s  %-7s  %-23s  ",
                 width,
                 pool->name,
                 sp_profile_name(pool->worker_profile),
                 shape);
    if (!item->probed) {
        sp_cli_print(cli, "no interpreter\n");
        return;
    }
    sp_cli_print(cli,
                 "Python %s, %s, %s bridge: %s\n",
                 item->python.version,
                 sp_cli_build_of(&item->python),
                 item->python.has_bridge ? "has the" : "lacks the",
                 item->python.executable);
    if (item->takes_turns) {
        sp_cli_print(cli,
                     "  %-*s  threads take turns: this Python does not run them in "
                     "parallel (on_unsupported: allow)\n",
                     width,
                     "");
    }
    if (item->falls_back) {
        sp_cli_print(
            cli,
            "  %-*s  falls back to %u processes: this Python does not run threads in "
            "parallel\n",
            width,
            "",
            pool->pool_size.max * pool->threads_per_worker);
    }
}

// Where the daemon would listen, and how it knows its clients.
static void print_listener(struct sp_cli *cli, const struct sp_listener_config *item)
{
    char address[SP_ADDRESS_TEXT_MAX];
    char mode[24] = "";
    sp_address_format(&item->parsed, address);
    if (item->parsed.kind == SP_ADDRESS_UNIX) {
        sp_cli_format(mode, sizeof(mode), ", mode %04o", item->mode);
    }
    sp_cli_print(cli,
                 "  listens on %s%s%s%s%s\n",
                 address,
                 mode,
                 item->tls.certificate != NULL ? ", TLS" : "",
                 item->tls.client_ca != NULL ? ", client certificates" : "",
                 item->tokens != NULL ? ", tokens" : "");
}

static void print_as_text(struct sp_cli *cli, const struct check *check)
{
    const struct sp_config *config = check->config;
    int width = 0;
    for (size_t i = 0; i < config->count; i++) {
        int length = (int)strlen(config->pools[i].name);
        width = length > width ? length : width;
    }
    sp_cli_print(cli,
                 "%s: %s%zu pool%s%s\n",
                 config->file,
                 check->faults == 0 ? "valid, " : "",
                 config->count,
                 config->count == 1 ? "" : "s",
                 config->pooling_enabled ? ""
                                         : ", none of which starts (pooling_enabled)");
    for (size_t i = 0; i < config->count; i++) {
        print_pool(cli, &check->pools[i], width);
    }
    for (size_t i = 0; config->serve.given && i < config->serve.listen.count; i++) {
        print_listener(cli, &config->serve.listen.items[i]);
    }
    sp_cli_flush(cli);
    for (size_t i = 0; i < config->count; i++) {
        if (check->pools[i].problem.text[0] != '\0') {
            sp_cli_complain(cli,
                            "%s: pool \"%s\": %s",
                            config->file,
                            config->pools[i].name,
                            check->pools[i].problem.text);
        }
    }
}

// ---- As JSON ------------------------------------------------------------------

static void write_pool(snakepit_writer *writer, const struct pool_check *item)
{
    const struct sp_pool_config *pool = item->pool;
    enum sp_profile runs_as =
        item->falls_back ? SP_PROFILE_PROCESS : pool->worker_profile;
    snakepit_writer_map(writer, POOL_PAIRS);
    sp_pair_text(writer, "name", pool->name);
    sp_pair_text(writer, "worker_profile", sp_profile_name(pool->worker_profile));
    sp_pair_text(writer, "runs_as", sp_profile_name(runs_as));
    sp_pair_number(writer, "pool_size", pool->pool_size.max);
    sp_pair_number(writer, "pool_size_min", pool->pool_size.min);
    sp_pair_number(writer, "threads_per_worker", pool->threads_per_worker);
    sp_pair_text(writer, "adapter", pool->adapter);
    sp_pair_text(writer, "python", pool->python != NULL ? pool->python : "");
    sp_cli_write_python(writer, item->probed ? &item->python : NULL);
    bool wrong = item->problem.text[0] != '\0';
    sp_pair_text(writer, "problem", wrong ? item->problem.text : NULL);
}

static void write_listener(snakepit_writer *writer,
                           const struct sp_listener_config *item)
{
    char address[SP_ADDRESS_TEXT_MAX];
    char mode[24];
    bool has_mode = item->parsed.kind == SP_ADDRESS_UNIX;
    sp_address_format(&item->parsed, address);
    sp_cli_format(mode, sizeof(mode), "%04o", item->mode);
    snakepit_writer_map(writer, 5);
    sp_pair_text(writer, "address", address);
    sp_pair_text(writer, "mode", has_mode ? mode : NULL);
    sp_pair_bool(writer, "tls", item->tls.certificate != NULL);
    sp_pair_bool(writer, "client_certificates", item->tls.client_ca != NULL);
    sp_pair_bool(writer, "tokens", item->tokens != NULL);
}

// Null where nobody asked for a daemon.
static void write_serve(snakepit_writer *writer, const struct sp_serve_config *serve)
{
    if (!serve->given) {
        sp_pair_text(writer, "serve", NULL);
        return;
    }
    snakepit_writer_str(writer, "serve");
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, "listen");
    snakepit_writer_array(writer, (uint32_t)serve->listen.count);
    for (size_t i = 0; i < serve->listen.count; i++) {
        write_listener(writer, &serve->listen.items[i]);
    }
}

static snakepit_err print_as_json(struct sp_cli *cli, const struct check *check)
{
    snakepit_writer *writer = snakepit_writer_new();
    if (writer == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_writer_map(writer, 5);
    sp_pair_text(writer, "file", check->config->file);
    sp_pair_bool(writer, "ok", check->faults == 0);
    sp_pair_bool(writer, "pooling_enabled", check->config->pooling_enabled);
    snakepit_writer_str(writer, "pools");
    snakepit_writer_array(writer, (uint32_t)check->config->count);
    for (size_t i = 0; i < check->config->count; i++) {
        write_pool(writer, &check->pools[i]);
    }
    write_serve(writer, &check->config->serve);
    snakepit_err err = sp_cli_print_json(cli, writer);
    snakepit_writer_free(writer);
    return err;
}

int sp_cli_check(struct sp_cli *cli)
{
    struct check check = {0};
    snakepit_message why = {0};
    bool json = cli->args.texts[SP_CLI_CHECK_JSON] != NULL;
    snakepit_err err = sp_config_read_file(cli->args.words[0], &check.config, &why);
    if (err == SNAKEPIT_OK) {
        err = probe_all(&check);
    }
    if (err == SNAKEPIT_OK && json) {
        err = print_as_json(cli, &check);
    } else if (err == SNAKEPIT_OK) {
        print_as_text(cli, &check);
    }
    int status = check.faults == 0 ? SP_CLI_EXIT_OK : SP_CLI_EXIT_FAILED;
    if (err != SNAKEPIT_OK) {
        status = sp_cli_report(cli, err, why.text, json);
    }
    check_fini(&check);
    return status;
}
