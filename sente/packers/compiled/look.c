/* What is in a value, and whether it is what its text says. */
#include "walks.h"

#include <math.h>

static const long long EXACT = 1LL << 53;
static const double BEYOND = 9223372036854775808.0; /* 2^63: a whole number that orjson reads as a float is no less */

#if PY_VERSION_HEX < 0x030C0000
#define IS_SMALL(number) (Py_SIZE(number) >= -1 && Py_SIZE(number) <= 1)
#else
#define IS_SMALL(number) PyUnstable_Long_IsCompact((PyLongObject *)(number))
#endif

int
look_at_number(PyObject *value)
{
    int overflow = 0;
    long long number = IS_SMALL(value) ? 0 : PyLong_AsLongLongAndOverflow(value, &overflow);
    if (!overflow)
        return -EXACT < number && number < EXACT ? 0 : INEXACT;
    if (overflow > 0) {
        PyLong_AsUnsignedLongLong(value);
        if (!PyErr_Occurred())
            return INEXACT;
        PyErr_Clear();
    }
    return INEXACT | BIG;
}

static int look_into(PyObject *value, int depth, Py_ssize_t *members);

/* Stops at what is OTHER. Adds the members of all maps to `members`. */
static inline int
look_at(PyObject *value, int depth, Py_ssize_t *members)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyUnicode_Type)
        return is_marked(value) ? MARKED : 0;
    if (type == &PyLong_Type)
        return look_at_number(value);
    if (type == &PyFloat_Type) {
        double size = fabs(PyFloat_AS_DOUBLE(value));
        return size < BEYOND ? 0 : isfinite(size) ? BIG : OTHER;
    }
    return value == Py_None || type == &PyBool_Type ? 0 : look_into(value, depth, members);
}

static int
look_into(PyObject *value, int depth, Py_ssize_t *members)
{
    int found = 0;
    if (depth == 0)
        return OTHER;
    if (PyDict_CheckExact(value)) {
        PyObject *key, *inner;
        Py_ssize_t at = 0;
        *members += PyDict_GET_SIZE(value);
        while (!(found & OTHER) && PyDict_Next(value, &at, &key, &inner)) {
            found |= PyUnicode_CheckExact(key) ? is_marked(key) : OTHER;
            found |= look_at(inner, depth - 1, members);
        }
        return found;
    }
    if (PyList_CheckExact(value) || PyTuple_CheckExact(value)) {
        PyObject **items = PySequence_Fast_ITEMS(value);
        Py_ssize_t size = PySequence_Fast_GET_SIZE(value);
        for (Py_ssize_t i = 0; !(found & OTHER) && i < size; i++)
            found |= look_at(items[i], depth - 1, members);
        return found;
    }
    return OTHER;
}

PyObject *
look(PyObject *module, PyObject *value)
{
    Py_ssize_t members = 0;
    return PyLong_FromLong(look_at(value, DEEPEST, &members));
}

/* How many members the maps of a JSON text have at most: colons after a quote, or after white space. */
static Py_ssize_t
most_members(const unsigned char *text, Py_ssize_t size)
{
    Py_ssize_t most = 0;
    for (Py_ssize_t at = 1; at < size;) {
        unsigned char some = 0; /* of so few that compilers count many at once */
        for (Py_ssize_t end = Py_MIN(at + 255, size); at < end; at++)
            some += (text[at] == ':') & ((text[at - 1] == '"') | (text[at - 1] <= ' '));
        most += some;
    }
    return most;
}

/* What has as many members as its text has at most had no key twice; what has no number so large is as it was given. */
PyObject *
proves(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !PyBytes_CheckExact(args[0])) {
        PyErr_SetString(PyExc_TypeError, "proves(raw: bytes, value)");
        return NULL;
    }
    Py_ssize_t members = 0;
    int found = look_at(args[1], DEEPEST, &members);
    Py_ssize_t most = most_members((const unsigned char *)PyBytes_AS_STRING(args[0]), PyBytes_GET_SIZE(args[0]));
    return PyBool_FromLong(!(found & (BIG | OTHER)) && members == most);
}
