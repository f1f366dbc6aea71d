// SPDX-License-Identifier: MIT
// A search along PATH. An empty part of PATH means the current directory to a shell;
// here it is skipped, because a program must not depend on where its host happens to
// stand.
#include "config/program.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/slice.h"

#define LINKS_MOST 40u // as many as the kernel follows
#define ERROR_MOST 128u
#define PLACE_MOST 1024u // bytes of a path that is told
#define USUAL_PATH "/usr/local/bin:/usr/bin:/bin"

const char *sp_program_variable(const char *name)
{
    // The header says that nobody changes the environment meanwhile.
    return getenv(name); // NOLINT(concurrency-mt-unsafe)
}

static bool is_program(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
           access(path, X_OK) == 0;
}

snakepit_err sp_program_directory(char **path)
{
    char current[PATH_MAX];
    if (getcwd(current, sizeof(current)) == NULL) {
        return SNAKEPIT_SYSTEM;
    }
    *path = sp_strdup(current);
    return *path != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

// Gives "directory/command" if that is a program. NOT_FOUND, NO_MEMORY.
static snakepit_err
try_directory(const char *directory, size_t length, const char *command, char **path)
{
    struct sp_buf joined = {0};
    snakepit_err err =
        sp_buf_printf(&joined, "%.*s/%s", (int)length, directory, command);
    if (err == SNAKEPIT_OK && is_program((char *)joined.data)) {
        *path = (char *)joined.data;
        return SNAKEPIT_OK;
    }
    sp_buf_fini(&joined);
    return err == SNAKEPIT_OK ? SNAKEPIT_NOT_FOUND : err;
}

static snakepit_err search(const char *command, char **path)
{
    const char *at = sp_program_variable("PATH");
    at = at != NULL ? at : USUAL_PATH;
    snakepit_err err = SNAKEPIT_NOT_FOUND;
    for (size_t length = 0; err == SNAKEPIT_NOT_FOUND; at += length + 1) {
        length = strcspn(at, ":");
        if (at[0] == '/' && length < PATH_MAX) {
            err = try_directory(at, length, command, path);
        }
        if (at[length] == '\0') {
            break;
        }
    }
    return err;
}

snakepit_err sp_program_find(const char *command, const char *directory, char **path)
{
    if (strchr(command, '/') == NULL) {
        return command[0] != '\0' ? search(command, path) : SNAKEPIT_NOT_FOUND;
    }
    if (command[0] == '/') {
        return try_directory("", 0, command + 1, path);
    }
    if (directory != NULL) {
        return try_directory(directory, strlen(directory), command, path);
    }
    char *current = NULL;
    snakepit_err err = sp_program_directory(&current);
    if (err == SNAKEPIT_OK) {
        err = try_directory(current, strlen(current), command, path);
    }
    sp_free(current);
    return err;
}

// Follows one symbolic link of `path`. False: it is none, or cannot be read.
static bool follow(char path[PLACE_MOST])
{
    char target[PLACE_MOST];
    char whole[2 * PLACE_MOST];
    const char *name = strrchr(path, '/');
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0 || name == NULL) {
        return false;
    }
    target[length] = '\0';
    int folder = target[0] == '/' ? 0 : (int)(name - path) + 1;
    int size = snprintf(whole, sizeof whole, "%.*s%s", folder, path, target);
    if (size >= (int)PLACE_MOST) {
        return false;
    }
    memcpy(path, whole, (size_t)size + 1);
    return true;
}

bool sp_program_explain(const char *command,
                        const char *directory,
                        char *text,
                        size_t size)
{
    char path[PLACE_MOST];
    char error[ERROR_MOST];
    struct stat status;
    const bool joined = command[0] != '/' && directory != NULL;
    int length = snprintf(path,
                          sizeof path,
                          "%s%s%s",
                          joined ? directory : "",
                          joined ? "/" : "",
                          command);
    if (strchr(command, '/') == NULL || length >= (int)PLACE_MOST ||
        lstat(path, &status) != 0 || access(path, X_OK) == 0) {
        return false;
    }
    int reason = errno;
    unsigned links = 0;
    while (links < LINKS_MOST && follow(path)) {
        links++;
    }
    (void)snprintf(text,
                   size,
                   "%s%s%s%s",
                   links > 0 ? "leads to " : "",
                   links > 0 ? path : "",
                   links > 0 ? ": " : "cannot be executed: ",
                   strerror_r(reason, error, sizeof error));
    return true;
}

snakepit_err sp_program_environment(char ***copy)
{
    size_t count = 0;
    while (environ != NULL && environ[count] != NULL) {
        count++;
    }
    char **made = (char **)sp_alloc_array(count + 1, sizeof *made);
    for (size_t i = 0; made != NULL && i < count; i++) {
        made[i] = sp_strdup(environ[i]);
        if (made[i] == NULL) {
            sp_program_environment_free(made);
            made = NULL;
        }
    }
    *copy = made;
    return made != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

void sp_program_environment_free(char **copy)
{
    for (size_t i = 0; copy != NULL && copy[i] != NULL; i++) {
        sp_free(copy[i]);
    }
    sp_free((void *)copy);
}
