// SPDX-License-Identifier: MIT
// Describing must not fail: user classes may raise from their own __str__, memory may
// be gone. Every step that can fail has a poorer one behind it.
#include "fault.h"

static PyObject *cancelled_type;

PyObject *sp_fault_cancelled_type(void)
{
    if (cancelled_type == NULL) {
        cancelled_type = PyErr_NewExceptionWithDoc(
            "snakepit_bridge._runtime.Cancelled",
            "Raised in a tool whose caller cancelled the call or ran out of time.",
            PyExc_BaseException,
            NULL);
    }
    return cancelled_type;
}

// The exception that is set, normalised, as a new reference.
static PyObject *take_exception(void)
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

// (type, message, traceback) by the formatter; NULL if it is missing or fails.
static PyObject *format(PyObject *formatter, PyObject *exception)
{
    if (formatter == NULL || exception == NULL) {
        return NULL;
    }
    PyObject *texts = PyObject_CallOneArg(formatter, exception);
    if (texts != NULL && PyTuple_CheckExact(texts) && PyTuple_GET_SIZE(texts) == 3) {
        return texts;
    }
    Py_XDECREF(texts);
    PyErr_Clear();
    return NULL;
}

PyObject *sp_fault_describe(PyObject *formatter, snakepit_err err)
{
    PyObject *exception = take_exception();
    if (exception != NULL && cancelled_type != NULL &&
        PyErr_GivenExceptionMatches(exception, cancelled_type)) {
        err = SNAKEPIT_CANCELLED;
    }
    PyObject *texts = format(formatter, exception);
    PyObject *fault;
    if (texts != NULL) {
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
