// SPDX-License-Identifier: MIT
// Arrays of a result become tensors. One copy takes them into the results arena,
// packed; those that were made there, by empty(), are found there again and only
// counted.
#include "codec_writer.h"

#include "base/memory.h"
#include "codec_compat.h"
#include "numpy_array.h"
#include "payload/wire.h"

#define OWNERS_MAX 8 // steps from an array to the Tensor whose memory it shows

// ---- Writing ------------------------------------------------------------------

static void store_little(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static int write_ext(struct sp_encoder *encoder,
                     const struct sp_tensor_head *head,
                     uint64_t offset)
{
    size_t size = SP_TENSOR_HEAD + 8 * (size_t)head->rank;
    size_t before = head->rank == 0 ? 2 : 3;
    uint8_t *at = sp_encoder_room(encoder, before + size);
    if (at == NULL) {
        return -1;
    }
    at[0] = head->rank == 0 ? 0xd8 : 0xc7;
    at[1] = (uint8_t)size;
    at[before - 1] = SP_EXT_TENSOR;
    at += before;
    memset(at, 0, SP_TENSOR_HEAD);
    at[0] = (uint8_t)head->dtype->number;
    at[1] = (uint8_t)head->rank;
    store_little(at + 8, offset);
    for (int i = 0; i < head->rank; i++) {
        store_little(at + SP_TENSOR_HEAD + 8 * (size_t)i, (uint64_t)head->shape[i]);
    }
    return 0;
}

// Makes room for one more block in the list. -1 without an exception.
static int reserve_block(struct sp_encoder *encoder)
{
    if (encoder->block_count < encoder->block_room) {
        return 0;
    }
    uint32_t room = encoder->block_room == 0 ? 8 : 2 * encoder->block_room;
    void *old = (void *)encoder->blocks;
    void *blocks = sp_realloc(old, room * sizeof(struct sp_block *));
    if (blocks == NULL) {
        return -1;
    }
    encoder->blocks = (struct sp_block **)blocks;
    encoder->block_room = room;
    return 0;
}

struct sp_block *sp_encoder_add_block(struct sp_encoder *encoder, uint64_t bytes)
{
    if (reserve_block(encoder) != 0) {
        return NULL;
    }
    struct sp_block *block = sp_block_new(encoder->codec->runtime, bytes);
    if (block != NULL) {
        encoder->blocks[encoder->block_count++] = block;
    }
    return block;
}

// Refers to data in a block, which the answer keeps from now on.
static int write_shared(struct sp_encoder *encoder,
                        const struct sp_tensor_head *head,
                        struct sp_block *block,
                        uint64_t offset)
{
    if (reserve_block(encoder) != 0) {
        PyErr_NoMemory();
        return -1;
    }
    sp_block_ref(block);
    encoder->blocks[encoder->block_count++] = block;
    return write_ext(encoder, head, offset);
}

// ---- Copying ------------------------------------------------------------------

// A strided array. Rank 0 has been made rank 1.
struct source {
    const Py_ssize_t *shape;
    const Py_ssize_t *strides;
    size_t item;
    int rank;
};

// Packs `count` items that lie `stride` bytes apart.
static uint8_t *
pack_items(uint8_t *to, const uint8_t *from, const struct source *source)
{
    Py_ssize_t count = source->shape[0];
    Py_ssize_t stride = source->strides[0];
    size_t item = source->item;
    if (stride == (Py_ssize_t)item) {
        memcpy(to, from, (size_t)count * item);
        return to + (size_t)count * item;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        switch (item) { // so that the copy of one item becomes one instruction
        case 4:
            memcpy(to, from, 4);
            break;
        case 8:
            memcpy(to, from, 8);
            break;
        default:
            memcpy(to, from, item);
        }
        to += item;
        from += stride;
    }
    return to;
}

// Packs the array at `from` in C order and returns where the data ends. Needs no
// interpreter.
static uint8_t *pack(uint8_t *to, const uint8_t *from, const struct source *source)
{
    if (source->rank == 1) {
        return pack_items(to, from, source);
    }
    struct source inner = {
        source->shape + 1, source->strides + 1, source->item, source->rank - 1};
    for (Py_ssize_t i = 0; i < source->shape[0]; i++) {
        to = pack(to, from + i * source->strides[0], &inner);
    }
    return to;
}

static void copy_view(uint8_t *to, const Py_buffer *view)
{
    if (PyBuffer_IsContiguous(view, 'C')) {
        sp_copy(to, view->buf, (size_t)view->len);
        return;
    }
    struct source source = {
        view->shape, view->strides, (size_t)view->itemsize, view->ndim};
    if ((uint64_t)view->len < SP_DETACH_FROM) {
        pack(to, view->buf, &source);
        return;
    }
    Py_BEGIN_ALLOW_THREADS;
    pack(to, view->buf, &source);
    Py_END_ALLOW_THREADS;
}

static int exhausted(const struct sp_encoder *encoder,
                     const struct sp_place *place,
                     uint64_t bytes)
{
    char what[80];
    PyOS_snprintf(what,
                  sizeof(what),
                  "no shared memory (raise shared_memory_size) for %llu bytes",
                  (unsigned long long)bytes);
    return sp_encoder_fail(encoder, place, PyExc_MemoryError, what);
}

// An array that is to be copied.
struct source_array {
    const struct sp_tensor_head *head;
    const Py_buffer *view;
    bool swapped; // its numbers are in the other byte order
};

// Turns the bytes of each number around. Needs no interpreter.
static void swap_numbers(uint8_t *at, const struct sp_tensor_head *head)
{
    bool is_complex = head->dtype->number == SNAKEPIT_COMPLEX64 ||
                      head->dtype->number == SNAKEPIT_COMPLEX128;
    size_t size = is_complex ? head->dtype->size / 2 : head->dtype->size;
    for (const uint8_t *end = at + head->bytes; at < end; at += size) {
        for (size_t i = 0; i < size / 2; i++) {
            uint8_t byte = at[i];
            at[i] = at[size - 1 - i];
            at[size - 1 - i] = byte;
        }
    }
}

static int write_copy(struct sp_encoder *encoder,
                      const struct source_array *source,
                      const struct sp_place *place)
{
    const struct sp_tensor_head *head = source->head;
    const struct sp_block *block = sp_encoder_add_block(encoder, head->bytes);
    if (block == NULL) {
        return exhausted(encoder, place, head->bytes);
    }
    uint64_t unused;
    uint8_t *to = sp_runtime_results(block->runtime, &unused) + block->offset;
    copy_view(to, source->view);
    if (source->swapped) {
        Py_BEGIN_ALLOW_THREADS;
        swap_numbers(to, head);
        Py_END_ALLOW_THREADS;
    }
    return write_ext(encoder, head, block->offset);
}

// ---- Finding what is shared already -------------------------------------------

// The Tensor whose memory an array or a memoryview shows, by the chain of their owners.
// NULL without an exception. New reference.
static struct sp_tensor *find_owner(const struct sp_codec *codec, PyObject *value)
{
    PyObject *owner = Py_NewRef(value);
    for (int i = 0; owner != NULL && i < OWNERS_MAX; i++) {
        if (Py_TYPE(owner) == codec->tensor_type) {
            return (struct sp_tensor *)owner;
        }
        PyObject *name = PyMemoryView_Check(owner) ? codec->texts[SP_TEXT_OBJ]
                                                   : codec->texts[SP_TEXT_BASE];
        PyObject *next = PyObject_GetAttr(owner, name);
        Py_DECREF(owner);
        owner = next;
    }
    Py_XDECREF(owner);
    PyErr_Clear();
    return NULL;
}

// Where data lies in the results segment; false: not there, or not aligned as a tensor
// must be.
static bool
find_offset(const struct sp_encoder *encoder, const void *data, uint64_t *offset)
{
    uint64_t size;
    uintptr_t results = (uintptr_t)sp_runtime_results(encoder->codec->runtime, &size);
    *offset = (uintptr_t)data - results;
    return (uintptr_t)data >= results && *offset < size &&
           *offset % SP_TENSOR_ALIGN == 0;
}

static bool block_holds(const struct sp_block *block, uint64_t offset, uint64_t bytes)
{
    return block != NULL && offset >= block->offset && bytes <= block->bytes &&
           offset - block->offset <= block->bytes - bytes;
}

// 1: written without a copy; 0: nothing done; -1: failed.
static int write_in_place(struct sp_encoder *encoder,
                          PyObject *value,
                          const struct sp_tensor_head *head,
                          const Py_buffer *view)
{
    uint64_t offset;
    if (!find_offset(encoder, view->buf, &offset) ||
        !PyBuffer_IsContiguous(view, 'C')) {
        return 0;
    }
    struct sp_tensor *owner = find_owner(encoder->codec, value);
    if (owner == NULL) {
        return 0;
    }
    int result = 0;
    if (block_holds(owner->block, offset, head->bytes)) {
        result = write_shared(encoder, head, owner->block, offset) == 0 ? 1 : -1;
    }
    Py_DECREF(owner);
    return result;
}

// The same for one of NumPy's arrays that empty() has made, without a buffer.
static int write_known(struct sp_encoder *encoder, PyObject *value)
{
    const struct sp_codec *codec = encoder->codec;
    struct sp_tensor_head head;
    const uint8_t *data;
    uint64_t offset;
    struct sp_tensor *owner =
        sp_numpy_owner(sp_codec_numpy(codec), codec, value, &head, &data);
    if (encoder->strict || owner == NULL || head.bytes == 0 ||
        !find_offset(encoder, data, &offset) ||
        !block_holds(owner->block, offset, head.bytes)) {
        return 0;
    }
    return write_shared(encoder, &head, owner->block, offset) == 0 ? 1 : -1;
}

// ---- From Python --------------------------------------------------------------

// Whether a view has failed because of its type, which only its array can name. False
// with an exception where memory is exhausted.
static bool is_bfloat16(PyObject *value)
{
    PyObject *dtype = PyObject_GetAttrString(value, "dtype");
    PyObject *name = dtype == NULL ? NULL : PyObject_GetAttrString(dtype, "name");
    bool is_one = name != NULL && PyUnicode_Check(name) &&
                  PyUnicode_CompareWithASCIIString(name, "bfloat16") == 0;
    Py_XDECREF(name);
    Py_XDECREF(dtype);
    if (name == NULL) {
        (void)sp_forgive();
    }
    return is_one;
}

// Gets the view of an array's memory. `dtype` is set where the view's format does not
// say it: buffers have no format for bfloat16. False: it has no view.
static bool open_view(const struct sp_codec *codec,
                      PyObject *value,
                      Py_buffer *view,
                      const struct sp_dtype **dtype)
{
    *dtype = NULL;
    if (PyObject_GetBuffer(value, view, PyBUF_RECORDS_RO) == 0) {
        return true;
    }
    if (sp_forgive() != 0) {
        return false;
    }
    if (Py_TYPE(value) == codec->tensor_type) {
        *dtype = ((struct sp_tensor *)value)->dtype;
        return PyObject_GetBuffer(value, view, PyBUF_STRIDED_RO) == 0;
    }
    if (!is_bfloat16(value)) {
        return false;
    }
    PyObject *bits = PyObject_CallMethod(value, "view", "s", "uint16");
    bool is_open =
        bits != NULL && PyObject_GetBuffer(bits, view, PyBUF_RECORDS_RO) == 0;
    Py_XDECREF(bits);
    *dtype = sp_dtype_of_number(SNAKEPIT_BFLOAT16);
    return is_open;
}

// Sets `head` from a view; `named` is its type where it cannot say it. NULL, or why it
// cannot cross.
static const struct sp_refusal *head_of(struct sp_tensor_head *head,
                                        const Py_buffer *view,
                                        const struct sp_dtype *named,
                                        bool *swapped)
{
    static const struct sp_refusal contradiction = {
        &PyExc_ValueError, "a buffer that contradicts itself", {"copy it first"}};
    *swapped = false;
    head->dtype = named != NULL
                      ? named
                      : sp_dtype_of_format(view->format, view->itemsize, swapped);
    if (head->dtype == NULL) {
        return &sp_no_array_of_numbers;
    }
    if (view->ndim > SNAKEPIT_MAX_RANK) {
        return &sp_too_many_dimensions;
    }
    head->rank = view->ndim;
    for (int i = 0; i < view->ndim; i++) {
        head->shape[i] = view->shape[i];
    }
    bool sound = sp_tensor_measure(head) == 0 && head->bytes == (uint64_t)view->len;
    return sound ? NULL : &contradiction;
}

// The memory of an array is the message's, which what is kept or told outlives.
static int
refuse_array(struct sp_encoder *encoder, PyObject *value, const struct sp_place *place)
{
    static const struct sp_refusal no_array = {
        &PyExc_TypeError,
        NULL,
        {
            [SP_FOR_SESSION] = "a session keeps no arrays; put their bytes",
            [SP_FOR_EVENT] = "an event holds no arrays; give what is to be known of "
                             "them, such as their shape",
        }};
    return sp_encoder_refuse(encoder, value, place, &no_array);
}

static int write_array(struct sp_encoder *encoder,
                       PyObject *value,
                       const Py_buffer *view,
                       const struct sp_dtype *named,
                       const struct sp_place *place)
{
    if (encoder->strict) {
        return refuse_array(encoder, value, place);
    }
    struct sp_tensor_head head = {0};
    bool swapped;
    const struct sp_refusal *why = head_of(&head, view, named, &swapped);
    if (why != NULL) {
        return sp_encoder_refuse(encoder, value, place, why);
    }
    if (head.bytes == 0) {
        return write_ext(encoder, &head, 0);
    }
    if (encoder->codec->runtime == NULL) {
        return sp_encoder_refuse(encoder, value, place, &sp_no_plain_value);
    }
    int result = swapped ? 0 : write_in_place(encoder, value, &head, view);
    if (result != 0) {
        return result > 0 ? 0 : -1;
    }
    struct source_array source = {.head = &head, .view = view, .swapped = swapped};
    return write_copy(encoder, &source, place);
}

// Bytes, not an array of small numbers: decided by the type, not by the format.
static bool is_bytes(PyObject *value, const Py_buffer *view)
{
    if (!PyMemoryView_Check(value)) {
        return PyByteArray_Check(value);
    }
    const char *format = view->format == NULL ? "B" : view->format;
    return view->ndim == 1 && (strcmp(format, "B") == 0 || strcmp(format, "c") == 0);
}

static int write_bin(struct sp_encoder *encoder, const Py_buffer *view)
{
    uint8_t *at = sp_encoder_bin(encoder, (size_t)view->len);
    if (at == NULL) {
        return -1;
    }
    copy_view(at, view);
    return 0;
}

int sp_encoder_buffer(struct sp_encoder *encoder,
                      PyObject *value,
                      const struct sp_place *place)
{
    Py_buffer view;
    const struct sp_dtype *named;
    int known = write_known(encoder, value);
    if (known != 0) {
        return known > 0 ? 0 : -1;
    }
    if (!open_view(encoder->codec, value, &view, &named)) {
        return sp_encoder_refuse(encoder, value, place, &sp_no_array_of_numbers);
    }
    int result = is_bytes(value, &view)
                     ? write_bin(encoder, &view)
                     : write_array(encoder, value, &view, named, place);
    PyBuffer_Release(&view);
    return result;
}

int sp_encoder_tensor(struct sp_encoder *encoder,
                      struct sp_tensor *tensor,
                      const struct sp_place *place)
{
    uint64_t unused;
    uint64_t offset = 0;
    if (tensor->block != NULL) {
        const uint8_t *results = sp_runtime_results(tensor->block->runtime, &unused);
        offset = (uint64_t)(tensor->data - results);
    }
    // A part may begin where none can that the host reads.
    if (tensor->block == NULL || encoder->strict || offset % SP_TENSOR_ALIGN != 0) {
        return sp_encoder_buffer(encoder, (PyObject *)tensor, place);
    }
    struct sp_tensor_head head = {
        .dtype = tensor->dtype, .rank = tensor->rank, .bytes = tensor->bytes};
    memcpy(head.shape, tensor->shape, sizeof(head.shape));
    return write_shared(encoder, &head, tensor->block, offset);
}
