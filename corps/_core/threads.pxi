# Where threads wait, and who wakes them. Part of engine.pyx.

cdef extern from *:
    """
    #include <sched.h>

    static unsigned corps_leaves = 0;  /* how often a thread let the interpreter go to look or to sleep */

    /* Say that this thread has let the interpreter go. */
    static inline void corps_has_left(void) {
        __atomic_add_fetch(&corps_leaves, 1, __ATOMIC_RELEASE);
    }

    static inline unsigned corps_leaves_now(void) {
        return __atomic_load_n(&corps_leaves, __ATOMIC_ACQUIRE);
    }

    /* Look until a flag is set, or the time is over; do not sleep. Of a flag that another thread has set that
       still has the interpreter, wait a moment for that: to sleep until it is let go would cost more. */
    static inline void corps_look_at(const int *flag, const unsigned *stamp, double until, double moment) {
        while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE)) {
            if (corps_now() > until) return;
            sched_yield();  /* the thread that sets it may want this very processor */
        }
        until = corps_now() + moment;
        while (corps_leaves_now() == *stamp && corps_now() <= until) sched_yield();
    }
    """
    void corps_has_left() noexcept nogil
    unsigned corps_leaves_now() noexcept
    void corps_look_at(const int *flag, const unsigned *stamp, double until, double moment) noexcept nogil

cdef enum:
    _PART = 1000000  # microseconds that a thread sleeps at most without a look for signals
    _LOOKERS = 2  # threads of an Env that look at their gates at once, at most: two that call each other
    _SELDOM_AFTER = 10  # misses after which one in 1 024 waits begins with a look

cdef double _MOMENT = 1e-5  # seconds that a thread waits for one that has opened its gate to sleep, too


cdef bint skips_look(int *to_skip) noexcept:
    """Return whether a wait begins without a look, because those before it were in vain."""
    if not to_skip[0]:
        return False
    to_skip[0] -= 1
    return True


cdef void note_look(bint has_found, int *misses, int *to_skip) noexcept:
    """Note what came of a look: after each in vain twice as many waits go without one."""
    if has_found:
        misses[0] = 0
    else:
        misses[0] = min(misses[0] + 1, _SELDOM_AFTER)
        to_skip[0] = 1 << misses[0]


cdef double earlier(double until, double seconds) noexcept:
    """Return the earlier one of a point on the clock and so many seconds from now. Either may be negative: none."""
    cdef double then = corps_now() + seconds
    return until if seconds < 0 or 0 <= until < then else then


cdef class GateCore:
    """`corps.runtime.threads.gates.Gate`. Each method is one step, but for `sleep`."""

    cdef PyThread_type_lock _permit
    cdef int is_free  # the permit can be taken: the thread wakes, or will not fall asleep
    cdef unsigned freed_at  # as `corps_leaves_now` then
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
            self.freed_at = corps_leaves_now()
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
        return self.sleeps(-1 if timeout is None else corps_now() + max(0.0, <double>timeout))

    cdef bint sleeps(self, double until) except -1:
        """Do so up to a point on the monotonic clock, which is negative for none."""
        cdef double left
        cdef long long part
        cdef int got
        while True:
            part = _PART
            if until >= 0:
                left = until - corps_now()
                part = 0 if left <= 0 else <long long>(left * 1e6) + 1 if left < 1.0 else _PART
            with nogil:
                corps_has_left()
                got = PyThread_acquire_lock_timed(self._permit, part, 1)
            if got == PY_LOCK_ACQUIRED:
                self.is_free = False
                return True
            PyErr_CheckSignals()  # one that came while this thread fell asleep has not woken it
            if got != PY_LOCK_INTR and until >= 0 and corps_now() >= until:
                return False

    cdef bint look(self, double seconds) except -1:
        """Look for a moment whether it is opened, without a sleep; return whether it was."""
        cdef double until = corps_now() + seconds
        with nogil:
            corps_has_left()
            corps_look_at(&self.is_free, &self.freed_at, until, _MOMENT)
        if not self.is_free:
            PyErr_CheckSignals()
        return self.is_free != 0

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
    cdef public double _spin
    cdef int lookers  # threads that look at their gates
    cdef int idle_misses, idle_to_skip  # looks of idle threads in vain, and waits without one
    cdef int misses, to_skip  # the same of those that wait for an answer

    cdef int look_for(self, GateCore gate, double until) except -1:
        """Do as `look_at` for a thread that waits for an answer, up to a point on the clock if not negative."""
        if until < 0 or corps_now() + self._spin < until:
            self.look_at(gate, &self.misses, &self.to_skip)
        return 0

    cdef int look_at(self, GateCore gate, int *misses, int *to_skip) except -1:
        """Look at the gate of the calling thread for a moment before it sleeps, while that pays."""
        if self._spin <= 0 or gate.is_free or self.lookers >= _LOOKERS or skips_look(to_skip):
            return 0
        self.lookers += 1
        try:
            note_look(gate.look(self._spin), misses, to_skip)
        finally:
            self.lookers -= 1
        return 0

    def submit(self, cell):
        """Have a thread run the cell soon."""
        self.send_for(cell)

    cdef int send_for(self, cell) except -1:
        cdef bint needs_one = not self._coming and self._total - self._blocked - len(self._idle) < self._most
        if self._lock.is_held or (needs_one and not self._idle):
            self._pure_submit(cell)
            return 0
        self._ready.append(cell)
        # One step up to here: from now on no other thread wakes one.
        self._coming = self._coming or needs_one
        if needs_one:
            gate = self._idle.pop(PyThread_get_thread_ident(), None)
            if gate is None:
                try:
                    gate = self._idle.popitem()[1]
                except (KeyError, MemoryError):  # the last one has left at this moment; no memory for the pair
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
        self.look_at(gate, &self.idle_misses, &self.idle_to_skip)
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
