// SPDX-License-Identifier: MIT
// What is none of MessagePack's kinds: some classes of the standard library cross as
// something simpler, the rest is refused. Classes are looked up in
// modules that user code has imported, so that no worker imports them for nothing.
#include "codec_writer.h"

#include "codec_compat.h"
#include "payload/wire.h"

// ---- Kinds --------------------------------------------------------------------

// Whatever has a length and can be iterated over.
static int
write_items(struct sp_encoder *encoder, PyObject *items, const struct sp_place *outer)
{
    struct sp_place place = {.outer = outer};
    Py_ssize_t size = PyObject_Size(items);
    if (size < 0 && PyErr_ExceptionMatches(PyExc_OverflowError)) {
        return sp_encoder_fail(encoder, outer, PyExc_ValueError, "too many items");
    }
    PyObject *iterator = size < 0 ? NULL : PyObject_GetIter(items);
    int result = iterator == NULL ? -1 : sp_encoder_open_list(encoder, size, outer);
    while (result == 0) {
        PyObject *item = PyIter_Next(iterator);
        if (item == NULL) {
            break;
        }
        result = place.index == size ? sp_encoder_changed(encoder, outer)
                                     : sp_encoder_value(encoder, item, &place);
        Py_DECREF(item);
        place.index++;
    }
    Py_XDECREF(iterator);
    if (result != 0 || PyErr_Occurred()) {
        return -1;
    }
    encoder->depth--;
    return place.index == size ? 0 : sp_encoder_changed(encoder, outer);
}

// Writes what a conversion gave, which it takes. A member of an Enum may hold another
// one, so this counts as a level.
static int
write_instead(struct sp_encoder *encoder, PyObject *plain, const struct sp_place *place)
{
    if (plain == NULL) {
        return -1;
    }
    int result;
    if (!sp_encoder_may_nest(encoder, 1)) {
        result = sp_encoder_fail(
            encoder, place, PyExc_ValueError, "nesting too deep, or a cycle,");
    } else {
        encoder->depth++;
        result = sp_encoder_value(encoder, plain, place);
        encoder->depth--;
    }
    Py_DECREF(plain);
    return result;
}

// `field` is the field's name, or an object that has it as `name`.
static int write_field(struct sp_encoder *encoder,
                       PyObject *value,
                       PyObject *field,
                       const struct sp_place *outer)
{
    PyObject *name = PyUnicode_CheckExact(field)
                         ? Py_NewRef(field)
                         : PyObject_GetAttrString(field, "name");
    PyObject *item = name == NULL ? NULL : PyObject_GetAttr(value, name);
    struct sp_place place = {.outer = outer, .key = name};
    int result = item == NULL || sp_encoder_value(encoder, name, outer) != 0
                     ? -1
                     : sp_encoder_value(encoder, item, &place);
    Py_XDECREF(item);
    Py_XDECREF(name);
    return result;
}

// A map of the fields that `fields` names, which it takes, in their order.
static int write_fields(struct sp_encoder *encoder,
                        PyObject *value,
                        PyObject *fields,
                        const struct sp_place *place)
{
    PyObject *all = fields == NULL ? NULL : PySequence_Tuple(fields);
    Py_XDECREF(fields);
    if (all == NULL) {
        return -1;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(all);
    int result = sp_encoder_open_map(encoder, count, place);
    for (Py_ssize_t i = 0; result == 0 && i < count; i++) {
        result = write_field(encoder, value, PyTuple_GET_ITEM(all, i), place);
    }
    Py_DECREF(all);
    encoder->depth -= result == 0 ? 1 : 0;
    return result;
}

static PyObject *fields_of_dataclass(PyObject *value)
{
    PyObject *module = PyImport_ImportModule("dataclasses");
    PyObject *fields =
        module == NULL ? NULL : PyObject_CallMethod(module, "fields", "O", value);
    Py_XDECREF(module);
    return fields;
}

// Whether the class of a value has a name, with what is of that type: a metaclass may
// answer for any name. -1: memory is exhausted.
static int is_marked(PyObject *value, const char *name, PyTypeObject *type)
{
    PyObject *found = PyObject_GetAttrString((PyObject *)Py_TYPE(value), name);
    if (found == NULL) {
        return sp_forgive();
    }
    int is = PyObject_TypeCheck(found, type);
    Py_DECREF(found);
    return is;
}

// pydantic's own dict of a model. Before its version 2 the method had another name.
static PyObject *dump_model(PyObject *value)
{
    int is_new = is_marked(value, "model_dump", &PyBaseObject_Type);
    return is_new < 0
               ? NULL
               : PyObject_CallMethod(value, is_new ? "model_dump" : "dict", NULL);
}

// Name and value of a column; NULL with an exception.
static PyObject *pair_of_column(PyObject *row, PyObject *names, Py_ssize_t column)
{
    PyObject *name = PySequence_GetItem(names, column);
    PyObject *value = name == NULL ? NULL : PySequence_GetItem(row, column);
    PyObject *pair = value == NULL ? NULL : PyTuple_Pack(2, name, value);
    Py_XDECREF(value);
    Py_XDECREF(name);
    return pair;
}

// Fills a new list; -1 with an exception.
static int fill_pairs(PyObject *pairs, PyObject *row, PyObject *names)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(pairs); i++) {
        PyObject *pair = pair_of_column(row, names, i);
        if (pair == NULL) {
            return -1;
        }
        PyList_SET_ITEM(pairs, i, pair);
    }
    return 0;
}

// The columns of a row of sqlite3, as a list of pairs.
static PyObject *pairs_of_row(PyObject *row)
{
    PyObject *names = PyObject_CallMethod(row, "keys", NULL);
    Py_ssize_t count = names == NULL ? -1 : PySequence_Size(names);
    PyObject *pairs = count < 0 ? NULL : PyList_New(count);
    if (pairs != NULL && fill_pairs(pairs, row, names) != 0) {
        Py_DECREF(pairs);
        pairs = NULL;
    }
    Py_XDECREF(names);
    return pairs;
}

// A class of collections.abc; NULL without an exception if nobody has imported that,
// with MemoryError if there is no memory.
static PyObject *abstract_class(const char *class_name)
{
    PyObject *name = PyUnicode_FromString("collections.abc");
    PyObject *module = name == NULL ? NULL : PyImport_GetModule(name);
    PyObject *found =
        module == NULL ? NULL : PyObject_GetAttrString(module, class_name);
    Py_XDECREF(module);
    Py_XDECREF(name);
    if (found == NULL) {
        (void)sp_forgive();
    }
    return found;
}

// Whether a value is an instance of such a class; -1 with an exception of its own code.
// `of_its_type`: its type itself, not what it claims to be by __class__.
static int is_abstract(PyObject *value, const char *class_name, bool of_its_type)
{
    PyObject *class = abstract_class(class_name);
    if (class == NULL) {
        return PyErr_Occurred() != NULL ? -1 : 0;
    }
    int result = of_its_type ? PyObject_IsSubclass((PyObject *)Py_TYPE(value), class)
                             : PyObject_IsInstance(value, class);
    Py_DECREF(class);
    return result;
}

// Whether these can be the items of what only claims to be a Mapping. A mock of one
// claims that as well, and what it gives has no end or no items at all.
static int are_items(PyObject *items)
{
    return PyList_Check(items) || PyTuple_Check(items)
               ? 1
               : is_abstract(items, "ItemsView", false);
}

// The items of a Mapping as a list. `*items` stays NULL for what is none, or only
// claims to be one. -1 with an exception.
static int list_items(PyObject *value, PyObject **items)
{
    int claims = is_abstract(value, "Mapping", false);
    int is_one = claims > 0 ? is_abstract(value, "Mapping", true) : claims;
    if (is_one < 0 || claims == 0) {
        return is_one;
    }
    PyObject *given = PyObject_CallMethod(value, "items", NULL);
    int fit = given == NULL ? -1 : is_one > 0 ? 1 : are_items(given);
    if (fit > 0) {
        *items = PySequence_List(given);
        fit = *items == NULL ? -1 : 1;
    }
    Py_XDECREF(given);
    return fit < 0 ? -1 : 0;
}

enum way {
    WAY_ISO,
    WAY_SECONDS,
    WAY_TEXT,
    WAY_VALUE,
    WAY_LIST,
    WAY_BYTES,
    WAY_ROW,
    WAY_MODEL
};

#define ROW(name, module, class, way) {(module), (class), WAY_##way},
static const struct {
    const char *module;
    const char *class_name;
    enum way way;
} kinds[SP_KINDS] = {SP_CODEC_KINDS(ROW)};
#undef ROW

// A row's class, if user code has imported its module; or NULL, with an exception only
// where memory is exhausted. Borrowed.
static PyObject *class_of(struct sp_encoder *encoder, int kind)
{
    if (encoder->kinds[kind] != NULL) {
        return encoder->kinds[kind];
    }
    PyObject *name = PyUnicode_FromString(kinds[kind].module);
    PyObject *module = name == NULL ? NULL : PyImport_GetModule(name);
    PyObject *found =
        module == NULL ? NULL : PyObject_GetAttrString(module, kinds[kind].class_name);
    Py_XDECREF(module);
    Py_XDECREF(name);
    if (found == NULL) {
        (void)sp_forgive(); // still being imported: next time
    }
    if (found != NULL && PyType_Check(found)) {
        encoder->kinds[kind] = found;
        return found;
    }
    Py_XDECREF(found);
    return NULL;
}

// The row that a value is of, or SP_KINDS; -1: memory is exhausted.
static int kind_of(struct sp_encoder *encoder, PyObject *value)
{
    for (int kind = 0; kind < SP_KINDS; kind++) {
        PyObject *found = class_of(encoder, kind);
        if (found != NULL && PyType_IsSubtype(Py_TYPE(value), (PyTypeObject *)found)) {
            return kind;
        }
        if (found == NULL && PyErr_Occurred() != NULL) {
            return -1;
        }
    }
    return SP_KINDS;
}

bool sp_encoder_knows(struct sp_encoder *encoder, PyObject *value)
{
    int kind = kind_of(encoder, value);
    if (kind < 0) {
        PyErr_Clear(); // what encodes it looks again
    }
    return kind != SP_KINDS;
}

static int write_known(struct sp_encoder *encoder,
                       PyObject *value,
                       const struct sp_place *place,
                       enum way way)
{
    switch (way) {
    case WAY_ISO:
        return write_instead(
            encoder, PyObject_CallMethod(value, "isoformat", NULL), place);
    case WAY_SECONDS:
        return write_instead(
            encoder, PyObject_CallMethod(value, "total_seconds", NULL), place);
    case WAY_TEXT:
        return write_instead(encoder, PyObject_Str(value), place);
    case WAY_VALUE:
        return write_instead(encoder, PyObject_GetAttrString(value, "value"), place);
    case WAY_BYTES:
        return write_instead(
            encoder, PyObject_CallMethod(value, "getvalue", NULL), place);
    case WAY_ROW:
        return sp_encoder_pairs(encoder, pairs_of_row(value), false, place);
    case WAY_MODEL:
        return write_instead(encoder, dump_model(value), place);
    default:
        return write_items(encoder, value, place);
    }
}

static bool is_collection(PyObject *value)
{
    return PyAnySet_Check(value) || PyRange_Check(value) || PyDictKeys_Check(value) ||
           PyDictValues_Check(value) || PyDictItems_Check(value);
}

// Classes that name their fields themselves, by a mark of a certain type.
static const struct {
    const char *name;
    PyTypeObject *type;
    PyObject *(*fields)(PyObject *value); // NULL: the mark is the fields
} marks[] = {
    // The bridge's own dataclasses, for which `dataclasses` need not be imported.
    {"__snakepit_fields__", &PyTuple_Type, NULL},
    {"__dataclass_fields__", &PyDict_Type, fields_of_dataclass},
    {"__attrs_attrs__", &PyTuple_Type, NULL},
};

// The fields of a value whose class has that mark. NULL with an exception.
static PyObject *fields_by(PyObject *value, size_t mark)
{
    return marks[mark].fields != NULL
               ? marks[mark].fields(value)
               : PyObject_GetAttrString((PyObject *)Py_TYPE(value), marks[mark].name);
}

static int
write_other(struct sp_encoder *encoder, PyObject *value, const struct sp_place *place)
{
    for (size_t i = 0; i < Py_ARRAY_LENGTH(marks); i++) {
        int is = is_marked(value, marks[i].name, marks[i].type);
        if (is != 0) {
            return is < 0 ? -1
                          : write_fields(encoder, value, fields_by(value, i), place);
        }
    }
    PyObject *items = NULL;
    if (list_items(value, &items) != 0) {
        return -1;
    }
    return items != NULL
               ? sp_encoder_pairs(encoder, items, false, place)
               : sp_encoder_refuse(encoder, value, place, sp_refusal_of(value));
}

int sp_encoder_kind(struct sp_encoder *encoder,
                    PyObject *value,
                    const struct sp_place *place)
{
    if (is_collection(value)) {
        return write_items(encoder, value, place);
    }
    int kind = kind_of(encoder, value);
    if (kind < 0) {
        return -1;
    }
    return kind != SP_KINDS ? write_known(encoder, value, place, kinds[kind].way)
                            : write_other(encoder, value, place);
}
