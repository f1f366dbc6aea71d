// SPDX-License-Identifier: MIT
// What the worker's main hands over before it serves: the tools, and what describes,
// finishes and refuses.
#include "module.h"

#include "arrays.h"

// Where they are kept: also in a template, for the workers that it will fork. NULL with
// an exception.
static struct sp_runtime *keeper(PyObject *module)
{
    return sp_module_state(module)->is_template ? sp_runtime_here()
                                                : sp_module_runtime(module);
}

// register(name, function, max_batch=0, batch_wait_us=0)
static PyObject *register_tool(PyObject *module, PyObject *arguments)
{
    const char *name;
    Py_ssize_t size;
    PyObject *function;
    struct sp_batch_terms batch = {0};
    struct sp_runtime *runtime = keeper(module);
    if (runtime == NULL || !PyArg_ParseTuple(arguments,
                                             "s#O|II:register",
                                             &name,
                                             &size,
                                             &function,
                                             &batch.most,
                                             &batch.wait_us)) {
        return NULL;
    }
    if (batch.most > SP_SLOTS_MAX) {
        return PyErr_Format(
            PyExc_ValueError, "%s: a batch has at most %u calls", name, SP_SLOTS_MAX);
    }
    if (!PyCallable_Check(function)) {
        return PyErr_Format(PyExc_TypeError, "%s: a tool is something callable", name);
    }
    if (sp_tools_put(&runtime->tools, name, size, function) != 0) {
        return NULL;
    }
    if (batch.most > 0) {
        sp_tools_set_batch(&runtime->tools, name, (uint32_t)size, &batch);
    }
    Py_RETURN_NONE;
}

// foresee(name, function)
static PyObject *foresee_tool(PyObject *module, PyObject *arguments)
{
    const char *name;
    Py_ssize_t size;
    PyObject *function;
    struct sp_runtime *runtime = keeper(module);
    if (runtime == NULL ||
        !PyArg_ParseTuple(
            arguments, "s#O!:foresee", &name, &size, &PyFunction_Type, &function) ||
        sp_tools_put(&runtime->tools, name, size, function) != 0) {
        return NULL;
    }
    sp_tools_set_bare(&runtime->tools, name, (uint32_t)size);
    Py_RETURN_NONE;
}

static PyObject *bind_tools(PyObject *module, PyObject *instance)
{
    struct sp_runtime *runtime = sp_module_runtime(module);
    if (runtime == NULL || sp_tools_bind(&runtime->tools, instance) != 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *forget_tools(PyObject *module, PyObject *unused)
{
    struct sp_runtime *runtime = sp_module_runtime(module);
    (void)unused;
    if (runtime == NULL) {
        return NULL;
    }
    sp_tools_clear(&runtime->tools);
    Py_RETURN_NONE;
}

static PyObject *keep(PyObject **place, PyObject *function)
{
    PyObject *old = *place;
    *place = function == Py_None ? NULL : function;
    Py_XINCREF(*place);
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static PyObject *set_fallback(PyObject *module, PyObject *function)
{
    struct sp_runtime *runtime = keeper(module);
    return runtime == NULL ? NULL : keep(&runtime->fallback, function);
}

static PyObject *set_formatter(PyObject *module, PyObject *function)
{
    struct sp_runtime *runtime = keeper(module);
    return runtime == NULL ? NULL : keep(&runtime->formatter, function);
}

static PyObject *set_on_cancel(PyObject *module, PyObject *function)
{
    struct sp_runtime *runtime = keeper(module);
    return runtime == NULL ? NULL : keep(&runtime->on_cancel, function);
}

static PyObject *set_refusal(PyObject *module, PyObject *function)
{
    struct sp_runtime *runtime = keeper(module);
    return runtime == NULL ? NULL : keep(&runtime->refusal, function);
}

static PyObject *set_hinter(PyObject *module, PyObject *function)
{
    struct sp_runtime *runtime = keeper(module);
    return runtime == NULL ? NULL : keep(&runtime->hinter, function);
}

static PyObject *set_explainer(PyObject *module, PyObject *function)
{
    struct sp_runtime *runtime = keeper(module);
    return runtime == NULL ? NULL : keep(&runtime->explainer, function);
}

static PyObject *set_finisher(PyObject *module, PyObject *function)
{
    struct sp_runtime *runtime = keeper(module);
    return runtime == NULL ? NULL : keep(&runtime->finisher, function);
}

static PyObject *set_streams(PyObject *module, PyObject *arguments)
{
    PyObject *opener;
    PyObject *chunk_type;
    struct sp_runtime *runtime = keeper(module);
    if (runtime == NULL ||
        !PyArg_ParseTuple(
            arguments, "OO!:set_streams", &opener, &PyType_Type, &chunk_type)) {
        return NULL;
    }
    Py_XDECREF(keep(&runtime->stream_opener, opener));
    return keep(&runtime->chunk_type, chunk_type);
}

static PyObject *set_context(PyObject *module, PyObject *arguments)
{
    PyObject *context;
    PyObject *renewal;
    struct sp_runtime *runtime = keeper(module);
    if (runtime == NULL ||
        !PyArg_ParseTuple(
            arguments, "O!O:set_context", &PyContext_Type, &context, &renewal)) {
        return NULL;
    }
    Py_XDECREF(keep(&runtime->context, context));
    return keep(&runtime->renewal, renewal);
}

static PyObject *set_tracer(PyObject *module, PyObject *arguments)
{
    PyObject *name;
    PyObject *function;
    struct sp_runtime *runtime = keeper(module);
    if (runtime == NULL ||
        !PyArg_ParseTuple(arguments, "UO:set_tracer", &name, &function)) {
        return NULL;
    }
    runtime->loaded = PyImport_GetModuleDict();
    Py_XDECREF(keep(&runtime->tracing, name));
    return keep(&runtime->tracer, function);
}

static PyObject *set_on_unserialisable(PyObject *module, PyObject *wanted)
{
    static const struct {
        const char *name;
        enum sp_unserialisable choice;
    } choices[] = {{"error", SP_UNSERIALISABLE_ERROR},
                   {"marker", SP_UNSERIALISABLE_MARKER},
                   {"marker_with_repr", SP_UNSERIALISABLE_REPR}};
    for (size_t i = 0; PyUnicode_Check(wanted) && i < Py_ARRAY_LENGTH(choices); i++) {
        if (PyUnicode_CompareWithASCIIString(wanted, choices[i].name) == 0) {
            sp_module_state(module)->codec.on_unserialisable = choices[i].choice;
            Py_RETURN_NONE;
        }
    }
    return PyErr_Format(
        PyExc_ValueError,
        "on_unserialisable is error, marker or marker_with_repr, not %R",
        wanted);
}

// set_tensors(choice, as_array): the latter makes an array of a Tensor, or is None.
static PyObject *set_tensors(PyObject *module, PyObject *arguments)
{
    static const char *const choices[] = {"view", "copy", "numpy", "numpy_copy"};
    struct sp_codec *codec = &sp_module_state(module)->codec;
    const char *wanted;
    PyObject *as_array;
    if (!PyArg_ParseTuple(arguments, "sO:set_tensors", &wanted, &as_array)) {
        return NULL;
    }
    for (size_t i = 0; i < Py_ARRAY_LENGTH(choices); i++) {
        if (strcmp(wanted, choices[i]) == 0) {
            codec->tensors = (enum sp_tensors)i;
            return keep(&codec->as_array, as_array);
        }
    }
    return PyErr_Format(PyExc_ValueError,
                        "tensors is view, copy, numpy or numpy_copy, not %.100s",
                        wanted);
}

PyMethodDef sp_settings_methods[] = {
    {"array_maker",
     sp_array_maker,
     METH_VARARGS,
     "Returns what makes NumPy's arrays for results."},
    {"register", register_tool, METH_VARARGS, "Makes a function callable by name."},
    {"foresee",
     foresee_tool,
     METH_VARARGS,
     "Makes a function of a class callable by name, once bind() has its instance."},
    {"bind", bind_tools, METH_O, "Makes methods of an instance of what was foreseen."},
    {"forget", forget_tools, METH_NOARGS, "Forgets what is callable by name."},
    {"set_fallback", set_fallback, METH_O, "Sets what answers for unregistered names."},
    {"set_formatter", set_formatter, METH_O, "Sets what describes exceptions."},
    {"set_on_cancel",
     set_on_cancel,
     METH_O,
     "Sets what is told the number of each call that is cancelled."},
    {"set_refusal",
     set_refusal,
     METH_O,
     "Sets what makes an exception of an error of the host's."},
    {"set_hinter",
     set_hinter,
     METH_O,
     "Sets what is asked about a name that is not a tool."},
    {"set_explainer",
     set_explainer,
     METH_O,
     "Sets what is told the TypeError of a tool, its name and those of its arguments."},
    {"set_finisher",
     set_finisher,
     METH_O,
     "Sets what runs a result that can be awaited."},
    {"set_streams",
     set_streams,
     METH_VARARGS,
     "Sets what makes an iterator of an asynchronous one, and the type of chunks."},
    {"set_tracer",
     set_tracer,
     METH_VARARGS,
     "Sets a module's name, and what is told the trace of each call that belongs to "
     "one, "
     "as it begins, while that module is loaded."},
    {"set_context",
     set_context,
     METH_VARARGS,
     "Sets the context that each call gets a copy of, and what renews it or None."},
    {"set_on_unserialisable",
     set_on_unserialisable,
     METH_O,
     "Sets what becomes of values that cannot be encoded."},
    {"set_tensors", set_tensors, METH_VARARGS, "Sets as what tensors arrive."},
    {NULL, NULL, 0, NULL},
};
