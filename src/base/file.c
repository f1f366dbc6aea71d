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
