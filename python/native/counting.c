// SPDX-License-Identifier: MIT
// A marked function stays the function that it is. Only the pointer by which Python
// calls it leads through here, so that it costs neither a frame nor a tuple of
// arguments to count.
//
// Each thread counts for itself, and remembers the counts of the adapters that it has
// called last. Nothing on the way of a call is written by two threads: with several
// executors, the count of references of an object that they share would cost more than
// the method.
#include "counting.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// With a GIL tracking.py counts, since methods do not run at once there. This is for
// interpreters that respect the pointer wherever they call a function.
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030D0000

#define REMEMBERED  4u              // adapters by thread
#define STACK_SPARE ((size_t)32768) // bytes that a call finds below it at least

// One thread's counts of one adapter. Written by that thread alone, but for `adapter`.
struct counts {
    PyObject_HEAD _Atomic uint64_t total;
    _Atomic bool inside;
    // Whose counts they are; NULL once it is gone, and where nobody remembers them.
    _Atomic(PyObject *) adapter;
    PyObject *watch;     // the weak reference that sees to that
    uint64_t generation; // that it was looked up in
};

// What a thread remembers. Its state owns it, and clears it when the thread ends.
struct memory {
    PyObject_HEAD struct counts *counts[REMEMBERED];
};

static _Thread_local struct memory *mine; // borrowed
// The number of the state that owns it. A thread of C may have one state of Python's
// after the other, and what the last one owned may be gone.
static _Thread_local uint64_t whose;
static _Thread_local uintptr_t
    stack_end; // the lowest that a call may begin; 0: unknown

// Counts up with every tracker: its adapter may have had another one before.
static _Atomic uint64_t generation;

// Given by tracking.py, once.
static PyObject *find_counts; // (adapter) -> Counts, or None: nobody counts
static PyObject *is_part;     // (adapter): whether this is a part of an open request
static PyObject *lasting;     // (adapter, result): what goes on, counted to its end
static PyObject *running;     // the variable of the innermost open request

static vectorcallfunc call_plainly; // how Python calls functions
static PyTypeObject *counts_type;
static PyTypeObject *memory_type;

// ---- Counts -------------------------------------------------------------------

static int counts_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((struct counts *)self)->watch);
    return 0;
}

static int counts_clear(PyObject *self)
{
    Py_CLEAR(((struct counts *)self)->watch);
    return 0;
}

static void counts_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)counts_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *get_total(PyObject *self, void *Py_UNUSED(closure))
{
    struct counts *counts = (struct counts *)self;
    return PyLong_FromUnsignedLongLong(
        atomic_load_explicit(&counts->total, memory_order_relaxed));
}

static int set_total(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    struct counts *counts = (struct counts *)self;
    uint64_t total = value == NULL ? 0 : PyLong_AsUnsignedLongLong(value);
    if (total == UINT64_MAX && PyErr_Occurred()) {
        return -1;
    }
    atomic_store_explicit(&counts->total, total, memory_order_relaxed);
    return 0;
}

static PyObject *get_inside(PyObject *self, void *Py_UNUSED(closure))
{
    struct counts *counts = (struct counts *)self;
    return PyBool_FromLong(atomic_load_explicit(&counts->inside, memory_order_relaxed));
}

static int set_inside(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    struct counts *counts = (struct counts *)self;
    atomic_store_explicit(&counts->inside, value == Py_True, memory_order_relaxed);
    return 0;
}

// Called by the weak reference when the adapter is gone, on any thread.
static PyObject *forget(PyObject *self, PyObject *Py_UNUSED(reference))
{
    struct counts *counts = (struct counts *)self;
    atomic_store_explicit(&counts->adapter, NULL, memory_order_relaxed);
    Py_RETURN_NONE;
}

static PyMethodDef counts_methods[] = {
    {"_forget", forget, METH_O, "The adapter is gone."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef counts_getset[] = {
    {"total", get_total, set_total, "Requests begun.", NULL},
    {"inside",
     get_inside,
     set_inside,
     "Whether the thread is in a plain function that is a request.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot counts_slots[] = {
    {Py_tp_dealloc, counts_dealloc},
    {Py_tp_traverse, counts_traverse},
    {Py_tp_clear, counts_clear},
    {Py_tp_methods, counts_methods},
    {Py_tp_getset, counts_getset},
    {Py_tp_doc, (void *)"One thread's counts of one adapter's calls."},
    {0, NULL},
};

static PyType_Spec counts_spec = {
    .name = "snakepit_bridge._runtime.Counts",
    .basicsize = sizeof(struct counts),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = counts_slots,
};

// ---- What a thread remembers ----------------------------------------------------

static int memory_traverse(PyObject *self, visitproc visit, void *arg)
{
    struct memory *memory = (struct memory *)self;
    int rc = visit((PyObject *)Py_TYPE(self), arg);
    for (size_t i = 0; i < REMEMBERED && rc == 0; i++) {
        rc = memory->counts[i] == NULL ? 0 : visit((PyObject *)memory->counts[i], arg);
    }
    return rc;
}

static void memory_dealloc(PyObject *self)
{
    struct memory *memory = (struct memory *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (mine == memory) {
        mine = NULL;
    }
    for (size_t i = 0; i < REMEMBERED; i++) {
        Py_XDECREF(memory->counts[i]);
    }
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot memory_slots[] = {
    {Py_tp_dealloc, memory_dealloc},
    {Py_tp_traverse, memory_traverse},
    {0, NULL},
};

static PyType_Spec memory_spec = {
    .name = "snakepit_bridge._runtime._Memory",
    .basicsize = sizeof(struct memory),
    .flags = SP_TYPE_FLAGS | Py_TPFLAGS_HAVE_GC,
    .slots = memory_slots,
};

// The calling thread's; NULL: it has none yet.
static inline struct memory *memory_of_thread(void)
{
    bool is_its = mine != NULL && whose == PyThreadState_GetID(PyThreadState_Get());
    return is_its ? mine : NULL;
}

// The calling thread's; NULL with an exception.
static struct memory *memory_here(void)
{
    struct memory *memory = memory_of_thread();
    if (memory != NULL) {
        return memory;
    }
    PyObject *owner = PyThreadState_GetDict();
    PyObject *made = owner == NULL ? NULL : memory_type->tp_alloc(memory_type, 0);
    if (made == NULL) {
        return PyErr_Occurred() ? NULL : (struct memory *)PyErr_NoMemory();
    }
    // By its type: a name could be another module's.
    if (PyDict_SetItem(owner, (PyObject *)memory_type, made) == 0) {
        mine = (struct memory *)made;
        whose = PyThreadState_GetID(PyThreadState_Get());
    }
    Py_DECREF(made);
    return memory_of_thread();
}

static size_t place_of(PyObject *adapter)
{
    return ((uintptr_t)adapter >> 6) % REMEMBERED;
}

// Has `counts` forget its adapter when that is gone. -1 with an exception.
static int watch(struct counts *counts, PyObject *adapter)
{
    PyObject *forgets = PyObject_GetAttrString((PyObject *)counts, "_forget");
    PyObject *reference = forgets == NULL ? NULL : PyWeakref_NewRef(adapter, forgets);
    Py_XDECREF(forgets);
    if (reference == NULL) {
        return -1;
    }
    Py_XSETREF(counts->watch, reference);
    atomic_store_explicit(&counts->adapter, adapter, memory_order_relaxed);
    return 0;
}

// Keeps `counts` for the next call. An adapter that cannot be referred to weakly is
// looked up each time. -1 with an exception.
static int remember(struct counts *counts, PyObject *adapter)
{
    struct memory *memory = memory_here();
    if (memory == NULL) {
        return -1;
    }
    if (watch(counts, adapter) != 0) {
        bool cannot = PyErr_ExceptionMatches(PyExc_TypeError);
        if (cannot) {
            PyErr_Clear();
        }
        return cannot ? 0 : -1;
    }
    size_t place = place_of(adapter);
    Py_XSETREF(memory->counts[place], (struct counts *)Py_NewRef(counts));
    return 0;
}

// ---- Calls --------------------------------------------------------------------

// The calling thread's counts of an adapter, a new reference; NULL where nobody counts,
// or with an exception.
static struct counts *look_up(PyObject *adapter)
{
    uint64_t now = atomic_load(&generation);
    PyObject *found = PyObject_CallOneArg(find_counts, adapter);
    if (found == NULL || !PyObject_TypeCheck(found, counts_type)) {
        Py_XDECREF(found);
        return NULL;
    }
    ((struct counts *)found)->generation = now;
    if (remember((struct counts *)found, adapter) != 0) {
        Py_DECREF(found);
        return NULL;
    }
    return (struct counts *)found;
}

// The same, most often from memory. The reference is this thread's own, so nobody else
// writes the number of them.
static inline struct counts *counts_of(PyObject *adapter)
{
    struct memory *memory = memory_of_thread();
    struct counts *counts = memory == NULL ? NULL : memory->counts[place_of(adapter)];
    // What comes to lie where the adapter was finds that it was forgotten.
    if (counts != NULL &&
        atomic_load_explicit(&counts->adapter, memory_order_relaxed) == adapter &&
        counts->generation == atomic_load_explicit(&generation, memory_order_relaxed)) {
        return (struct counts *)Py_NewRef(counts);
    }
    return look_up(adapter);
}

// Whether a request is under way that this call is a part of; -1 with an exception.
static int runs_within(const struct counts *counts, PyObject *adapter)
{
    PyObject *request;
    if (atomic_load_explicit(&counts->inside, memory_order_relaxed)) {
        return 1;
    }
    if (PyContextVar_Get(running, Py_None, &request) != 0) {
        return -1;
    }
    int within = 0;
    if (request != Py_None) {
        PyObject *answer = PyObject_CallOneArg(is_part, adapter);
        within = answer == NULL ? -1 : answer == Py_True;
        Py_XDECREF(answer);
    }
    Py_DECREF(request);
    return within;
}

static bool goes_on(PyObject *result)
{
    return PyCoro_CheckExact(result) || PyGen_CheckExact(result) ||
           PyAsyncGen_CheckExact(result);
}

static PyObject *count_to_its_end(PyObject *adapter, PyObject *result)
{
    PyObject *counted = PyObject_CallFunctionObjArgs(lasting, adapter, result, NULL);
    Py_DECREF(result);
    return counted;
}

static PyObject *call_counted(struct counts *counts,
                              PyObject *function,
                              PyObject *const *arguments,
                              size_t flags,
                              PyObject *names)
{
    uint64_t total = atomic_load_explicit(&counts->total, memory_order_relaxed);
    atomic_store_explicit(&counts->total, total + 1, memory_order_relaxed);
    atomic_store_explicit(&counts->inside, true, memory_order_relaxed);
    PyObject *result = call_plainly(function, arguments, flags, names);
    atomic_store_explicit(&counts->inside, false, memory_order_relaxed);
    return result;
}

// A thread whose stack is not known may use all of it.
static void find_stack_end(void)
{
    pthread_attr_t attributes;
    void *base = NULL;
    size_t size = 0;
    stack_end = 1;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        if (pthread_attr_getstack(&attributes, &base, &size) == 0) {
            size_t spare = size / 8 < STACK_SPARE ? size / 8 : STACK_SPARE;
            stack_end = (uintptr_t)base + spare;
        }
        (void)pthread_attr_destroy(&attributes);
    }
}

// Each marked call within another one takes some of the thread's stack, which Python
// does not look at.
static bool has_stack(void)
{
    if (stack_end == 0) {
        find_stack_end();
    }
    if ((uintptr_t)__builtin_frame_address(0) > stack_end) {
        return true;
    }
    PyErr_SetString(PyExc_RecursionError,
                    "maximum recursion depth exceeded: the thread's stack is used up");
    return false;
}

// By which a marked function is called.
static PyObject *count_call(PyObject *function,
                            PyObject *const *arguments,
                            size_t flags,
                            PyObject *names)
{
    if (!has_stack()) {
        return NULL;
    }
    // It may need an adapter that it does not get; then it says so itself.
    PyObject *adapter = PyVectorcall_NARGS(flags) == 0 ? NULL : arguments[0];
    struct counts *counts = adapter == NULL ? NULL : counts_of(adapter);
    if (counts == NULL) {
        return PyErr_Occurred() ? NULL
                                : call_plainly(function, arguments, flags, names);
    }
    int within = runs_within(counts, adapter);
    PyObject *result = NULL;
    if (within > 0) {
        result = call_plainly(function, arguments, flags, names);
    } else if (within == 0) {
        result = call_counted(counts, function, arguments, flags, names);
        if (result != NULL && goes_on(result)) {
            result = count_to_its_end(adapter, result);
        }
    }
    Py_DECREF(counts);
    return result;
}

// ---- What tracking.py calls -----------------------------------------------------

static PyObject *count_by(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *given[4];
    if (!PyArg_ParseTuple(
            arguments, "OOOO:count_by", &given[0], &given[1], &given[2], &given[3])) {
        return NULL;
    }
    Py_XSETREF(find_counts, Py_NewRef(given[0]));
    Py_XSETREF(is_part, Py_NewRef(given[1]));
    Py_XSETREF(lasting, Py_NewRef(given[2]));
    Py_XSETREF(running, Py_NewRef(given[3]));
    Py_RETURN_NONE;
}

static PyObject *count_anew(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    atomic_fetch_add(&generation, 1);
    Py_RETURN_NONE;
}

static PyObject *count_calls(PyObject *Py_UNUSED(module), PyObject *function)
{
    if (!PyFunction_Check(function) || running == NULL) {
        PyErr_SetString(PyExc_TypeError, "count_by() comes first, then a function");
        return NULL;
    }
    PyFunctionObject *counted = (PyFunctionObject *)function;
    if (counted->vectorcall != count_call) {
        call_plainly = counted->vectorcall; // the same for all
        PyFunction_SetVectorcall(counted, count_call);
    }
    return Py_NewRef(function);
}

static PyMethodDef functions[] = {
    {"count_by",
     count_by,
     METH_VARARGS,
     "Sets how the counts of an adapter are found, and what open requests are."},
    {"count_calls", count_calls, METH_O, "Has the calls of a function counted."},
    {"count_anew", count_anew, METH_NOARGS, "A tracker is made."},
    {NULL, NULL, 0, NULL},
};

int sp_counting_init(PyObject *module)
{
    memory_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &memory_spec, NULL);
    counts_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &counts_spec, NULL);
    if (memory_type == NULL || counts_type == NULL ||
        PyModule_AddType(module, counts_type) != 0) {
        return -1;
    }
    return PyModule_AddFunctions(module, functions);
}

#else

int sp_counting_init(PyObject *module)
{
    (void)module;
    return 0;
}

#endif
