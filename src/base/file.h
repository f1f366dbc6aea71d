// SPDX-License-Identifier: MIT
// Small files of the kernel, such as /proc/PID/status, as text.
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>

// Reads what fits of a file, and ends it with a zero. Returns how many bytes that are:
// 0 where there is no such file, or it may not be read. Any thread.
size_t sp_file_read(const char *path, char *room, size_t size);
// The same with each line cut to `most` bytes, so that a long one, as "Groups:" may be,
// does not take the room of those behind it.
size_t sp_file_read_cut(const char *path, size_t most, char *room, size_t size);

#endif
