// SPDX-License-Identifier: MIT
// Tensors by DLPack: how array libraries hand each other memory without a copy. The
// structs are those of its published ABI, in both forms that consumers ask for.
#include "tensor.h"

#include "base/memory.h"

#define VERSION_MAJOR 1u // of DLPack, since when a capsule can say that it is read-only
#define VERSION_MINOR 0u
#define DEVICE_CPU    1

#define FLAG_READ_ONLY UINT64_C(1)
#define FLAG_COPIED    UINT64_C(2)

#define CAPSULE           "dltensor"
#define CAPSULE_VERSIONED "dltensor_versioned"

struct dl_tensor {
    void *data;
    int32_t device_type;
    int32_t device_id;
    int32_t rank;
    uint8_t type_code;
    uint8_t type_bits;
    uint16_t type_lanes;
    int64_t *shape;
    int64_t *strides; // elements
    uint64_t byte_offset;
};

struct dl_managed {
    struct dl_tensor tensor;
    void *context;
    void (*deleter)(struct dl_managed *self);
};

struct dl_managed_versioned {
    uint32_t major;
    uint32_t minor;
    void *context;
    void (*deleter)(struct dl_managed_versioned *self);
    uint64_t flags;
    struct dl_tensor tensor;
};

// One capsule's memory and all that describes it. Owner: the capsule, then its
// consumer, who frees it by a deleter on whatever thread.
struct export
{
    struct dl_managed plain;
    struct dl_managed_versioned versioned;
    struct sp_lease *lease;
    struct sp_block *block;
    struct sp_copy *copy;
    int64_t shape[SNAKEPIT_MAX_RANK];
    int64_t strides[SNAKEPIT_MAX_RANK];
};

// What a consumer asks for.
struct wish {
    bool versioned;
    bool copy;
};

// ---- Life of an export --------------------------------------------------------

// Needs no interpreter: leases and blocks are counted in C.
static void export_free(struct export *export)
{
    if (export->lease != NULL) {
        sp_lease_unref(export->lease);
    }
    if (export->block != NULL) {
        sp_block_unref(export->block);
    }
    if (export->copy != NULL) {
        sp_copy_unref(export->copy);
    }
    sp_free(export);
}

static void delete_plain(struct dl_managed *self)
{
    export_free(self->context);
}

static void delete_versioned(struct dl_managed_versioned *self)
{
    export_free(self->context);
}

static uint8_t type_code(const struct sp_dtype *dtype)
{
    switch (dtype->number) {
    case SNAKEPIT_BOOL:
        return 6;
    case SNAKEPIT_BFLOAT16:
        return 4;
    case SNAKEPIT_COMPLEX64:
    case SNAKEPIT_COMPLEX128:
        return 5;
    case SNAKEPIT_FLOAT16:
    case SNAKEPIT_FLOAT32:
    case SNAKEPIT_FLOAT64:
        return 2;
    case SNAKEPIT_INT8:
    case SNAKEPIT_INT16:
    case SNAKEPIT_INT32:
    case SNAKEPIT_INT64:
        return 0;
    default:
        return 1; // unsigned integers
    }
}

static struct dl_tensor describe(struct export *export, const struct sp_tensor *tensor)
{
    for (int i = 0; i < tensor->rank; i++) {
        export->shape[i] = tensor->shape[i];
        export->strides[i] = tensor->strides[i] / (int64_t)tensor->dtype->size;
    }
    return (struct dl_tensor){
        .data = export->copy != NULL ? export->copy->data : tensor->data,
        .device_type = DEVICE_CPU,
        .rank = tensor->rank,
        .type_code = type_code(tensor->dtype),
        .type_bits = (uint8_t)(8 * tensor->dtype->size),
        .type_lanes = 1,
        .shape = export->shape,
        .strides = export->strides,
    };
}

// Takes what keeps the memory: references, or a copy. False: no memory.
static bool
take_memory(struct export *export, const struct sp_tensor *tensor, bool copy)
{
    if (copy) {
        export->copy = sp_copy_new(tensor->data, tensor->bytes);
        return export->copy != NULL;
    }
    if (tensor->copy != NULL) {
        sp_copy_ref(tensor->copy);
        export->copy = tensor->copy;
    }
    if (tensor->lease != NULL) {
        sp_lease_ref(tensor->lease);
        export->lease = tensor->lease;
    }
    if (tensor->block != NULL) {
        sp_block_ref(tensor->block);
        export->block = tensor->block;
    }
    return true;
}

static struct export *export_new(const struct sp_tensor *tensor, bool copy)
{
    struct export *export = sp_alloc(sizeof(*export));
    if (export == NULL) {
        return NULL;
    }
    *export = (struct export){0};
    if (!take_memory(export, tensor, copy)) {
        sp_free(export);
        return NULL;
    }
    struct dl_tensor described = describe(export, tensor);
    uint64_t read_only = tensor->readonly && !copy ? FLAG_READ_ONLY : 0;
    export->plain = (struct dl_managed){described, export, delete_plain};
    export->versioned = (struct dl_managed_versioned){
        .major = VERSION_MAJOR,
        .minor = VERSION_MINOR,
        .context = export,
        .deleter = delete_versioned,
        .flags = read_only | (copy ? FLAG_COPIED : 0),
        .tensor = described,
    };
    return export;
}

// ---- The capsule --------------------------------------------------------------

// A consumer renames the capsule and frees the memory itself.
static void capsule_dropped(PyObject *capsule)
{
    if (PyCapsule_IsValid(capsule, CAPSULE)) {
        struct dl_managed *managed = PyCapsule_GetPointer(capsule, CAPSULE);
        managed->deleter(managed);
    } else if (PyCapsule_IsValid(capsule, CAPSULE_VERSIONED)) {
        struct dl_managed_versioned *managed =
            PyCapsule_GetPointer(capsule, CAPSULE_VERSIONED);
        managed->deleter(managed);
    }
}

static PyObject *capsule_new(const struct sp_tensor *tensor, const struct wish *wish)
{
    struct export *export = export_new(tensor, wish->copy);
    if (export == NULL) {
        return PyErr_NoMemory();
    }
    PyObject *capsule =
        wish->versioned
            ? PyCapsule_New(&export->versioned, CAPSULE_VERSIONED, capsule_dropped)
            : PyCapsule_New(&export->plain, CAPSULE, capsule_dropped);
    if (capsule == NULL) {
        export_free(export);
    }
    return capsule;
}

// ---- What a consumer asks for -------------------------------------------------

static int refuse(const char *why)
{
    PyErr_SetString(PyExc_BufferError, why);
    return -1;
}

static int check_device(PyObject *device)
{
    if (device == Py_None) {
        return 0;
    }
    int type;
    int number;
    if (!PyTuple_Check(device)) {
        return refuse("dl_device is a pair, such as (1, 0)");
    }
    if (!PyArg_ParseTuple(device, "ii", &type, &number)) {
        return -1;
    }
    return type == DEVICE_CPU
               ? 0
               : refuse("a tensor is in the processor's memory, dl_device (1, 0)");
}

static int read_version(PyObject *version, struct wish *wish)
{
    long major = 0;
    long minor = 0;
    if (version != Py_None) {
        if (!PyTuple_Check(version)) {
            return refuse("max_version is a pair, such as (1, 0)");
        }
        if (!PyArg_ParseTuple(version, "ll", &major, &minor)) {
            return -1;
        }
    }
    wish->versioned = major >= (long)VERSION_MAJOR;
    return 0;
}

PyObject *sp_tensor_dlpack(PyObject *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"stream", "max_version", "dl_device", "copy", NULL};
    const struct sp_tensor *tensor = (struct sp_tensor *)self;
    PyObject *stream = Py_None;
    PyObject *version = Py_None;
    PyObject *device = Py_None;
    PyObject *copy = Py_None;
    struct wish wish = {0};
    if (!PyArg_ParseTupleAndKeywords(arguments,
                                     keywords,
                                     "|$OOOO:__dlpack__",
                                     names,
                                     &stream,
                                     &version,
                                     &device,
                                     &copy) ||
        check_device(device) != 0 || read_version(version, &wish) != 0) {
        return NULL;
    }
    wish.copy = copy == Py_True;
    if (stream != Py_None) {
        refuse("the processor's memory has no stream; pass stream=None");
        return NULL;
    }
    if (tensor->readonly && !wish.versioned && !wish.copy) {
        refuse(
            "an argument is read-only, which DLPack before 1.0 cannot tell; ask with "
            "max_version=(1, 0) or copy=True, or use numpy.array(tensor)");
        return NULL;
    }
    return capsule_new(tensor, &wish);
}

PyObject *sp_tensor_dlpack_device(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    return Py_BuildValue("(ii)", DEVICE_CPU, 0);
}
