// SPDX-License-Identifier: MIT
// The worker's side of the limit: an executor loop that turns MessagePack into Python
// objects, calls a function with the map, and turns what it returns into MessagePack.
// It reads what the bench sends and writes what the bench's functions return, and
// checks neither.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "limit/limit.h"

#define SIGNALS_EVERY 1024u // calls between two looks for signals

struct module_state {
    struct limit_segment *segment;
};

// ---- MessagePack to Python ----------------------------------------------------

struct source {
    const uint8_t *at;
    struct limit_segment *segment;
};

static uint64_t read_be(struct source *source, unsigned bytes)
{
    uint64_t value = 0;
    while (bytes-- > 0) {
        value = value << 8 | *source->at++;
    }
    return value;
}

static PyObject *decode(struct source *source);

static PyObject *decode_text(struct source *source, size_t size)
{
    const char *text = (const char *)source->at;
    source->at += size;
    return PyUnicode_FromStringAndSize(text, (Py_ssize_t)size);
}

// Returns false with an exception set.
static bool decode_pair(struct source *source, PyObject *map)
{
    PyObject *key = decode(source);
    PyObject *value = key == NULL ? NULL : decode(source);
    bool good = value != NULL && PyDict_SetItem(map, key, value) == 0;
    Py_XDECREF(key);
    Py_XDECREF(value);
    return good;
}

static PyObject *decode_map(struct source *source, unsigned pairs)
{
    PyObject *map = PyDict_New();
    while (map != NULL && pairs-- > 0) {
        if (!decode_pair(source, map)) {
            Py_CLEAR(map);
        }
    }
    return map;
}

// A tensor is an extension of 16 bytes: offset and length. Its view outlives nothing.
static PyObject *decode_tensor(struct source *source)
{
    source->at++;
    uint64_t offset = read_be(source, 8);
    uint64_t size = read_be(source, 8);
    return PyMemoryView_FromMemory(
        (char *)source->segment + offset, (Py_ssize_t)size, PyBUF_READ);
}

static PyObject *decode(struct source *source)
{
    uint8_t lead = *source->at++;
    if (lead < 0x80) {
        return PyLong_FromLong(lead);
    }
    if (lead < 0x90) {
        return decode_map(source, lead & 0x0f);
    }
    if (lead >= 0xa0 && lead < 0xc0) {
        return decode_text(source, lead & 0x1f);
    }
    if (lead >= 0xcc && lead <= 0xcf) {
        return PyLong_FromUnsignedLongLong(read_be(source, 1u << (lead - 0xcc)));
    }
    if (lead == 0xd8) {
        return decode_tensor(source);
    }
    PyErr_Format(PyExc_ValueError, "the limit does not read byte %d", lead);
    return NULL;
}

// ---- Python to MessagePack ----------------------------------------------------

static uint8_t *write_be(uint8_t *at, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

static uint8_t *encode(uint8_t *at, PyObject *object);

static uint8_t *encode_text(uint8_t *at, PyObject *text)
{
    Py_ssize_t size;
    const char *data = PyUnicode_AsUTF8AndSize(text, &size);
    if (data == NULL) {
        return NULL;
    }
    *at++ = (uint8_t)(0xa0 | size);
    memcpy(at, data, (size_t)size);
    return at + size;
}

static uint8_t *encode_int(uint8_t *at, PyObject *number)
{
    long long value = PyLong_AsLongLong(number);
    if (value >= 0 && value < 0x80) {
        *at++ = (uint8_t)value;
        return at;
    }
    *at++ = 0xd3;
    return write_be(at, (uint64_t)value);
}

static uint8_t *encode_float(uint8_t *at, PyObject *number)
{
    double value = PyFloat_AS_DOUBLE(number);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    *at++ = 0xcb;
    return write_be(at, bits);
}

static uint8_t *encode_map(uint8_t *at, PyObject *map)
{
    Py_ssize_t place = 0;
    PyObject *key;
    PyObject *value;
    *at++ = (uint8_t)(0x80 | PyDict_Size(map));
    while (at != NULL && PyDict_Next(map, &place, &key, &value)) {
        at = encode(at, key);
        at = at == NULL ? NULL : encode(at, value);
    }
    return at;
}

// Returns where the next byte goes, or NULL with an exception set.
static uint8_t *encode(uint8_t *at, PyObject *object)
{
    if (object == Py_True || object == Py_False) {
        *at++ = object == Py_True ? 0xc3 : 0xc2;
        return at;
    }
    if (PyLong_Check(object)) {
        return encode_int(at, object);
    }
    if (PyUnicode_Check(object)) {
        return encode_text(at, object);
    }
    if (PyFloat_Check(object)) {
        return encode_float(at, object);
    }
    if (PyDict_Check(object)) {
        return encode_map(at, object);
    }
    PyErr_Format(PyExc_TypeError, "the limit does not write %R", Py_TYPE(object));
    return NULL;
}

// ---- Executor -----------------------------------------------------------------

static void
serve(struct limit_segment *segment, uint32_t id, PyObject *const *functions)
{
    struct limit_slot *slot = &segment->slots[id];
    // Read first: the slot's line and the arguments' come from the other core together.
    uint32_t tool = slot->tool;
    struct source source = {.at = segment->args[id], .segment = segment};
    PyObject *map = decode(&source);
    PyObject *result = map == NULL ? NULL : PyObject_CallOneArg(functions[tool], map);
    uint8_t *end = result == NULL ? NULL : encode(segment->results[id], result);
    slot->failed = end == NULL;
    slot->result_size = end == NULL ? 0 : (uint32_t)(end - segment->results[id]);
    if (end == NULL) {
        PyErr_Print();
    }
    Py_XDECREF(map);
    Py_XDECREF(result);
    limit_complete(segment, slot);
}

// Serves at most `most` calls. False with an exception.
static bool
serve_calls(struct limit_segment *segment, PyObject *functions, uint64_t most)
{
    PyObject *const *table = PySequence_Fast_ITEMS(functions);
    uint64_t budget = 0;
    atomic_fetch_add(&segment->ready, 1);
    limit_wake(&segment->ready, 1);
    for (uint64_t calls = 1; calls <= most; calls++) {
        uint32_t id;
        if (!limit_ring_take(segment, &id)) {
            Py_BEGIN_ALLOW_THREADS;
            id = limit_ring_wait(segment, &budget);
            Py_END_ALLOW_THREADS;
        }
        if (id == LIMIT_STOP) {
            return true;
        }
        serve(segment, id, table);
        if (calls % SIGNALS_EVERY == 0 && PyErr_CheckSignals() != 0) {
            return false;
        }
    }
    return true;
}

static PyObject *run(PyObject *module, PyObject *functions)
{
    struct module_state *state = PyModule_GetState(module);
    bool good = serve_calls(state->segment, functions, UINT64_MAX);
    return good ? Py_NewRef(Py_None) : NULL;
}

static PyObject *run_once(PyObject *module, PyObject *functions)
{
    struct module_state *state = PyModule_GetState(module);
    prctl(PR_SET_PDEATHSIG, SIGKILL); // a fork has lost its parent's
    bool good = serve_calls(state->segment, functions, 1);
    return good ? Py_NewRef(Py_None) : NULL;
}

static PyObject *rest(PyObject *module, PyObject *Py_UNUSED(nothing))
{
    struct module_state *state = PyModule_GetState(module);
    struct limit_segment *segment = state->segment;
    Py_BEGIN_ALLOW_THREADS;
    while (atomic_load(&segment->stop) == 0) {
        limit_sleep(&segment->stop, 0); // not the bell, whose wakes are the executors'
    }
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

static PyObject *attach(PyObject *module, PyObject *descriptor)
{
    struct module_state *state = PyModule_GetState(module);
    int fd = PyObject_AsFileDescriptor(descriptor);
    if (fd < 0) {
        return NULL;
    }
    void *base = mmap(NULL, LIMIT_SEGMENT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    state->segment = base;
    Py_RETURN_NONE;
}

static PyObject *result_tensor(PyObject *module, PyObject *Py_UNUSED(nothing))
{
    struct module_state *state = PyModule_GetState(module);
    char *base = (char *)state->segment + LIMIT_ARENA + LIMIT_TENSOR;
    return PyMemoryView_FromMemory(base, (Py_ssize_t)LIMIT_TENSOR, PyBUF_WRITE);
}

static PyMethodDef methods[] = {
    {"attach", attach, METH_O, "Maps the segment of an inherited descriptor."},
    {"run", run, METH_O, "Serves with a tuple of functions until the host says stop."},
    {"run_once", run_once, METH_O, "The same for one call."},
    {"rest", rest, METH_NOARGS, "Waits until the host says stop."},
    {"result_tensor",
     result_tensor,
     METH_NOARGS,
     "A writable view of the result tensor."},
    {0},
};

static PyModuleDef_Slot module_slots[] = {
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_limit",
    .m_doc = "The worker's side of the bench's limit.",
    .m_size = sizeof(struct module_state),
    .m_methods = methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__limit(void);
PyMODINIT_FUNC PyInit__limit(void)
{
    return PyModuleDef_Init(&definition);
}
