// SPDX-License-Identifier: MIT
// What becomes of a tool that returns an iterator: its items are handed to the host one
// by one while the call runs, or collected for a caller who wants one answer. And of
// one that returns a coroutine: it is run, and what it comes to is the result.
#ifndef NATIVE_STREAM_H
#define NATIVE_STREAM_H

#include "codec_writer.h"
#include "state.h"

#define SP_COLLECT_MAX 1000000 // items of a stream that was called for one answer

// Whether `iterate`, which makes an iterator of a value, gives that value. An iterator
// does so, by Python's own rule. A class that answers for every name (MagicMock, some
// proxies) has a __next__ without an end, but gives another one.
bool sp_stream_gives_itself(PyObject *value, unaryfunc iterate);

// Whether a value is an iterator, plain or asynchronous, to be driven: not one that
// crosses as a value of its own, as io.BytesIO does. Needs the interpreter.
static inline bool sp_stream_is(struct sp_executor *executor, PyObject *value)
{
    const PyTypeObject *type = Py_TYPE(value);
    const PyAsyncMethods *methods = type->tp_as_async;
    bool plain = type->tp_iternext != NULL && PyIter_Check(value);
    if (!plain && (methods == NULL || methods->am_anext == NULL)) {
        return false;
    }
    unaryfunc iterate = plain ? type->tp_iter : methods->am_aiter;
    return sp_stream_gives_itself(value, iterate) &&
           !sp_encoder_knows(&executor->encoder, value);
}

// Whether a value is a coroutine, or anything else that can be awaited.
static inline bool sp_stream_awaits(PyObject *value)
{
    const PyAsyncMethods *methods = Py_TYPE(value)->tp_as_async;
    return methods != NULL && methods->am_await != NULL;
}

// Whether a value is not what the call comes to, but has to be run for that: the user
// code that it is made of has not ended.
static inline bool sp_stream_runs(struct sp_executor *executor, PyObject *value)
{
    return sp_stream_is(executor, value) || sp_stream_awaits(value);
}

// Whether a call needs sp_stream_run() between its tool and its answer.
static inline bool sp_stream_wants(struct sp_executor *executor,
                                   const struct sp_slot_request *request,
                                   PyObject *result)
{
    return request->kind == SP_CALL_STREAM ||
           (request->kind == SP_CALL_TOOL && sp_stream_runs(executor, result));
}

// Runs what the tool returned, which is taken, to its end; gives what the answer is
// made of. What can be awaited is awaited first, and is the result. A call for a
// stream: the chunks went through the tube, the iterator's return value is given (None
// for a tool that returned a plain value, which was the one chunk). Any other call: a
// list of the items, at most SP_COLLECT_MAX; or the plain value that was awaited.
//
// NULL with an exception and `err`: the iterator raised, an item cannot be encoded, or
// the host wants no more (Cancelled). An iterator that has `close` was closed, unless
// it came to its end by itself for one answer. Afterwards the answer needs
// sp_stream_leave().
PyObject *sp_stream_run(struct sp_executor *executor,
                        const struct sp_slot_request *request,
                        PyObject *result,
                        snakepit_err *err);

// Adds what the stream still keeps in the arena, its tube for one, to the answer's
// lease, which may be SP_NO_LEASE.
void sp_stream_leave(struct sp_executor *executor, uint32_t *lease);

#endif
