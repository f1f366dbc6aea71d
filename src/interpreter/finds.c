// SPDX-License-Identifier: MIT
// Asks an interpreter whether it would find a module. Nothing that a user wrote is run:
// of "package.module" only the package is looked for.
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "interpreter/child.h"
#include "interpreter/interpreter.h"

#define MODULE_NAME_MAX 256u
#define PATIENCE        (UINT64_C(10) * SP_NS_PER_S)

// The bridge says it, for it also makes the path of a worker.
static const char script[] =
    SP_PYTHON_SAFE_PATH "import os\n"
                        "from snakepit_bridge import search_path\n"
                        "with os.fdopen(3, 'w') as reply:\n"
                        "    reply.write(search_path.find(*sys.argv[1:]))\n";

// What a worker finds under the name of its adapter's module, or package.
enum find {
    FIND_MODULE,  // it, or nothing could be learnt
    FIND_NOTHING, // no module
    FIND_PYTHONS, // one of the standard library, and the adapter's folder has another
};

static enum find understand(const char *reply)
{
    if (strcmp(reply, "missing") == 0) {
        return FIND_NOTHING;
    }
    return strcmp(reply, "hidden") == 0 ? FIND_PYTHONS : FIND_MODULE;
}

static enum find ask(char *python, char *module, char *const *environment, char *folder)
{
    char command[] = "-c";
    char text[sizeof(script)];
    memcpy(text, script, sizeof(script));
    char *argv[] = {python, command, text, module, folder, NULL};
    struct sp_child_result result;
    snakepit_err err =
        sp_child_run(argv, environment, sp_clock_now() + PATIENCE, &result, NULL);
    bool answered = err == SNAKEPIT_OK && result.reply.size > 0;
    enum find found =
        answered ? understand((const char *)result.reply.data) : FIND_MODULE;
    sp_child_result_fini(&result);
    return found;
}

bool sp_interpreter_finds_adapter(char *python,
                                  const struct sp_pool_config *pool,
                                  char *const *environment,
                                  char *folder,
                                  snakepit_message *why)
{
    char module[MODULE_NAME_MAX];
    int length = (int)strcspn(pool->adapter, ".:");
    (void)snprintf(module, sizeof module, "%.*s", length, pool->adapter);
    switch (ask(python, module, environment, folder)) {
    case FIND_NOTHING:
        (void)snprintf(
            why->text,
            sizeof why->text,
            "adapter: \"%.200s\": %.200s finds no module \"%s\", neither in "
            "%.200s nor on its path (PYTHONPATH in adapter_env adds folders)",
            pool->adapter,
            python,
            module,
            folder);
        return false;
    case FIND_PYTHONS:
        (void)snprintf(
            why->text,
            sizeof why->text,
            "adapter: \"%.200s\": Python has a module \"%s\" of its own, which "
            "comes before the one in %.200s; give that another name",
            pool->adapter,
            module,
            folder);
        return false;
    default:
        return true;
    }
}
