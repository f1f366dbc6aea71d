// SPDX-License-Identifier: MIT
// Assertions that stay on in release. They judge our own code only: never input, a
// peer, the disk or a lack of memory.
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

// Prints place and condition to stderr and aborts.
_Noreturn void sp_check_failed(const char *condition, const char *file, int line);

#define SP_CHECK(condition)                           \
    ((void)(__builtin_expect(!(condition), 0) != 0 && \
            (sp_check_failed(#condition, __FILE__, __LINE__), 0)))

#endif
