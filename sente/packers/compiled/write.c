/* Transit's verbose form, written: the tree that orjson makes text of. */
#include "walks.h"

#include <datetime.h>
#include <math.h>

static PyObject *uuid_type, *decimal_type, *int_name;

typedef struct {
    PyObject *kinds;   /* types that are written here */
    PyObject *written; /* asked for what stands for a value: a pair, as `TransitPacker._written` returns it */
    PyObject *plain;   /* asked for a map with marked keys, or keys that are no strings, with the depth */
} Writer;

static PyObject *written(const Writer *writer, PyObject *value, int depth);

/* The list itself, if nothing in it is written as something else. */
static PyObject *
write_items(const Writer *writer, PyObject *items, int depth)
{
    PyObject *out = PyList_CheckExact(items) ? Py_NewRef(items) : PySequence_List(items);
    for (Py_ssize_t i = 0; out && i < PyList_GET_SIZE(out); i++) {
        PyObject *inner = Py_NewRef(PyList_GET_ITEM(out, i));
        PyObject *stand = written(writer, inner, depth);
        if (stand && stand != inner && out == items)
            Py_SETREF(out, PySequence_List(items));
        if (!stand || !out || (stand != inner && PyList_SetItem(out, i, Py_NewRef(stand))))
            Py_CLEAR(out);
        Py_XDECREF(stand);
        Py_DECREF(inner);
    }
    return out;
}

/* The same for a map. One with keys that are written as something else is for Python. */
static PyObject *
write_map(const Writer *writer, PyObject *map, int depth)
{
    PyObject *key, *inner, *out = Py_NewRef(map);
    Py_ssize_t at = 0;
    while (out && PyDict_Next(map, &at, &key, &inner)) {
        if (!PyUnicode_CheckExact(key) || is_marked(key)) {
            Py_DECREF(out);
            return PyObject_CallFunction(writer->plain, "Oi", map, depth + 1);
        }
        Py_INCREF(key);
        Py_INCREF(inner);
        PyObject *stand = written(writer, inner, depth);
        if (stand && stand != inner && out == map)
            Py_SETREF(out, PyDict_Copy(map));
        if (!stand || !out || (stand != inner && PyDict_SetItem(out, key, stand)))
            Py_CLEAR(out);
        Py_XDECREF(stand);
        Py_DECREF(inner);
        Py_DECREF(key);
    }
    return out;
}

/* NULL without an error: one beyond 64 bit. */
static PyObject *
write_number(PyObject *value)
{
    int overflow = 0;
    if (!look_at_number(value))
        return Py_NewRef(value);
    PyLong_AsLongLongAndOverflow(value, &overflow);
    return overflow ? NULL : PyUnicode_FromFormat("~i%S", value);
}

static PyObject *
write_float(PyObject *value)
{
    double number = PyFloat_AS_DOUBLE(value);
    if (isfinite(number))
        return Py_NewRef(value);
    return PyUnicode_FromString(isnan(number) ? "~zNaN" : number > 0 ? "~zINF" : "~z-INF");
}

static PyObject *
write_uuid(PyObject *value)
{
    PyObject *number = PyObject_GetAttr(value, int_name);
    PyObject *bits = number ? PyLong_FromLong(64) : NULL;
    PyObject *upper = bits ? PyNumber_Rshift(number, bits) : NULL;
    PyObject *text = NULL;
    if (upper) {
        unsigned long long high = PyLong_AsUnsignedLongLongMask(upper), low = PyLong_AsUnsignedLongLongMask(number);
        char digits[40];
        snprintf(digits, sizeof digits, "~u%08llx-%04llx-%04llx-%04llx-%012llx", high >> 32, high >> 16 & 0xffff,
                 high & 0xffff, low >> 48, low & 0xffffffffffff);
        if (!PyErr_Occurred())
            text = PyUnicode_FromString(digits);
    }
    Py_XDECREF(upper);
    Py_XDECREF(bits);
    Py_XDECREF(number);
    return text;
}

/* In UTC; with milliseconds, or microseconds if there are any. */
static PyObject *
write_moment(PyObject *value)
{
    char text[48];
    int micro = PyDateTime_DATE_GET_MICROSECOND(value), fine = micro % 1000 != 0;
    snprintf(text, sizeof text, "~t%04d-%02d-%02dT%02d:%02d:%02d.%0*dZ", PyDateTime_GET_YEAR(value),
             PyDateTime_GET_MONTH(value), PyDateTime_GET_DAY(value), PyDateTime_DATE_GET_HOUR(value),
             PyDateTime_DATE_GET_MINUTE(value), PyDateTime_DATE_GET_SECOND(value), fine ? 6 : 3,
             fine ? micro : micro / 1000);
    return PyUnicode_FromString(text);
}

/* NULL without an error: it is one of many digits, with an exponent, or none. */
static PyObject *
write_decimal(PyObject *value)
{
    PyObject *text = PyObject_Str(value), *written = NULL;
    const char *digits = text ? ascii(text) : NULL;
    if (digits && strlen(digits) <= DIGITS && strspn(digits, "-.0123456789") == strlen(digits))
        written = PyUnicode_FromFormat("~f%U", text);
    Py_XDECREF(text);
    return written;
}

static PyObject *
write_set(const Writer *writer, PyObject *value, int depth)
{
    PyObject *members = PySequence_List(value), *out = NULL;
    PyObject *written = members ? write_items(writer, members, depth) : NULL;
    if (written)
        out = Py_BuildValue("{s:O}", "~#set", written);
    Py_XDECREF(written);
    Py_XDECREF(members);
    return out;
}

/* By what Python says: a text, or a tag with what is behind it; or what is to be written instead. */
static PyObject *
write_otherwise(const Writer *writer, PyObject *value, int depth)
{
    PyObject *pair = PyObject_CallOneArg(writer->written, value), *out = NULL, *stand, *tag, *rep;
    int tagged;
    Py_ssize_t at = 0;
    if (!pair)
        return NULL;
    if (PyArg_ParseTuple(pair, "Op", &stand, &tagged)) {
        if (!tagged)
            out = written(writer, stand, depth - 1);
        else if (!PyDict_CheckExact(stand) || !PyDict_Next(stand, &at, &tag, &rep))
            out = Py_NewRef(stand);
        else if ((rep = written(writer, rep, depth - 1))) {
            if ((out = PyDict_New()) && PyDict_SetItem(out, tag, rep))
                Py_CLEAR(out);
            Py_DECREF(rep);
        }
    }
    Py_DECREF(pair);
    return out;
}

static PyObject *
written(const Writer *writer, PyObject *value, int depth)
{
    if (PyUnicode_CheckExact(value))
        return is_marked(value) ? PyUnicode_FromFormat("~%U", value) : Py_NewRef(value);
    if (value == Py_None || PyBool_Check(value))
        return Py_NewRef(value);
    if (PyFloat_CheckExact(value))
        return write_float(value);
    PyObject *out = PyLong_CheckExact(value) ? write_number(value) : NULL;
    if (out)
        return out;
    if (depth <= 0) {
        PyErr_SetString(PyExc_RecursionError, "nested too deeply");
        return NULL;
    }
    if (PyDict_CheckExact(value))
        return write_map(writer, value, depth - 1);
    else if (PyList_CheckExact(value) || PyTuple_CheckExact(value))
        return write_items(writer, value, depth - 1);
    else if (PySet_Contains(writer->kinds, (PyObject *)Py_TYPE(value)) == 1) {
        if (Py_TYPE(value) == (PyTypeObject *)uuid_type)
            out = write_uuid(value);
        else if (Py_TYPE(value) == (PyTypeObject *)decimal_type)
            out = write_decimal(value);
        else if (PyAnySet_CheckExact(value))
            out = write_set(writer, value, depth - 3);
        else if (PyDateTime_CheckExact(value) && PyDateTime_DATE_GET_TZINFO(value) == PyDateTime_TimeZone_UTC)
            out = write_moment(value);
    }
    return out || PyErr_Occurred() ? out : write_otherwise(writer, value, depth);
}

PyObject *
tree(PyObject *module, PyObject *args)
{
    PyObject *value;
    Writer writer;
    if (!PyArg_ParseTuple(args, "OO!OO", &value, &PyFrozenSet_Type, &writer.kinds, &writer.written, &writer.plain))
        return NULL;
    return written(&writer, value, DEPTH);
}

int
init_write(void)
{
    PyDateTime_IMPORT;
    uuid_type = attribute("uuid", "UUID");
    decimal_type = attribute("decimal", "Decimal");
    int_name = PyUnicode_InternFromString("int");
    return PyDateTimeAPI && uuid_type && decimal_type && int_name ? 0 : -1;
}
