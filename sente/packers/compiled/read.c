/* Transit's verbose form, read: values in place of what stands for them in the tree that orjson has read. */
#include "walks.h"

#include <datetime.h>

static PyObject *uuid_type, *decimal_type, *unknown, *int_name, *is_safe_name;

typedef struct {
    const char *tags;    /* those that are read here, of `~^`bituf` */
    int sets;            /* whether these are, too */
    PyObject *scalar;    /* asked for a string that begins with a mark */
    PyObject *composite; /* asked for a tag with its mark, and what is behind it */
    PyObject *renamed;   /* asked for a map whose keys begin with marks */
} Reader;

/* No deeper than `read_text` lets through. */
static PyObject *restored(const Reader *reader, PyObject *plain);

/* The number in so many digits; -1: these are none. */
static int
digits(const char *at, int count)
{
    int number = 0;
    for (; count; count--, at++) {
        if (*at < '0' || *at > '9')
            return -1;
        number = 10 * number + *at - '0';
    }
    return number;
}

/* 8-4-4-4-12 digits; NULL without an error: another form. */
static PyObject *
read_uuid(const char *text, Py_ssize_t size)
{
    char hex[33];
    int count = 0;
    if (size != 36)
        return NULL;
    for (int i = 0; i < 36; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i] != '-')
                return NULL;
        } else if (Py_ISXDIGIT(text[i]))
            hex[count++] = text[i];
        else
            return NULL;
    }
    hex[count] = 0;
    PyObject *number = PyLong_FromString(hex, NULL, 16);
    PyObject *value = number ? PyType_GenericAlloc((PyTypeObject *)uuid_type, 0) : NULL;
    /* what it does not let one set */
    if (value
        && (PyObject_GenericSetAttr(value, int_name, number) || PyObject_GenericSetAttr(value, is_safe_name, unknown)))
        Py_CLEAR(value);
    Py_XDECREF(number);
    return value;
}

/* 2026-01-02T03:04:05Z with a fraction of 3 or 6 digits, or none; NULL without an error: another form, or no such day. */
static PyObject *
read_moment(const char *text, Py_ssize_t size)
{
    if ((size != 20 && size != 24 && size != 27) || text[size - 1] != 'Z' || text[4] != '-' || text[7] != '-'
        || text[10] != 'T' || text[13] != ':' || text[16] != ':' || (size > 20 && text[19] != '.'))
        return NULL;
    int year = digits(text, 4), month = digits(text + 5, 2), day = digits(text + 8, 2), hour = digits(text + 11, 2);
    int minute = digits(text + 14, 2), second = digits(text + 17, 2);
    int micro = size == 20 ? 0 : size == 24 ? digits(text + 20, 3) * 1000 : digits(text + 20, 6);
    if (year < 0 || month < 0 || day < 0 || hour < 0 || minute < 0 || second < 0 || micro < 0)
        return NULL;
    PyObject *value = PyDateTimeAPI->DateTime_FromDateAndTime(year, month, day, hour, minute, second, micro,
                                                              PyDateTime_TimeZone_UTC, PyDateTimeAPI->DateTimeType);
    if (!value && PyErr_ExceptionMatches(PyExc_ValueError))
        PyErr_Clear();
    return value;
}

/* NULL without an error: one of many digits, or none. */
static PyObject *
read_integer(const char *text, Py_ssize_t size)
{
    const char *at = text + (*text == '-');
    size_t count = strspn(at, "0123456789");
    return size > DIGITS || count == 0 || at + count != text + size ? NULL : PyLong_FromString(text, NULL, 10);
}

/* NULL without an error: one of many digits, with an exponent, or none. */
static PyObject *
read_decimal(const char *text, Py_ssize_t size)
{
    const char *at = text + (*text == '-');
    size_t whole = strspn(at, "0123456789");
    size_t end = whole + (at[whole] == '.');
    end += at[whole] == '.' ? strspn(at + end, "0123456789") : 0;
    if (size > DIGITS || whole == 0 || at + end != text + size)
        return NULL;
    return PyObject_CallFunction(decimal_type, "s", text);
}

/* The six bits of a character of base64; more than that: none. */
static inline unsigned
bits(char character)
{
    if (character >= 'a')
        return character <= 'z' ? character - 'a' + 26u : 64;
    if (character >= 'A')
        return character <= 'Z' ? character - (unsigned)'A' : 64;
    if (character >= '0')
        return character <= '9' ? character - '0' + 52u : 64;
    return character == '+' ? 62 : character == '/' ? 63 : 64;
}

/* Groups of four characters, of which the last may be padded; NULL without an error: another form. */
static PyObject *
read_bytes(const char *text, Py_ssize_t size)
{
    int padding = size < 4 || text[size - 1] != '=' ? 0 : text[size - 2] != '=' ? 1 : 2;
    Py_ssize_t whole = size - padding;
    PyObject *value = size % 4 ? NULL : PyBytes_FromStringAndSize(NULL, size / 4 * 3 - padding);
    char *to = value ? PyBytes_AS_STRING(value) : NULL, *end = value ? to + PyBytes_GET_SIZE(value) : NULL;
    for (Py_ssize_t at = 0; value && at < whole; at += 4) {
        unsigned third = at + 2 < whole ? bits(text[at + 2]) : 0, fourth = at + 3 < whole ? bits(text[at + 3]) : 0;
        unsigned first = bits(text[at]), second = bits(text[at + 1]);
        unsigned group = first << 18 | second << 12 | third << 6 | fourth;
        if ((first | second | third | fourth) > 63) {
            Py_CLEAR(value);
            break;
        }
        *to++ = (char)(group >> 16);
        if (to < end)
            *to++ = (char)(group >> 8);
        if (to < end)
            *to++ = (char)group;
    }
    return value;
}

static PyObject *
read_scalar(const Reader *reader, PyObject *plain)
{
    const char *text = ascii(plain);
    PyObject *value = NULL;
    if (text && text[0] == '~' && text[1] && strchr(reader->tags, text[1])) {
        Py_ssize_t size = PyUnicode_GET_LENGTH(plain) - 2;
        if (text[1] == 'u')
            value = read_uuid(text + 2, size);
        else if (text[1] == 't')
            value = read_moment(text + 2, size);
        else if (text[1] == 'f')
            value = read_decimal(text + 2, size);
        else if (text[1] == 'i')
            value = read_integer(text + 2, size);
        else if (text[1] == 'b')
            value = read_bytes(text + 2, size);
        else
            value = PyUnicode_Substring(plain, 1, size + 2); /* a string that begins with a mark */
    }
    return value || PyErr_Occurred() ? value : PyObject_CallOneArg(reader->scalar, plain);
}

/* A set of a few members that can be hashed, each given once; NULL without an error: something else. */
static PyObject *
read_set(PyObject *rep)
{
    if (!PyList_CheckExact(rep) || PyList_GET_SIZE(rep) > MEMBERS)
        return NULL;
    PyObject *value = PySet_New(rep);
    if (!value && PyErr_ExceptionMatches(PyExc_Exception)) /* whatever its members say of being hashed */
        PyErr_Clear();
    if (value && PySet_GET_SIZE(value) != PyList_GET_SIZE(rep))
        Py_CLEAR(value);
    return value;
}

static PyObject *
read_composite(const Reader *reader, PyObject *tag, PyObject *plain)
{
    PyObject *rep = restored(reader, plain), *value = NULL;
    if (!rep)
        return NULL;
    if (reader->sets && PyUnicode_CompareWithASCIIString(tag, "~#set") == 0)
        value = read_set(rep);
    if (!value && !PyErr_Occurred())
        value = PyObject_CallFunctionObjArgs(reader->composite, tag, rep, NULL);
    Py_DECREF(rep);
    return value;
}

static PyObject *
restored_list(const Reader *reader, PyObject *plain)
{
    if (PyList_GET_SIZE(plain) == 2 && is_tag(PyList_GET_ITEM(plain, 0)))
        return read_composite(reader, PyList_GET_ITEM(plain, 0), PyList_GET_ITEM(plain, 1));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(plain); i++) {
        PyObject *inner = Py_NewRef(PyList_GET_ITEM(plain, i));
        PyObject *value = restored(reader, inner);
        Py_DECREF(inner);
        if (!value || PyList_SetItem(plain, i, value))
            return NULL;
    }
    return Py_NewRef(plain);
}

static PyObject *
restored_map(const Reader *reader, PyObject *plain)
{
    PyObject *key, *inner;
    Py_ssize_t at = 0;
    int marked = 0;
    if (PyDict_GET_SIZE(plain) == 1 && PyDict_Next(plain, &at, &key, &inner) && is_tag(key))
        return read_composite(reader, key, inner);
    for (at = 0; PyDict_Next(plain, &at, &key, &inner);) {
        marked |= is_marked(key);
        Py_INCREF(key);
        Py_INCREF(inner);
        PyObject *value = restored(reader, inner);
        int failed = !value || (value != inner && PyDict_SetItem(plain, key, value));
        Py_XDECREF(value);
        Py_DECREF(inner);
        Py_DECREF(key);
        if (failed)
            return NULL;
    }
    return marked ? PyObject_CallOneArg(reader->renamed, plain) : Py_NewRef(plain);
}

static PyObject *
restored(const Reader *reader, PyObject *plain)
{
    if (PyUnicode_CheckExact(plain))
        return is_marked(plain) ? read_scalar(reader, plain) : Py_NewRef(plain);
    if (PyList_CheckExact(plain))
        return restored_list(reader, plain);
    return PyDict_CheckExact(plain) ? restored_map(reader, plain) : Py_NewRef(plain);
}

PyObject *
restore(PyObject *module, PyObject *args)
{
    PyObject *plain;
    Reader reader;
    if (!PyArg_ParseTuple(args, "OspOOO", &plain, &reader.tags, &reader.sets, &reader.scalar, &reader.composite,
                          &reader.renamed))
        return NULL;
    return restored(&reader, plain);
}

int
init_read(void)
{
    PyDateTime_IMPORT;
    PyObject *safety = attribute("uuid", "SafeUUID");
    unknown = safety ? PyObject_GetAttrString(safety, "unknown") : NULL;
    Py_XDECREF(safety);
    uuid_type = attribute("uuid", "UUID");
    decimal_type = attribute("decimal", "Decimal");
    int_name = PyUnicode_InternFromString("int");
    is_safe_name = PyUnicode_InternFromString("is_safe");
    return PyDateTimeAPI && unknown && uuid_type && decimal_type && int_name && is_safe_name ? 0 : -1;
}
