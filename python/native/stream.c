// SPDX-License-Identifier: MIT
// The executor drives the iterator: an item is encoded where answers are, copied into
// the tube, and forgotten. When the tube is full the thread waits, detached from the
// interpreter, so that a slow reader holds up the producer and nobody else.
//
// What a chunk keeps in the arena is lent like an answer, but ends by the tube's head.
#include "stream.h"

#include <string.h>

#include "base/clock.h"
#include "body.h"
#include "cancel.h"
#include "codec_compat.h"
#include "fault.h"
#include "forks.h"
#include "ipc/tube.h"
#include "leaving.h"

// A chunk that keeps memory in the arena until the host has read it.
struct kept_chunk {
    uint32_t lease;
    uint64_t end; // the head that is behind it
};

struct stream {
    struct sp_executor *executor;
    struct sp_slot *slot;
    PyObject *list; // of a call for one answer; NULL: the items go to the tube
    bool open;      // there is a tube
    uint32_t lease; // the tube's
    struct sp_tube_writer tube;
    struct kept_chunk kept[SP_CHUNKS_LEASED]; // oldest first
    uint32_t kept_count;
};

// ---- Waiting for the host -----------------------------------------------------

// The exception that the generator is closed for. What was sent to the thread for the
// same reason must not strike its `finally`.
static int stop(struct stream *stream)
{
    sp_cancel_shield(stream->executor);
    PyErr_SetString(sp_fault_cancelled_type(), "the call was cancelled");
    return -1;
}

// Takes back what the host has read.
static void release_kept(struct stream *stream)
{
    uint64_t head = sp_tube_head(&stream->tube);
    uint32_t gone = 0;
    while (gone < stream->kept_count && stream->kept[gone].end <= head) {
        sp_runtime_end_lease(stream->executor->runtime, stream->kept[gone++].lease);
    }
    stream->kept_count -= gone;
    memmove(
        stream->kept, stream->kept + gone, stream->kept_count * sizeof *stream->kept);
}

// Waits, detached, until the host has read up to `head`. -1 with an exception. The
// call's deadline is the host's business, which cancels the call then: both would race
// for what the reader is told.
static int wait_for_head(struct stream *stream, uint64_t head)
{
    struct sp_executor *executor = stream->executor;
    struct sp_control_view *view = &executor->runtime->view;
    struct sp_pause pause = {
        .slot = stream->slot, .tube_head = head, .signals = executor->signals};
    const struct sp_wait wait = {
        .patience = &executor->stream_patience,
        .peer_cpu = &view->header->host_cpu,
        .waiting = view->shape.waiting,
        .deadline = SP_NEVER,
    };
    for (;;) {
        enum sp_pause_result result;
        pause.signals_heard = executor->signals_heard;
        Py_BEGIN_ALLOW_THREADS;
        result = sp_wait_host(&pause, &wait);
        Py_END_ALLOW_THREADS;
        if (result == SP_PAUSE_OVER) {
            return 0;
        }
        if (result != SP_PAUSE_INTERRUPTED) {
            return stop(stream);
        }
        if (sp_leaving_run_handlers(executor) != 0) {
            return -1;
        }
    }
}

// Waits until one of the chunks that keep memory is read, or all of them.
static int wait_for_kept(struct stream *stream, bool all)
{
    uint32_t index = all ? stream->kept_count - 1 : 0;
    if (wait_for_head(stream, stream->kept[index].end) != 0) {
        return -1;
    }
    release_kept(stream);
    return 0;
}

// ---- Chunks -------------------------------------------------------------------

static int no_memory(void)
{
    PyErr_SetString(PyExc_MemoryError,
                    "the results arena is full; raise shared_memory_size, give smaller "
                    "chunks, or free answers");
    return -1;
}

// The first chunk makes the tube: a call that fails before it costs none.
static int open_tube(struct stream *stream)
{
    struct sp_runtime *runtime = stream->executor->runtime;
    struct sp_encoder *encoder = &stream->executor->encoder;
    sp_encoder_begin(encoder, NULL, 0);
    struct sp_block *block = sp_encoder_add_block(encoder, SP_TUBE_BYTES);
    if (block == NULL ||
        sp_runtime_lend(runtime, encoder, &stream->lease) != SNAKEPIT_OK) {
        return no_memory();
    }
    stream->open = true;
    sp_wait_note_cpu(&runtime->view.header->worker_cpu);
    sp_tube_writer_init(&stream->tube,
                        stream->slot,
                        runtime->results.base + block->offset,
                        block->offset);
    return 0;
}

// Encodes an item and finds a place for its body: in the tube if it is short. `bytes`
// is borrowed until the next one.
static int encode(struct stream *stream,
                  PyObject *item,
                  struct sp_chunk *chunk,
                  const uint8_t **bytes)
{
    struct sp_executor *executor = stream->executor;
    struct sp_runtime *runtime = executor->runtime;
    struct sp_encoder *encoder = &executor->encoder;
    size_t size;
    bool is_inline;
    sp_encoder_begin(encoder,
                     runtime->results.base +
                         (uint64_t)executor->current.slot * SP_INLINE_RESULT,
                     SP_INLINE_RESULT);
    if (sp_encode(encoder, item) != 0) {
        return -1;
    }
    sp_encoder_bytes(encoder, bytes, &size, &is_inline);
    *chunk = (struct sp_chunk){SP_CHUNK_HERE, (uint32_t)size, SP_NO_LEASE};
    if (size > SP_CHUNK_INLINE) {
        struct sp_block *block = sp_encoder_add_block(encoder, size);
        if (block == NULL) {
            return no_memory();
        }
        sp_copy(runtime->results.base + block->offset, *bytes, size);
        chunk->body = block->offset;
    }
    if (encoder->block_count > 0 &&
        sp_runtime_lend(runtime, encoder, &chunk->lease) != SNAKEPIT_OK) {
        return no_memory();
    }
    return 0;
}

// Encodes as above; where the arena is full of chunks that wait for the reader, waits
// for it.
static int encode_with_patience(struct stream *stream,
                                PyObject *item,
                                struct sp_chunk *chunk,
                                const uint8_t **bytes)
{
    while (encode(stream, item, chunk, bytes) != 0) {
        if (stream->kept_count == 0 || !PyErr_ExceptionMatches(PyExc_MemoryError)) {
            return -1;
        }
        PyErr_Clear();
        if (wait_for_kept(stream, true) != 0) {
            return -1;
        }
    }
    return 0;
}

static int wait_for_room(struct stream *stream, const struct sp_chunk *chunk)
{
    uint32_t inside = chunk->body == SP_CHUNK_HERE ? chunk->body_size : 0;
    uint64_t head;
    if (chunk->lease != SP_NO_LEASE && stream->kept_count == SP_CHUNKS_LEASED &&
        wait_for_kept(stream, false) != 0) {
        return -1;
    }
    while (!sp_tube_has_room(&stream->tube, inside, &head)) {
        if (wait_for_head(stream, head) != 0) {
            return -1;
        }
    }
    return 0;
}

static int put_into_tube(struct stream *stream, PyObject *item, snakepit_err *err)
{
    struct sp_chunk chunk;
    const uint8_t *bytes;
    *err = SNAKEPIT_NO_MEMORY;
    if (!stream->open && open_tube(stream) != 0) {
        return -1;
    }
    if (stream->kept_count > 0) {
        release_kept(stream);
    }
    if (encode_with_patience(stream, item, &chunk, &bytes) != 0) {
        if (!PyErr_ExceptionMatches(PyExc_MemoryError)) {
            *err = SNAKEPIT_UNSERIALISABLE;
        }
        return -1;
    }
    *err = SNAKEPIT_TOOL_FAILED;
    if (wait_for_room(stream, &chunk) != 0) {
        if (chunk.lease != SP_NO_LEASE) {
            sp_runtime_end_lease(stream->executor->runtime, chunk.lease);
        }
        return -1;
    }
    if (sp_tube_put(&stream->tube, &chunk, bytes)) {
        sp_body_notify(stream->executor->runtime, stream->executor->current.slot);
    }
    if (chunk.lease != SP_NO_LEASE) {
        stream->kept[stream->kept_count++] =
            (struct kept_chunk){chunk.lease, stream->tube.tail};
    }
    return 0;
}

static int put_into_list(struct stream *stream, PyObject *item, snakepit_err *err)
{
    *err = SNAKEPIT_TOOL_FAILED;
    if (PyList_GET_SIZE(stream->list) >= SP_COLLECT_MAX) {
        PyErr_Format(PyExc_ValueError,
                     "the tool gives more than %d items, which is too much for one "
                     "answer; call it as a stream",
                     SP_COLLECT_MAX);
        return -1;
    }
    return PyList_Append(stream->list, item);
}

static int put(struct stream *stream, PyObject *item, snakepit_err *err)
{
    *err = SNAKEPIT_TOOL_FAILED;
    if (sp_slot_is_given_up(stream->slot)) {
        return stop(stream);
    }
    return stream->list != NULL ? put_into_list(stream, item, err)
                                : put_into_tube(stream, item, err);
}

// ---- Driving ------------------------------------------------------------------

bool sp_stream_gives_itself(PyObject *value, unaryfunc iterate)
{
    if (iterate == NULL || iterate == PyObject_SelfIter) {
        return true;
    }
    PyObject *given = iterate(value);
    bool is_itself = given == value;
    Py_XDECREF(given);
    PyErr_Clear();
    return is_itself;
}

// Closes an iterator that can be closed. An exception that is set stays, and one that
// closing raises besides is only printed. -1 with an exception.
static int close_iterator(PyObject *iterator)
{
    PyObject *before = sp_fault_take();
    PyObject *done = NULL;
    PyObject *close = PyObject_GetAttrString(iterator, "close");
    if (close == NULL) {
        PyErr_Clear();
    } else {
        done = PyObject_CallNoArgs(close);
        Py_DECREF(close);
    }
    Py_XDECREF(done);
    if (before != NULL) {
        if (PyErr_Occurred()) {
            PyErr_WriteUnraisable(iterator);
        }
        sp_fault_put_back(before);
    }
    return PyErr_Occurred() ? -1 : 0;
}

// What the iterator returned at its end: the value of its StopIteration. NULL with an
// exception: it raised.
static PyObject *return_value(void)
{
    if (!PyErr_Occurred()) {
        Py_RETURN_NONE;
    }
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) {
        return NULL;
    }
    PyObject *stop = sp_fault_take();
    PyObject *returned = PyObject_GetAttrString(stop, "value");
    Py_DECREF(stop);
    return returned;
}

// 1: the item says that it is the last one.
static int is_final(const struct stream *stream, PyObject *item)
{
    PyObject *type = stream->executor->runtime->chunk_type;
    if (type == NULL || !PyObject_TypeCheck(item, (PyTypeObject *)type)) {
        return 0;
    }
    PyObject *final = PyObject_GetAttrString(item, "is_final");
    int truth = final == NULL ? -1 : PyObject_IsTrue(final);
    Py_XDECREF(final);
    return truth;
}

// A process that the iterator forked must not write to the tube.
static void check_fork(const struct stream *stream)
{
    const struct sp_current *current = &stream->executor->current;
    sp_forks_check(current->name, current->name_size);
}

// The iterator's items until its end; its return value, or NULL. `*ended`: it came to
// its end by itself.
static PyObject *
drive(struct stream *stream, PyObject *iterator, bool *ended, snakepit_err *err)
{
    iternextfunc next = Py_TYPE(iterator)->tp_iternext;
    int last = 0;
    *err = SNAKEPIT_TOOL_FAILED;
    if (next == NULL) {
        PyErr_SetString(PyExc_TypeError, "nothing here drives asynchronous iterators");
        return NULL;
    }
    while (last == 0) {
        *err = SNAKEPIT_TOOL_FAILED;
        PyObject *item = next(iterator);
        check_fork(stream);
        if (item == NULL) {
            PyObject *returned = return_value();
            *ended = returned != NULL;
            return returned;
        }
        last = is_final(stream, item);
        if (last >= 0 && put(stream, item, err) != 0) {
            last = -1;
        }
        Py_DECREF(item);
    }
    return last < 0 ? NULL : Py_NewRef(Py_None);
}

// Whether an iterator is to be closed that has come to its end. For one answer it is
// not, as a loop of Python would not: the items, which are encoded later, may lie in
// what it holds. Our own ones end a life with it, and say so.
static bool closes_at_end(const struct stream *stream, PyObject *iterator)
{
    PyObject *type = (PyObject *)Py_TYPE(iterator);
    return stream->list == NULL || PyObject_HasAttrString(type, "close_at_end");
}

// Drives an iterator and closes it.
static PyObject *
drive_and_close(struct stream *stream, PyObject *iterator, snakepit_err *err)
{
    bool ended = false;
    PyObject *returned = drive(stream, iterator, &ended, err);
    if (ended && !closes_at_end(stream, iterator)) {
        return returned;
    }
    if (close_iterator(iterator) != 0) {
        Py_XDECREF(returned);
        return NULL;
    }
    return returned;
}

// An asynchronous iterator is driven through one that drives it.
static PyObject *
run_iterator(struct stream *stream, PyObject *iterator, snakepit_err *err)
{
    PyObject *opener = stream->executor->runtime->stream_opener;
    if (PyIter_Check(iterator) || opener == NULL) {
        return drive_and_close(stream, iterator, err);
    }
    *err = SNAKEPIT_TOOL_FAILED;
    PyObject *driven = PyObject_CallOneArg(opener, iterator);
    if (driven == NULL) {
        return NULL;
    }
    PyObject *returned = drive_and_close(stream, driven, err);
    Py_DECREF(driven);
    return returned;
}

// What there was to hand over is handed over; what is left for the answer.
static PyObject *run(struct stream *stream, PyObject *result, snakepit_err *err)
{
    if (sp_stream_is(stream->executor, result)) {
        return run_iterator(stream, result, err);
    }
    return put(stream, result, err) != 0 ? NULL : Py_NewRef(Py_None);
}

// The lease that ends with all that the stream keeps, for its answer.
static uint32_t join_leases(struct stream *stream)
{
    struct sp_runtime *runtime = stream->executor->runtime;
    if (!stream->open) {
        return SP_NO_LEASE;
    }
    release_kept(stream);
    uint32_t last = stream->lease;
    for (uint32_t i = 0; i < stream->kept_count; i++) {
        sp_runtime_join_leases(runtime, last, stream->kept[i].lease);
        last = stream->kept[i].lease;
    }
    return stream->lease;
}

// Runs a coroutine, which is taken, to its end; what it comes to, or NULL.
static PyObject *
finish(const struct sp_executor *executor, PyObject *awaitable, snakepit_err *err)
{
    PyObject *finisher = executor->runtime->finisher;
    *err = SNAKEPIT_TOOL_FAILED;
    if (finisher == NULL) {
        return awaitable; // is refused as a value
    }
    PyObject *result = PyObject_CallOneArg(finisher, awaitable);
    Py_DECREF(awaitable);
    return result;
}

// Hands over what there is, and gives what is left for the answer.
static PyObject *hand_over(struct sp_executor *executor,
                           const struct sp_slot_request *request,
                           PyObject *result,
                           snakepit_err *err)
{
    struct stream stream = {
        .executor = executor,
        .slot = &executor->runtime->view.slots[executor->current.slot],
        .list = request->kind == SP_CALL_STREAM ? NULL : PyList_New(0),
    };
    PyObject *left = NULL;
    *err = SNAKEPIT_NO_MEMORY;
    if (request->kind == SP_CALL_STREAM || stream.list != NULL) {
        left = run(&stream, result, err);
    }
    Py_DECREF(result);
    executor->stream_lease = join_leases(&stream);
    if (left == NULL) {
        Py_XDECREF(stream.list);
        return NULL;
    }
    Py_CLEAR(executor->shapes);
    if (stream.list == NULL) {
        return left;
    }
    Py_DECREF(left);
    return stream.list;
}

PyObject *sp_stream_run(struct sp_executor *executor,
                        const struct sp_slot_request *request,
                        PyObject *result,
                        snakepit_err *err)
{
    if (sp_stream_awaits(result)) {
        result = finish(executor, result, err);
    }
    if (result == NULL) {
        return NULL;
    }
    if (request->kind == SP_CALL_STREAM || sp_stream_is(executor, result)) {
        return hand_over(executor, request, result, err);
    }
    Py_CLEAR(executor->shapes);
    return result;
}

void sp_stream_leave(struct sp_executor *executor, uint32_t *lease)
{
    uint32_t kept = executor->stream_lease;
    executor->stream_lease = SP_NO_LEASE;
    if (kept == SP_NO_LEASE) {
        return;
    }
    if (*lease != SP_NO_LEASE) {
        sp_runtime_join_leases(executor->runtime, *lease, kept);
    } else {
        *lease = kept;
    }
}
