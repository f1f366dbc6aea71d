// SPDX-License-Identifier: MIT
// What decoder and encoder share in a module: types and names, made once and never
// changed.
#include "codec.h"

#include <string.h>

#include "codec_compat.h"

int sp_codec_init(struct sp_codec *codec, PyObject *module)
{
    codec->tensor_type = sp_tensor_type_new(module);
    codec->text_base = PyUnicode_InternFromString("base");
    codec->text_dtype = PyUnicode_InternFromString("dtype");
    codec->text_generic = PyUnicode_InternFromString("generic");
    codec->text_kind = PyUnicode_InternFromString("kind");
    codec->text_numpy = PyUnicode_InternFromString("numpy");
    codec->text_obj = PyUnicode_InternFromString("obj");
    bool made = codec->tensor_type != NULL && codec->text_base != NULL &&
                codec->text_dtype != NULL && codec->text_generic != NULL &&
                codec->text_kind != NULL && codec->text_numpy != NULL &&
                codec->text_obj != NULL;
    return made ? 0 : -1;
}

int sp_codec_traverse(struct sp_codec *codec, visitproc visit, void *arg)
{
    Py_VISIT(codec->tensor_type);
    return 0;
}

void sp_codec_clear(struct sp_codec *codec)
{
    Py_CLEAR(codec->tensor_type);
    Py_CLEAR(codec->text_base);
    Py_CLEAR(codec->text_dtype);
    Py_CLEAR(codec->text_generic);
    Py_CLEAR(codec->text_kind);
    Py_CLEAR(codec->text_numpy);
    Py_CLEAR(codec->text_obj);
}
