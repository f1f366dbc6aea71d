// SPDX-License-Identifier: MIT
// Finds the tool of a call, decodes its arguments, and calls it.
#include "invoke.h"

#include "fault.h"
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

// Has the bridge look at a TypeError that stays set: the call may not fit the tool.
static void explain(const struct sp_executor *executor,
                    const struct sp_arguments *arguments)
{
    PyObject *explainer = executor->runtime->explainer;
    if (explainer == NULL || !PyErr_ExceptionMatches(PyExc_TypeError)) {
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

PyObject *sp_invoke_tool(struct sp_executor *executor,
                         const struct sp_slot_request *request,
                         struct sp_lease *lease,
                         snakepit_err *err)
{
    struct sp_runtime *runtime = executor->runtime;
    const struct sp_current *current = &executor->current;
    PyObject *function =
        sp_tools_find(&runtime->tools, current->name, current->name_size);
    if (function == NULL && runtime->fallback == NULL) {
        return no_such_tool(runtime, current, err);
    }
    struct sp_arguments arguments;
    const uint8_t *body = runtime->requests.base + request->body;
    if (sp_decode_arguments(
            &executor->decoder, body, request->body_size, lease, &arguments) != 0) {
        *err = PyErr_ExceptionMatches(PyExc_MemoryError) ? SNAKEPIT_NO_MEMORY
                                                         : SNAKEPIT_MALFORMED;
        return NULL;
    }
    *err = SNAKEPIT_TOOL_FAILED;
    PyObject *result = function == NULL
                           ? call_fallback(runtime, current, &arguments)
                           : PyObject_Vectorcall(function,
                                                 arguments.values,
                                                 PY_VECTORCALL_ARGUMENTS_OFFSET,
                                                 arguments.names);
    if (result == NULL || sp_stream_runs(executor, result)) {
        executor->shapes = sp_fault_shapes(runtime->codec, &arguments);
    }
    if (result == NULL && function != NULL) {
        explain(executor, &arguments);
    }
    sp_arguments_fini(&arguments);
    return result;
}
