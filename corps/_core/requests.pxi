# Activities, requests, and what settles them. Part of engine.pyx.


cdef class ActivityCore:
    """The fields of `corps.runtime.context.Activity`."""

    cdef public object env, cell, request, deadline, task, background
    cdef public int depth
    cdef public bint pooled, reading
    cdef public unsigned long thread

    def __init__(self, env, cell=None, *, bint pooled=False):
        self.env = env
        self.cell = cell
        self.pooled = pooled
        self.thread = PyThread_get_thread_ident()


cdef ActivityCore activity_here():
    """Return what the context of the calling thread says that it does; None if nothing."""
    cdef PyObject *found = NULL
    PyContextVar_Get(current, NULL, &found)
    if found is NULL:
        return None
    here = <object>found
    Py_DECREF(found)
    return <ActivityCore>here if isinstance(here, ActivityCore) else None


cdef class RequestCore:
    """The fields of `corps.messages.requests.Request`, but for those that few requests have."""

    cdef public object kind, target, method, args, kwargs, promise, sender, deadline, packed
    cdef public object travelling, route, cancel_run, wait, relayed, errands, number
    cdef public RequestCore behind
    cdef public int stage
    cdef public bint is_given_up, yields
    cdef double _sent  # negative: not known

    def __cinit__(self):
        self._sent = -1
        self.number = 0

    def __init__(self, kind, target, method, args, kwargs, promise, sender=None, deadline=None, packed=None):
        self.kind = kind
        self.target = target
        self.method = method
        self.args = args
        self.kwargs = kwargs
        self.promise = promise
        self.sender = sender
        self.deadline = deadline
        self.packed = packed

    @property
    def sent(self):
        return None if self._sent < 0 else self._sent

    @sent.setter
    def sent(self, at):
        self._sent = -1 if at is None else at


cdef class ValueCore:
    """`corps.messages.outcomes.Value`."""

    cdef public object value

    def __init__(self, value):
        self.value = value

    def unwrap(self):
        return self.value

    def opened(self):
        return self


cdef class NoAnswerCore:
    """The fields of `corps.messages.promises.NoAnswer`, and its end."""

    cdef public object _what
    cdef public list _open

    def __init__(self, what):
        self._what = what
        self._open = [True]

    def settle(self, outcome):
        if not self._open:
            return False
        self._open.pop()
        if type(outcome) is not value_class and outcome.failed:
            self._failed(outcome)
        return True

    def done(self):
        return not self._open


cdef class SentCore(NoAnswerCore):
    """The fields of `corps.messages.promises.Sent`."""

    cdef public object _letters, _sender, _target, _method

    def __init__(self, letters, sender, target, method):
        self._open = [True]
        self._letters = letters
        self._sender = sender
        self._target = target
        self._method = method


cdef class MoveCore:
    """The fields of `corps.runtime.cells.life.Move`."""

    cdef object _to
    cdef public bint submits, claims, notifies

    @property
    def to(self):
        if self._to is None:
            raise AttributeError("to")
        return self._to

    @to.setter
    def to(self, turn):
        self._to = turn


cdef class TurnCore:
    """The fields of `corps.runtime.cells.life.Turn`."""

    cdef public object name
    cdef public bint is_queued, is_busy, is_halted, is_held
    cdef public MoveCore offered, blocked, called, helped, entered, released, resumed, owned, halted, woken
