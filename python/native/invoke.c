// SPDX-License-Identifier: MIT
// Finds the tool of a call, decodes its arguments, and calls it.
#include "invoke.h"

#include "fault.h"
#include "fit.h"
#include "stream.h"

static PyObject *name_of(const struct sp_current *current)
{
    return PyUnicode_DecodeUTF8(
        (const char *)current->name, current->name_size, "replace");
}

static PyObject *call_fallback(struct sp_runtime *runtime,
                               const struct sp_current *current,
                               const struct sp_arguments *arguments)
{
    PyObject *name = name_of(current);
    PyObject *dict = name == NULL ? NULL : sp_arguments_as_dict(arguments);
    PyObject *result =
        dict == NULL
            ? NULL
            : PyObject_CallFunctionObjArgs(runtime->fallback, name, dict, NULL);
    Py_XDECREF(dict);
    Py_XDECREF(name);
    return result;
}

// "; did you mean ..." or nothing. A new reference; NULL with an exception.
static PyObject *hint_at(const struct sp_tool *meant)
{
    if (meant == NULL) {
        return PyUnicode_FromString("");
    }
    PyObject *name = PyUnicode_DecodeUTF8(meant->name, meant->size, "replace");
    PyObject *hint =
        name == NULL ? NULL : PyUnicode_FromFormat("; did you mean \"%U\"?", name);
    Py_XDECREF(name);
    return hint;
}

// What the bridge knows of a name that is not a tool: "; ..." or nothing. A new
// reference; NULL with an exception.
static PyObject *hint_of_bridge(PyObject *hinter, PyObject *name)
{
    PyObject *hint =
        hinter == NULL ? PyUnicode_FromString("") : PyObject_CallOneArg(hinter, name);
    if (hint != NULL && !PyUnicode_Check(hint)) {
        PyErr_SetString(PyExc_TypeError, "a hint is a text");
        Py_DECREF(hint);
        return NULL;
    }
    return hint;
}

// Raises UnknownTool, which says why that is not a tool, or which was probably meant.
static PyObject *no_such_tool(const struct sp_runtime *runtime,
                              const struct sp_current *current,
                              snakepit_err *err)
{
    *err = SNAKEPIT_UNKNOWN_TOOL;
    PyObject *name = name_of(current);
    PyObject *known = name == NULL ? NULL : hint_of_bridge(runtime->hinter, name);
    PyObject *meant = known == NULL
                          ? NULL
                          : hint_at(sp_tools_nearest(
                                &runtime->tools, current->name, current->name_size));
    if (meant != NULL) {
        PyErr_Format(sp_fault_unknown_tool_type(),
                     "the adapter has no tool \"%U\"%U%U",
                     name,
                     known,
                     meant);
    }
    Py_XDECREF(meant);
    Py_XDECREF(known);
    Py_XDECREF(name);
    return NULL;
}

// Has the bridge look at a TypeError that stays set: the call in the slot may not fit
// the tool.
static void explain(const struct sp_executor *executor,
                    uint32_t id,
                    const struct sp_arguments *arguments)
{
    PyObject *explainer = executor->runtime->explainer;
    if (explainer == NULL || !PyErr_ExceptionMatches(PyExc_TypeError) ||
        sp_slot_is_given_up(&executor->runtime->view.slots[id])) {
        return;
    }
    PyObject *error = sp_fault_take();
    PyObject *name = name_of(&executor->current);
    PyObject *names = arguments->names == NULL ? Py_None : arguments->names;
    if (name != NULL) {
        Py_XDECREF(PyObject_CallFunctionObjArgs(explainer, error, name, names, NULL));
    }
    Py_XDECREF(name);
    PyErr_Clear(); // it was a remark
    sp_fault_put_back(error);
}

// What came of one of the calls that a tool has taken at once: a new reference, or NULL
// with the exception that is its result.
static PyObject *result_at(PyObject *results, Py_ssize_t place)
{
    PyObject *result = PyList_GET_ITEM(results, place);
    Py_INCREF(result);
    if (PyExceptionInstance_Check(result)) {
        sp_fault_put_back(result);
        return NULL;
    }
    return result;
}

// Calls a tool that takes many calls at once, whose arguments are in the list. A list
// of as many results, or NULL with an exception.
static PyObject *call_with_many(const struct sp_tool *tool, PyObject *calls)
{
    PyObject *results = PyObject_CallOneArg(tool->function, calls);
    if (results == NULL || (PyList_CheckExact(results) &&
                            PyList_GET_SIZE(results) == PyList_GET_SIZE(calls))) {
        return results;
    }
    PyErr_SetString(PyExc_TypeError, "a batch gives a list of its results");
    Py_DECREF(results);
    return NULL;
}

// The same for one call.
static PyObject *call_with_one(const struct sp_tool *tool,
                               const struct sp_arguments *arguments)
{
    PyObject *dict = sp_arguments_as_dict(arguments);
    PyObject *calls = dict == NULL ? NULL : Py_BuildValue("[N]", dict);
    PyObject *results = calls == NULL ? NULL : call_with_many(tool, calls);
    PyObject *result = results == NULL ? NULL : result_at(results, 0);
    PyObject *exception = sp_fault_take();
    Py_XDECREF(results);
    Py_XDECREF(calls);
    sp_fault_put_back(exception);
    return result;
}

static PyObject *call_tool(const struct sp_executor *executor,
                           const struct sp_tool *tool,
                           const struct sp_arguments *arguments)
{
    if (tool->batch.most > 0) {
        return call_with_one(tool, arguments);
    }
    PyObject *names = arguments->names;
    size_t by_position = 0;
    if (executor->fits != NULL &&
        sp_fit_in_order(&executor->fits[tool - executor->runtime->tools.places],
                        tool->function,
                        names)) {
        by_position = arguments->count;
        names = NULL;
    }
    return PyObject_Vectorcall(tool->function,
                               arguments->values,
                               by_position | PY_VECTORCALL_ARGUMENTS_OFFSET,
                               names);
}

// The tool that the current call names, or NULL. Mostly it is that of the last one.
static const struct sp_tool *find_tool(struct sp_executor *executor)
{
    const struct sp_current *current = &executor->current;
    const struct sp_tool *last = executor->tool;
    if (last == NULL || !sp_tool_is(last, current->name, current->name_size)) {
        executor->tool =
            sp_tools_find(&executor->runtime->tools, current->name, current->name_size);
    }
    return executor->tool;
}

static snakepit_err err_of_decoding(void)
{
    return PyErr_ExceptionMatches(PyExc_MemoryError) ? SNAKEPIT_NO_MEMORY
                                                     : SNAKEPIT_MALFORMED;
}

PyObject *sp_invoke_tool(struct sp_executor *executor,
                         const struct sp_slot_request *request,
                         struct sp_lease *lease,
                         snakepit_err *err)
{
    struct sp_runtime *runtime = executor->runtime;
    const struct sp_current *current = &executor->current;
    const struct sp_tool *tool = find_tool(executor);
    if (tool == NULL && runtime->fallback == NULL) {
        return no_such_tool(runtime, current, err);
    }
    struct sp_arguments arguments;
    const uint8_t *body = runtime->requests.base + request->body;
    if (sp_decode_arguments(
            &executor->decoder, body, request->body_size, lease, &arguments) != 0) {
        *err = err_of_decoding();
        return NULL;
    }
    *err = SNAKEPIT_TOOL_FAILED;
    PyObject *result = tool == NULL ? call_fallback(runtime, current, &arguments)
                                    : call_tool(executor, tool, &arguments);
    if (result == NULL || sp_stream_runs(executor, result)) {
        executor->shapes = sp_fault_shapes(runtime->codec, &arguments);
    }
    if (result == NULL && tool != NULL) {
        explain(executor, executor->current.slot, &arguments);
    }
    sp_arguments_fini(&arguments);
    return result;
}

// ---- Many calls at once -------------------------------------------------------

static int decode_item(struct sp_executor *executor,
                       const struct sp_batch_item *item,
                       struct sp_arguments *arguments)
{
    const uint8_t *body = executor->runtime->requests.base + item->request.body;
    return sp_decode_arguments(
        &executor->decoder, body, item->request.body_size, item->lease, arguments);
}

// Adds the item's arguments to the list, or notes why they cannot be read. 0, or -1
// with an exception.
static int
add_item(struct sp_executor *executor, struct sp_batch_item *item, PyObject *calls)
{
    struct sp_arguments arguments;
    if (item->request.lease != SP_NO_LEASE) {
        item->lease = sp_lease_new(executor->runtime, item->request.lease);
    }
    if (decode_item(executor, item, &arguments) != 0) {
        item->err = err_of_decoding();
        item->error = sp_fault_take();
        return 0;
    }
    item->place = PyList_GET_SIZE(calls);
    PyObject *dict = sp_arguments_as_dict(&arguments);
    int rc = dict == NULL ? -1 : PyList_Append(calls, dict);
    Py_XDECREF(dict);
    sp_arguments_fini(&arguments);
    return rc;
}

// The arguments of all items; NULL with an exception.
static PyObject *read_items(struct sp_executor *executor)
{
    const struct sp_batch *batch = &executor->batch;
    PyObject *calls = PyList_New(0);
    int rc = calls == NULL ? -1 : 0;
    for (uint32_t i = 0; rc == 0 && i < batch->count; i++) {
        rc = add_item(executor, &batch->items[i], calls);
    }
    if (rc == 0) {
        return calls;
    }
    Py_XDECREF(calls);
    return NULL;
}

PyObject *sp_invoke_batch(struct sp_executor *executor)
{
    const struct sp_current *current = &executor->current;
    const struct sp_tool *tool =
        sp_tools_find(&executor->runtime->tools, current->name, current->name_size);
    PyObject *calls = read_items(executor);
    if (calls == NULL || PyList_GET_SIZE(calls) == 0) {
        return calls;
    }
    PyObject *results = call_with_many(tool, calls);
    PyObject *exception = sp_fault_take();
    Py_DECREF(calls);
    sp_fault_put_back(exception);
    return results;
}

// Says with the exception, which is not set, what the item's tool was called with: the
// arguments are still there, and are read once more. Sets it, and takes it.
static void
raise_for(struct sp_executor *executor, struct sp_batch_item *item, PyObject *exception)
{
    struct sp_arguments arguments;
    if (decode_item(executor, item, &arguments) != 0) {
        PyErr_Clear();
        sp_fault_put_back(exception);
        return;
    }
    executor->shapes = sp_fault_shapes(executor->runtime->codec, &arguments);
    sp_fault_put_back(exception);
    explain(executor, item->slot, &arguments);
    sp_arguments_fini(&arguments);
}

PyObject *sp_invoke_take_result(struct sp_executor *executor,
                                struct sp_batch_item *item,
                                PyObject *results,
                                PyObject *failure,
                                snakepit_err *err)
{
    if (item->error != NULL) {
        *err = item->err;
        sp_fault_put_back(item->error);
        item->error = NULL;
        return NULL;
    }
    if (failure == NULL) {
        PyObject *result = result_at(results, item->place);
        if (result != NULL) {
            return result;
        }
        failure = sp_fault_take();
    } else {
        Py_INCREF(failure);
    }
    raise_for(executor, item, failure);
    return NULL;
}
