// SPDX-License-Identifier: MIT
#include "base/file.h"

#include <stdio.h>

size_t sp_file_read(const char *path, char *room, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t got = file == NULL ? 0 : fread(room, 1, size - 1, file);
    room[got] = 0;
    if (file != NULL) {
        (void)fclose(file);
    }
    return got;
}

size_t sp_file_read_cut(const char *path, size_t most, char *room, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t got = 0;
    size_t length = 0; // of the line, so far
    int next;
    while (file != NULL && got + 1 < size && (next = getc(file)) != EOF) {
        length = next == '\n' ? 0 : length + 1;
        if (length <= most) {
            room[got++] = (char)next;
        }
    }
    room[got] = 0;
    if (file != NULL) {
        (void)fclose(file);
    }
    return got;
}
