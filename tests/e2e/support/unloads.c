// SPDX-License-Identifier: MIT
// Loads the library, opens a pit and unloads the library, with the pit open or closed.
//   unloads LIBRARY CONFIG open|close
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <snakepit/snakepit.h>

static void *find(void *library, const char *name)
{
    void *found = dlsym(library, name);
    if (found == NULL) {
        (void)fprintf(stderr, "%s\n", dlerror());
    }
    return found;
}

// Returns 0 when the pit has answered a call.
static int open_and_unload(char **words)
{
    snakepit_err (*open_file)(
        const char *, const snakepit_open_options *, snakepit **, snakepit_message *);
    snakepit_err (*await_ready)(snakepit *, const char *, uint32_t, snakepit_message *);
    void (*close_pit)(snakepit *, uint32_t);
    void *library = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
    snakepit_message why = {""};
    snakepit *pit = NULL;
    if (library == NULL) {
        (void)fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    *(void **)&open_file = find(library, "snakepit_open_file");
    *(void **)&await_ready = find(library, "snakepit_await_ready");
    *(void **)&close_pit = find(library, "snakepit_close");
    if (open_file(words[2], NULL, &pit, &why) != SNAKEPIT_OK ||
        await_ready(pit, NULL, 60000, &why) != SNAKEPIT_OK) {
        (void)fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    if (strcmp(words[3], "close") == 0) {
        close_pit(pit, 1000);
    }
    return dlclose(library);
}

int main(int count, char **words)
{
    if (count < 4) {
        return 2;
    }
    for (int i = 0; i < 3; i++) {
        if (open_and_unload(words) != 0) {
            return 1;
        }
    }
    // Whoever reads this ends the program, some heartbeats later.
    (void)puts("unloaded");
    (void)fflush(stdout);
    (void)getchar();
    return 0;
}
