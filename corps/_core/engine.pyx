# cython: language_level=3
"""The native core: what each request passes on its way inside an Env, without the interpreter.

Each class here is put under the Python class of the same name by `corps.core.native`. It holds the fields of
that class, and takes the usual way of its hottest methods. Whatever is unusual it hands to the Python method
before anything was done: that is the definition of both, under the name that `native` gives it, `_pure_...`.

Under the interpreter's lock a straight run of native code is one step: no other thread comes between. A step
ends where Python code may run: at a call, and where an object may be freed or made that the garbage collector
knows. So a lock that nobody holds need not be taken for a straight run. `Lock.is_held` says whether one does.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals, PyErr_Clear
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject, PyObject_Call, PyObject_GetAttr
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove


cdef extern from *:
    """
    #include <time.h>

    /* How many levels the thread may go down before CPython raises RecursionError. */
    static inline int corps_levels_left(void) {
        PyThreadState *state = PyThreadState_Get();
    #if PY_VERSION_HEX >= 0x030C0000
        return state->py_recursion_remaining;
    #else
        return state->recursion_remaining;
    #endif
    }

    static inline int corps_levels_used(void) {
        PyThreadState *state = PyThreadState_Get();
    #if PY_VERSION_HEX >= 0x030C0000
        return state->py_recursion_limit - state->py_recursion_remaining;
    #else
        return state->recursion_limit - state->recursion_remaining;
    #endif
    }

    static inline int corps_handles_an_exception(void) {
        PyObject *handled = PyErr_GetHandledException();
        int is_one = handled != NULL && handled != Py_None;
        Py_XDECREF(handled);
        return is_one;
    }

    static inline double corps_now(void) {
        struct timespec at;
        clock_gettime(CLOCK_MONOTONIC, &at);
        return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
    }

    static inline PyObject *corps_new(PyObject *cls) {
        PyTypeObject *type = (PyTypeObject *)cls;
        PyObject *none = PyTuple_New(0), *made;  /* the one empty tuple */
        if (none == NULL) return NULL;
        made = type->tp_new(type, none, NULL);
        Py_DECREF(none);
        return made;
    }

    static inline PyObject *corps_tuple_of(PyObject *cls, PyObject *parts) {
        PyTypeObject *type = (PyTypeObject *)cls;
        Py_ssize_t n, size = PyTuple_GET_SIZE(parts);
        PyObject *made = type->tp_alloc(type, size);
        if (made == NULL) return NULL;
        for (n = 0; n < size; n++) {
            PyObject *part = PyTuple_GET_ITEM(parts, n);
            Py_INCREF(part);
            PyTuple_SET_ITEM(made, n, part);
        }
        return made;
    }
    """
    int corps_levels_left() noexcept
    int corps_levels_used() noexcept
    bint corps_handles_an_exception() noexcept
    double corps_now() noexcept
    object corps_new(object cls)
    object corps_tuple_of(object cls, object parts)


cdef extern from "pythread.h":
    ctypedef void *PyThread_type_lock
    ctypedef enum PyLockStatus:
        PY_LOCK_FAILURE
        PY_LOCK_ACQUIRED
        PY_LOCK_INTR
    int NOWAIT_LOCK
    PyThread_type_lock PyThread_allocate_lock() noexcept
    void PyThread_free_lock(PyThread_type_lock lock) noexcept
    int PyThread_acquire_lock(PyThread_type_lock lock, int waits) noexcept nogil
    PyLockStatus PyThread_acquire_lock_timed(
        PyThread_type_lock lock, long long microseconds, int is_interruptible
    ) noexcept nogil
    void PyThread_release_lock(PyThread_type_lock lock) noexcept nogil
    unsigned long PyThread_get_thread_ident() noexcept nogil


cdef extern from "Python.h":
    int PyContextVar_Get(object var, PyObject *default, PyObject **value) except -1
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1
    object PyContextVar_Set(object var, object value)
    int PyContextVar_Reset(object var, object token) except -1
    Py_buffer *PyMemoryView_GET_BUFFER(object memory) noexcept
    void Py_DECREF(PyObject *thing)

    bint PyUnicode_IS_COMPACT_ASCII(object text) noexcept
    void *PyUnicode_DATA(object text) noexcept
    Py_ssize_t PyUnicode_GET_LENGTH(object text) noexcept
    double PyFloat_AS_DOUBLE(object number) noexcept
    long long PyLong_AsLongLongAndOverflow(object number, int *overflows) noexcept
    Py_ssize_t PyTuple_GET_SIZE(object items) noexcept
    PyObject *PyTuple_GET_ITEM(object items, Py_ssize_t n) noexcept
    Py_ssize_t PyList_GET_SIZE(object items) noexcept
    PyObject *PyList_GET_ITEM(object items, Py_ssize_t n) noexcept
    Py_ssize_t PyDict_Size(object items) noexcept
    bint PyDict_Next(object items, Py_ssize_t *n, PyObject **key, PyObject **value) noexcept

    # As they are: what they return is a reference of the caller's, or NULL with an error set.
    PyObject *new_reference "Py_NewRef"(object thing) noexcept
    void Py_DECREF_of "Py_DECREF"(PyObject *thing) noexcept
    PyObject *PyTuple_New_of "PyTuple_New"(Py_ssize_t size) noexcept
    void PyTuple_SET_ITEM_of "PyTuple_SET_ITEM"(PyObject *items, Py_ssize_t n, PyObject *item) noexcept
    PyObject *PyList_New_of "PyList_New"(Py_ssize_t size) noexcept
    int PyList_Append_of "PyList_Append"(PyObject *items, PyObject *item) noexcept
    PyObject *PyDict_New_of "PyDict_New"() noexcept
    int PyDict_SetItem_of "PyDict_SetItem"(PyObject *items, PyObject *key, PyObject *value) noexcept
    PyObject *PyLong_FromLongLong_of "PyLong_FromLongLong"(long long number) noexcept
    PyObject *PyFloat_FromDouble_of "PyFloat_FromDouble"(double number) noexcept
    PyObject *PyBytes_FromStringAndSize_of "PyBytes_FromStringAndSize"(const char *at, Py_ssize_t size) noexcept
    PyObject *PyUnicode_DecodeUTF8_of "PyUnicode_DecodeUTF8"(
        const char *at, Py_ssize_t size, const char *errors
    ) noexcept


# What the engine is made of in Python. `know` sets it, once, when that is loaded.
cdef object current = None  # the ContextVar of the Activity
cdef object CALL = None
cdef object EXIT = None
cdef object running_loop = None
cdef object request_class = None
cdef object future_class = None
cdef object value_class = None
cdef object gate_class = None
cdef object plain_rest = None
cdef object sent_class = None
cdef object wait_class = None
cdef unsigned long main_thread = 0
cdef int reserve = 0  # levels of the stack that a step of the runtime needs
cdef int shallow = 0  # levels that a thread may have used that runs what it waits for
cdef int deepest = 0  # so many calls deep a thread runs what it waits for
cdef frozenset plain_types = frozenset()  # of values with which nothing is to be done
cdef object kind_class = None
cdef object usual_kinds = None  # what a request may ask for over a link: a Kind for each number
cdef object packed_class = None
cdef object address_class = None
cdef object header_class = None
cdef object asking_class = None
cdef object answering_class = None
cdef object opening_class = None
cdef object wire_promise_class = None
cdef object wire_credit_class = None
cdef object peers_class = None
cdef object transport_class = None

cdef dict pure = {}  # the Python functions that functions here stand for, by name


def stand_for(function):
    """Return the function of the core with a name, to which all that is unusual is left."""
    pure[function.__name__] = function
    return globals()[function.__name__]


def pure_of(function):
    """Return the Python function that one of the core stands for."""
    return pure[function.__name__]


def know(
    *, variable, call, exit, loop, request, future, value, sent, wait, gate, main, levels, depth, calls, plain
):
    """Give the core the parts of the engine that are Python. Called once, before the first Env is made."""
    global current, CALL, EXIT, running_loop, request_class, future_class, value_class, sent_class, wait_class
    global gate_class, plain_rest
    global main_thread, reserve, shallow, deepest, plain_types
    current, CALL, EXIT, running_loop = variable, call, exit, loop
    request_class, future_class, value_class, sent_class, wait_class = request, future, value, sent, wait
    gate_class, plain_rest = gate, gate.sleep
    main_thread, reserve, shallow, deepest, plain_types = main, levels, depth, calls, plain


# What follows gives the core the parts of the links between Envs, each where it is defined.


def know_kinds(kinds):
    """Give it the kinds of requests that may cross a link, by their numbers."""
    global kind_class, usual_kinds
    kind_class, usual_kinds = type(kinds[_CALL]), kinds


def know_packed(packed):
    """Give it the class of packed values."""
    global packed_class
    packed_class = packed


def know_asking(asking):
    """Give it the class of what is unanswered at a peer."""
    global asking_class
    asking_class = asking


def know_answering(answering, opening, header, address):
    """Give it the classes of what a peer has asked, and of what such a request consists of."""
    global answering_class, opening_class, header_class, address_class
    answering_class, opening_class, header_class, address_class = answering, opening, header, address


def know_promises(promise, credit):
    """Give it the classes of promises whose outcomes go to a peer."""
    global wire_promise_class, wire_credit_class
    wire_promise_class, wire_credit_class = promise, credit


def know_peers(peers):
    """Give it the class of all peers of an Env."""
    global peers_class
    peers_class = peers


def know_transport(transport):
    """Give it the class of the transport whose frames it reads."""
    global transport_class
    transport_class = transport


include "locks.pxi"
include "threads.pxi"
include "requests.pxi"
include "futures.pxi"
include "cells.pxi"
include "asking.pxi"
include "frames.pxi"
include "plain.pxi"
include "peers.pxi"
include "links.pxi"
