// SPDX-License-Identifier: MIT
// A pool's template: a process with one thread that has imported the adapter, and forks
// workers when its host asks. All functions belong to its main thread.
#ifndef NATIVE_TEMPLATE_H
#define NATIVE_TEMPLATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

enum sp_fork_outcome {
    SP_FORK_CHILD,   // this is the new worker: its descriptors are in place
    SP_FORK_NONE,    // this is the template, and it may go on
    SP_FORK_THREADS, // other threads run in the template, so it must not fork
    SP_FORK_NO_HOST, // the host is gone, or no longer wants the template
};

// Waits for a request, detached from the interpreter, and fulfils it. A signal ends the
// waiting; its handler has not run yet.
enum sp_fork_outcome sp_template_fork(void);

// Whether it may tell the host what its start does now: thirty-two times at once, and
// then every 50 ms. It notes that it has.
bool sp_template_may_tell(void);

// ---- Methods of the module ----------------------------------------------------

// The number of threads of this process, -1 if the kernel does not tell.
PyObject *sp_template_threads(PyObject *module, PyObject *unused);
// Whether the kernel and the C library allow what sp_template_fork() does.
PyObject *sp_template_can_fork(PyObject *module, PyObject *unused);
// `list`: the descriptors of files that each new worker opens anew, at the same place,
// so that it does not share that place with others.
PyObject *sp_template_set_reopened(PyObject *module, PyObject *list);
// Takes what memory is free in scattered places, for good, so that workers do not get
// it.
PyObject *sp_template_settle(PyObject *module, PyObject *unused);
// A class's number: no other class has it, nor this one once it or a base was changed.
// 0 where the interpreter does not count that.
PyObject *sp_template_class_version(PyObject *module, PyObject *object);
// Whether an instance is of a class that has still this number, and has for itself only
// what cannot be called and has none of `names`.
PyObject *sp_template_is_as_foreseen(PyObject *module,
                                     PyObject *const *arguments,
                                     Py_ssize_t count);
// What os.register_at_fork() can call in children: the first of a tuple of two, or the
// second in a worker that this process has forked; None stands for nothing.
PyObject *sp_template_either(PyObject *module, PyObject *pair);
// Where the memory of a buffer begins, as a number.
PyObject *sp_template_address(PyObject *module, PyObject *object);
// Ends the process, which was forked, with that status, and does not come back.
PyObject *sp_template_exit(PyObject *module, PyObject *status);

// All of them.
extern PyMethodDef sp_template_methods[];

#endif
