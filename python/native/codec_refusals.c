// SPDX-License-Identifier: MIT
// What to write instead of returning a value of a class that does not cross but is
// known. Classes are told by their names: nothing is imported to refuse something.
#include "codec_writer.h"

// A class, by the module that it is in or below of, and its name; NULL: any there.
struct known {
    const char *module;
    const char *name;
    struct sp_refusal refusal;
};

#define KNOWN(module, name, how)                               \
    {                                                          \
        module, name,                                          \
        {                                                      \
            &PyExc_TypeError, NULL, "return " how, "pass " how \
        }                                                      \
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
    &PyExc_TypeError, NULL, "return numpy.asarray(it)", "pass numpy.asarray(it)"};

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
    PyErr_Clear();
    return found;
}

const struct sp_refusal *sp_refusal_of(PyObject *value)
{
    PyObject *classes = Py_TYPE(value)->tp_mro;
    for (Py_ssize_t i = 0; classes != NULL && i < PyTuple_GET_SIZE(classes); i++) {
        PyTypeObject *type = (PyTypeObject *)PyTuple_GET_ITEM(classes, i);
        const struct sp_refusal *found = refusal_of_class(type);
        if (found != NULL) {
            return found;
        }
    }
    PyObject *array = PyObject_GetAttrString((PyObject *)Py_TYPE(value), "__array__");
    PyErr_Clear();
    Py_XDECREF(array);
    return array != NULL ? &an_array : &sp_no_plain_value;
}
