# Cells and their mailboxes: who runs the next request. Part of engine.pyx.

cdef enum:
    _WAITING = 0
    _BEGUN = 1
    _WITHDRAWN = 2
    _TURN = 64  # requests after which a thread goes on to the next cell


cdef class MailboxCore:
    """The fields of `corps.runtime.cells.mailbox.Mailbox`, and its queue."""

    cdef public Lock lock
    cdef public RequestCore first, _last
    cdef public long _count, _limit, _yielding
    cdef public bint is_full, is_strict, replaces
    cdef public object _turns
    cdef object _its_door
    cdef bint takes

    @property
    def _door(self):
        return self._its_door

    @_door.setter
    def _door(self, door):
        self.takes = door.takes
        self._its_door = door

    def put(self, RequestCore request not None, *, bint is_taken=False):
        """Add a request; False if the mailbox is not open, unless `is_taken` says that it is added anyway."""
        if not self.takes and not is_taken:
            return False
        self.append(request)
        return True

    cdef void append(self, RequestCore request) noexcept:
        if self._last is None:
            self.first = request
        else:
            self._last.behind = request
        self._last = request
        self._count += 1
        self.is_full = self._count >= self._limit

    def take(self):
        """Take the next request out. From now on it has begun, unless it was withdrawn."""
        if self.first is None or self._turns:
            return self._pure_take()
        return self.pop()

    cdef RequestCore pop(self):
        """Do as `take`, where a request waits, and nothing waits for room."""
        cdef RequestCore request = self.first
        self.first = request.behind
        request.behind = None
        if self.first is None:
            self._last = None
        self._count -= 1
        self.is_full = self._count >= self._limit
        if request.stage == _WAITING:
            request.stage = _BEGUN
        return request

    def __len__(self):
        return self._count


cdef class CellCore:
    """The fields of `corps.runtime.cells.cell.Cell` that a request meets, and the usual turn of its thread."""

    cdef public object env, performer, context
    cdef public MailboxCore mailbox
    cdef public Lock _lock
    cdef public TurnCore _turn
    cdef public ActivityCore activity
    cdef object its_wait
    cdef FutureCore awaited  # what it waits for, while no Wait of that was needed
    cdef public long _inflight, away
    cdef object its_interface
    cdef frozenset plain_methods  # of the class, if it overrides no step; else None
    cdef bint overlaps
    cdef bint is_plain  # it runs one request after the other, as they come: its class is Cell itself

    def __cinit__(self, *_, **__):
        self.is_plain = getattr(type(self), "_handle", None) is CellCore.__dict__["_handle"]

    @property
    def wait(self):
        cdef FutureCore awaited = self.awaited
        if self.its_wait is None and awaited is not None:
            waits = (<EnvCore>self.env).waits
            wait = waits.wait_for(self, awaited)
            # One step: another thread may have come between.
            if self.its_wait is None and self.awaited is awaited:
                waits._waits[(<tuple>wait)[0]] = wait
                self.its_wait = wait
        return self.its_wait

    @wait.setter
    def wait(self, wait):
        self.awaited = None
        self.its_wait = wait

    @property
    def interface(self):
        return self.its_interface

    @interface.setter
    def interface(self, interface):
        self.its_interface = interface
        self.overlaps = interface.overlaps
        self.plain_methods = None if interface.has_steps else interface.methods

    # --- arriving ---

    def deliver(self, request, submit=None):
        """Take a request into the mailbox, or refuse it. `submit` runs a ready cell; None for the pool."""
        if not isinstance(request, RequestCore) or not self.take_in(<RequestCore>request, submit):
            self._pure_deliver(request, submit)

    cdef bint take_in(self, RequestCore request, submit) except -1:
        """Do as `deliver` in the usual case; in every other one do nothing, and return False."""
        cdef MailboxCore box = self.mailbox
        cdef MoveCore move = self._turn.offered
        if (
            request.kind is not CALL
            or self._inflight
            or box.lock.is_held
            or not box.takes
            or request.yields
            or (box.is_full and box.is_strict)
            or move.notifies
            or move._to is None
        ):
            return False
        # One step up to `submits`.
        request.route = self
        box.append(request)
        self._turn = <TurnCore>move._to
        if move.submits:
            if submit is not None:
                submit(self)
            elif isinstance(self.env, EnvCore):
                (<EnvCore>self.env).pool.send_for(self)
            else:
                self.env.pool.submit(self)
        return True

    # --- running ---

    def run(self):
        """Drain the mailbox for a while. Only a thread to which the pool gave the cell may call this."""
        cdef MoveCore move = self._turn.called
        cdef RequestCore request = None
        cdef int number
        if self._lock.is_held or move._to is None:
            self._pure_run()
            return
        self._turn = <TurnCore>move._to
        if not move.claims:
            return
        self.activity.pooled = True
        self.activity.depth = 0
        try:
            for number in range(_TURN):
                request = self.next_here()
                if request is None or not self.handle_here(request):
                    return
        except BaseException as error:
            self._note_defect(request, error)
        self.release()

    def help(self, promise, here):
        """Run requests in the calling thread until `promise`, which it waits for, is settled."""
        if type(promise) is future_class and isinstance(here, ActivityCore) and self.is_plain:
            if (<ActivityCore>here).depth < deepest:
                self.run_for(<FutureCore>promise, <ActivityCore>here)
        else:
            self._pure_help(promise, here)

    cdef int run_for(self, FutureCore promise, ActivityCore here) except -1:
        """Do as `help`, for a caller that is not too deep."""
        cdef MoveCore move = self._turn.helped
        cdef RequestCore request = None
        if not self.is_plain:
            self.help(promise, here)
            return 0
        if self._lock.is_held or move._to is None:
            self._pure_help(promise, here)
            return 0
        self._turn = <TurnCore>move._to
        if not move.claims:
            return 0
        self.activity.pooled = here.pooled
        self.activity.depth = here.depth + 1
        try:
            while True:
                request = self.next_here()
                if request is None or not self.handle_here(request):
                    break
                if promise._outcome is not None:
                    self.activity.depth = 0
                    self.release_here()
                    break
        except BaseException as error:
            self._note_defect(request, error)
            self.activity.depth = 0
            self.release()
            raise
        return 0

    cdef int release_here(self) except -1:
        cdef MoveCore move = self._turn.released
        if self._lock.is_held or self.mailbox.first is not None or move._to is None:
            self.release()
        else:
            self._turn = <TurnCore>move._to
        return 0

    def _next(self):
        """Take the next request; None if none may begin, and then the thread has given the cell up."""
        return self.next_here()

    cdef RequestCore next_here(self):
        cdef MailboxCore box = self.mailbox
        cdef MoveCore move
        if self._inflight or box.lock.is_held or box._turns:
            return self._pure__next()
        if box.first is not None:
            return box.pop()
        move = self._turn.released
        if move._to is None:
            return self._pure__next()
        self._turn = <TurnCore>move._to
        return None

    def _handle(self, RequestCore request not None):
        """Run one request; False if this thread must not run the worker any more."""
        if self.is_usual(request) and self.is_open(request):
            self.call_here(request)
            return True
        return self._pure__handle(request)

    cdef bint is_open(self, RequestCore request) except -1:
        """Have the arguments of a request be there, if they can be opened without Python code."""
        return request.packed is None or (<OpeningCore>request.packed).open_here(request)

    cdef bint handle_here(self, RequestCore request) except -1:
        if not self.is_plain or not self.is_usual(request) or not self.is_open(request):
            return self._handle(request) if not self.is_plain else self._pure__handle(request)
        self.call_here(request)
        return True

    cdef bint is_usual(self, RequestCore request) except -1:
        """Return whether a request only calls a method, with objects that are here, for one who waits."""
        if (
            request.kind is not CALL
            or request.stage == _WITHDRAWN
            or request.deadline is not None
            or (request.packed is not None and type(request.packed) is not opening_class)
            or request.travelling is not None
            or type(request.args) is not tuple
            or type(request.kwargs) is not dict
            or self.plain_methods is None
            or request.method not in self.plain_methods
        ):
            return False
        promise = request.promise
        if type(promise) is future_class:
            return (<FutureCore>promise)._outcome is None
        if type(promise) is sent_class:
            return len((<SentCore>promise)._open) > 0
        if type(promise) is wire_promise_class:
            return not (<WirePromiseCore>promise)._done
        return not promise.done()

    cdef int call_here(self, RequestCore request) except -1:
        """Run what is usual in the worker's own context."""
        cdef ActivityCore activity = self.activity
        context = self.context
        activity.request = request
        activity.deadline = None
        activity.thread = PyThread_get_thread_ident()
        PyContext_Enter(context)
        try:
            self.call_method(request)
        finally:
            PyContext_Exit(context)
            activity.deadline = None
            if not self._inflight:
                activity.request = None
        return 0

    cdef int call_method(self, RequestCore request) except -1:
        performer = self.performer
        try:
            try:
                value = PyObject_Call(
                    PyObject_GetAttr(performer.worker, request.method), request.args, request.kwargs
                )
            except BaseException as error:
                performer.settle_failed(request, error)
                return 0
            if type(value) in plain_types:
                self.answer(performer, request, value)
            else:
                performer.settle_given(request, value)
        except BaseException as escaped:
            performer._escaped(request, escaped)
        return 0

    cdef int answer(self, performer, RequestCore request, value) except -1:
        cdef ValueCore outcome = corps_new(value_class)
        cdef bint is_first
        promise = request.promise
        outcome.value = value
        if type(promise) is future_class:
            is_first = (<FutureCore>promise).end_with(outcome)
        elif type(promise) is wire_promise_class:
            is_first = (<WirePromiseCore>promise).settle_here(outcome)
        else:
            is_first = promise.settle(outcome)
        if not is_first:
            performer._note_late(request, outcome)
        return 0
