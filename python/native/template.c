// SPDX-License-Identifier: MIT
// Forking. The one thing to know: a worker is made as the template's sibling, not as
// its child (CLONE_PARENT), so that the host is its parent: the host alone waits for
// it, and hears of its end however the template ends. The C library's fork() cannot do
// that, so what it does in a process with one thread is done here.
#include "template.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "ending.h"
#include "ipc/channel.h"
#include "ipc/layout.h"

#define FIRST_SAFE 32 // above every number that a worker's descriptor becomes
// Of the status flags of an open file, those that open() takes.
#define KEPT_FLAGS (O_NONBLOCK | O_DIRECT | O_NOATIME | O_SYNC)

#define STAGES_AT_ONCE  32u
#define STAGES_EVERY_NS (50 * SP_NS_PER_MS)

static struct {
    int *descriptors;
    size_t count;
} reopened;

static struct {
    uint32_t told;
    uint64_t at; // when the last one was
} stages;

bool sp_template_may_tell(void)
{
    uint64_t now = sp_clock_now();
    if (stages.told >= STAGES_AT_ONCE && now - stages.at < STAGES_EVERY_NS) {
        return false;
    }
    stages.told++;
    stages.at = now;
    return true;
}

// ---- Whether it may -----------------------------------------------------------

// The kernel counts a folder for each thread, and the two that every folder has.
static int count_threads(void)
{
    struct stat status;
    return stat("/proc/self/task", &status) == 0 ? (int)status.st_nlink - 2 : -1;
}

PyObject *sp_template_threads(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyLong_FromLong(count_threads());
}

// Where the C library keeps the number of the main thread, NULL if that cannot be told.
// The kernel knows the place, for it clears it when the thread ends.
static pid_t *thread_number(void)
{
    pid_t *place = NULL;
    if (prctl(PR_GET_TID_ADDRESS, &place, 0, 0, 0) != 0 || place == NULL ||
        *place != gettid()) {
        return NULL;
    }
    return place;
}

PyObject *sp_template_can_fork(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyBool_FromLong(thread_number() != NULL);
}

// ---- The fork -----------------------------------------------------------------

// As fork(), but the new process is a child of our parent. -1 with errno.
static pid_t fork_sibling(void)
{
    struct robust_list_head *robust = NULL;
    size_t robust_size = 0;
    pid_t *number = thread_number();
    if (number == NULL) {
        errno = ENOSYS;
        return -1;
    }
    (void)syscall(SYS_get_robust_list, 0, &robust, &robust_size);
    // The kernel writes the new number where the C library looks for it. Machines
    // differ in which of the last two arguments it takes for that place, and ignore the
    // other.
    long flags = CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
    pid_t pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, number, number);
    if (pid == 0) {
        // The kernel forgets at a fork which mutexes to mark when their owner dies.
        (void)syscall(SYS_set_robust_list, robust, robust_size);
    }
    return pid;
}

// Gives the descriptors the numbers that a worker expects. One that has come under such
// a number goes out of the way first.
static bool place_descriptors(int descriptors[SP_FORK_FDS])
{
    static const int places[SP_FORK_FDS] = {STDOUT_FILENO,
                                            STDERR_FILENO,
                                            SP_FD_CONTROL,
                                            SP_FD_REQUESTS,
                                            SP_FD_RESULTS,
                                            SP_FD_CHANNEL,
                                            SP_FD_DOORBELL};
    for (int i = 0; i < SP_FORK_FDS; i++) {
        if (descriptors[i] >= SP_FD_COUNT) {
            continue;
        }
        int moved = fcntl(descriptors[i], F_DUPFD_CLOEXEC, FIRST_SAFE);
        if (moved < 0) {
            return false;
        }
        close(descriptors[i]);
        descriptors[i] = moved;
    }
    for (int i = 0; i < SP_FORK_FDS; i++) {
        if (dup2(descriptors[i], places[i]) < 0) {
            return false;
        }
        close(descriptors[i]);
    }
    return true;
}

// ---- What stays as it was -----------------------------------------------------

// The interpreter numbers a class when something is looked up in it, and takes the
// number away when the class or a base is changed.
PyObject *sp_template_class_version(PyObject *module, PyObject *object)
{
    (void)module;
    if (!PyType_Check(object)) {
        return PyErr_Format(PyExc_TypeError, "%R is not a class", object);
    }
    const PyTypeObject *type = (const PyTypeObject *)object;
#if PY_VERSION_HEX < 0x030d0000
    if ((type->tp_flags & Py_TPFLAGS_VALID_VERSION_TAG) == 0) {
        return PyLong_FromLong(0);
    }
#endif
    return PyLong_FromUnsignedLong(type->tp_version_tag);
}

// Whether an instance has for itself only what is not callable and has none of these
// names. -1 with an exception.
static int has_plain_values(PyObject *instance, PyObject *names)
{
    Py_ssize_t place = 0;
    PyObject *name;
    PyObject *value;
    PyObject *own = PyObject_GenericGetDict(instance, NULL);
    if (own == NULL) {
        PyErr_Clear(); // it has slots only
        return 1;
    }
    int rc = 1;
    while (rc == 1 && PyDict_Next(own, &place, &name, &value)) {
        int is_taken = PySet_Contains(names, name);
        rc = is_taken < 0 ? -1 : is_taken == 0 && !PyCallable_Check(value);
    }
    Py_DECREF(own);
    return rc;
}

// is_as_foreseen(instance, class, its number, names)
PyObject *sp_template_is_as_foreseen(PyObject *module,
                                     PyObject *const *arguments,
                                     Py_ssize_t count)
{
    if (count != 4 || !PyType_Check(arguments[1]) || !PyFrozenSet_Check(arguments[3])) {
        PyErr_SetString(PyExc_TypeError,
                        "is_as_foreseen() takes an instance, a class, its number and "
                        "a frozenset");
        return NULL;
    }
    PyObject *version = sp_template_class_version(module, arguments[1]);
    int is = version == NULL
                 ? -1
                 : PyObject_RichCompareBool(version, arguments[2], Py_EQ) == 1 &&
                       (PyObject *)Py_TYPE(arguments[0]) == arguments[1];
    Py_XDECREF(version);
    is = is == 1 ? has_plain_values(arguments[0], arguments[3]) : is;
    return is < 0 ? NULL : PyBool_FromLong(is);
}

// ---- Files --------------------------------------------------------------------

PyObject *sp_template_set_reopened(PyObject *module, PyObject *list)
{
    (void)module;
    Py_ssize_t count = PyList_Check(list) ? PyList_GET_SIZE(list) : 0;
    int *descriptors = calloc((size_t)count + 1, sizeof *descriptors);
    if (descriptors == NULL) {
        return PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        descriptors[i] = (int)PyLong_AsLong(PyList_GET_ITEM(list, i));
    }
    if (PyErr_Occurred()) {
        free(descriptors);
        return NULL;
    }
    free(reopened.descriptors);
    reopened.descriptors = descriptors;
    reopened.count = (size_t)count;
    Py_RETURN_NONE;
}

PyObject *sp_template_address(PyObject *module, PyObject *object)
{
    (void)module;
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) != 0) {
        return NULL;
    }
    PyObject *address = PyLong_FromVoidPtr(view.buf);
    PyBuffer_Release(&view);
    return address;
}

// Makes the descriptor one of a file that was opened here, and leaves it where it was.
static bool reopen(int descriptor)
{
    char path[40];
    int flags = fcntl(descriptor, F_GETFL);
    int mode = fcntl(descriptor, F_GETFD);
    off_t place = lseek(descriptor, 0, SEEK_CUR);
    if (flags < 0 || mode < 0 || place < 0) {
        return false;
    }
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    int own = open(path, O_RDONLY | O_CLOEXEC | (flags & KEPT_FLAGS));
    if (own < 0) {
        return false;
    }
    bool done = lseek(own, place, SEEK_SET) == place &&
                dup3(own, descriptor, mode == FD_CLOEXEC ? O_CLOEXEC : 0) >= 0;
    close(own);
    return done;
}

static bool reopen_files(void)
{
    for (size_t i = 0; i < reopened.count; i++) {
        if (!reopen(reopened.descriptors[i])) {
            (void)dprintf(STDERR_FILENO,
                          "snakepit: descriptor %d, a file that the adapter's import "
                          "has opened, could not be opened again: %s\n",
                          reopened.descriptors[i],
                          strerrordesc_np(errno));
            return false;
        }
    }
    return true;
}

// The host's first word says that this process is in a group of its own, and so that it
// may start others. The word stays for attach() to read.
static bool wait_for_host(void)
{
    struct pollfd entry = {.fd = SP_FD_CHANNEL, .events = POLLIN};
    int rc;
    do {
        rc = poll(&entry, 1, -1);
    } while (rc < 0 && errno == EINTR);
    uint8_t byte;
    return rc == 1 && recv(SP_FD_CHANNEL, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

// Without an interpreter that is in order, so without its ways to leave.
static void begin_life(int descriptors[SP_FORK_FDS])
{
    sp_ending_follow_host();
    if (!place_descriptors(descriptors) || !reopen_files() || !wait_for_host()) {
        _exit(2);
    }
}

static void close_all(const int descriptors[SP_FORK_FDS])
{
    for (int i = 0; i < SP_FORK_FDS; i++) {
        close(descriptors[i]);
    }
}

static bool forks_worker; // in a worker, until it has run the hooks of its fork

// Owner: `pair`, what is called after another fork and after one of a worker.
static PyObject *call_one(PyObject *pair, PyObject *unused)
{
    (void)unused;
    PyObject *hook = PyTuple_GET_ITEM(pair, forks_worker ? 1 : 0);
    return hook == Py_None ? Py_NewRef(Py_None) : PyObject_CallNoArgs(hook);
}

PyObject *sp_template_either(PyObject *module, PyObject *pair)
{
    static PyMethodDef method = {
        "either", call_one, METH_NOARGS, "One of two hooks, as the fork is."};
    (void)module;
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        PyErr_SetString(PyExc_TypeError, "either() takes a tuple of two");
        return NULL;
    }
    return PyCFunction_New(&method, pair);
}

// In the template the host is told before anything else is done: what it is not told of
// it finds in the template's group, and takes for the template's own.
static pid_t fork_and_tell(uint64_t ticket, int descriptors[SP_FORK_FDS])
{
    (void)fflush(NULL);
    PyOS_BeforeFork();
    pid_t pid = fork_sibling();
    if (pid == 0) {
        begin_life(descriptors);
        forks_worker = true;
        PyOS_AfterFork_Child();
        forks_worker = false;
        return 0;
    }
    struct sp_forked forked = {ticket, pid, pid < 0 ? errno : 0};
    (void)sp_channel_send(SP_FD_TEMPLATE, SP_MESSAGE_FORKED, &forked, sizeof forked);
    PyOS_AfterFork_Parent();
    close_all(descriptors);
    return pid;
}

enum sp_fork_outcome sp_template_fork(void)
{
    uint64_t ticket;
    int descriptors[SP_FORK_FDS];
    snakepit_err err;
    sp_ending_follow_host(); // again: the import may have lost it by setuid()
    Py_BEGIN_ALLOW_THREADS err =
        sp_channel_receive_fork(SP_FD_TEMPLATE, &ticket, descriptors);
    Py_END_ALLOW_THREADS if (err == SNAKEPIT_END)
    {
        return errno == EINTR ? SP_FORK_NONE : SP_FORK_NO_HOST;
    }
    if (err != SNAKEPIT_OK) {
        return SP_FORK_NONE;
    }
    if (count_threads() != 1) {
        close_all(descriptors);
        return SP_FORK_THREADS;
    }
    return fork_and_tell(ticket, descriptors) == 0 ? SP_FORK_CHILD : SP_FORK_NONE;
}

// What C code has left for the end of the process is done. The interpreter stays as it
// is, for it would write to all that is shared with the template.
PyObject *sp_template_exit(PyObject *module, PyObject *status)
{
    (void)module;
    long code = PyLong_AsLong(status);
    if (code == -1 && PyErr_Occurred()) {
        return NULL;
    }
    exit((int)code); // NOLINT(concurrency-mt-unsafe): as the interpreter would
}

// ---- Methods ------------------------------------------------------------------

PyMethodDef sp_template_methods[] = {
    {"threads", sp_template_threads, METH_NOARGS, "Threads of this process."},
    {"can_fork", sp_template_can_fork, METH_NOARGS, "Whether fork() works here."},
    {"set_reopened",
     sp_template_set_reopened,
     METH_O,
     "Sets the files that each fork opens anew."},
    {"class_version",
     sp_template_class_version,
     METH_O,
     "A number that changes with a class and its bases; 0: not known."},
    {"settle",
     sp_template_settle,
     METH_NOARGS,
     "Takes the memory that is free in scattered places."},
    {"is_as_foreseen",
     (PyCFunction)(void (*)(void))sp_template_is_as_foreseen,
     METH_FASTCALL,
     "is_as_foreseen(instance, class, version, names): whether neither is special."},
    {"either",
     sp_template_either,
     METH_O,
     "either((hook, other)): a hook for forks, the other one in a template's workers."},
    {"exit", sp_template_exit, METH_O, "Ends a forked process by C's exit()."},
    {"address", sp_template_address, METH_O, "Where the memory of a buffer begins."},
    {NULL, NULL, 0, NULL},
};
