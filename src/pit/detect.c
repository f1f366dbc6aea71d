// SPDX-License-Identifier: MIT
// Answers are remembered for the life of the process, by path, by the file's identity
// and by what the pool adds to the environment: an interpreter that was replaced is
// asked again, and so is one that was found wanting.
#include "pit/detect.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "interpreter/interpreter.h"

#define REMEMBERED 16
#define PATH_MOST  1024
#define PYTHON     "python: " // the key that is wrong

// Guarded by lock. Nobody waits for that: in a forked child it may be held for ever,
// and to ask again does no harm.
struct answer {
    char python[PATH_MOST];
    char executable[PATH_MOST];
    char settings[PATH_MOST]; // adapter_env
    struct timespec changed;
    ino_t inode;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct answer answers[REMEMBERED];
static unsigned next_answer;

static bool same_file(const struct answer *answer, const struct stat *file)
{
    return answer->inode == file->st_ino &&
           answer->changed.tv_sec == file->st_mtim.tv_sec &&
           answer->changed.tv_nsec == file->st_mtim.tv_nsec;
}

// The pool's adapter_env in one text. False: it is too long to be compared.
static bool write_settings(const struct sp_pool_config *pool, char room[PATH_MOST])
{
    size_t used = 0;
    room[0] = '\0';
    for (size_t i = 0; i < pool->adapter_env.count && used < PATH_MOST; i++) {
        const struct sp_pair *pair = &pool->adapter_env.items[i];
        used += (size_t)snprintf(
            room + used, PATH_MOST - used, "%s=%s\n", pair->name, pair->value);
    }
    return used < PATH_MOST;
}

static bool answers_for(const struct answer *answer,
                        const struct sp_pool_config *pool,
                        const char *settings,
                        const struct stat *file)
{
    return strcmp(answer->python, pool->python) == 0 &&
           strcmp(answer->settings, settings) == 0 && same_file(answer, file);
}

// The executable that was found behind the pool's, as a copy; NULL: not known.
static char *recall(const struct sp_pool_config *pool, const struct stat *file)
{
    char *found = NULL;
    char settings[PATH_MOST];
    if (!write_settings(pool, settings) || pthread_mutex_trylock(&lock) != 0) {
        return NULL;
    }
    for (unsigned i = 0; i < REMEMBERED && found == NULL; i++) {
        if (answers_for(&answers[i], pool, settings, file)) {
            found = sp_strdup(answers[i].executable);
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static void remember(const struct sp_pool_config *pool,
                     const char *executable,
                     const struct stat *file)
{
    char settings[PATH_MOST];
    if (strlen(pool->python) >= PATH_MOST || strlen(executable) >= PATH_MOST ||
        !write_settings(pool, settings)) {
        return;
    }
    if (pthread_mutex_trylock(&lock) != 0) {
        return;
    }
    struct answer *answer = &answers[next_answer++ % REMEMBERED];
    (void)snprintf(answer->python, PATH_MOST, "%s", pool->python);
    (void)snprintf(answer->executable, PATH_MOST, "%s", executable);
    (void)snprintf(answer->settings, PATH_MOST, "%s", settings);
    answer->changed = file->st_mtim;
    answer->inode = file->st_ino;
    pthread_mutex_unlock(&lock);
}

static snakepit_err refuse(const struct sp_config *config,
                           const struct sp_pool_config *pool,
                           const char *key,
                           const char *what,
                           snakepit_message *why)
{
    if (why != NULL) {
        (void)snprintf(why->text,
                       sizeof why->text,
                       "%.200s: pool %.100s: %s%.700s",
                       config->file,
                       pool->name,
                       key,
                       what);
    }
    return SNAKEPIT_INVALID_CONFIG;
}

// What a worker of the pool would find. As sp_interpreter_probe().
static snakepit_err probe(const struct sp_pool_config *pool,
                          struct sp_interpreter *interpreter,
                          snakepit_message *why)
{
    char **environment = NULL;
    snakepit_err err = sp_interpreter_pool_env(pool, &environment);
    if (err == SNAKEPIT_OK) {
        err = sp_interpreter_probe(pool->python, environment, interpreter, why);
        sp_interpreter_free_env(environment);
    }
    return err;
}

// Whether it need not be asked. It takes as long as the rest of a worker's start.
static bool is_equipped(const struct sp_pool_config *pool)
{
    char **environment = NULL;
    bool equipped = sp_interpreter_pool_env(pool, &environment) == SNAKEPIT_OK &&
                    sp_interpreter_is_equipped(pool->python, environment);
    sp_interpreter_free_env(environment);
    return equipped;
}

static snakepit_err ask(const struct sp_config *config,
                        struct sp_pool_config *pool,
                        const struct stat *file,
                        snakepit_message *why)
{
    snakepit_message reason = {0};
    struct sp_interpreter interpreter;
    snakepit_err err = probe(pool, &interpreter, &reason);
    if (err != SNAKEPIT_OK) {
        snakepit_err bad = refuse(config, pool, PYTHON, reason.text, why);
        return err == SNAKEPIT_SYSTEM || err == SNAKEPIT_NO_MEMORY ? err : bad;
    }
    if (!interpreter.has_bridge) {
        sp_interpreter_explain_bridge(&interpreter, &reason);
        sp_interpreter_fini(&interpreter);
        return refuse(config, pool, PYTHON, reason.text, why);
    }
    char *executable = sp_strdup(interpreter.executable);
    if (executable != NULL) {
        remember(pool, executable, file);
        sp_free(pool->python);
        pool->python = executable;
    }
    sp_interpreter_fini(&interpreter);
    return executable == NULL ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK;
}

static snakepit_err detect(const struct sp_config *config,
                           struct sp_pool_config *pool,
                           snakepit_message *why)
{
    struct stat file;
    if (stat(pool->python, &file) != 0) {
        return refuse(config, pool, PYTHON, "it is not there any more", why);
    }
    if (is_equipped(pool)) {
        return SNAKEPIT_OK;
    }
    char *known = recall(pool, &file);
    if (known == NULL) {
        return ask(config, pool, &file, why);
    }
    sp_free(pool->python);
    pool->python = known;
    return SNAKEPIT_OK;
}

static bool asks(const struct sp_config *config)
{
    return config->python_version_detection != SP_DETECTION_OFF &&
           config->pooling_enabled;
}

snakepit_err sp_detect_interpreters(struct sp_config *config, snakepit_message *why)
{
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; asks(config) && i < config->count && err == SNAKEPIT_OK; i++) {
        err = detect(config, &config->pools[i], why);
    }
    return err;
}

snakepit_err sp_detect_adapter(const struct sp_config *config,
                               const struct sp_pool_config *pool,
                               snakepit_message *why)
{
    char **environment = NULL;
    snakepit_message reason = {0};
    if (!asks(config)) {
        return SNAKEPIT_OK;
    }
    snakepit_err err = sp_interpreter_pool_env(pool, &environment);
    if (err == SNAKEPIT_OK &&
        !sp_interpreter_finds_adapter(
            pool->python, pool, environment, config->directory, &reason)) {
        // The reason names its key.
        err = refuse(config, pool, "", reason.text, why);
    }
    sp_interpreter_free_env(environment);
    return err;
}
