/*
 * The walks through values that are slow in Python. _walks.pyi says what each is called with, and what comes of it.
 *
 * Only frequent types are written and read here, in their usual form; for everything else Python is asked. So what is
 * right is said in one place, Python, which does as well without this module; the tests run both.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

/* What `look` finds: as walks.py names it. */
enum { MARKED = 1, INEXACT = 2, BIG = 4, OTHER = 8 };

/* Levels that orjson writes, and those that are written of a value. */
enum { DEEPEST = 254, DEPTH = 250 };

/* Members of a set, and characters of a number, up to which no stranger can make work of them. */
enum { MEMBERS = 100, DIGITS = 100 };

PyObject *look(PyObject *module, PyObject *value);
PyObject *proves(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *tree(PyObject *module, PyObject *args);
PyObject *restore(PyObject *module, PyObject *args);

/* What a file needs of Python; -1 with an error if it is not there. */
int init_write(void);
int init_read(void);
PyObject *attribute(const char *module, const char *name);

/* What there is in a whole number: INEXACT, BIG. */
int look_at_number(PyObject *value);

/* The characters of a string that has only ASCII in it; else NULL. */
static inline const char *
ascii(PyObject *text)
{
    return PyUnicode_IS_COMPACT_ASCII(text) ? (const char *)PyUnicode_1BYTE_DATA(text) : NULL;
}

static inline int
is_marked(PyObject *text)
{
    const char *start = ascii(text); /* which ends with a null */
    Py_UCS4 first = start ? (Py_UCS4)*start : PyUnicode_READ_CHAR(text, 0);
    return first == '~' || first == '^' || first == '`';
}

static inline int
is_tag(PyObject *value)
{
    return PyUnicode_CheckExact(value) && PyUnicode_GET_LENGTH(value) > 1 && PyUnicode_READ_CHAR(value, 0) == '~'
           && PyUnicode_READ_CHAR(value, 1) == '#';
}
