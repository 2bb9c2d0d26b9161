#include "walks.h"

static PyMethodDef functions[] = {
    {"look", look, METH_O, NULL},
    {"proves", (PyCFunction)(void (*)(void))proves, METH_FASTCALL, NULL},
    {"tree", tree, METH_VARARGS, NULL},
    {"restore", restore, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "sente.packers._walks",
    .m_size = -1,
    .m_methods = functions,
};

PyObject *
attribute(const char *module_name, const char *name)
{
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *value = module ? PyObject_GetAttrString(module, name) : NULL;
    Py_XDECREF(module);
    return value;
}

PyMODINIT_FUNC
PyInit__walks(void)
{
    return init_write() || init_read() ? NULL : PyModule_Create(&definition);
}
