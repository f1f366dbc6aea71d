// SPDX-License-Identifier: MIT
// gen_config_docs FOLDER: writes configuration.md and snakepit.schema.json into it.
#include <stdio.h>
#include <stdlib.h>

#include "cli/reference.h"

static int
write_page(const char *folder, const char *name, snakepit_err (*make)(struct sp_buf *))
{
    char path[4096];
    struct sp_buf text = {0};
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = make(&text) == SNAKEPIT_OK ? fopen(path, "w") : NULL;
    if (file == NULL) {
        perror(path);
        sp_buf_fini(&text);
        return EXIT_FAILURE;
    }
    size_t written = fwrite(text.data, 1, text.size, file);
    int failed = fclose(file) != 0 || written != text.size;
    if (failed) {
        perror(path);
    }
    sp_buf_fini(&text);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: gen_config_docs FOLDER\n");
        return EXIT_FAILURE;
    }
    int failed = write_page(argv[1], "configuration.md", sp_cli_reference);
    return failed | write_page(argv[1], "snakepit.schema.json", sp_cli_json_schema);
}
