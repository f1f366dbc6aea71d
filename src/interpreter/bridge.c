// SPDX-License-Identifier: MIT
// How an interpreter gets snakepit_bridge. The prefix is chosen at installation, so the
// sources of the bridge are looked for from where this code was loaded from.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/slice.h"
#include "interpreter/interpreter.h"

#define NOWHERE    "PREFIX/share/snakepit/python"
#define PATH_SHOWN 250 // characters of a path that a reason shows

// Below a prefix, and in a checkout.
static const char *const places[] = {"share/snakepit/python", "python"};

// Gives the bridge's sources if they are below `folder`, else NULL.
static char *find_below(const char *folder)
{
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct sp_buf found = {0};
        struct sp_buf proof = {0};
        if (sp_buf_printf(&found, "%s/%s", folder, places[i]) == SNAKEPIT_OK &&
            sp_buf_printf(&proof,
                          "%s/snakepit_bridge/worker.py",
                          (const char *)found.data) == SNAKEPIT_OK &&
            access((const char *)proof.data, R_OK) == 0) {
            sp_buf_fini(&proof);
            return (char *)found.data;
        }
        sp_buf_fini(&proof);
        sp_buf_fini(&found);
    }
    return NULL;
}

// The file that this code is in: the library or a program. Of a program the loader
// knows only the name that it was called by, which may have come from PATH.
static char *own_file(void)
{
    Dl_info info;
    // A function's address, which ISO C does not let a data pointer hold.
    union {
        char *(*function)(void);
        void *address;
    } here = {.function = own_file};
    if (dladdr(here.address, &info) == 0) {
        return NULL;
    }
    bool named = strchr(info.dli_fname, '/') != NULL;
    return realpath(named ? info.dli_fname : "/proc/self/exe", NULL);
}

char *sp_interpreter_bridge_sources(void)
{
    char *folder = own_file();
    char *found = NULL;
    char *slash = folder != NULL ? strrchr(folder, '/') : NULL;
    while (found == NULL && slash != NULL && slash != folder) {
        *slash = '\0';
        found = find_below(folder);
        slash = strrchr(folder, '/');
    }
    free(folder);
    return found;
}

// A path as a shell takes it for one word, for a command that people copy.
static void quote(const char *path, char word[PATH_SHOWN + 3])
{
    const char *mark = strpbrk(path, " \t()&;$*?") == NULL ? "" : "'";
    (void)snprintf(word, PATH_SHOWN + 3, "%s%.*s%s", mark, PATH_SHOWN, path, mark);
}

void sp_interpreter_explain_bridge(const struct sp_interpreter *python,
                                   snakepit_message *why)
{
    const char *path = python->executable;
    char *found = sp_interpreter_bridge_sources();
    char command[PATH_SHOWN + 3];
    char sources[PATH_SHOWN + 3];
    quote(path, command);
    quote(found != NULL ? found : NOWHERE, sources);
    if (python->is_environment) {
        (void)snprintf(why->text,
                       sizeof(why->text),
                       "%.250s has no snakepit_bridge; install it there (%s -m pip "
                       "install %s), or name another interpreter by `python:` or "
                       "SNAKEPIT_PYTHON",
                       path,
                       command,
                       sources);
    } else {
        // pip refuses to install into an interpreter that the distribution manages.
        (void)snprintf(why->text,
                       sizeof(why->text),
                       "%.250s has no snakepit_bridge; make an environment that has it "
                       "(%s -m venv env && env/bin/pip install %s), and name "
                       "env/bin/python by `python:` or SNAKEPIT_PYTHON",
                       path,
                       command,
                       sources);
    }
    sp_free(found);
}
