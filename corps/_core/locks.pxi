# The lock of the native types. Part of engine.pyx.


cdef class Lock:
    """A mutual exclusion, as `threading.Lock`. Thread-safe.

    Attributes:
        is_held: Whether a thread has it, or did so at the last step of that thread.
    """

    cdef PyThread_type_lock _lock
    cdef readonly bint is_held

    def __cinit__(self):
        self._lock = PyThread_allocate_lock()
        if self._lock is NULL:
            raise MemoryError("no lock could be made")

    def __dealloc__(self):
        if self._lock is not NULL:
            PyThread_free_lock(self._lock)

    cdef int take(self) except -1:
        """Take it; wait as long as it takes. A handler of a signal may raise meanwhile."""
        if PyThread_acquire_lock(self._lock, NOWAIT_LOCK):
            self.is_held = True
            return 0
        self.take_within(-1)
        return 0

    cdef bint take_within(self, int64_t microseconds) except -1:
        cdef double until = 0 if microseconds < 0 else corps_now() + microseconds * 1e-6
        cdef int got
        while True:
            with nogil:
                got = PyThread_acquire_lock_timed(self._lock, microseconds, 1)
            if got == PY_LOCK_ACQUIRED:
                self.is_held = True
                return True
            if got != PY_LOCK_INTR:
                return False
            PyErr_CheckSignals()
            if microseconds >= 0:
                microseconds = <int64_t>((until - corps_now()) * 1e6)
                if microseconds <= 0:
                    return False

    cdef void give(self) noexcept:
        self.is_held = False
        PyThread_release_lock(self._lock)

    def acquire(self, bint blocking=True, double timeout=-1):
        """Take it; return whether that was done. As `threading.Lock.acquire`."""
        if PyThread_acquire_lock(self._lock, NOWAIT_LOCK):
            self.is_held = True
            return True
        if not blocking or timeout == 0:
            return False
        return self.take_within(-1 if timeout < 0 else <int64_t>(timeout * 1e6))

    def release(self):
        """Give it back. As `threading.Lock.release`."""
        if not self.is_held:
            raise RuntimeError("release unlocked lock")
        self.give()

    def locked(self):
        """Return whether a thread has it."""
        return self.is_held

    def __enter__(self):
        self.take()
        return True

    def __exit__(self, *_):
        self.give()
