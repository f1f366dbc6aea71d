// SPDX-License-Identifier: MIT
// Frames are described in a header of Python's own (pycore_frame.h), which says nothing
// that could be called. Nothing of it but the places of fields is used here, and where
// it is not installed, or the version is one that nobody has looked at, the map says
// so.
#define Py_BUILD_CORE 1 // NOLINT(readability-identifier-naming): Python's own name
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030E0000 && \
    __has_include("internal/pycore_frame.h")
#include "internal/pycore_frame.h"
#define KNOWN 1
#else
#define KNOWN 0
#endif

#include "frames.h"

#include <string.h>
#include <unistd.h>

#if KNOWN

static void describe_states(struct sp_python_map *map)
{
    map->state_next = offsetof(PyThreadState, next);
    map->state_previous = offsetof(PyThreadState, prev);
    map->state_interpreter = offsetof(PyThreadState, interp);
    map->state_thread = offsetof(PyThreadState, native_thread_id);
#if PY_VERSION_HEX >= 0x030D0000
    map->state_frame = offsetof(PyThreadState, current_frame);
    map->holder_frame = SP_PYTHON_NOWHERE;
#else
    map->state_frame = offsetof(PyThreadState, cframe);
    map->holder_frame = offsetof(_PyCFrame, current_frame);
#endif
    map->main_state = (uintptr_t)PyThreadState_Get();
}

static void describe_frames(struct sp_python_map *map)
{
#if PY_VERSION_HEX >= 0x030D0000
    map->frame_code = offsetof(_PyInterpreterFrame, f_executable);
    map->frame_at = offsetof(_PyInterpreterFrame, instr_ptr);
#else
    map->frame_code = offsetof(_PyInterpreterFrame, f_code);
    map->frame_at = offsetof(_PyInterpreterFrame, prev_instr);
#endif
#if PY_VERSION_HEX >= 0x030C0000
    map->owner_c = FRAME_OWNED_BY_CSTACK;
#else
    map->owner_c = SP_PYTHON_NOWHERE;
#endif
    map->owner_coroutine = FRAME_OWNED_BY_GENERATOR;
    map->frame_outer = offsetof(_PyInterpreterFrame, previous);
    map->frame_owner = offsetof(_PyInterpreterFrame, owner);
}

static void describe_code(struct sp_python_map *map)
{
    map->object_type = offsetof(PyObject, ob_type);
    map->code_type = (uintptr_t)&PyCode_Type;
    map->code_file = offsetof(PyCodeObject, co_filename);
    map->code_name = offsetof(PyCodeObject, co_qualname);
    map->code_lines = offsetof(PyCodeObject, co_linetable);
    map->code_first_line = offsetof(PyCodeObject, co_firstlineno);
    map->code_begins = offsetof(PyCodeObject, _co_firsttraceable);
    map->code_units = offsetof(PyCodeObject, co_code_adaptive);
    map->unit = sizeof(_Py_CODEUNIT);
    map->bytes_type = (uintptr_t)&PyBytes_Type;
    map->bytes_size = offsetof(PyVarObject, ob_size);
    map->bytes_data = offsetof(PyBytesObject, ob_sval);
}

static uint32_t bits_of(const PyASCIIObject *text)
{
    uint32_t bits;
    memcpy(&bits, &text->state, sizeof bits);
    return bits;
}

static void describe_texts(struct sp_python_map *map)
{
    PyASCIIObject text;
    memset(&text, 0, sizeof text);
    text.state.kind = 7;
    map->text_kind = bits_of(&text);
    text.state.kind = 0;
    text.state.compact = 1;
    map->text_compact = bits_of(&text);
    text.state.compact = 0;
    text.state.ascii = 1;
    map->text_ascii = bits_of(&text);
    map->text_type = (uintptr_t)&PyUnicode_Type;
    map->text_size = offsetof(PyASCIIObject, length);
    map->text_state = offsetof(PyASCIIObject, state);
    map->text_ascii_data = sizeof(PyASCIIObject);
    map->text_data = sizeof(PyCompactUnicodeObject);
}

void sp_frames_describe(struct sp_python_map *map)
{
    describe_states(map);
    describe_frames(map);
    describe_code(map);
    describe_texts(map);
    // [python:told] all of the map is visible before the word; pairs with
    // [python:seen].
    atomic_store_explicit(&map->known, SP_PYTHON_TOLD, memory_order_release);
}

#else

void sp_frames_describe(struct sp_python_map *map)
{
    atomic_store_explicit(&map->known, SP_PYTHON_UNKNOWN, memory_order_release);
}

#endif

void sp_frames_note_thread(struct sp_stamp *stamp)
{
    uintptr_t state = (uintptr_t)PyThreadState_Get();
    atomic_store_explicit(&stamp->thread, (uint32_t)gettid(), memory_order_relaxed);
    atomic_store_explicit(&stamp->state, state, memory_order_release);
}

void sp_frames_forget_thread(struct sp_stamp *stamp)
{
    atomic_store_explicit(&stamp->state, 0, memory_order_relaxed);
    atomic_store_explicit(&stamp->thread, 0, memory_order_relaxed);
}
