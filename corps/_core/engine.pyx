# cython: language_level=3
"""The native core: what each request passes on its way inside an Env, without the interpreter.

Each class here is put under the Python class of the same name by `corps.core.native`. It holds the fields of
that class, and takes the usual way of its hottest methods. Whatever is unusual it hands to the Python method
before anything was done: that is the definition of both, under the name that `native` gives it, `_pure_...`.

Under the interpreter's lock a straight run of native code is one step: no other thread comes between. A step
ends where Python code may run: at a call, and where an object may be freed or made that the garbage collector
knows. So a lock that nobody holds need not be taken for a straight run. `Lock.is_held` says whether one does.
"""

from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject, PyObject_Call, PyObject_GetAttr
from libc.stdint cimport int64_t


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
    """
    int corps_levels_left() noexcept
    int corps_levels_used() noexcept
    bint corps_handles_an_exception() noexcept
    double corps_now() noexcept
    object corps_new(object cls)


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
    void Py_DECREF(PyObject *thing)


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


include "locks.pxi"
include "threads.pxi"
include "requests.pxi"
include "futures.pxi"
include "cells.pxi"
include "asking.pxi"
