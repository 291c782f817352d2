# Futures: what settles them, and those who wait. Part of engine.pyx.


cdef class CountdownCore:
    """The count of `corps.runtime.calls.waiting.Countdown`, which is one step."""

    cdef public long _left

    def count_down(self):
        self._left -= 1
        return self._left == 0


cdef class FutureCore:
    """The fields of `corps.runtime.calls.futures.Future`, its end, and the usual ways to wait for it."""

    cdef public object request
    cdef public object _outcome, _observers, _alarm
    cdef public list _callbacks
    cdef Lock _lock  # for those of `concurrent.futures` alone: what follows is one step each

    def __init__(self):
        pass

    @property
    def _condition(self):
        if self._lock is None:
            made = Lock()
            if self._lock is None:
                self._lock = made
        return self._lock

    @property
    def outcome(self):
        """The outcome if it is there, else None."""
        return self._outcome

    def done(self):
        """Return whether the outcome is there: a value, an error, or the cancellation."""
        return self._outcome is not None

    @property
    def ret(self):
        """The value; waits for it as long as it takes.

        Raises:
            RequestError: The request failed; which one says how, `executed` whether it ran.
            LoopBlocked: Called in a coroutine (use ``await`` there), or in a callback.
        """
        if self._outcome is None and not self.was_run_here() and not self.was_slept_for(None):
            if not was_read_for(self, None):
                self._wait(None)
        return self.value_here()

    def result(self, timeout=None):
        """Return the value; wait for it.

        Args:
            timeout: Seconds to wait; None for as long as it takes. The request goes on afterwards.

        Returns:
            What the method returned.

        Raises:
            RequestError: The request failed; which one says how, `executed` whether it ran.
            WaitTimeout: The time was over first.
            LoopBlocked: Called in a coroutine (use ``await`` there), or in a callback.
        """
        if self._outcome is None and (timeout is not None or not self.was_run_here()):
            if not self.was_slept_for(timeout) and not was_read_for(self, timeout):
                self._wait(timeout)
        return self.value_here()

    cdef value_here(self):
        if type(self._outcome) is value_class and type(self) is future_class:
            return (<ValueCore>self._outcome).value
        return self._opened().unwrap()

    def settle(self, outcome):
        """Give the outcome, and return whether it is the first one, which counts. Thread-safe."""
        return self.settle_once(outcome)

    cdef bint settle_once(self, outcome) except -1:
        if type(outcome) is not value_class and outcome.failed:
            return self._pure_settle(outcome)
        return self.end_with(outcome)

    cdef bint end_with(self, outcome) except -1:
        """Settle, with nothing to note about a failure."""
        cdef Lock lock = self._lock
        if lock is not None:
            lock.take()
        elif self._outcome is not None:
            return False
        # One step up to `_alarm`, if there is no lock.
        if self._outcome is not None:
            lock.give()
            return False
        self._outcome = outcome
        callbacks, request, alarm = self._callbacks, self.request, self._alarm
        self._callbacks = None
        self.request = None
        self._alarm = None
        if lock is not None:
            try:
                if self._observers is not None:
                    self._tell_observers()
            finally:
                lock.give()
        if alarm is not None:
            alarm.cancel()
        if callbacks is not None:
            for call in callbacks:
                if type(call) is gate_class and (<GateCore>call)._interrupt is None:
                    (<GateCore>call).let_through()
                elif isinstance(call, CountdownCore) and (<CountdownCore>call)._left > 1:
                    (<CountdownCore>call)._left -= 1
                else:  # that may raise, and the others must hear of it all the same
                    self._call_back(call)
        return True

    def when_settled(self, fn):
        """Call a function of the runtime's, which does not raise, when the outcome is there."""
        if self._outcome is None:
            fresh = [fn]  # may start a garbage collection, and so not between a look and what follows on it
            if self._outcome is None:
                if self._callbacks is None:
                    self._callbacks = fresh
                else:
                    self._callbacks.append(fn)
                return
        self._call_back(fn)

    def remove_callback(self, fn):
        """Forget a callback that `when_settled` got, if it was not called yet."""
        callbacks = self._callbacks
        if callbacks is not None and fn in callbacks:
            callbacks.remove(fn)

    cdef bint was_slept_for(self, timeout) except -1:
        """Wait for a worker of this Env that another thread runs; False if this is not that case.

        The usual case of `corps.runtime.calls.blocking.block_until`, to which all others are left.
        """
        cdef ActivityCore here
        cdef CellCore cell, waiter = None
        cdef EnvCore env
        cdef GateCore gate
        cdef WorkerPoolCore pool = None
        cdef double patience = -1, until
        if type(self) is not future_class or corps_levels_left() < reserve:
            return False
        asked = self.request
        if type(asked) is not request_class or not isinstance((<RequestCore>asked).route, CellCore):
            return False
        cell = <CellCore>(<RequestCore>asked).route
        if not isinstance(cell.env, EnvCore):
            return False
        env = <EnvCore>cell.env
        here = activity_here()
        if here is not None:
            if here.reading or here.task is not None or here.env is not env:
                return False
            if here.cell is not None:
                if not isinstance(here.cell, CellCore) or here.thread != PyThread_get_thread_ident():
                    return False
                waiter = <CellCore>here.cell
                patience = env.options.deadlock_probe
            if here.pooled:
                pool = env.pool
        until = -1 if timeout is None else corps_now() + max(0.0, <double>timeout)
        if waiter is not None and not env.waits.begin_plainly(waiter, self, cell):
            return False
        try:
            gate = <GateCore>corps_new(gate_class)
            self.when_settled(gate)
            if pool is not None:
                pool.enter_blocked()
            try:
                env.pool.look_for(gate, until)
                # Again and again, because an answer that is relayed can close a circle at any time.
                while not gate.sleeps(earlier(until, patience)) and (until < 0 or corps_now() < until):
                    env.waits.probe(waiter)
                    patience *= 2
            finally:
                if pool is not None:
                    pool.leave_blocked()
                if not gate.is_open:  # too late, or interrupted
                    self.remove_callback(gate)
        finally:
            if waiter is not None:
                env.waits.end(waiter)
        if self._outcome is None:
            self._too_late(timeout)
        return True

    cdef bint was_run_here(self) except -1:
        """Run the worker that the answer is waited for, if it lives here and is free; return whether it came.

        The usual case of `corps.runtime.calls.blocking.block_until`, to which all others are left.
        """
        cdef ActivityCore here
        cdef RequestCore request
        cdef CellCore cell, waiter
        cdef WaitGraphCore waits
        if type(self) is not future_class:
            return False
        if PyThread_get_thread_ident() == main_thread:
            return False
        asked = self.request
        if type(asked) is not request_class:
            return False
        request = <RequestCore>asked
        route = request.route
        if not isinstance(route, CellCore) or request.deadline is not None or request.kind is EXIT:
            return False
        cell = <CellCore>route
        here = activity_here()
        if (
            here is None
            or here.reading
            or here.task is not None
            or not isinstance(here.cell, CellCore)
            or here.thread != PyThread_get_thread_ident()
            or here.depth >= deepest
            or corps_levels_used() > shallow
            or corps_handles_an_exception()
            or running_loop() is not None
        ):
            return False
        waiter = <CellCore>here.cell
        if not isinstance(here.env, EnvCore):
            return False
        waits = (<EnvCore>here.env).waits
        if not waits.begin_plainly(waiter, self, cell):
            return False
        try:
            cell.run_for(self, here)
        finally:
            waits.end(waiter)
        return self._outcome is not None
