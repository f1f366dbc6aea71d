// SPDX-License-Identifier: MIT
// Reads a file that people write.
#ifndef CONFIG_TEXT_FILE_H
#define CONFIG_TEXT_FILE_H

#include <stddef.h>

#include "base/slice.h"

// Appends all that is left of `fd`; of more than `most` bytes one byte more, so that
// whoever gets it sees that it is too long. SYSTEM, with errno. NO_MEMORY.
snakepit_err sp_text_file_read(int fd, size_t most, struct sp_buf *text);

#endif
