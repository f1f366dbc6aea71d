// SPDX-License-Identifier: MIT
// Where an answer is written, and how an error names a place in it. Small answers never
// leave the slot's inline area; larger ones move to memory of the encoder's own, for
// only the size at the end tells how large a block the runtime needs.
#include "codec_writer.h"

#include "base/memory.h"
#include "payload/wire.h"

#define PARTS_MAX    7
#define PLACES_NAMED 12 // steps of a place that an error spells out
#define STEPS_MAX    (SP_DEPTH_MAX + SP_AROUND_MAX + 2)
#define HEAP_MIN     4096 // bytes of the first private buffer

// ---- Purposes -----------------------------------------------------------------

// How errors call what is written, and what goes with that.
static const struct purpose {
    const char *whole;
    const char *is;               // begins a sentence
    const char *parts[PARTS_MAX]; // of a list of ours: a place begins with one
    uint32_t around;
    bool strict;
} purposes[SP_PURPOSES] = {
    [SP_FOR_RESULT] = {.whole = "result", .is = "the result is"},
    [SP_FOR_ARGUMENTS] = {.whole = "arguments",
                          .is = "the arguments are",
                          .parts = {"name", "arguments"},
                          .around = 1},
    // The map of arguments is around a value as well.
    [SP_FOR_SESSION] = {.whole = "arguments",
                        .is = "the value is",
                        .parts = {"name", "arguments"},
                        .around = SP_AROUND_MAX,
                        .strict = true},
    [SP_FOR_EVENT] = {.whole = "event",
                      .is = "the event is",
                      .parts = {"event",
                                "call",
                                "session_id",
                                "correlation_id",
                                "time_ns",
                                "measurements",
                                "metadata"},
                      .strict = true},
};

void sp_encoder_set_purpose(struct sp_encoder *encoder, enum sp_purpose purpose)
{
    encoder->purpose = purpose;
    encoder->around = purposes[purpose].around;
    encoder->strict = purposes[purpose].strict;
}

// ---- Errors -------------------------------------------------------------------

// The name that a place begins with. `*named`: how many of its steps that stands for,
// the outermost of them, which are the last.
static PyObject *first_name(const struct sp_encoder *encoder,
                            const struct sp_place *const *steps,
                            size_t depth,
                            size_t *named)
{
    const struct purpose *purpose = &purposes[encoder->purpose];
    const struct sp_place *part = depth > 0 ? steps[depth - 1] : NULL;
    *named = 0;
    if (part == NULL || part->key != NULL || part->index < 0 ||
        part->index >= PARTS_MAX || purpose->parts[part->index] == NULL) {
        return PyUnicode_FromString(purpose->whole);
    }
    PyObject *argument = depth > 1 ? steps[depth - 2]->key : NULL;
    if (encoder->purpose == SP_FOR_SESSION && part->index == 1 && argument != NULL &&
        PyUnicode_Check(argument)) {
        *named = 2;
        return Py_NewRef(argument);
    }
    *named = 1;
    return PyUnicode_FromString(purpose->parts[part->index]);
}

// `path` with one step more. Takes `path`; NULL with an exception.
static PyObject *append_step(PyObject *path, const struct sp_place *place)
{
    PyObject *longer = NULL;
    if (place->key != NULL) {
        longer = PyUnicode_FromFormat("%U[%.80R]", path, place->key);
    } else if (place->index >= 0) {
        longer = PyUnicode_FromFormat("%U[%zd]", path, place->index);
    } else {
        longer = PyUnicode_FromFormat("%U.keys()", path);
    }
    Py_DECREF(path);
    return longer;
}

PyObject *sp_encoder_path(const struct sp_encoder *encoder,
                          const struct sp_place *place)
{
    const struct sp_place *steps[STEPS_MAX];
    size_t depth = 0;
    for (; place != NULL && depth < STEPS_MAX; place = place->outer) {
        steps[depth++] = place;
    }
    size_t named;
    PyObject *path = first_name(encoder, steps, depth, &named);
    for (size_t i = named; path != NULL && i < depth && i < named + PLACES_NAMED; i++) {
        path = append_step(path, steps[depth - 1 - i]);
    }
    if (path == NULL || depth <= named + PLACES_NAMED) {
        return path;
    }
    PyObject *cut = PyUnicode_FromFormat("%U...", path);
    Py_DECREF(path);
    return cut;
}

int sp_encoder_fail(const struct sp_encoder *encoder,
                    const struct sp_place *place,
                    PyObject *type,
                    const char *what)
{
    PyErr_Clear();
    PyObject *path = sp_encoder_path(encoder, place);
    if (path != NULL) {
        PyErr_Format(type, "%s at %U", what, path);
        Py_DECREF(path);
    }
    return -1;
}

int sp_encoder_changed(const struct sp_encoder *encoder, const struct sp_place *place)
{
    return sp_encoder_fail(
        encoder, place, PyExc_RuntimeError, "a container changed while it was encoded");
}

// ---- Room ---------------------------------------------------------------------

// Makes the heap at least `size` bytes large and keeps what is written there.
static int grow_heap(struct sp_encoder *encoder, size_t size)
{
    if (size <= encoder->heap_size) {
        return 0;
    }
    uint8_t *heap = sp_realloc(encoder->heap, size);
    if (heap == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    encoder->heap = heap;
    encoder->heap_size = size;
    return 0;
}

int sp_encoder_grow(struct sp_encoder *encoder, size_t more)
{
    size_t used = (size_t)(encoder->at - encoder->start);
    if (more > SP_BODY_MAX - used) {
        PyErr_Format(PyExc_ValueError,
                     "%s larger than %u bytes",
                     purposes[encoder->purpose].is,
                     SP_BODY_MAX);
        return -1;
    }
    bool is_inline = encoder->start != encoder->heap;
    const uint8_t *written = encoder->start;
    size_t wanted = used + more > 2 * used ? used + more : 2 * used;
    if (grow_heap(encoder, wanted < HEAP_MIN ? HEAP_MIN : wanted) != 0) {
        return -1;
    }
    if (is_inline && used > 0) {
        memcpy(encoder->heap, written, used);
    }
    encoder->start = encoder->heap;
    encoder->at = encoder->heap + used;
    encoder->end = encoder->heap + encoder->heap_size;
    return 0;
}

// ---- Life ---------------------------------------------------------------------

void sp_encoder_init(struct sp_encoder *encoder, struct sp_codec *codec)
{
    *encoder = (struct sp_encoder){.codec = codec};
}

static void drop_blocks(struct sp_encoder *encoder)
{
    while (encoder->block_count > 0) {
        sp_block_unref(encoder->blocks[--encoder->block_count]);
    }
}

void sp_encoder_end(struct sp_encoder *encoder)
{
    drop_blocks(encoder);
    if (encoder->heap_size > SP_ENCODER_KEEPS) {
        sp_free(encoder->heap);
        encoder->heap = NULL;
        encoder->heap_size = 0;
    }
    if (encoder->block_room * sizeof(struct sp_block *) > SP_ENCODER_KEEPS) {
        sp_free((void *)encoder->blocks);
        encoder->blocks = NULL;
        encoder->block_room = 0;
    }
    encoder->start = encoder->at = encoder->end = NULL;
}

void sp_encoder_fini(struct sp_encoder *encoder)
{
    drop_blocks(encoder);
    sp_free(encoder->heap);
    sp_free((void *)encoder->blocks);
    Py_XDECREF(encoder->numpy_generic);
    for (int i = 0; i < SP_KINDS; i++) {
        Py_XDECREF(encoder->kinds[i]);
    }
    *encoder = (struct sp_encoder){0};
}

void sp_encoder_begin(struct sp_encoder *encoder,
                      uint8_t *inline_area,
                      size_t inline_size)
{
    sp_encoder_end(encoder);
    encoder->start = inline_area;
    encoder->at = inline_area;
    encoder->end = inline_size == 0 ? inline_area : inline_area + inline_size;
}

void sp_encoder_bytes(const struct sp_encoder *encoder,
                      const uint8_t **data,
                      size_t *size,
                      bool *is_inline)
{
    *data = encoder->start;
    *size = (size_t)(encoder->at - encoder->start);
    *is_inline = encoder->start != encoder->heap;
}
