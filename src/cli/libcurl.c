// SPDX-License-Identifier: MIT
#include "cli/libcurl.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "cli/text.h"

#define NAME "libcurl.so.4"

struct sp_curl sp_curl;

#define ROW(name) {"curl_" #name, (void *)&sp_curl.name},
static const struct {
    const char *name;
    void *field;
} functions[] = {SP_CURL_FUNCTIONS(ROW)};
#undef ROW

// False: one is missing. A pointer to a function is as large as one to an object, says
// POSIX.
static bool find_all(void *library)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *found = dlsym(library, functions[i].name);
        if (found == NULL) {
            return false;
        }
        memcpy(functions[i].field, (const void *)&found, sizeof found);
    }
    return true;
}

bool sp_curl_load(snakepit_message *why)
{
    static bool loaded;
    if (!loaded) {
        void *library = dlopen(NAME, RTLD_NOW | RTLD_LOCAL);
        loaded = library != NULL && find_all(library);
    }
    if (!loaded) {
        // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc keeps it for each thread
        const char *because = dlerror();
        sp_cli_explain(why,
                       "a daemon is asked by libcurl, which cannot be loaded: %s; "
                       "install it (Debian: libcurl4)",
                       because != NULL ? because : NAME);
    }
    return loaded;
}
