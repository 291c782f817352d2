# The caller's side: methods of Names, the Env that sends for them, and who waits for whom. Part of engine.pyx.


cdef class WaitGraphCore:
    """The fields of `corps.runtime.calls.deadlock.WaitGraph`, and waits that close no circle."""

    cdef public Lock _lock
    cdef public dict _waits
    cdef public object _serials, _send_probe

    cdef bint begin_plainly(self, CellCore waiter, FutureCore future, CellCore cell) except -1:
        """Record that a worker waits for one that waits for nothing; otherwise do nothing: False."""
        cdef RequestCore request
        if cell is waiter or cell.overlaps or cell.its_wait is not None or cell.awaited is not None or cell.away:
            return False
        if future.request is None:
            return False
        request = <RequestCore>future.request
        if request.route is not cell or request.relayed is not None:
            return False
        return self.begin_afar(waiter, future)

    cdef bint begin_afar(self, CellCore waiter, FutureCore future) except -1:
        """Record that a worker waits for one in another Env; otherwise do nothing: False."""
        if waiter.away or waiter.overlaps or self._lock.is_held or not isinstance(waiter.env, EnvCore):
            return False
        waiter.awaited = future  # a Wait is made of it where one is looked for
        return True

    cdef wait_for(self, CellCore waiter, FutureCore future):
        return tuple_of(wait_class, (next(self._serials), waiter, waiter, (future,)))

    def end(self, cell):
        """Record that the wait of a cell is over."""
        cdef CellCore waiter
        if isinstance(cell, CellCore):
            waiter = <CellCore>cell
            if not waiter.away and not waiter.overlaps:
                wait = waiter.its_wait
                if wait is None and waiter.awaited is None:
                    return
                if not self._lock.is_held:
                    waiter.its_wait = None
                    waiter.awaited = None
                    if wait is not None:
                        self._waits.pop((<tuple>wait)[0], None)
                    return
        self._pure_end(cell)


def may_close(tuple futures, cell):
    """Return whether a wait for these can be in a circle inside this Env; a cheap look before a search."""
    cdef RequestCore request
    cdef CellCore behind
    for future in futures:
        if type(future) is not future_class:
            return pure["may_close"](futures, cell)
        asked = (<FutureCore>future).request
        if asked is None:  # answered
            continue
        if type(asked) is not request_class:
            return pure["may_close"](futures, cell)
        request = <RequestCore>asked
        if request.relayed is None and type(request.route) is asking_class:
            continue
        if request.relayed is not None or not isinstance(request.route, CellCore):
            return pure["may_close"](futures, cell)
        behind = <CellCore>request.route
        if behind is cell or behind.its_wait is not None or behind.awaited is not None:
            return True
        if behind.away or behind.overlaps:
            return True
    return False


def help_here(tuple futures, here):
    """Do the work of those workers that live here and are waited for; return whether all is done."""
    cdef RequestCore request
    cdef Py_ssize_t n
    cdef bint helped = False
    for n in range(len(futures) - 1, -1, -1):  # the last one first: with it, those before it are done
        future = futures[n]
        asked = (<FutureCore>future).request if type(future) is future_class else future.request
        if asked is None:
            continue
        if type(asked) is not request_class:
            if asked.deadline is not None or asked.kind is EXIT or asked.route is None:
                continue
            route = asked.route
        else:
            request = <RequestCore>asked
            route = request.route
            if request.deadline is not None or request.kind is EXIT or route is None:
                continue
        if type(route) is asking_class or route.readers is not None:
            continue
        route.help(future, here)
        helped = True
    if helped:
        for future in futures:
            if not future.done():
                return False
    return helped


cdef tuple_of(cls, tuple parts):
    """Make a NamedTuple, as `tuple.__new__` does."""
    return corps_tuple_of(cls, parts)


cdef class EnvCore:
    """The fields of `corps.runtime.env.Env` that each request meets."""

    cdef public object id, corps_id, unsent, errands, travels, letters, peers, options
    cdef public WorkerPoolCore pool
    cdef public WaitGraphCore waits
    cdef public dict cells
    cdef public bint _is_ending


cdef class MethodCore:
    """The fields of `corps.workers.names.Method`, and its usual calls."""

    cdef public object _addr, _method, _env, _deadline, _interface, limits
    cdef public object _retries
    cdef public bint is_hasty, yields

    def __init__(self, addr, method, env, deadline, interface, retries=0):
        self._addr = addr
        self._method = method
        self._env = env
        self._deadline = deadline
        self._interface = interface
        self._retries = retries

    def __call__(self, /, *args, **kwargs):
        """Ask the worker to call the method; return the Future of what it returns."""
        cdef ActivityCore here = activity_here()
        cdef CellCore cell
        cdef RequestCore request
        cdef FutureCore future
        if self._deadline is not None or self.limits is not None or self._retries:
            return self._pure___call__(*args, **kwargs)
        if here is not None and here.deadline is not None:
            return self._pure___call__(*args, **kwargs)
        cell = self.cell_here(here, args, kwargs)
        if cell is None:
            asking = self.asking_there(here, args, kwargs)
            if asking is None:
                return self._pure___call__(*args, **kwargs)
            return self.ask_there(asking, here, args, kwargs)
        future = <FutureCore>corps_new(future_class)
        request = self.request_for(here, args, kwargs)
        request.promise = future
        request._sent = corps_now()
        future.request = request
        if self.is_main_threads_own(here) and not (<EnvCore>self._env).pool.sends_in_one_step():
            return self._pure___call__(*args, **kwargs)
        try:
            if cell.is_plain and cell.take_in(request, None):
                return future
            if self.is_main_threads_own(here):
                return self._pure___call__(*args, **kwargs)
            cell.deliver(request)
        except BaseException:
            future.cancel()
            raise
        return future

    def send(self, /, *args, **kwargs):
        """Ask the worker to call the method, and want no answer. A failure goes to the log of its Env.

        Nothing waits for the answer, so the deadline of `Name.options` does not count. If the worker ends
        first, the request is dropped.
        """
        cdef ActivityCore here = activity_here()
        cdef CellCore cell = self.cell_here(here, args, kwargs)
        cdef RequestCore request
        cdef SentCore promise
        cdef AskingCore asking = None
        if cell is None and not self.is_hasty:
            asking = self.asking_there(here, args, kwargs)
        if (cell is None and asking is None) or self.is_hasty:
            self._pure_send(*args, **kwargs)
            return
        request = self.request_for(here, args, kwargs)
        promise = <SentCore>corps_new(sent_class)
        promise._open = [True]
        promise._letters = (<EnvCore>self._env).letters
        promise._sender = request.sender
        promise._target = self._addr
        promise._method = self._method
        request.promise = promise
        if asking is not None:
            asking.send(request)
            return
        if cell.is_plain and cell.take_in(request, None):
            return
        if self.is_main_threads_own(here):
            self._pure_send(*args, **kwargs)
        else:
            cell.deliver(request)

    cdef bint is_main_threads_own(self, ActivityCore here):
        """Return whether this is the main thread of an author's script, where signals break Python code off."""
        if PyThread_get_thread_ident() != main_thread or (here is not None and here.cell is not None):
            return False
        return (<EnvCore>self._env).errands is not None

    cdef AskingCore asking_there(self, ActivityCore here, tuple args, dict kwargs):
        """Return what is asked of the Env of the worker, if that is another one, and nothing special; else None."""
        cdef EnvCore env
        if not isinstance(self._env, EnvCore):
            return None
        env = <EnvCore>self._env
        addr = <tuple>self._addr
        if (
            env._is_ending
            or env.unsent
            or env.travels is not None
            or corps_levels_left() < reserve
            or env.id == addr[1]
            or env.corps_id != addr[0]
            or not isinstance(env.peers, PeersCore)
            or self.is_main_threads_own(here)
            or (env.errands is not None and env.errands.posted)
        ):
            return None
        for each in args:
            if isinstance(each, FutureCore):
                return None
        for each in kwargs.values():
            if isinstance(each, FutureCore):
                return None
        return (<PeersCore>env.peers).asking_of(addr[1])

    cdef FutureCore ask_there(self, AskingCore asking, ActivityCore here, tuple args, dict kwargs):
        cdef FutureCore future = <FutureCore>corps_new(future_class)
        cdef RequestCore request = self.request_for(here, args, kwargs)
        request.promise = future
        request._sent = corps_now()
        future.request = request
        try:
            asking.send(request)
        except BaseException:
            future.cancel()
            raise
        return future

    cdef CellCore cell_here(self, ActivityCore here, tuple args, dict kwargs):
        """Return the cell of the worker, if it lives here, has room, and nothing is special; else None."""
        cdef EnvCore env
        cdef CellCore cell
        if not isinstance(self._env, EnvCore):
            return None
        env = <EnvCore>self._env
        if env._is_ending or env.unsent or env.travels is not None or corps_levels_left() < reserve:
            return None
        addr = <tuple>self._addr
        if env.id != addr[1] or env.corps_id != addr[0]:
            return None
        found = env.cells.get(addr[2])
        if not isinstance(found, CellCore):
            return None
        cell = <CellCore>found
        if cell.mailbox.is_full:
            return None
        if env.errands is not None and env.errands.posted:  # that is to be done first
            return None
        if self.is_main_threads_own(here) and not env.pool.sends_in_one_step():
            return None
        for each in args:
            if isinstance(each, FutureCore):
                return None
        for each in kwargs.values():
            if isinstance(each, FutureCore):
                return None
        return cell

    cdef RequestCore request_for(self, ActivityCore here, tuple args, dict kwargs):
        cdef RequestCore request = <RequestCore>corps_new(request_class)
        request.kind = CALL
        request.target = self._addr
        request.method = self._method
        request.args = args
        request.kwargs = kwargs
        request.errands = (<EnvCore>self._env).errands
        if here is not None and here.cell is not None:
            request.sender = here.cell.addr
        return request
