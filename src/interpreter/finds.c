// SPDX-License-Identifier: MIT
// Asks an interpreter whether it would find a module. Nothing that a user wrote is run:
// of "package.module" only the package is looked for.
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "interpreter/child.h"
#include "interpreter/interpreter.h"

#define PATIENCE (UINT64_C(10) * SP_NS_PER_S)

// The bridge says it, for it also makes the path of a worker.
static const char script[] =
    SP_PYTHON_SAFE_PATH "import os\n"
                        "from snakepit_bridge import search_path\n"
                        "with os.fdopen(3, 'w') as reply:\n"
                        "    reply.write(search_path.find(*sys.argv[1:]))\n";

static enum sp_find understand(const char *reply)
{
    if (strcmp(reply, "missing") == 0) {
        return SP_FIND_NOTHING;
    }
    return strcmp(reply, "hidden") == 0 ? SP_FIND_PYTHONS : SP_FIND_MODULE;
}

enum sp_find sp_interpreter_find_adapter(const struct sp_interpreter *interpreter,
                                         const struct sp_pool_config *pool,
                                         char *const *environment,
                                         char *folder,
                                         char module[SP_MODULE_NAME_MAX])
{
    int length = (int)strcspn(pool->adapter, ".:");
    (void)snprintf(module, SP_MODULE_NAME_MAX, "%.*s", length, pool->adapter);
    char command[] = "-c";
    char text[sizeof(script)];
    memcpy(text, script, sizeof(script));
    char *argv[] = {interpreter->executable, command, text, module, folder, NULL};
    struct sp_child_result result;
    snakepit_err err =
        sp_child_run(argv, environment, sp_clock_now() + PATIENCE, &result, NULL);
    bool answered = err == SNAKEPIT_OK && result.reply.size > 0;
    enum sp_find found =
        answered ? understand((const char *)result.reply.data) : SP_FIND_MODULE;
    sp_child_result_fini(&result);
    return found;
}
