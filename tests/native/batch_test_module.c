// SPDX-License-Identifier: MIT
// What gathers batches, without a host: the test puts calls into a ring and takes them
// back itself.
#include <string.h>

#include "base/clock.h"
#include "batch.h"

#define SLOTS 16u

static struct sp_control header;
static struct sp_slot slots[SLOTS];
static sp_cell submit[SLOTS];
static uint8_t requests[SLOTS * SP_TOOL_NAME_MAX];
static struct sp_executor executor;
static struct sp_runtime runtime;
static uint64_t tail;

static PyObject *reset(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    memset(&header, 0, sizeof header);
    memset(slots, 0, sizeof slots);
    memset((void *)submit, 0, sizeof submit);
    memset(&runtime, 0, sizeof runtime);
    tail = 0;
    executor.runtime = &runtime;
    executor.batch.count = 0;
    runtime.executors = &executor;
    runtime.view.header = &header;
    runtime.view.slots = slots;
    runtime.view.shape.slots = SLOTS;
    runtime.view.shape.executors = 1;
    runtime.requests.base = requests;
    runtime.requests.size = sizeof requests;
    runtime.intake = (struct sp_intake){.cells = submit,
                                        .mask = SLOTS - 1,
                                        .head = &header.submit_head,
                                        .bell = &header.bell,
                                        .stop = &header.stop,
                                        .executors = 2};
    Py_RETURN_NONE;
}

static PyObject *register_tool(PyObject *module, PyObject *arguments)
{
    const char *name;
    Py_ssize_t size;
    struct sp_batch_terms terms;
    (void)module;
    if (!PyArg_ParseTuple(
            arguments, "s#II", &name, &size, &terms.most, &terms.wait_us) ||
        sp_tools_put(&runtime.tools, name, size, Py_None) != 0) {
        return NULL;
    }
    sp_tools_set_batch(&runtime.tools, name, (uint32_t)size, &terms);
    Py_RETURN_NONE;
}

// put(name, session_size=0, kind=0, left_ms=0): gives the slot, which is also the
// call's number less 100.
static PyObject *put(PyObject *module, PyObject *arguments)
{
    const char *name;
    Py_ssize_t size;
    unsigned int session_size = 0;
    unsigned int kind = SP_CALL_TOOL;
    unsigned int left_ms = 0;
    uint32_t slot = (uint32_t)tail % SLOTS;
    (void)module;
    if (!PyArg_ParseTuple(
            arguments, "s#|III", &name, &size, &session_size, &kind, &left_ms)) {
        return NULL;
    }
    uint64_t at = (uint64_t)slot * SP_TOOL_NAME_MAX;
    memcpy(requests + at, name, (size_t)size);
    slots[slot].request = (struct sp_slot_request){
        .call = 100 + slot,
        .name = at,
        .name_size = (uint16_t)size,
        .session_size = (uint16_t)session_size,
        .kind = (uint8_t)kind,
        .deadline = left_ms == 0 ? SP_NEVER : sp_clock_now() + left_ms * SP_NS_PER_MS};
    atomic_store(&slots[slot].result.state, SP_SLOT_QUEUED);
    sp_ring_put(submit, SLOTS - 1, tail++, slot);
    return PyLong_FromUnsignedLong(slot);
}

static PyObject *list_of(const uint32_t *numbers, uint32_t count)
{
    PyObject *list = PyList_New(count);
    for (uint32_t i = 0; list != NULL && i < count; i++) {
        PyList_SET_ITEM(list, i, PyLong_FromUnsignedLong(numbers[i]));
    }
    return list;
}

// The slots that the executor runs next; those of a batch, or the one; or none.
static PyObject *take(PyObject *module, PyObject *unused)
{
    uint32_t slot;
    (void)module;
    (void)unused;
    if (!sp_ring_take(submit, SLOTS - 1, &header.submit_head, &slot)) {
        return list_of(NULL, 0);
    }
    if (!sp_batch_gather(&executor, slot)) {
        return list_of(&slot, 1);
    }
    return list_of(executor.batch.taken, executor.batch.taken_count);
}

static PyObject *searching(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyLong_FromUnsignedLong(atomic_load(&header.bell.searching));
}

static PyObject *leave(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    atomic_store(&runtime.leaving.begun, true);
    Py_RETURN_NONE;
}

// Runs what take() gave as one.
static PyObject *run(PyObject *module, PyObject *unused)
{
    struct sp_batch *batch = &executor.batch;
    (void)module;
    (void)unused;
    for (uint32_t i = 0; i < batch->taken_count; i++) {
        batch->items[i] = (struct sp_batch_item){.slot = batch->taken[i]};
        memcpy(&batch->items[i].request,
               &slots[batch->taken[i]].request,
               sizeof batch->items[i].request);
    }
    batch->count = batch->taken_count;
    executor.current.call = batch->items[0].request.call;
    Py_RETURN_NONE;
}

static PyObject *end(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    sp_batch_close(&executor.batch);
    Py_RETURN_NONE;
}

// The host gives the call of a slot up; gives what is to be stopped for that, as a
// call's number less 100, or None.
static PyObject *give_up(PyObject *module, PyObject *number)
{
    (void)module;
    uint32_t slot = (uint32_t)PyLong_AsUnsignedLong(number) % SLOTS;
    slots[slot].request.cancel = 1;
    const struct sp_cancel cancel = {.call = slots[slot].request.call, .slot = slot};
    uint64_t struck = sp_batch_struck(&runtime, &cancel);
    if (struck == 0) {
        Py_RETURN_NONE;
    }
    return PyLong_FromUnsignedLongLong(struck - 100);
}

static PyObject *speaker(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyLong_FromUnsignedLong(sp_batch_speaker(&executor)->slot);
}

// Whether the time of the batch is that of the call in a slot.
static PyObject *is_due_with(PyObject *module, PyObject *number)
{
    (void)module;
    uint32_t slot = (uint32_t)PyLong_AsUnsignedLong(number) % SLOTS;
    return PyBool_FromLong(sp_batch_deadline(&executor.batch) ==
                           slots[slot].request.deadline);
}

static PyMethodDef methods[] = {
    {"reset", reset, METH_NOARGS, NULL},
    {"register", register_tool, METH_VARARGS, NULL},
    {"put", put, METH_VARARGS, NULL},
    {"take", take, METH_NOARGS, NULL},
    {"searching", searching, METH_NOARGS, NULL},
    {"leave", leave, METH_NOARGS, NULL},
    {"run", run, METH_NOARGS, NULL},
    {"end", end, METH_NOARGS, NULL},
    {"give_up", give_up, METH_O, NULL},
    {"speaker", speaker, METH_NOARGS, NULL},
    {"is_due_with", is_due_with, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_batch_test", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit__batch_test(void);

PyMODINIT_FUNC PyInit__batch_test(void)
{
    pthread_mutex_init(&executor.batch.lock, NULL);
    PyObject *module = PyModule_Create(&definition);
#ifdef Py_GIL_DISABLED
    if (module != NULL) {
        PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
    }
#endif
    return module;
}
