// SPDX-License-Identifier: MIT
// What decoder and encoder share in a module: types and names, made once and never
// changed.
#include "codec.h"

#include "codec_compat.h"
#include "numpy_array.h"

int sp_codec_init(struct sp_codec *codec, PyObject *module)
{
#define TEXT(name, text) (text),
    static const char *const texts[SP_TEXTS] = {SP_CODEC_TEXTS(TEXT)};
#undef TEXT
    codec->tensor_type = sp_tensor_type_new(module);
    if (codec->tensor_type == NULL) {
        return -1;
    }
    for (int i = 0; i < SP_TEXTS; i++) {
        codec->texts[i] = PyUnicode_InternFromString(texts[i]);
        if (codec->texts[i] == NULL) {
            return -1;
        }
    }
    return 0;
}

int sp_codec_traverse(struct sp_codec *codec, visitproc visit, void *arg)
{
    Py_VISIT(codec->tensor_type);
    Py_VISIT(codec->as_array);
    return 0;
}

void sp_codec_clear(struct sp_codec *codec)
{
    Py_CLEAR(codec->tensor_type);
    Py_CLEAR(codec->as_array);
    sp_numpy_free(atomic_exchange(&codec->numpy, NULL));
    for (int i = 0; i < SP_TEXTS; i++) {
        Py_XDECREF(codec->texts[i]);
        codec->texts[i] = NULL;
    }
}
