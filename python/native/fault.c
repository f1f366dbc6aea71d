// SPDX-License-Identifier: MIT
// Describing must not fail: user classes may raise from their own __str__, memory may
// be gone. Every step that can fail has a poorer one behind it.
#include "fault.h"

#include "codec.h"
#include "codec_compat.h"

#define SHAPES_NAMED 16 // arguments whose shapes are told

static PyObject *cancelled_type;
static PyObject *unknown_tool_type;

PyObject *sp_fault_cancelled_type(void)
{
    if (cancelled_type == NULL) {
        cancelled_type = PyErr_NewExceptionWithDoc(
            "snakepit_bridge.Cancelled",
            "Raised in a tool whose caller cancelled the call or ran out of time.",
            PyExc_BaseException,
            NULL);
    }
    return cancelled_type;
}

PyObject *sp_fault_unknown_tool_type(void)
{
    if (unknown_tool_type == NULL) {
        unknown_tool_type =
            PyErr_NewExceptionWithDoc("snakepit_bridge.errors.UnknownTool",
                                      "No tool has the name that was called.",
                                      PyExc_LookupError,
                                      NULL);
    }
    return unknown_tool_type;
}

// What the exception's type says about the error; `err` for most of them.
static snakepit_err err_of(PyObject *exception, snakepit_err err)
{
    if (exception == NULL) {
        return err;
    }
    if (cancelled_type != NULL &&
        PyErr_GivenExceptionMatches(exception, cancelled_type)) {
        return SNAKEPIT_CANCELLED;
    }
    if (unknown_tool_type != NULL &&
        PyErr_GivenExceptionMatches(exception, unknown_tool_type)) {
        return SNAKEPIT_UNKNOWN_TOOL;
    }
    return err;
}

PyObject *sp_fault_take(void)
{
#if PY_VERSION_HEX >= 0x030c0000
    return PyErr_GetRaisedException();
#else
    PyObject *type;
    PyObject *value;
    PyObject *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value != NULL && traceback != NULL) {
        (void)PyException_SetTraceback(value, traceback);
    }
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

void sp_fault_put_back(PyObject *exception)
{
#if PY_VERSION_HEX >= 0x030c0000
    PyErr_SetRaisedException(exception);
#else
    if (exception != NULL) {
        PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(exception)),
                      exception,
                      PyException_GetTraceback(exception));
    }
#endif
}

// ---- What a tool was called with ----------------------------------------------

// "float32[3,4]"
static PyObject *shape_of_tensor(const struct sp_tensor *tensor)
{
    char text[32 * SNAKEPIT_MAX_RANK];
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < tensor->rank; i++) {
        used += (size_t)PyOS_snprintf(text + used,
                                      sizeof(text) - used,
                                      i == 0 ? "%zd" : ",%zd",
                                      tensor->shape[i]);
    }
    return PyUnicode_FromFormat("%s[%s]", tensor->dtype->name, text);
}

// Of an array that is no Tensor; NULL, without an exception, of anything else.
static PyObject *shape_of_array(PyObject *value)
{
    Py_buffer view;
    bool swapped;
    if (PyBytes_CheckExact(value) ||
        PyObject_GetBuffer(value, &view, PyBUF_RECORDS_RO) != 0) {
        PyErr_Clear();
        return NULL;
    }
    struct sp_tensor like = {.rank = view.ndim};
    like.dtype = sp_dtype_of_format(view.format, view.itemsize, &swapped);
    bool fits = like.dtype != NULL && view.ndim <= SNAKEPIT_MAX_RANK;
    for (int i = 0; fits && i < view.ndim; i++) {
        like.shape[i] = view.shape[i];
    }
    PyBuffer_Release(&view);
    return fits ? shape_of_tensor(&like) : NULL;
}

static PyObject *shape_of(const struct sp_codec *codec, PyObject *value)
{
    const char *name = Py_TYPE(value)->tp_name;
    if (value == Py_None) {
        return PyUnicode_FromString("None");
    }
    if (Py_TYPE(value) == codec->tensor_type) {
        return shape_of_tensor((struct sp_tensor *)value);
    }
    if (PyUnicode_CheckExact(value) || PyBytes_CheckExact(value) ||
        PyList_CheckExact(value) || PyDict_CheckExact(value)) {
        return PyUnicode_FromFormat("%s[%zd]", name, PyObject_Size(value));
    }
    PyObject *shape = shape_of_array(value);
    if (shape != NULL || PyErr_Occurred()) {
        return shape;
    }
    return PyUnicode_FromFormat("%.100s", name);
}

// `text` with one argument more. Takes both texts, which may be NULL.
static PyObject *add_shape(PyObject *text, PyObject *name, PyObject *shape)
{
    PyObject *longer = NULL;
    if (text != NULL && shape != NULL) {
        const char *comma = PyUnicode_GET_LENGTH(text) == 0 ? "" : ", ";
        longer = PyUnicode_FromFormat("%U%s%.64S: %U", text, comma, name, shape);
    }
    Py_XDECREF(shape);
    Py_XDECREF(text);
    return longer;
}

PyObject *sp_fault_shapes(const struct sp_codec *codec,
                          const struct sp_arguments *arguments)
{
    PyObject *exception = sp_fault_take();
    PyObject *text = PyUnicode_FromString("");
    for (size_t i = 0; i < arguments->count && i < SHAPES_NAMED; i++) {
        PyObject *name = PyTuple_GET_ITEM(arguments->names, i);
        text = add_shape(text, name, shape_of(codec, arguments->values[i]));
    }
    if (text != NULL && arguments->count > SHAPES_NAMED) {
        PyObject *whole = text;
        text = PyUnicode_FromFormat(
            "%U, and %zu more", whole, arguments->count - SHAPES_NAMED);
        Py_DECREF(whole);
    }
    PyErr_Clear();
    sp_fault_put_back(exception);
    return text;
}

// ---- The fault ----------------------------------------------------------------

// (type, message, traceback, err) by the formatter; NULL if it is missing or fails.
static PyObject *format(PyObject *formatter, PyObject *exception)
{
    if (formatter == NULL || exception == NULL) {
        return NULL;
    }
    PyObject *texts = PyObject_CallOneArg(formatter, exception);
    if (texts != NULL && PyTuple_CheckExact(texts) && PyTuple_GET_SIZE(texts) == 4) {
        return texts;
    }
    Py_XDECREF(texts);
    PyErr_Clear();
    return NULL;
}

// The error that the formatter names, or `err`.
static snakepit_err named_err(PyObject *number, snakepit_err err)
{
    long named = PyLong_Check(number) ? PyLong_AsLong(number) : 0;
    if (named == -1 && PyErr_Occurred()) {
        PyErr_Clear();
    }
    return named > 0 && named <= INT16_MAX ? (snakepit_err)named : err;
}

// Adds the shapes to a fault and lets go of them.
static void add_shapes(PyObject *fault, PyObject **shapes)
{
    PyObject *text = *shapes;
    *shapes = NULL;
    if (text != NULL && fault != NULL &&
        PyDict_SetItemString(fault, "arguments", text) != 0) {
        PyErr_Clear(); // a fault without them is one still
    }
    Py_XDECREF(text);
}

PyObject *sp_fault_describe(PyObject *formatter, snakepit_err err, PyObject **shapes)
{
    PyObject *exception = sp_fault_take();
    err = err_of(exception, err);
    PyObject *texts = format(formatter, exception);
    PyObject *fault;
    if (texts != NULL) {
        err = named_err(PyTuple_GET_ITEM(texts, 3), err);
        fault = Py_BuildValue("{s:i,s:O,s:O,s:O}",
                              "err",
                              (int)err,
                              "type",
                              PyTuple_GET_ITEM(texts, 0),
                              "message",
                              PyTuple_GET_ITEM(texts, 1),
                              "traceback",
                              PyTuple_GET_ITEM(texts, 2));
    } else {
        fault = Py_BuildValue("{s:i,s:s}",
                              "err",
                              (int)err,
                              "type",
                              exception != NULL ? Py_TYPE(exception)->tp_name : "");
    }
    Py_XDECREF(texts);
    Py_XDECREF(exception);
    if (fault == NULL) {
        PyErr_Clear();
    }
    add_shapes(fault, shapes);
    return fault;
}

uint32_t sp_fault_bare(uint8_t *area, uint32_t size, snakepit_err err)
{
    static const uint8_t head[] = {
        0x81, 0xa3, 'e', 'r', 'r'}; // {"err": positive fixint}
    if (size < sizeof head + 1) {
        return 0;
    }
    for (uint32_t i = 0; i < sizeof head; i++) {
        area[i] = head[i];
    }
    area[sizeof head] = (uint8_t)err & 0x7f;
    return sizeof head + 1;
}
