// SPDX-License-Identifier: MIT
// The program does not know where it was built or installed, so it looks upwards from
// where it is: PREFIX/bin/snakepit finds PREFIX/share, build/release/bin/snakepit the
// source tree.
#include "cli/examples.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

#define LEVELS    6 // folders above the program that are looked into
#define PATH_ROOM 4096u

// Tries FOLDER/WAY/NAME. NOT_FOUND: no such file, and `path` is empty.
static snakepit_err
try_file(const char *folder, const char *way, const char *name, struct sp_buf *path)
{
    path->size = 0;
    snakepit_err err = sp_buf_printf(path, "%s%s%s", folder, way, name);
    if (err == SNAKEPIT_OK && access((const char *)path->data, R_OK) != 0) {
        err = SNAKEPIT_NOT_FOUND;
    }
    return err;
}

// Cuts what stands in front of the current directory off the path.
static void shorten(struct sp_buf *path)
{
    char here[PATH_ROOM];
    if (getcwd(here, sizeof(here)) == NULL) {
        return;
    }
    size_t length = strlen(here);
    char *text = (char *)path->data;
    if (length > 1 && strncmp(text, here, length) == 0 && text[length] == '/') {
        memmove(text, text + length + 1, path->size - length);
        path->size -= length + 1;
    }
}

static snakepit_err find_upwards(char *folder, const char *name, struct sp_buf *path)
{
    snakepit_err err = SNAKEPIT_NOT_FOUND;
    char *slash = strrchr(folder, '/');
    for (int i = 0; i < LEVELS && slash != NULL && err == SNAKEPIT_NOT_FOUND; i++) {
        *slash = '\0';
        err = try_file(folder, "/share/snakepit/examples/", name, path);
        if (err == SNAKEPIT_NOT_FOUND) {
            err = try_file(folder, "/examples/", name, path);
        }
        slash = strrchr(folder, '/');
    }
    return err;
}

snakepit_err sp_cli_find_example(const char *name, struct sp_buf *path)
{
    char program[PATH_ROOM];
    snakepit_err err = SNAKEPIT_NOT_FOUND;
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (length > 0) {
        program[length] = '\0';
        err = find_upwards(program, name, path);
    }
    if (err == SNAKEPIT_NOT_FOUND) {
        err = try_file("", "examples/", name, path);
    }
    if (err == SNAKEPIT_OK) {
        shorten(path);
    }
    return err;
}
