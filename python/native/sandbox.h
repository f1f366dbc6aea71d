// SPDX-License-Identifier: MIT
// What a worker takes from itself before user code runs. Nothing of it can be undone,
// and processes that are started or forked later inherit it.
#ifndef NATIVE_SANDBOX_H
#define NATIVE_SANDBOX_H

#include "codec_compat.h"

// Methods of the module, each for the main thread of a process that has no other yet.
// All raise OSError with the system call that was refused.

// become(uid, gid, groups): changes the user for good.
PyObject *sp_sandbox_become(PyObject *module, PyObject *arguments);
// restrict_files(readable, writable): paths as bytes. Those that do not exist raise
// FileNotFoundError. Returns the version of Landlock.
PyObject *sp_sandbox_restrict_files(PyObject *module, PyObject *arguments);
// restrict_calls(): refuses the system calls that change the machine.
PyObject *sp_sandbox_restrict_calls(PyObject *module, PyObject *unused);
// no_new_privs(): programs that are started gain no rights.
PyObject *sp_sandbox_no_new_privs(PyObject *module, PyObject *unused);

#endif
