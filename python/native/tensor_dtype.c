// SPDX-License-Identifier: MIT
// Element types under all their names: numbers on the wire, NumPy's names, and the
// formats of the buffer protocol.
#include "tensor.h"

#include <stdlib.h>
#include <string.h>

// ---- Element types ------------------------------------------------------------

// Rows of SNAKEPIT_DTYPES, with the buffer protocol's formats.
#define FORMAT_BOOL       "?"
#define FORMAT_INT8       "b"
#define FORMAT_INT16      "h"
#define FORMAT_INT32      "i"
#define FORMAT_INT64      "q"
#define FORMAT_UINT8      "B"
#define FORMAT_UINT16     "H"
#define FORMAT_UINT32     "I"
#define FORMAT_UINT64     "Q"
#define FORMAT_FLOAT16    "e"
#define FORMAT_FLOAT32    "f"
#define FORMAT_FLOAT64    "d"
#define FORMAT_COMPLEX64  "Zf"
#define FORMAT_COMPLEX128 "Zd"
#define FORMAT_BFLOAT16   NULL // there is none
#define DTYPE_ROW(name, number, size, numpy) \
    {SNAKEPIT_##name, (size), (numpy), FORMAT_##name},
static const struct sp_dtype dtypes[] = {SNAKEPIT_DTYPES(DTYPE_ROW)};
#define DTYPE_NAME(name, number, size, numpy) ", " numpy
static const char names[] = SNAKEPIT_DTYPES(DTYPE_NAME);
#define DTYPES (sizeof(dtypes) / sizeof(dtypes[0]))

const char *sp_dtype_names(void)
{
    return names + 2;
}

const struct sp_dtype *sp_dtype_of_number(uint32_t number)
{
    for (size_t i = 0; i < DTYPES; i++) {
        if ((uint32_t)dtypes[i].number == number) {
            return &dtypes[i];
        }
    }
    return NULL;
}

// What Python's own types mean, as to NumPy.
static const char *canonical_name(const char *name)
{
    static const char *const aliases[][2] = {
        {"float", "float64"}, {"int", "int64"}, {"complex", "complex128"}};
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        if (strcmp(name, aliases[i][0]) == 0) {
            return aliases[i][1];
        }
    }
    return name;
}

static const struct sp_dtype *of_whole_name(const char *name)
{
    for (size_t i = 0; i < DTYPES; i++) {
        if (dtypes[i].name[0] == name[0] && strcmp(dtypes[i].name, name) == 0) {
            return &dtypes[i];
        }
    }
    return NULL;
}

// Bytes of an element as they stand in a short name; 0 for anything else.
static unsigned read_size(const char *digits)
{
    size_t length = strspn(digits, "0123456789");
    bool is_one = length > 0 && length <= 2 && digits[length] == '\0' && *digits != '0';
    return is_one ? (unsigned)strtoul(digits, NULL, 10) : 0;
}

// NumPy's short name: a letter and the bytes, "f4", or "?" for bool. In front may stand
// an order of bytes that is the machine's.
static const struct sp_dtype *of_short_name(const char *name)
{
    name += *name != '\0' && strchr("<=|", *name) != NULL ? 1 : 0;
    bool is_bool = strcmp(name, "?") == 0;
    unsigned size = *name == '\0' ? 0 : read_size(name + 1);
    for (size_t i = 0; i < DTYPES; i++) {
        const struct sp_dtype *dtype = &dtypes[i];
        bool is_one = is_bool ? dtype->number == SNAKEPIT_BOOL
                              : dtype->name[0] == name[0] && dtype->size == size;
        if (is_one && dtype->format != NULL) {
            return dtype;
        }
    }
    return NULL;
}

const struct sp_dtype *sp_dtype_of_name(const char *name)
{
    const struct sp_dtype *found = of_whole_name(name);
    if (found == NULL) {
        found = of_whole_name(canonical_name(name));
    }
    return found != NULL ? found : of_short_name(name);
}

// The letter for an integer of this size: 'l' and 'n' are as wide as the platform has
// them. '\0': there is none.
static char integer_letter(char letter, Py_ssize_t size)
{
    static const char letters[2][9] = {
        {[1] = 'B', [2] = 'H', [4] = 'I', [8] = 'Q'},
        {[1] = 'b', [2] = 'h', [4] = 'i', [8] = 'q'},
    };
    bool is_signed = strchr("bhilqn", letter) != NULL;
    if (size < 0 || size > 8) {
        return '\0';
    }
    return letters[is_signed ? 1 : 0][size];
}

// What follows the byte order in a format; `swapped` says that it is not ours.
static const char *skip_order(const char *format, Py_ssize_t item_size, bool *swapped)
{
    static const char *const others = PY_BIG_ENDIAN ? "<" : ">!";
    *swapped = false;
    if (*format == '\0' || strchr("@=<>!", *format) == NULL) {
        return format;
    }
    *swapped = item_size > 1 && strchr(others, *format) != NULL;
    return format + 1;
}

const struct sp_dtype *
sp_dtype_of_format(const char *format, Py_ssize_t item_size, bool *swapped)
{
    const char *code = skip_order(format == NULL ? "B" : format, item_size, swapped);
    char wanted[3] = "";
    if (*code == '\0' || strlen(code) >= sizeof(wanted)) {
        return NULL;
    }
    memcpy(wanted, code, strlen(code));
    if (strchr("bhilqnBHILQN", wanted[0]) != NULL) {
        wanted[0] = integer_letter(wanted[0], item_size);
    }
    for (size_t i = 0; i < DTYPES; i++) {
        if (dtypes[i].format != NULL && strcmp(dtypes[i].format, wanted) == 0) {
            return (Py_ssize_t)dtypes[i].size == item_size ? &dtypes[i] : NULL;
        }
    }
    return NULL;
}
