// SPDX-License-Identifier: MIT
// Asks an interpreter whether it would find a module. Nothing that a user wrote is run:
// of "package.module" only the package is looked for.
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "interpreter/child.h"
#include "interpreter/interpreter.h"

#define PATIENCE (UINT64_C(10) * SP_NS_PER_S)

// The module search path is that of a worker: the configuration's folder, then what the
// pool's PYTHONPATH says, or else the environment's.
static const char script[] =
    "import os, sys\n"
    "from importlib.machinery import PathFinder\n"
    "name, folder, path = sys.argv[1:]\n"
    "sys.path[0:1] = [folder] + [part for part in path.split(os.pathsep) if part]\n"
    "known = name in sys.builtin_module_names or PathFinder.find_spec(name)\n"
    "with os.fdopen(3, 'w') as reply:\n"
    "    reply.write('found' if known else 'missing')\n";

static char *python_path(const struct sp_pool_config *pool)
{
    static char none[1];
    for (size_t i = 0; i < pool->adapter_env.count; i++) {
        if (strcmp(pool->adapter_env.items[i].name, "PYTHONPATH") == 0) {
            return pool->adapter_env.items[i].value;
        }
    }
    return none;
}

bool sp_interpreter_lacks_adapter(const struct sp_interpreter *interpreter,
                                  const struct sp_pool_config *pool,
                                  char *folder,
                                  char module[SP_MODULE_NAME_MAX])
{
    int length = (int)strcspn(pool->adapter, ".:");
    (void)snprintf(module, SP_MODULE_NAME_MAX, "%.*s", length, pool->adapter);
    char command[] = "-c";
    char text[sizeof(script)];
    memcpy(text, script, sizeof(script));
    char *argv[] = {interpreter->executable,
                    command,
                    text,
                    module,
                    folder,
                    python_path(pool),
                    NULL};
    struct sp_child_result result;
    snakepit_err err = sp_child_run(argv, sp_clock_now() + PATIENCE, &result);
    bool lacks = err == SNAKEPIT_OK && result.reply.size > 0 &&
                 strcmp((const char *)result.reply.data, "missing") == 0;
    sp_child_result_fini(&result);
    return lacks;
}
