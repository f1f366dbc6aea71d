// SPDX-License-Identifier: MIT
// Functions of the program that the library calls. They neither throw nor longjmp():
// what the library does around them, often with a lock or a place on a stack to give
// back, would never be finished. C++17 sees to that at compile time. Everything else
// that leaves by unwinding, an exception of older C++ or pthread_exit(), ends the
// process here, where the reason can still be told. A longjmp() cannot be seen.
//
//     SP_CALLBACK("the callback `done`");
//     done(user, err, answer);
//     SP_CALLBACK_RETURNED;
//
// Needs -fexceptions where it is used: sp_callback_check() must run when the stack is
// unwound.
#ifndef BASE_CALLBACK_H
#define BASE_CALLBACK_H

#include <stdbool.h>
#include <stddef.h>

struct sp_callback {
    const char *what; // NULL: it has returned
};

// Says that it did not return, and aborts.
_Noreturn void sp_callback_left(const char *what);

static inline void sp_callback_check(const struct sp_callback *callback)
{
    if (callback->what != NULL) {
        sp_callback_left(callback->what);
    }
}

// One in a block.
#define SP_CALLBACK(name) \
    struct sp_callback sp_callback __attribute__((cleanup(sp_callback_check))) = {name}
#define SP_CALLBACK_RETURNED (sp_callback.what = NULL)

#endif
