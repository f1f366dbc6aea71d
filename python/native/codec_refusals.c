// SPDX-License-Identifier: MIT
// What becomes of a value that does not cross: a marker in its place, or an error that
// says where it stands and what to return instead. Classes are told by their names:
// nothing is imported to refuse something.
#include "codec_writer.h"

#include "codec_compat.h"

#define MARKER       "$unserialisable"
#define MARKER_DEPTH 2u // containers of a marker

// For who wants plain values alone.
#define PLAIN_ALONE                                  \
    [SP_FOR_SESSION] = "only plain values are kept", \
    [SP_FOR_EVENT] = "only plain values can be told"

const struct sp_refusal sp_no_plain_value = {
    &PyExc_TypeError,
    NULL,
    {
        [SP_FOR_RESULT] = "return plain values, or set on_unserialisable: marker",
        [SP_FOR_ARGUMENTS] = "pass plain values, or set on_unserialisable: marker",
        PLAIN_ALONE,
    }};
const struct sp_refusal sp_no_array_of_numbers = {
    &PyExc_TypeError,
    NULL,
    {"only arrays of numbers cross; convert it, as by astype()"}};
const struct sp_refusal sp_too_many_dimensions = {
    &PyExc_ValueError, "a tensor of more than 8 dimensions", {"reshape it"}};

// ---- What to return instead ----------------------------------------------------

// A class, by the module that it is in or below of, and its name; NULL: any there.
struct known {
    const char *module;
    const char *name;
    struct sp_refusal refusal;
};

#define KNOWN(module, name, how)                   \
    {                                              \
        module, name,                              \
        {                                          \
            &PyExc_TypeError, NULL, SP_ADVICE(how) \
        }                                          \
    }

static const struct known known[] = {
    KNOWN("torch", "Tensor", "tensor.detach().cpu().numpy()"),
    KNOWN("pandas",
          "DataFrame",
          "df.to_dict('records'), or its columns as arrays: {name: df[name].to_numpy() "
          "for name in df}"),
    KNOWN("pandas", "Series", "series.to_numpy(), or series.tolist()"),
    KNOWN("pandas", "Index", "index.tolist()"),
    KNOWN("pandas", "ExtensionArray", "array.tolist()"),
    KNOWN("pandas", "NAType", "None in its place"),
    KNOWN("polars", "DataFrame", "df.to_dicts(), or df.to_dict(as_series=False)"),
    KNOWN("polars", "LazyFrame", "frame.collect().to_dicts()"),
    KNOWN("polars", "Series", "series.to_numpy(), or series.to_list()"),
    KNOWN("pyarrow", "Table", "table.to_pylist(), or table.to_pydict()"),
    KNOWN("pyarrow", "RecordBatch", "batch.to_pylist(), or batch.to_pydict()"),
    KNOWN("pyarrow", "Scalar", "scalar.as_py()"),
    KNOWN("pyarrow", "Array", "array.to_numpy(), or array.to_pylist()"),
    KNOWN("pyarrow", "ChunkedArray", "array.to_numpy(), or array.to_pylist()"),
    KNOWN("scipy.sparse",
          NULL,
          "matrix.toarray(), or the row, col and data of matrix.tocoo()"),
    KNOWN("cupy", "ndarray", "cupy.asnumpy(array)"),
    KNOWN("PIL", NULL, "numpy.asarray(image), or the bytes of a file of it"),
    KNOWN("_io", "StringIO", "text.getvalue()"),
};

static const struct sp_refusal an_array = {
    &PyExc_TypeError,
    NULL,
    {
        [SP_FOR_RESULT] = "return numpy.asarray(it)",
        [SP_FOR_ARGUMENTS] = "pass numpy.asarray(it)",
        PLAIN_ALONE,
    }};

// Whether a module is the one, or below it.
static bool is_within(PyObject *module, const char *root)
{
    const char *text = PyUnicode_Check(module) ? PyUnicode_AsUTF8(module) : NULL;
    size_t size = strlen(root);
    return text != NULL && strncmp(text, root, size) == 0 &&
           (text[size] == '\0' || text[size] == '.');
}

// The last part of a class's name.
static const char *short_name(const PyTypeObject *type)
{
    const char *dot = strrchr(type->tp_name, '.');
    return dot == NULL ? type->tp_name : dot + 1;
}

static const struct sp_refusal *refusal_of_class(PyTypeObject *type)
{
    PyObject *module = PyObject_GetAttrString((PyObject *)type, "__module__");
    const struct sp_refusal *found = NULL;
    for (size_t i = 0; module != NULL && found == NULL && i < Py_ARRAY_LENGTH(known);
         i++) {
        bool named =
            known[i].name == NULL || strcmp(short_name(type), known[i].name) == 0;
        if (named && is_within(module, known[i].module)) {
            found = &known[i].refusal;
        }
    }
    Py_XDECREF(module);
    (void)sp_forgive();
    return found;
}

const struct sp_refusal *sp_refusal_of(PyObject *value)
{
    PyObject *classes = Py_TYPE(value)->tp_mro;
    for (Py_ssize_t i = 0; classes != NULL && i < PyTuple_GET_SIZE(classes); i++) {
        PyTypeObject *type = (PyTypeObject *)PyTuple_GET_ITEM(classes, i);
        const struct sp_refusal *found = refusal_of_class(type);
        if (found != NULL || PyErr_Occurred() != NULL) {
            return found;
        }
    }
    PyObject *array = PyObject_GetAttrString((PyObject *)Py_TYPE(value), "__array__");
    if (array == NULL) {
        (void)sp_forgive();
    }
    Py_XDECREF(array);
    return array != NULL ? &an_array : &sp_no_plain_value;
}

// ---- Markers ------------------------------------------------------------------

// "module.Class", without the module of builtins. NULL with an exception.
static PyObject *qualified_name(PyTypeObject *type)
{
    PyObject *name = PyObject_GetAttrString((PyObject *)type, "__qualname__");
    PyObject *module = PyObject_GetAttrString((PyObject *)type, "__module__");
    PyObject *result = NULL;
    if (name != NULL && module != NULL) {
        bool plain = !PyUnicode_Check(module) ||
                     PyUnicode_CompareWithASCIIString(module, "builtins") == 0;
        result = plain ? PyUnicode_FromFormat("%.200S", name)
                       : PyUnicode_FromFormat("%.200S.%.200S", module, name);
    }
    Py_XDECREF(name);
    Py_XDECREF(module);
    return result;
}

// The name where user code in a metaclass breaks the one above: a poorer one.
static PyObject *type_name(PyObject *value)
{
    PyObject *name = qualified_name(Py_TYPE(value));
    if (name == NULL && sp_forgive() == 0) {
        name = PyUnicode_FromFormat("%.200s", Py_TYPE(value)->tp_name);
    }
    return name;
}

// Text that UTF-8 may be unable to hold.
static int write_lossy(struct sp_encoder *encoder, PyObject *text)
{
    PyObject *utf8 = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
    if (utf8 == NULL) {
        return -1;
    }
    int result = sp_encoder_text(
        encoder, PyBytes_AS_STRING(utf8), (size_t)PyBytes_GET_SIZE(utf8));
    Py_DECREF(utf8);
    return result;
}

// The start of the value's repr; NULL, without an exception, if it has none to give.
static PyObject *short_repr(const struct sp_encoder *encoder, PyObject *value)
{
    if (encoder->codec->on_unserialisable != SP_UNSERIALISABLE_REPR) {
        return NULL;
    }
    PyObject *repr = PyObject_Repr(value);
    PyObject *start = repr == NULL ? NULL : PyUnicode_Substring(repr, 0, SP_REPR_MAX);
    Py_XDECREF(repr);
    PyErr_Clear();
    return start;
}

static int write_entry(struct sp_encoder *encoder, const char *key, PyObject *text)
{
    return sp_encoder_text(encoder, key, strlen(key)) != 0 ? -1
                                                           : write_lossy(encoder, text);
}

// Writes {"$unserialisable": {"type": ..., "repr": ...}}.
static int write_marker(struct sp_encoder *encoder, PyObject *value)
{
    PyObject *type = type_name(value);
    if (type == NULL) {
        return -1;
    }
    PyObject *repr = short_repr(encoder, value);
    int result =
        sp_encoder_open_map(encoder, 1, NULL) != 0 ||
                sp_encoder_text(encoder, MARKER, strlen(MARKER)) != 0 ||
                sp_encoder_open_map(encoder, repr == NULL ? 1 : 2, NULL) != 0 ||
                write_entry(encoder, "type", type) != 0 ||
                (repr != NULL && write_entry(encoder, "repr", repr) != 0)
            ? -1
            : 0;
    encoder->depth -= MARKER_DEPTH;
    Py_XDECREF(repr);
    Py_DECREF(type);
    return result;
}

static bool is_in_key(const struct sp_place *place)
{
    for (; place != NULL; place = place->outer) {
        if (place->key == NULL && place->index < 0) {
            return true;
        }
    }
    return false;
}

// ---- Refusing -----------------------------------------------------------------

static PyObject *refusal_text(const struct sp_encoder *encoder,
                              PyObject *value,
                              const struct sp_place *place,
                              const struct sp_refusal *why)
{
    const char *own = why->advice[encoder->purpose];
    const char *advice = own != NULL ? own : why->advice[SP_FOR_RESULT];
    PyObject *path = sp_encoder_path(encoder, place);
    PyObject *type = type_name(value);
    PyObject *text = NULL;
    if (path != NULL && type != NULL) {
        text = why->what != NULL
                   ? PyUnicode_FromFormat("%s at %U; %s", why->what, path, advice)
                   : PyUnicode_FromFormat(
                         "cannot encode %U at %U; %s", type, path, advice);
    }
    Py_XDECREF(type);
    Py_XDECREF(path);
    return text;
}

int sp_encoder_refuse(struct sp_encoder *encoder,
                      PyObject *value,
                      const struct sp_place *place,
                      const struct sp_refusal *why)
{
    if (sp_forgive() != 0) {
        return -1;
    }
    if (encoder->codec->on_unserialisable != SP_UNSERIALISABLE_ERROR &&
        !encoder->strict && sp_encoder_may_nest(encoder, MARKER_DEPTH) &&
        !is_in_key(place)) {
        return write_marker(encoder, value);
    }
    PyObject *text = refusal_text(encoder, value, place, why);
    if (text != NULL) {
        PyErr_SetObject(*why->error, text);
        Py_DECREF(text);
    }
    return -1;
}
