// SPDX-License-Identifier: MIT
#include "config/text_file.h"

#include <errno.h>
#include <unistd.h>

#define STEP 65536u

snakepit_err sp_text_file_read(int fd, size_t most, struct sp_buf *text)
{
    while (text->size <= most) {
        snakepit_err err = sp_buf_reserve(text, STEP);
        if (err != SNAKEPIT_OK) {
            return err;
        }
        size_t room = most + 1 - text->size;
        ssize_t got = read(fd, text->data + text->size, room < STEP ? room : STEP);
        if (got == 0) {
            return SNAKEPIT_OK;
        }
        if (got < 0 && errno != EINTR) {
            return SNAKEPIT_SYSTEM;
        }
        text->size += got > 0 ? (size_t)got : 0;
    }
    return SNAKEPIT_OK;
}
