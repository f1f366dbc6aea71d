// SPDX-License-Identifier: MIT
// The codec as a module of its own, for tests: services of runtime.h backed by plain
// memory, and an Executor that decodes, calls and encodes without a host.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/memory.h"
#include "codec.h"
#include "codec_compat.h"
#include "known_numpy.h"
#include "payload/wire.h"
#include "python_memory.h"

#define REQUESTS_SIZE (UINT64_C(1) << 20)
#define RESULTS_SIZE  (UINT64_C(1) << 30)
#define INLINE_MAX    65536

// ---- The services of runtime.h ------------------------------------------------

// One per process, as in a worker. Guarded by lock, but for the two segments.
struct sp_runtime {
    pthread_mutex_t lock;
    uint8_t *requests;
    uint8_t *results;
    uint64_t limit; // no block ends behind it
    uint64_t next;  // starts over when nothing is in use
    uint64_t blocks;
    uint64_t bytes;
    _Atomic uint64_t leases;
};

static struct sp_runtime the_runtime = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                        .limit = RESULTS_SIZE};

// There is one window, of 128 bytes: the first ones of the results.
const uint8_t *
sp_runtime_memory(struct sp_runtime *runtime, uint32_t window, uint64_t *size)
{
    *size = window == 0 ? REQUESTS_SIZE : 128;
    return window == 0 ? runtime->requests : window == 1 ? runtime->results : NULL;
}

uint8_t *sp_runtime_results(struct sp_runtime *runtime, uint64_t *size)
{
    *size = RESULTS_SIZE;
    return runtime->results;
}

snakepit_err
sp_runtime_alloc(struct sp_runtime *runtime, uint64_t bytes, uint64_t *offset)
{
    snakepit_err error = SNAKEPIT_NO_MEMORY;
    pthread_mutex_lock(&runtime->lock);
    if (runtime->next <= runtime->limit && bytes <= runtime->limit - runtime->next) {
        *offset = runtime->next;
        runtime->next += (bytes + 63) / 64 * 64;
        runtime->blocks++;
        runtime->bytes += bytes;
        error = SNAKEPIT_OK;
    }
    pthread_mutex_unlock(&runtime->lock);
    return error;
}

void sp_runtime_free(struct sp_runtime *runtime, uint64_t offset, uint64_t bytes)
{
    pthread_mutex_lock(&runtime->lock);
    memset(runtime->results + offset, 0xdd, bytes); // so that a use after it shows
    runtime->bytes -= bytes;
    if (--runtime->blocks == 0) {
        runtime->next = 0;
    }
    pthread_mutex_unlock(&runtime->lock);
}

void sp_lease_unref(struct sp_lease *lease)
{
    if (atomic_fetch_sub(&lease->refs, 1) == 1) {
        atomic_fetch_sub(&lease->runtime->leases, 1);
        free(lease);
    }
}

static struct sp_lease *lease_new(uint32_t number)
{
    struct sp_lease *lease = calloc(1, sizeof(*lease));
    atomic_init(&lease->refs, 1);
    lease->number = number;
    lease->runtime = &the_runtime;
    atomic_fetch_add(&the_runtime.leases, 1);
    return lease;
}

// ---- Executor -----------------------------------------------------------------

struct executor {
    PyObject_HEAD struct sp_decoder decoder;
    struct sp_encoder encoder;
    struct sp_block **held; // what the host would have
    size_t held_count;
};

struct state {
    struct sp_codec codec;
};

struct sp_codec *test_codec_of(PyObject *module)
{
    return &((struct state *)PyModule_GetState(module))->codec;
}

static PyObject *executor_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args;
    (void)kwargs;
    struct executor *executor = (struct executor *)type->tp_alloc(type, 0);
    if (executor != NULL) {
        struct state *state = PyType_GetModuleState(type);
        sp_decoder_init(&executor->decoder, &state->codec);
        sp_encoder_init(&executor->encoder, &state->codec);
    }
    return (PyObject *)executor;
}

static PyObject *executor_release(PyObject *self, PyObject *unused)
{
    (void)unused;
    struct executor *executor = (struct executor *)self;
    while (executor->held_count > 0) {
        sp_block_unref(executor->held[--executor->held_count]);
    }
    Py_RETURN_NONE;
}

static void executor_dealloc(PyObject *self)
{
    struct executor *executor = (struct executor *)self;
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(executor_release(self, NULL));
    free((void *)executor->held);
    sp_decoder_fini(&executor->decoder);
    sp_encoder_fini(&executor->encoder);
    type->tp_free(self);
    Py_DECREF(type);
}

// A copy of exactly this size, so that a sanitizer sees a read past it.
static uint8_t *exact_copy(const char *data, Py_ssize_t size)
{
    uint8_t *copy = malloc((size_t)size == 0 ? 1 : (size_t)size);
    memcpy(copy, data, (size_t)size);
    return copy;
}

// decode(data, lease=1, around=0): lease -1 stands for "no lease", -2 for no lease
// struct at all.
static PyObject *executor_decode(PyObject *self, PyObject *args)
{
    struct executor *executor = (struct executor *)self;
    const char *data;
    Py_ssize_t size;
    int number = 1;
    int around = 0;
    if (!PyArg_ParseTuple(args, "y#|ii", &data, &size, &number, &around)) {
        return NULL;
    }
    executor->decoder.around = (uint32_t)around;
    uint8_t *bytes = exact_copy(data, size);
    struct sp_lease *lease = number == -2 ? NULL : lease_new((uint32_t)number);
    PyObject *value = sp_decode(&executor->decoder, bytes, (size_t)size, lease);
    if (lease != NULL) {
        sp_lease_unref(lease);
    }
    free(bytes);
    return value;
}

// arguments(data) -> (names, dict)
static PyObject *executor_arguments(PyObject *self, PyObject *args)
{
    struct executor *executor = (struct executor *)self;
    const char *data;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "y#", &data, &size)) {
        return NULL;
    }
    uint8_t *bytes = exact_copy(data, size);
    struct sp_lease *lease = lease_new(1);
    struct sp_arguments arguments;
    int result =
        sp_decode_arguments(&executor->decoder, bytes, (size_t)size, lease, &arguments);
    free(bytes);
    sp_lease_unref(lease);
    if (result != 0) {
        return NULL;
    }
    PyObject *dict = sp_arguments_as_dict(&arguments);
    PyObject *names = arguments.names == NULL ? Py_None : arguments.names;
    PyObject *answer = dict == NULL ? NULL : Py_BuildValue("(ON)", names, dict);
    sp_arguments_fini(&arguments);
    return answer;
}

static PyObject *describe_block(const struct sp_block *block)
{
    return Py_BuildValue("(KKK)",
                         (unsigned long long)block->offset,
                         (unsigned long long)block->bytes,
                         (unsigned long long)atomic_load(&block->refs));
}

static PyObject *blocks_of(const struct sp_encoder *encoder)
{
    PyObject *list = PyList_New(encoder->block_count);
    for (uint32_t i = 0; list != NULL && i < encoder->block_count; i++) {
        PyObject *item = describe_block(encoder->blocks[i]);
        if (item == NULL) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

// What the runtime does with an answer's blocks: keep them until the host returns them.
static void hold_blocks(struct executor *executor)
{
    struct sp_encoder *encoder = &executor->encoder;
    size_t total = executor->held_count + encoder->block_count;
    void *grown = realloc((void *)executor->held, (total + 1) * sizeof(void *));
    if (grown == NULL) {
        abort();
    }
    executor->held = (struct sp_block **)grown;
    for (uint32_t i = 0; i < encoder->block_count; i++) {
        executor->held[executor->held_count++] = encoder->blocks[i];
    }
    encoder->block_count = 0;
}

// The purpose of that name; -1 with an exception.
static int purpose_of(const char *name)
{
    static const char *const names[SP_PURPOSES] = {
        "result", "arguments", "session", "event"};
    int i = 0;
    for (; i < SP_PURPOSES && strcmp(name, names[i]) != 0; i++) {
    }
    return i < SP_PURPOSES ? i : (PyErr_BadArgument(), -1);
}

// encode(value, inline_size=2048, purpose="result") -> (bytes, is_inline, [(offset,
// bytes, refs), ...]). The blocks are held until release().
static PyObject *executor_encode(PyObject *self, PyObject *args)
{
    struct executor *executor = (struct executor *)self;
    PyObject *value;
    unsigned int inline_size = 2048;
    const char *purpose = "result";
    if (!PyArg_ParseTuple(args, "O|Is", &value, &inline_size, &purpose) ||
        inline_size > INLINE_MAX || purpose_of(purpose) < 0) {
        return NULL;
    }
    uint8_t *area = malloc(inline_size == 0 ? 1 : inline_size);
    PyObject *answer = NULL;
    sp_encoder_begin(&executor->encoder, area, inline_size);
    sp_encoder_set_purpose(&executor->encoder, (enum sp_purpose)purpose_of(purpose));
    if (sp_encode(&executor->encoder, value) == 0) {
        const uint8_t *data;
        size_t size;
        bool is_inline;
        sp_encoder_bytes(&executor->encoder, &data, &size, &is_inline);
        PyObject *blocks = blocks_of(&executor->encoder);
        hold_blocks(executor);
        answer = blocks == NULL ? NULL
                                : Py_BuildValue("(y#NN)",
                                                data,
                                                (Py_ssize_t)size,
                                                PyBool_FromLong(is_inline),
                                                blocks);
    }
    sp_encoder_end(&executor->encoder);
    free(area);
    return answer;
}

// add_block(size) -> (offset, size, refs), held until release()
static PyObject *executor_add_block(PyObject *self, PyObject *args)
{
    struct executor *executor = (struct executor *)self;
    unsigned long long size;
    if (!PyArg_ParseTuple(args, "K", &size)) {
        return NULL;
    }
    const struct sp_block *block = sp_encoder_add_block(&executor->encoder, size);
    if (block == NULL) {
        return PyErr_NoMemory();
    }
    PyObject *described = describe_block(block);
    hold_blocks(executor);
    return described;
}

// One call as an executor makes it; adds nanoseconds of decoding, calling and encoding.
static int
run_once(struct executor *executor, PyObject *tool, Py_buffer *body, uint64_t ticks[3])
{
    static _Thread_local uint8_t area[2048];
    static struct sp_lease lease = {
        .refs = 1, .number = SP_NO_LEASE, .runtime = &the_runtime};
    struct sp_arguments arguments;
    uint64_t start = sp_clock_ticks();
    if (sp_decode_arguments(
            &executor->decoder, body->buf, (size_t)body->len, &lease, &arguments) !=
        0) {
        return -1;
    }
    uint64_t decoded = sp_clock_ticks();
    PyObject *result = PyObject_Vectorcall(
        tool, arguments.values, PY_VECTORCALL_ARGUMENTS_OFFSET, arguments.names);
    uint64_t called = sp_clock_ticks();
    sp_encoder_begin(&executor->encoder, area, sizeof(area));
    int status = result == NULL ? -1 : sp_encode(&executor->encoder, result);
    sp_arguments_fini(&arguments);
    Py_XDECREF(result);
    ticks[0] += decoded - start;
    ticks[1] += called - decoded;
    ticks[2] += sp_clock_ticks() - called;
    return status;
}

// bench(tool, body, calls) -> (ns a call, of it decoding, calling, encoding)
static PyObject *executor_bench(PyObject *self, PyObject *args)
{
    PyObject *tool;
    Py_buffer body;
    unsigned long calls;
    if (!PyArg_ParseTuple(args, "Oy*k", &tool, &body, &calls)) {
        return NULL;
    }
    uint64_t ticks[3] = {0};
    uint64_t start = sp_clock_now();
    int result = 0;
    for (unsigned long i = 0; i < calls && result == 0; i++) {
        result = run_once((struct executor *)self, tool, &body, ticks);
    }
    double nanoseconds = (double)(sp_clock_now() - start);
    PyBuffer_Release(&body);
    if (result != 0) {
        return NULL;
    }
    double scale =
        nanoseconds / (double)(ticks[0] + ticks[1] + ticks[2]) / (double)calls;
    return Py_BuildValue("(dddd)",
                         nanoseconds / (double)calls,
                         (double)ticks[0] * scale,
                         (double)ticks[1] * scale,
                         (double)ticks[2] * scale);
}

// caches() -> (keys held, tuples held, names interned, bytes of the private buffer)
static PyObject *executor_caches(PyObject *self, PyObject *unused)
{
    (void)unused;
    const struct executor *executor = (struct executor *)self;
    unsigned int keys = 0;
    unsigned int tuples = 0;
    for (size_t i = 0; i < SP_KEYS_CACHED; i++) {
        keys += executor->decoder.keys[i] != NULL;
    }
    for (size_t i = 0; i < SP_NAMES_CACHED; i++) {
        tuples += executor->decoder.names[i].tuple != NULL;
    }
    return Py_BuildValue("(IIIn)",
                         keys,
                         tuples,
                         executor->decoder.interned,
                         (Py_ssize_t)executor->encoder.heap_size);
}

static PyMethodDef executor_methods[] = {
    {"decode", executor_decode, METH_VARARGS, NULL},
    {"arguments", executor_arguments, METH_VARARGS, NULL},
    {"encode", executor_encode, METH_VARARGS, NULL},
    {"add_block", executor_add_block, METH_VARARGS, NULL},
    {"release", executor_release, METH_NOARGS, NULL},
    {"bench", executor_bench, METH_VARARGS, NULL},
    {"caches", executor_caches, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot executor_slots[] = {
    {Py_tp_new, executor_new},
    {Py_tp_dealloc, executor_dealloc},
    {Py_tp_methods, executor_methods},
    {0, NULL},
};

static PyType_Spec executor_spec = {
    .name = "_codec_test.Executor",
    .basicsize = sizeof(struct executor),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = executor_slots,
};

// ---- The module ---------------------------------------------------------------

static PyObject *module_write_requests(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned long long offset;
    Py_buffer data;
    if (!PyArg_ParseTuple(args, "Ky*", &offset, &data)) {
        return NULL;
    }
    memcpy(the_runtime.requests + offset, data.buf, (size_t)data.len);
    PyBuffer_Release(&data);
    Py_RETURN_NONE;
}

static PyObject *module_results(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned long long offset;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "Kn", &offset, &size)) {
        return NULL;
    }
    return PyBytes_FromStringAndSize((char *)the_runtime.results + offset, size);
}

// usage() -> (blocks in use, their bytes, leases alive)
static PyObject *module_usage(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    pthread_mutex_lock(&the_runtime.lock);
    unsigned long long blocks = the_runtime.blocks;
    unsigned long long bytes = the_runtime.bytes;
    pthread_mutex_unlock(&the_runtime.lock);
    unsigned long long leases = atomic_load(&the_runtime.leases);
    return Py_BuildValue("(KKK)", blocks, bytes, leases);
}

static PyObject *module_limit_results(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned long long limit = RESULTS_SIZE;
    if (!PyArg_ParseTuple(args, "|K", &limit)) {
        return NULL;
    }
    the_runtime.limit = limit;
    Py_RETURN_NONE;
}

static PyObject *module_fail_at(PyObject *module, PyObject *args)
{
    (void)module;
    long n;
    if (!PyArg_ParseTuple(args, "l", &n)) {
        return NULL;
    }
    sp_memory_fail_at(n);
    Py_RETURN_NONE;
}

// on_unserialisable(number): of enum sp_unserialisable
static PyObject *module_on_unserialisable(PyObject *module, PyObject *args)
{
    struct state *state = PyModule_GetState(module);
    int choice;
    if (!PyArg_ParseTuple(args, "i", &choice)) {
        return NULL;
    }
    state->codec.on_unserialisable = (enum sp_unserialisable)choice;
    Py_RETURN_NONE;
}

// tensors(number=0, as_array=None): of enum sp_tensors
static PyObject *module_tensors(PyObject *module, PyObject *args)
{
    struct state *state = PyModule_GetState(module);
    int choice = 0;
    PyObject *as_array = Py_None;
    if (!PyArg_ParseTuple(args, "|iO", &choice, &as_array)) {
        return NULL;
    }
    state->codec.tensors = (enum sp_tensors)choice;
    Py_XSETREF(state->codec.as_array, as_array == Py_None ? NULL : Py_NewRef(as_array));
    Py_RETURN_NONE;
}

// addresses() -> (start of the requests, start of the results)
static PyObject *module_addresses(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return Py_BuildValue("(KK)",
                         (unsigned long long)(uintptr_t)the_runtime.requests,
                         (unsigned long long)(uintptr_t)the_runtime.results);
}

static PyMethodDef module_methods[] = {
    {"empty",
     (PyCFunction)(void (*)(void))make_empty,
     METH_VARARGS | METH_KEYWORDS,
     NULL},
    {"know_numpy", know_numpy, METH_VARARGS, NULL},
    {"make_array", make_array, METH_VARARGS, NULL},
    {"write_requests", module_write_requests, METH_VARARGS, NULL},
    {"results", module_results, METH_VARARGS, NULL},
    {"usage", module_usage, METH_NOARGS, NULL},
    {"limit_results", module_limit_results, METH_VARARGS, NULL},
    {"fail_at", module_fail_at, METH_VARARGS, NULL},
    {"fail_python_at", fail_python_at, METH_VARARGS, NULL},
    {"on_unserialisable", module_on_unserialisable, METH_VARARGS, NULL},
    {"tensors", module_tensors, METH_VARARGS, NULL},
    {"addresses", module_addresses, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static void *map_segment(size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *segment = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    return segment == MAP_FAILED ? NULL : segment;
}

static int module_exec(PyObject *module)
{
    if (the_runtime.requests == NULL) {
        the_runtime.requests = map_segment(REQUESTS_SIZE);
        the_runtime.results = map_segment(RESULTS_SIZE);
    }
    if (the_runtime.requests == NULL || the_runtime.results == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    struct state *state = PyModule_GetState(module);
    state->codec.runtime = &the_runtime;
    if (sp_codec_init(&state->codec, module) != 0) {
        return -1;
    }
    PyObject *type = PyType_FromModuleAndSpec(module, &executor_spec, NULL);
    int result = type == NULL ? -1 : PyModule_AddType(module, (PyTypeObject *)type);
    Py_XDECREF(type);
    return result;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct state *state = PyModule_GetState(module);
    return state == NULL ? 0 : sp_codec_traverse(&state->codec, visit, arg);
}

static int module_clear(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    if (state != NULL) {
        sp_codec_clear(&state->codec);
    }
    return 0;
}

static void module_free(void *module)
{
    module_clear(module);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_codec_test",
    .m_size = sizeof(struct state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__codec_test(void)
{
    return PyModuleDef_Init(&module_definition);
}
