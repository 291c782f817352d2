# Where threads wait, and who wakes them. Part of engine.pyx.

cdef enum:
    _PART = 1000000  # microseconds that a thread sleeps at most without a look for signals


cdef class GateCore:
    """`corps.runtime.threads.gates.Gate`. Each method is one step, but for `sleep`."""

    cdef PyThread_type_lock _permit
    cdef bint is_free  # the permit can be taken: the thread wakes, or will not fall asleep
    cdef readonly bint is_open
    cdef object _interrupt

    def __cinit__(self):
        self._permit = PyThread_allocate_lock()
        if self._permit is NULL:
            raise MemoryError("no lock could be made")
        PyThread_acquire_lock(self._permit, NOWAIT_LOCK)

    def __init__(self):
        pass

    def __dealloc__(self):
        if self._permit is not NULL:
            PyThread_free_lock(self._permit)

    cdef void let_go(self) noexcept:
        if not self.is_free:
            self.is_free = True
            PyThread_release_lock(self._permit)

    cdef void let_through(self) noexcept:
        """Do as `open`, where the thread does not read."""
        self.is_open = True
        self.let_go()

    def open(self, _=None):
        """Let the thread through. Idempotent. It can be the callback of a Future as it is."""
        if self.is_open:
            return
        if self._interrupt is None:
            self.let_through()
        else:
            self.is_open = True
            interrupt = self._interrupt
            interrupt()

    def __call__(self, _=None):
        self.open()

    def wake(self, _=None):
        self.open()

    def call(self):
        """Wake the thread if it sleeps, without letting it through."""
        self.let_go()

    def sleep(self, timeout):
        """Block until the gate is opened, or its thread called; False if so many seconds were over first."""
        cdef double until = -1 if timeout is None else corps_now() + max(0.0, <double>timeout)
        cdef double left
        cdef long long part
        cdef int got
        while True:
            part = _PART
            if until >= 0:
                left = until - corps_now()
                part = 0 if left <= 0 else <long long>(left * 1e6) + 1 if left < 1.0 else _PART
            with nogil:
                got = PyThread_acquire_lock_timed(self._permit, part, 1)
            if got == PY_LOCK_ACQUIRED:
                self.is_free = False
                return True
            PyErr_CheckSignals()  # one that came while this thread fell asleep has not woken it
            if got != PY_LOCK_INTR and until >= 0 and corps_now() >= until:
                return False

    def read_instead(self, interrupt):
        """Have `open` interrupt the coming read; None for no more reads. Return whether it is still shut."""
        self._interrupt = interrupt
        return not self.is_open


cdef class WorkerPoolCore:
    """The fields of `corps.runtime.threads.pool.WorkerPool` that each request meets, and its usual steps."""

    cdef public Lock _lock
    cdef public object _ready
    cdef public dict _idle
    cdef public object rest, _idle_time
    cdef public long _total, _blocked, _most, _taken
    cdef public bint _coming, _starts_no_more, _closing

    def submit(self, cell):
        """Have a thread run the cell soon."""
        self.send_for(cell)

    cdef int send_for(self, cell) except -1:
        cdef bint needs_one = not self._coming and self._total - self._blocked - len(self._idle) < self._most
        if self._lock.is_held or (needs_one and not self._idle):
            self._pure_submit(cell)
            return 0
        # One step up to here: from now on no other thread wakes one.
        self._coming = self._coming or needs_one
        self._ready.append(cell)
        if needs_one:
            gate = self._idle.pop(PyThread_get_thread_ident(), None)
            if gate is None:
                try:
                    gate = self._idle.popitem()[1]
                except KeyError:  # the last one has left at this very moment
                    self._coming = False
                    self._try_again()
                    return 0
            gate.open()
        return 0

    def _work(self):
        cdef bint is_sent_for = True
        cdef GateCore gate
        while True:
            gate = None
            wake = None
            if not self._lock.is_held and len(self._ready) == 1:
                # One step: another thread is woken when there is more to do.
                cell = self._ready.popleft()
                self._taken += 1
                if is_sent_for:
                    self._coming = False
            else:
                cell = None
                gate = self.gate_here(is_sent_for)
                if gate is None:
                    cell, wake, gate = self._next_step(is_sent_for=is_sent_for)
            is_sent_for = False
            if cell is not None:
                if wake is not None:
                    self._send_for(wake)
                self._run(cell)
                cell = None
            elif gate is None or not self.waits_at(gate):
                return
            else:
                is_sent_for = True

    cdef GateCore gate_here(self, bint is_sent_for):
        """Do as `_next_step` where there is nothing to do; None if there may be something."""
        cdef GateCore gate = <GateCore>corps_new(gate_class)
        me = PyThread_get_thread_ident()
        # One step.
        if self._lock.is_held or self._ready or self._closing:
            return None
        if is_sent_for:
            self._coming = False
        self._idle[me] = gate
        return gate

    cdef bint waits_at(self, GateCore gate) except -1:
        cdef bint has_rested
        if self.rest is not plain_rest:
            readers = getattr(self.rest, "__self__", None)
            if not isinstance(readers, ReadersCore):
                return self._wait_at(gate)
            while True:
                try:
                    has_rested = (<ReadersCore>readers).rest(gate, self._idle_time)
                except BaseException:  # a thread of the pool lives on, whatever it reads meanwhile
                    has_rested = self._sleeps_instead(gate)
                if has_rested:
                    return True
                if self._leaves(gate):
                    return False
        while not gate.sleep(self._idle_time):
            if self._leaves(gate):
                return False
        return True

    cdef bint sends_in_one_step(self) except -1:
        """Return whether `send_for` would run no Python code: for the main thread, which signals break off."""
        cdef GateCore gate
        gates = reversed(self._idle.values())  # may start a garbage collection, and so before the first look
        if self._lock.is_held:
            return False
        if self._coming or self._total - self._blocked - len(self._idle) >= self._most:
            return True
        try:
            gate = <GateCore?>next(gates)
        except (StopIteration, RuntimeError):  # none is idle; or others are now than a moment ago
            return False
        return gate._interrupt is None

    def enter_blocked(self):
        """Note that the calling thread is about to wait for something that another one may have to do."""
        if self._lock.is_held or self._starts_no_more or self._ready:
            self._pure_enter_blocked()
        else:
            self._blocked += 1

    def leave_blocked(self):
        """Note that the calling thread goes on."""
        if self._lock.is_held:
            self._pure_leave_blocked()
        else:
            self._blocked -= 1
