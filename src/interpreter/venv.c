// SPDX-License-Identifier: MIT
// A virtual environment says by its files what its interpreter would say if it was run:
// PEP 405 has it that the executable stays that of the environment, and where its
// packages are; and the name of an extension says for which Python it was built.
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interpreter/interpreter.h"

#define LEAST_MINOR  9u
#define MOST_MINOR   999u
#define VERSION_ROOM 16u   // "3.13t"
#define PATH_MOST    1024u // a longer one is asked

// Whether an entry of the environment has it that the packages are elsewhere.
static bool moves(const char *entry)
{
    return strncmp(entry, "PYTHONHOME=", 11) == 0 ||
           strncmp(entry, "PYTHONPLATLIBDIR=", 17) == 0;
}

static bool is_moved(char *const *environment)
{
    for (size_t i = 0; environment[i] != NULL; i++) {
        if (moves(environment[i])) {
            return true;
        }
    }
    return false;
}

// The environment's folder, of "FOLDER/bin/python..." as Python itself would write it.
// False: it is something else.
static bool find_folder(const char *python, char folder[PATH_MOST])
{
    const char *name = strrchr(python, '/');
    static const char bin[] = "/bin";
    if (python[0] != '/' || strlen(python) >= PATH_MOST ||
        strstr(python, "//") != NULL || strstr(python, "/./") != NULL ||
        strstr(python, "/../") != NULL) {
        return false;
    }
    size_t size = (size_t)(name - python);
    if (size <= sizeof bin - 1 || strncmp(name, "/python", 7) != 0 ||
        memcmp(name - (sizeof bin - 1), bin, sizeof bin - 1) != 0) {
        return false;
    }
    size -= sizeof bin - 1;
    memcpy(folder, python, size);
    folder[size] = 0;
    return true;
}

static bool can_read(const char *folder, const char *below)
{
    char path[PATH_MOST];
    int size = snprintf(path, sizeof path, "%s/%s", folder, below);
    return size < (int)sizeof path && access(path, R_OK) == 0;
}

// "3.11" or "3.13t" of the file behind all links, "/usr/bin/python3.11"; NULL: that has
// another name.
static const char *read_version(const char *python, char version[VERSION_ROOM])
{
    static const char start[] = "python3.";
    const size_t size = sizeof start - 1;
    char file[PATH_MAX];
    if (access(python, X_OK) != 0 || realpath(python, file) == NULL) {
        return NULL;
    }
    const char *name = strrchr(file, '/') + 1;
    if (strncmp(name, start, size) != 0 || name[size] < '0' || name[size] > '9') {
        return NULL;
    }
    char *end;
    unsigned long minor = strtoul(name + size, &end, 10);
    if (minor < LEAST_MINOR || minor > MOST_MINOR || end[end[0] == 't'] != 0) {
        return NULL;
    }
    (void)snprintf(version, VERSION_ROOM, "3.%lu%s", minor, end);
    return version;
}

// Whether the bridge's folder has its extension for CPython of this version.
static bool has_extension(const char *bridge, const char *version)
{
    char start[64];
    bool found = false;
    DIR *folder = opendir(bridge);
    const struct dirent *entry;
    (void)snprintf(start, sizeof start, "_runtime.cpython-3%s-", version + 2);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this thread's alone
    while (!found && folder != NULL && (entry = readdir(folder)) != NULL) {
        size_t size = strlen(entry->d_name);
        found = strncmp(entry->d_name, start, strlen(start)) == 0 && size > 3 &&
                strcmp(entry->d_name + size - 3, ".so") == 0;
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return found;
}

bool sp_interpreter_is_equipped(const char *python, char *const *environment)
{
    char folder[PATH_MOST];
    char bridge[PATH_MOST];
    char version[VERSION_ROOM];
    if (is_moved(environment) || !find_folder(python, folder) ||
        !can_read(folder, "pyvenv.cfg") || read_version(python, version) == NULL) {
        return false;
    }
    int size = snprintf(bridge,
                        sizeof bridge,
                        "%s/lib/python%s/site-packages/snakepit_bridge",
                        folder,
                        version);
    return size < (int)sizeof bridge && can_read(bridge, "worker.py") &&
           has_extension(bridge, version);
}
