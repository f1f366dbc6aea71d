// SPDX-License-Identifier: MIT
#include "numpy_array.h"

#include "base/memory.h"
#include "codec.h"
#include "codec_compat.h"

// The first fields of an array, in NumPy 1 and 2 alike.
struct array {
    PyObject_HEAD char *data;
    int rank;
    Py_ssize_t *shape;
    Py_ssize_t *strides;
    PyObject *base; // who owns the memory
    PyObject *dtype;
    int flags;
};

#define C_CONTIGUOUS 0x0001
#define WRITABLE     (C_CONTIGUOUS | 0x0100 | 0x0400) // aligned, too

// Where NumPy's functions are in its table.
enum { GET_VERSION = 0, NEW_FROM_DESCR = 94, SET_BASE_OBJECT = 282 };

typedef unsigned int version_fn(void);
// Takes the reference to the dtype.
typedef PyObject *new_fn(PyTypeObject *type,
                         PyObject *dtype,
                         int rank,
                         const Py_ssize_t *shape,
                         const Py_ssize_t *strides,
                         void *data,
                         int flags,
                         PyObject *like);
// Takes the reference to the base.
typedef int set_base_fn(PyObject *array, PyObject *base);

#define NUMPY_1 0x01000009u
#define NUMPY_2 0x02000000u

// ---- Finding it -----------------------------------------------------------------

// Of the module that NumPy has imported already. NULL: it is not there, with an
// exception where memory is exhausted.
static void *const *interface_of(const char *name)
{
    PyObject *text = PyUnicode_FromString(name);
    PyObject *module = text == NULL ? NULL : PyImport_GetModule(text);
    PyObject *capsule =
        module == NULL ? NULL : PyObject_GetAttrString(module, "_ARRAY_API");
    void *table = capsule == NULL ? NULL : PyCapsule_GetPointer(capsule, NULL);
    Py_XDECREF(capsule);
    Py_XDECREF(module);
    Py_XDECREF(text);
    return (void *const *)table;
}

static void *const *find_interface(void)
{
    void *const *interface = interface_of("numpy._core._multiarray_umath");
    if (interface == NULL && sp_forgive() == 0) {
        interface = interface_of("numpy.core._multiarray_umath");
    }
    if (interface == NULL) {
        (void)sp_forgive();
        return NULL;
    }
    unsigned int version = ((version_fn *)interface[GET_VERSION])();
    return version == NUMPY_1 || version == NUMPY_2 ? interface : NULL;
}

static int find_types(struct sp_numpy *numpy, PyObject *dtype)
{
    for (uint32_t number = 0; number < SP_NUMPY_TYPES; number++) {
        const struct sp_dtype *known = sp_dtype_of_number(number);
        if (known == NULL || known->format == NULL) {
            continue;
        }
        numpy->types[number] = PyObject_CallFunction(dtype, "s", known->name);
        if (numpy->types[number] == NULL) {
            return -1;
        }
    }
    return 0;
}

struct sp_numpy *sp_numpy_new(PyObject *ndarray, PyObject *dtype)
{
    struct sp_numpy *numpy = sp_alloc(sizeof *numpy);
    if (numpy == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    numpy->array_type = Py_NewRef(ndarray);
    numpy->interface = PyType_Check(ndarray) ? find_interface() : NULL;
    if (PyErr_Occurred() || find_types(numpy, dtype) != 0) {
        sp_numpy_free(numpy);
        return NULL;
    }
    return numpy;
}

void sp_numpy_free(struct sp_numpy *numpy)
{
    if (numpy == NULL) {
        return;
    }
    for (uint32_t number = 0; number < SP_NUMPY_TYPES; number++) {
        Py_XDECREF(numpy->types[number]);
    }
    Py_DECREF(numpy->array_type);
    sp_free(numpy);
}

// ---- Making one -----------------------------------------------------------------

static PyObject *
new_array(const struct sp_numpy *numpy, struct sp_tensor *tensor, PyObject *type)
{
    new_fn *make = (new_fn *)numpy->interface[NEW_FROM_DESCR];
    set_base_fn *set_base = (set_base_fn *)numpy->interface[SET_BASE_OBJECT];
    PyObject *array = make((PyTypeObject *)numpy->array_type,
                           Py_NewRef(type),
                           tensor->rank,
                           tensor->shape,
                           NULL,
                           tensor->data,
                           WRITABLE,
                           NULL);
    if (array == NULL || set_base(array, Py_NewRef((PyObject *)tensor)) == 0) {
        return array;
    }
    Py_DECREF(array);
    return NULL;
}

// Slower, for any NumPy.
static PyObject *call_ndarray(const struct sp_numpy *numpy,
                              struct sp_tensor *tensor,
                              PyObject *type,
                              PyObject *shape)
{
    shape = PyTuple_CheckExact(shape)
                ? Py_NewRef(shape)
                : PyObject_GetAttrString((PyObject *)tensor, "shape");
    if (shape == NULL) {
        return NULL;
    }
    PyObject *const arguments[] = {shape, type, (PyObject *)tensor};
    PyObject *array = PyObject_Vectorcall(numpy->array_type, arguments, 3, NULL);
    Py_DECREF(shape);
    return array;
}

PyObject *
sp_numpy_array(const struct sp_numpy *numpy, struct sp_tensor *tensor, PyObject *shape)
{
    PyObject *type = numpy->types[tensor->dtype->number];
    if (type == NULL || tensor->bytes == 0) {
        return NULL;
    }
    return numpy->interface != NULL ? new_array(numpy, tensor, type)
                                    : call_ndarray(numpy, tensor, type, shape);
}

// ---- Reading one ----------------------------------------------------------------

static const struct sp_dtype *dtype_of(const struct sp_numpy *numpy, PyObject *type)
{
    for (uint32_t number = 0; number < SP_NUMPY_TYPES; number++) {
        if (numpy->types[number] == type) {
            return sp_dtype_of_number(number);
        }
    }
    return NULL;
}

struct sp_tensor *sp_numpy_owner(const struct sp_numpy *numpy,
                                 const struct sp_codec *codec,
                                 PyObject *array,
                                 struct sp_tensor_head *head,
                                 const uint8_t **data)
{
    const struct array *fields = (const struct array *)array;
    if (!sp_numpy_is_array(numpy, Py_TYPE(array)) || numpy->interface == NULL ||
        fields->base == NULL || Py_TYPE(fields->base) != codec->tensor_type ||
        (fields->flags & C_CONTIGUOUS) == 0 || fields->rank > SNAKEPIT_MAX_RANK) {
        return NULL;
    }
    head->dtype = dtype_of(numpy, fields->dtype);
    head->rank = fields->rank;
    for (int i = 0; i < fields->rank; i++) {
        head->shape[i] = fields->shape[i];
    }
    *data = (const uint8_t *)fields->data;
    bool sound = head->dtype != NULL && sp_tensor_measure(head) == 0;
    return sound ? (struct sp_tensor *)fields->base : NULL;
}
