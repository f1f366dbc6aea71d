// SPDX-License-Identifier: MIT
// snakepit_bridge._runtime: what the worker's main program, written in Python, calls.
// The type stubs are in snakepit_bridge/_runtime.pyi.
#include "module.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/timeslice.h"
#include "call.h"
#include "cancel.h"
#include "counting.h"
#include "crash.h"
#include "ending.h"
#include "events.h"
#include "fault.h"
#include "forks.h"
#include "interrupts.h"
#include "leaving.h"
#include "question.h"
#include "sandbox.h"
#include "template.h"

// ---- Start --------------------------------------------------------------------

static PyObject *decode_config(struct sp_codec *codec, const uint8_t *body, size_t size)
{
    struct sp_decoder decoder;
    sp_decoder_init(&decoder, codec);
    PyObject *config = sp_decode(&decoder, body, size, NULL);
    sp_decoder_fini(&decoder);
    return config;
}

// The first message, decoded. NULL with an exception.
static PyObject *receive_config(struct sp_codec *codec, int channel)
{
    static uint8_t room[SP_MESSAGE_MAX];
    struct sp_message_head head;
    struct sp_buf large = {0};
    const uint8_t *body;
    PyObject *config = NULL;
    if (sp_channel_receive_large(channel, room, &head, &body, &large) != SNAKEPIT_OK ||
        head.type != SP_MESSAGE_CONFIG) {
        PyErr_SetString(PyExc_OSError,
                        "the host is gone or sent no configuration that there is "
                        "memory and a descriptor for");
    } else {
        config = decode_config(codec, body, head.size);
    }
    sp_buf_fini(&large);
    return config;
}

static int watch_crashes(struct sp_runtime *runtime)
{
    errno = sp_crash_watch(runtime);
    if (errno != 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    return 0;
}

static PyObject *runtime_attach(PyObject *module, PyObject *unused)
{
    (void)unused;
    struct sp_module_state *state = sp_module_state(module);
    struct sp_runtime *runtime = sp_runtime_attach(&state->codec);
    if (runtime == NULL) {
        return NULL;
    }
    state->runtime = runtime;
    if (watch_crashes(runtime) != 0) {
        return NULL;
    }
    // The first message is read here; all others are the service thread's.
    return receive_config(&state->codec, runtime->channel);
}

static PyObject *runtime_greet(PyObject *module, PyObject *unused)
{
    (void)unused;
    struct sp_runtime *runtime = sp_module_runtime(module);
    if (runtime == NULL) {
        return NULL;
    }
    int rc = sp_forks_watch();
    if (rc != 0) {
        errno = rc;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    snakepit_message why;
    snakepit_err err;
    Py_BEGIN_ALLOW_THREADS err = sp_service_start(runtime, &why);
    Py_END_ALLOW_THREADS if (err != SNAKEPIT_OK)
    {
        PyErr_SetString(PyExc_OSError, why.text);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *runtime_set_grace(PyObject *Py_UNUSED(module), PyObject *ms)
{
    unsigned long grace = PyLong_AsUnsignedLong(ms);
    if (grace == (unsigned long)-1 && PyErr_Occurred()) {
        return NULL;
    }
    sp_ending_set_grace(grace > UINT32_MAX ? UINT32_MAX : (uint32_t)grace);
    Py_RETURN_NONE;
}

// ---- A template ---------------------------------------------------------------

static PyObject *runtime_attach_template(PyObject *module, PyObject *unused)
{
    (void)unused;
    struct sp_module_state *state = sp_module_state(module);
    sp_ending_follow_host();
    sp_crash_import();
    (void)fcntl(SP_FD_TEMPLATE, F_SETFD, FD_CLOEXEC);
    PyObject *config = receive_config(&state->codec, SP_FD_TEMPLATE);
    state->is_template = config != NULL;
    return config;
}

// The host is not interested in how a template ends that it no longer wants, and what
// the adapter has left for the end of the process is for workers to do. A host that
// lives looks after what the template leaves behind.
static PyObject *runtime_fork(PyObject *module, PyObject *unused)
{
    (void)unused;
    switch (sp_template_fork()) {
    case SP_FORK_CHILD:
        sp_module_state(module)->is_template = false;
        Py_RETURN_TRUE;
    case SP_FORK_THREADS:
        PyErr_SetString(PyExc_RuntimeError, "threads run in the template");
        return NULL;
    case SP_FORK_NO_HOST:
        if (sp_ending_is_orphan()) {
            sp_ending_end();
        }
        _exit(0);
    default:
        break;
    }
    if (PyErr_CheckSignals() != 0) {
        return NULL;
    }
    Py_RETURN_FALSE;
}

// ---- Reports to the host ------------------------------------------------------

// Where reports go; -1 with an exception where there is no host.
static int channel_of(PyObject *module)
{
    if (sp_module_state(module)->is_template) {
        return SP_FD_TEMPLATE;
    }
    const struct sp_runtime *runtime = sp_module_runtime(module);
    return runtime == NULL ? -1 : runtime->channel;
}

static PyObject *
send_report(int channel, enum sp_message_type type, const uint8_t *data, size_t size)
{
    snakepit_err err = sp_channel_send(channel, type, data, size);
    if (err == SNAKEPIT_INVALID_ARGUMENT) {
        return PyErr_Format(PyExc_OSError,
                            "a report of %zu bytes is too large for the host, which "
                            "takes %u; have fewer tools, or shorter descriptions",
                            size,
                            SP_LARGE_MAX);
    }
    if (err != SNAKEPIT_OK) {
        int reason = errno;
        PyErr_Format(PyExc_OSError,
                     "a report of %zu bytes could not be sent to the host: %s",
                     size,
                     strerrordesc_np(reason));
        errno = reason;
        return NULL;
    }
    Py_RETURN_NONE;
}

// A report was not sent: the host is told why, if it can be.
static void note_unsent(struct sp_runtime *runtime)
{
    bool is_cut = errno == EPIPE;
    sp_service_check_descriptors(runtime);
    if (is_cut) {
        sp_service_lost_channel(runtime);
    }
}

// Encodes `value` and sends it as one message.
static PyObject *report(PyObject *module, enum sp_message_type type, PyObject *value)
{
    struct sp_module_state *state = sp_module_state(module);
    struct sp_encoder encoder;
    int channel = channel_of(module);
    if (channel < 0) {
        return NULL;
    }
    sp_encoder_init(&encoder, &state->codec);
    sp_encoder_begin(&encoder, NULL, 0);
    PyObject *done = NULL;
    if (sp_encode(&encoder, value) == 0) {
        const uint8_t *data;
        size_t size;
        bool is_inline;
        sp_encoder_bytes(&encoder, &data, &size, &is_inline);
        done = send_report(channel, type, data, size);
        if (done == NULL && state->runtime != NULL) {
            note_unsent(state->runtime);
        }
    }
    sp_encoder_fini(&encoder);
    return done;
}

static PyObject *shorten_timeslice(PyObject *Py_UNUSED(module),
                                   PyObject *Py_UNUSED(none))
{
    sp_timeslice_shorten(0);
    Py_RETURN_NONE;
}

static PyObject *runtime_ready(PyObject *module, PyObject *info)
{
    const struct sp_module_state *state = sp_module_state(module);
    if (channel_of(module) < 0) {
        return NULL;
    }
    if (!state->is_template && watch_crashes(state->runtime) != 0) {
        return NULL;
    }
    // A template stays as it is for those that it forks.
    if (!state->is_template) {
        sp_timeslice_restore(state->runtime->service_tid);
    }
    return report(module, SP_MESSAGE_READY, info);
}

// There may be thousands of resources, and messages are limited: after the first ones a
// template leaves out those that follow quickly, and what finds no room.
static PyObject *tell_stage(PyObject *module, PyObject *text)
{
    if (!sp_template_may_tell()) {
        Py_RETURN_NONE;
    }
    PyObject *done = report(module, SP_MESSAGE_STAGE, text);
    if (done == NULL && PyErr_ExceptionMatches(PyExc_BlockingIOError)) {
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    return done;
}

static PyObject *runtime_stage(PyObject *module, PyObject *text)
{
    if (sp_module_state(module)->is_template) {
        return tell_stage(module, text);
    }
    struct sp_runtime *runtime = sp_module_runtime(module);
    Py_ssize_t size;
    const char *bytes = runtime == NULL ? NULL : PyUnicode_AsUTF8AndSize(text, &size);
    if (bytes == NULL) {
        return NULL;
    }
    sp_crash_note_stage(runtime, bytes, (size_t)size);
    Py_RETURN_NONE;
}

static PyObject *runtime_unforkable(PyObject *module, PyObject *reason)
{
    return report(module, SP_MESSAGE_UNFORKABLE, reason);
}

static PyObject *runtime_failed(PyObject *module, PyObject *arguments)
{
    PyObject *type;
    PyObject *message;
    PyObject *traceback;
    if (!PyArg_ParseTuple(arguments, "UUU:failed", &type, &message, &traceback)) {
        return NULL;
    }
    PyObject *fault = Py_BuildValue(
        "{s:O,s:O,s:O}", "type", type, "message", message, "traceback", traceback);
    PyObject *done = fault == NULL ? NULL : report(module, SP_MESSAGE_FAILED, fault);
    Py_XDECREF(fault);
    return done;
}

// ---- Service ------------------------------------------------------------------

static PyObject *runtime_run(PyObject *module, PyObject *argument)
{
    struct sp_runtime *runtime = sp_module_runtime(module);
    unsigned long index = runtime == NULL ? 0 : PyLong_AsUnsignedLong(argument);
    if (runtime == NULL || PyErr_Occurred()) {
        return NULL;
    }
    if (index >= runtime->view.shape.executors || sp_executor_here() != NULL ||
        runtime->executors[index].running) {
        return PyErr_Format(PyExc_ValueError,
                            "executor %lu does not exist or runs already; there are %u",
                            index,
                            runtime->view.shape.executors);
    }
    runtime->executors[index].running = true;
    int rc = sp_executor_run(&runtime->executors[index]);
    runtime->executors[index].running = false;
    if (rc != 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *runtime_gil_returned(PyObject *module, PyObject *unused)
{
    (void)unused;
    const struct sp_runtime *runtime = sp_module_runtime(module);
    if (runtime == NULL) {
        return NULL;
    }
    bool told =
        sp_channel_send(runtime->channel, SP_MESSAGE_GIL, NULL, 0) == SNAKEPIT_OK;
    return PyBool_FromLong(told);
}

static PyObject *runtime_lost_descriptors(PyObject *module, PyObject *unused)
{
    (void)unused;
    struct sp_runtime *runtime = sp_module_runtime(module);
    if (runtime != NULL) {
        sp_service_lost_descriptors(runtime);
    }
    return NULL;
}

static PyObject *runtime_shield(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    struct sp_executor *executor = sp_executor_here();
    if (executor != NULL && executor->current.call != 0) {
        sp_cancel_shield(executor);
    }
    Py_RETURN_NONE;
}

static PyObject *runtime_current_call(PyObject *module, PyObject *unused)
{
    (void)unused;
    return sp_call_current(sp_module_state(module)->call_type);
}

static PyObject *runtime_runs_call(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    const struct sp_executor *executor = sp_executor_here();
    return PyBool_FromLong(executor != NULL && executor->current.call != 0);
}

static PyObject *
runtime_ask(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    Py_ssize_t size;
    struct sp_executor *executor = sp_executor_here();
    (void)module;
    if ((count != 2 && count != 3) || !PyUnicode_Check(arguments[0]) ||
        !PyDict_Check(arguments[1]) || (count == 3 && !PyUnicode_Check(arguments[2]))) {
        PyErr_SetString(PyExc_TypeError, "ask() takes a name and a dict of arguments");
        return NULL;
    }
    if (executor == NULL || executor->current.call == 0) {
        PyErr_SetString(PyExc_RuntimeError,
                        "this thread runs no call of the host, so it cannot ask it");
        return NULL;
    }
    if (PyUnicode_AsUTF8AndSize(arguments[0], &size) == NULL) {
        return NULL;
    }
    if (size == 0 || size > (Py_ssize_t)SP_TOOL_NAME_MAX) {
        return PyErr_Format(
            PyExc_ValueError, "a tool's name has 1 to %u bytes", SP_TOOL_NAME_MAX);
    }
    return sp_question_ask(
        executor, arguments[0], arguments[1], count == 3 ? arguments[2] : NULL);
}

static PyObject *runtime_emit(PyObject *module, PyObject *event)
{
    struct sp_runtime *runtime = sp_module_runtime(module);
    if (runtime == NULL || sp_events_emit(runtime, event) != 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
runtime_empty(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 1 && count != 2) {
        PyErr_SetString(PyExc_TypeError, "empty() takes a shape and a dtype");
        return NULL;
    }
    return sp_tensor_empty(&sp_module_state(module)->codec,
                           arguments[0],
                           count == 2 ? arguments[1] : NULL);
}

// ---- The module ---------------------------------------------------------------

static PyMethodDef methods[] = {
    {"attach",
     runtime_attach,
     METH_NOARGS,
     "Maps the inherited descriptors and returns the pool's configuration."},
    {"greet",
     runtime_greet,
     METH_NOARGS,
     "Starts the thread that speaks for the worker, and greets the host."},
    {"become",
     sp_sandbox_become,
     METH_VARARGS,
     "become(uid, gid, groups): changes the user for good."},
    {"restrict_files",
     sp_sandbox_restrict_files,
     METH_VARARGS,
     "restrict_files(readable, writable): leaves these alone, by Landlock."},
    {"restrict_calls",
     sp_sandbox_restrict_calls,
     METH_NOARGS,
     "Has the kernel refuse system calls that change the machine."},
    {"no_new_privs",
     sp_sandbox_no_new_privs,
     METH_NOARGS,
     "Programs that are started gain no rights."},
    {"set_grace",
     runtime_set_grace,
     METH_O,
     "Milliseconds for what this process has started, when the host dies."},
    {"attach_template",
     runtime_attach_template,
     METH_NOARGS,
     "Greets the host as the template of a pool."},
    {"shorten_timeslice",
     shorten_timeslice,
     METH_NOARGS,
     "Gives the calling thread a short time slice."},
    {"fork",
     runtime_fork,
     METH_NOARGS,
     "Waits for a request to fork; true in the new worker."},
    {"unforkable",
     runtime_unforkable,
     METH_O,
     "Tells the host why workers must be exec'ed."},
    {"gil_returned",
     runtime_gil_returned,
     METH_NOARGS,
     "Tells the host that threads take turns from now on; false: not yet."},
    {"lost_descriptors",
     runtime_lost_descriptors,
     METH_NOARGS,
     "Ends the process, since user code has closed descriptors of it."},
    {"runs_call",
     runtime_runs_call,
     METH_NOARGS,
     "Whether this thread is in the middle of a call."},
    {"ask",
     (PyCFunction)(void (*)(void))runtime_ask,
     METH_FASTCALL,
     "ask(name, arguments, traceparent=None): what the host's tool of that name "
     "returns."},
    {"emit", runtime_emit, METH_O, "Hands an event to the host, without waiting."},
    {"stage", runtime_stage, METH_O, "Notes what the start does now, for the host."},
    {"ready", runtime_ready, METH_O, "Tells the host that the worker can serve."},
    {"failed", runtime_failed, METH_VARARGS, "Tells the host that the start failed."},
    {"run", runtime_run, METH_O, "Runs an executor until the worker is to leave."},
    {"stop_at",
     (PyCFunction)(void (*)(void))sp_leaving_stop_at,
     METH_FASTCALL,
     "stop_at(number, exception): has a signal be a request to leave."},
    {"leave_requests",
     sp_leaving_requests,
     METH_NOARGS,
     "How often the worker was asked to leave."},
    {"interrupt",
     sp_leaving_interrupt,
     METH_NOARGS,
     "Interrupts what other threads run."},
    {"leave_interrupts_to_host",
     sp_interrupts_leave_to_host,
     METH_NOARGS,
     "Does nothing at a SIGINT, which programs that are executed do not inherit."},
    {"shield",
     runtime_shield,
     METH_NOARGS,
     "The running call is not interrupted any more."},
    {"current_call",
     runtime_current_call,
     METH_NOARGS,
     "The call that this thread runs."},
    {"empty",
     (PyCFunction)(void (*)(void))runtime_empty,
     METH_FASTCALL,
     "empty(shape, dtype='float32'): an array in shared memory, content unset."},
    {NULL, NULL, 0, NULL},
};

// `type` is borrowed; NULL with an exception is passed on.
static int add_type(PyObject *module, const char *name, PyObject *type)
{
    Py_XINCREF(type);
    if (type == NULL || PyModule_AddObject(module, name, type) != 0) {
        Py_XDECREF(type);
        return -1;
    }
    return 0;
}

static int module_exec(PyObject *module)
{
    struct sp_module_state *state = sp_module_state(module);
    if (sp_codec_init(&state->codec, module) != 0 ||
        PyModule_AddFunctions(module, sp_settings_methods) != 0 ||
        PyModule_AddFunctions(module, sp_template_methods) != 0 ||
        sp_counting_init(module) != 0) {
        return -1;
    }
    state->call_type = sp_call_type_new(module);
    if (state->call_type == NULL ||
        add_type(module, "Cancelled", sp_fault_cancelled_type()) != 0) {
        return -1;
    }
    return add_type(module, "UnknownTool", sp_fault_unknown_tool_type());
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct sp_module_state *state = sp_module_state(module);
    Py_VISIT(state->call_type);
    return sp_codec_traverse(&state->codec, visit, arg);
}

static int module_clear(PyObject *module)
{
    struct sp_module_state *state = sp_module_state(module);
    Py_CLEAR(state->call_type);
    sp_codec_clear(&state->codec);
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_runtime",
    .m_doc = "A worker's end of the shared memory.",
    .m_size = sizeof(struct sp_module_state),
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit__runtime(void);

PyMODINIT_FUNC PyInit__runtime(void)
{
    return PyModuleDef_Init(&definition);
}
