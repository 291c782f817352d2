# UNIX sockets between Envs, and the thread that reads from them. Part of engine.pyx.

cdef extern from *:
    """
    #include <errno.h>
    #include <sys/epoll.h>
    #include <sys/socket.h>

    /* Look until something has come, or the time is over; do not sleep. */
    static inline int corps_look(int poll, struct epoll_event *found, int most, double until) {
        for (;;) {
            int count = epoll_wait(poll, found, most, 0);
            if (count != 0 || corps_now() > until) return count;
            sched_yield();  /* the sender may want this very processor */
        }
    }

    static inline Py_ssize_t corps_send(int fd, const void *at, size_t size) {
        return send(fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    }

    static inline Py_ssize_t corps_recv(int fd, void *at, size_t size) {
        return recv(fd, at, size, MSG_DONTWAIT);
    }

    static inline int corps_event_fd(const struct epoll_event *event) { return event->data.fd; }
    """
    struct epoll_event:
        uint32_t events
    int corps_look(int poll, epoll_event *found, int most, double until) noexcept nogil
    int epoll_wait(int poll, epoll_event *found, int most, int milliseconds) noexcept nogil
    int corps_event_fd(const epoll_event *event) noexcept
    Py_ssize_t corps_send(int fd, const void *at, size_t size) noexcept
    Py_ssize_t corps_recv(int fd, void *at, size_t size) noexcept
    int errno
    int EAGAIN


cdef enum:
    _READ_AT_ONCE = 65536  # bytes
    _EVENTS = 16  # descriptors that are looked after at once
    _KEPT_MOST = 8192  # bytes of the beginning of a message that are joined with what comes behind, at most
    _WAIT_MOST = 3600000  # milliseconds


cdef class UnixLinkCore:
    """The fields of `corps.transport.unix.link.UnixLink`, and how a small message is sent."""

    cdef public int fd
    cdef public Lock _lock
    cdef public int64_t unsent
    cdef public bint _is_dead, _is_closed
    cdef public object _left

    cdef bint is_free(self) noexcept:
        """Return whether a message may be sent at once: nothing is being sent, or left to be sent."""
        return not (self._lock.is_held or self.unsent or self._is_closed or self._is_dead)

    cdef bint send_here(self, const unsigned char *message, Py_ssize_t size) except -1:
        """Send a whole message on a link that is free; False if nothing of it was sent."""
        cdef Py_ssize_t sent
        if not self.is_free():
            return False
        sent = corps_send(self.fd, message, size)
        if sent == size:
            return True
        if sent < 0:
            return False  # there is no room, or it is broken: who sends it anew sees
        self._lock.take()  # at once: nothing holds it
        try:
            rest = PyBytes_FromStringAndSize(<const char *>message + sent, size - sent)
            self._left.append(memoryview(rest))
            self.unsent += size - sent
        finally:
            self._lock.give()
        self._wait_writable(self)
        return True


cdef class CutterCore:
    """The fields of `corps.wire.stream.Cutter`."""

    cdef public object _large, _limit, _rest
    cdef public bint _is_trusted


cdef class InboundConnectionCore:
    """The fields of `corps.transport.unix.inbound.InboundConnection`."""

    cdef public CutterCore _cutter
    cdef public object messages, _uncut
    cdef object its_sock, its_member, incarnation, env
    cdef int fd

    @property
    def sock(self):
        return self.its_sock

    @sock.setter
    def sock(self, sock):
        self.its_sock = sock
        self.fd = sock.fileno()

    @property
    def member(self):
        return self.its_member

    @member.setter
    def member(self, member):
        self.its_member = member
        if member is not None:
            self.incarnation = member.incarnation
            self.env = member.env


cdef class UnixTransportCore:
    """The fields of `corps.transport.unix.transport.UnixTransport`, and how small messages are read."""

    cdef public dict _members, _inbound
    cdef public list _unread
    cdef public object _accepts_again
    cdef object its_stalls, its_strangers
    cdef dict stalled, strange  # of these two, when each is due
    cdef object its_poll, its_on_message
    cdef PeersCore peers
    cdef int poll
    cdef unsigned char *data  # what was read last; the stack of a thread may be small
    cdef bint is_reading

    def __cinit__(self, *_, **__):
        self.data = <unsigned char *>PyMem_Malloc(_READ_AT_ONCE)
        if self.data is NULL:
            raise MemoryError("there is no memory to read from links")

    def __dealloc__(self):
        PyMem_Free(self.data)

    @property
    def _stalls(self):
        return self.its_stalls

    @_stalls.setter
    def _stalls(self, stalls):
        self.its_stalls, self.stalled = stalls, stalls.times

    @property
    def _strangers(self):
        return self.its_strangers

    @_strangers.setter
    def _strangers(self, strangers):
        self.its_strangers, self.strange = strangers, strangers.times

    @property
    def _poll(self):
        return self.its_poll

    @_poll.setter
    def _poll(self, poll):
        self.its_poll = poll
        self.poll = poll.fileno()

    @property
    def _on_message(self):
        return self.its_on_message

    @_on_message.setter
    def _on_message(self, on_message):
        peers = getattr(on_message, "__self__", None)
        self.peers = peers if type(peers) is peers_class else None
        self.its_on_message = on_message

    cdef bint is_calm(self) except -1:
        """Return whether nothing is to be done but to read what comes."""
        return not (self._unread or self._accepts_again is not None or self.stalled or self.strange)

    cdef int look_after(self, epoll_event *events, int count) except -1:
        """Do as `hand_on`."""
        cdef int n
        for n in range(count):
            inbound = self._inbound.get(corps_event_fd(&events[n]))
            if isinstance(inbound, InboundConnectionCore) and not self._unread:
                self.read_from(<InboundConnectionCore>inbound)
            else:
                self.hand_on([(corps_event_fd(&events[n]), events[n].events)])
        if not self.is_calm():
            self.hand_on(())
        return 0

    cdef int read_from(self, InboundConnectionCore inbound) except -1:
        """Read once, and hand on what came."""
        if self.is_reading:
            self._read(inbound, inbound.read)
            return 0
        self.is_reading = True
        try:
            self.read_here(inbound, self.data)
        finally:
            self.is_reading = False
        return 0

    cdef int read_here(self, InboundConnectionCore inbound, unsigned char *data) except -1:
        cdef CutterCore cutter = inbound._cutter
        cdef Py_ssize_t at = 0, kept = 0, size, header_size, body_size
        cdef bint is_whole = False
        if (
            inbound.its_member is None
            or not cutter._is_trusted
            or cutter._large is not None
            or inbound.messages
            or type(cutter._rest) is not bytes
            or PyBytes_GET_SIZE(cutter._rest) > _KEPT_MOST
        ):
            self._read(inbound, inbound.read)
            return 0
        kept = PyBytes_GET_SIZE(cutter._rest)
        memcpy(data, PyBytes_AS_STRING(cutter._rest), kept)
        size = corps_recv(inbound.fd, data + kept, _READ_AT_ONCE - kept)
        if size <= 0:
            if size < 0 and errno == EAGAIN:
                return 0
            self._read(inbound, inbound.read)  # which says what it is
            return 0
        cutter._rest = b""
        size += kept
        while size - at >= _HEAD and number_at(data + at, 4) == 2:
            if number_at(data + at + 4, 8) > _HEADER_MOST or number_at(data + at + 12, 8) > _READ_AT_ONCE:
                break
            header_size = <Py_ssize_t>number_at(data + at + 4, 8)
            body_size = <Py_ssize_t>number_at(data + at + 12, 8)
            if size - at < _HEAD + header_size + body_size:
                break
            at += _HEAD
            if not self.take_here(inbound, data + at, header_size, body_size):
                if not self.takes(inbound, data + at, header_size, body_size):
                    return 0
            at += header_size + body_size
            if self._inbound.get(inbound.fd) is not inbound:  # dropped meanwhile
                return 0
        if at < size:
            inbound._uncut = PyBytes_FromStringAndSize(<char *>data + at, size - at)
            self._read(inbound, inbound.go_on)
        return 0

    cdef bint take_here(
        self, InboundConnectionCore inbound, const unsigned char *at, Py_ssize_t header_size, Py_ssize_t size
    ) except -1:
        if self.peers is None or inbound.incarnation not in self._members:
            return False
        try:
            return self.peers.take_here(inbound.env, at, header_size, at + header_size, size)
        except BaseException as error:  # no message may end the reading
            if isinstance(error, Exception):
                self.peers._note_defect(inbound.env, error)
            else:
                self._note_defect(error)
            return True

    cdef bint takes(
        self, InboundConnectionCore inbound, const unsigned char *at, Py_ssize_t header_size, Py_ssize_t size
    ) except -1:
        """Hand on one message as Python does; False if its sender was cut off."""
        frames = [
            PyBytes_FromStringAndSize(<const char *>at, header_size),
            PyBytes_FromStringAndSize(<const char *>at + header_size, size),
        ]
        if self._take(inbound, frames):
            return True
        self._drop(inbound)
        return False


cdef class ReadersCore:
    """The fields of `corps.runtime.threads.readers.Readers`, and the usual ways to the role and out of it."""

    cdef public object _transport, _activity, _sign, _reader, _vacated, _standby
    cdef public double _spin
    cdef public int _misses, _to_skip
    cdef public Lock _lock
    cdef public unsigned long _reading
    cdef public dict _waiting
    cdef public bint _is_wanted, _is_closed, _is_asleep
    cdef public object _vacancies

    def __call__(self):
        """Interrupt the thread that reads: what a gate calls that is opened."""
        if self._reading != PyThread_get_thread_ident():  # else it looks at its gate before it blocks again
            self._transport.interrupt()

    def wait(self, gate, timeout):
        """Wait at this thread's gate, and read meanwhile if no other one does; return whether it opened."""
        cdef double until
        if type(gate) is not gate_class or self._reading == PyThread_get_thread_ident():
            return self._pure_wait(gate, timeout)
        until = -1 if timeout is None else corps_now() + max(0.0, <double>timeout)
        return self.wait_at(<GateCore>gate, until)

    cdef bint wait_at(self, GateCore gate, double until) except -1:
        """Do as `wait`, up to a point on the monotonic clock, which is negative for none."""
        cdef bint takes
        while not gate.is_open:
            if self._lock.is_held or self._reader is not None or self._is_closed:
                takes = self._take(gate)
            else:
                self._reader = gate
                self._is_wanted = False
                takes = True
            if takes:
                self.read_here(gate, until, False)
            else:
                self._sleep(gate, None if until < 0 else until)
            if until >= 0 and corps_now() >= until:
                break
        return gate.is_open

    def rest(self, gate, timeout):
        """Wait at a gate as a worker thread without work: any thread that waits comes before it."""
        cdef double until = corps_now() + <double>timeout
        if type(gate) is not gate_class or self._lock.is_held:
            return self._pure_rest(gate, timeout)
        # One step up to the reading.
        if self._reader is None and not self._is_closed:
            self._reader = gate
            self._is_wanted = False
            self.read_here(<GateCore>gate, until, True)
        elif self._reader is self._standby:
            self._is_wanted = True
        if not (<GateCore>gate).is_open:
            (<GateCore>gate).sleep(max(0.0, until - corps_now()))
        return (<GateCore>gate).is_open

    def _read(self, gate, until, *, steps_aside):
        """Read until the gate is open, the time is over, or another thread wants to. Leave the role then."""
        if type(gate) is gate_class:
            self.read_here(<GateCore>gate, -1 if until is None else until, steps_aside)
        else:
            self._pure__read(gate, until, steps_aside=steps_aside)

    cdef int read_here(self, GateCore gate, double until, bint steps_aside) except -1:
        cdef epoll_event events[_EVENTS]
        cdef UnixTransportCore transport
        cdef int count
        if self.sockets() is None:
            self._pure__read(gate, None if until < 0 else until, steps_aside=steps_aside)
            return 0
        self._reading = PyThread_get_thread_ident()
        try:
            gate._interrupt = self
            while not self.has_read_enough(gate, steps_aside):
                if self._sign is not None:
                    self._give_sign()
                transport = self.sockets()
                count = self.look_here(transport, events) if self._spin > 0 and transport is not None else 0
                if count <= 0:
                    if self.has_read_enough(gate, steps_aside):  # the look may have taken the interrupt
                        break
                    if self._sign is not None:  # as above
                        self._give_sign()
                    if transport is not None and transport.is_calm():
                        count = self.sleep_here(transport, events, until)
                    else:
                        self.hand_on_as_ever(None if until < 0 else max(0.0, until - corps_now()))
                        count = 0
                if count > 0:
                    self.hand_on_here(transport, events, count)
                if until >= 0 and corps_now() >= until:
                    break
        finally:
            if not gate.is_open:
                gate._interrupt = None
            self._reading = 0
            self.leave_here(steps_aside and not gate.is_open)
        return 0

    cdef UnixTransportCore sockets(self):
        """Return the UNIX sockets, if they are all that is to be read now; else None."""
        read_by = getattr(self._transport.await_ready, "__self__", None)
        return <UnixTransportCore>read_by if type(read_by) is transport_class else None

    cdef bint has_read_enough(self, GateCore gate, bint steps_aside) noexcept:
        return gate.is_open or self._is_closed or (steps_aside and self._is_wanted)

    cdef int look_here(self, UnixTransportCore transport, epoll_event *events) except -1:
        """Do as `_look`."""
        cdef int count
        cdef int poll = transport.poll
        cdef double until
        if skips_look(&self._to_skip) or not transport.is_calm():
            return 0
        until = corps_now() + self._spin
        with nogil:
            corps_has_left()
            count = corps_look(poll, events, _EVENTS, until)
        note_look(count > 0, &self._misses, &self._to_skip)
        return max(0, count)

    cdef int sleep_here(self, UnixTransportCore transport, epoll_event *events, double until) except -1:
        """Sleep until something comes; return how many descriptors are ready."""
        cdef int count, most = _WAIT_MOST
        cdef int poll = transport.poll
        if until >= 0:
            most = <int>min(<double>_WAIT_MOST, max(0.0, until - corps_now()) * 1000 + 1)
        with nogil:
            corps_has_left()
            count = epoll_wait(poll, events, _EVENTS, most)
        if count < 0:
            PyErr_CheckSignals()
            return 0
        return count

    cdef int hand_on_as_ever(self, timeout) except -1:
        ready = self._transport.await_ready(timeout)
        token = PyContextVar_Set(current, self._activity)
        try:
            self._transport.hand_on(ready)
        finally:
            PyContextVar_Reset(current, token)
        return 0

    cdef int hand_on_here(self, UnixTransportCore transport, epoll_event *events, int count) except -1:
        token = PyContextVar_Set(current, self._activity)
        try:
            transport.look_after(events, count)
        finally:
            PyContextVar_Reset(current, token)
        return 0

    cdef int leave_here(self, bint calls) except -1:
        """Do as `_leave`."""
        if self._lock.is_held or self._is_closed or self._is_asleep or (calls and self._waiting):
            self._leave(calls=calls)
            return 0
        self._vacancies += 1
        self._reader = None
        return 0


cdef bint was_read_for(FutureCore future, timeout) except -1:
    """Wait for an answer of another Env; False if nothing was done.

    The usual case of `corps.runtime.calls.blocking.block_until`, to which all others are left.
    """
    cdef ActivityCore here = activity_here()
    cdef CellCore waiter = None
    cdef WaitGraphCore waits = None
    cdef WorkerPoolCore pool = None
    cdef ReadersCore readers
    cdef GateCore gate
    cdef double patience = -1, until
    asked = future.request
    if (
        type(future) is not future_class
        or type(asked) is not request_class
        or type((<RequestCore>asked).route) is not asking_class
        or (<RequestCore>asked).relayed is not None
        or PyThread_get_thread_ident() == main_thread
        or corps_levels_used() > shallow
    ):
        return False
    readers = <ReadersCore>(<AskingCore>(<RequestCore>asked).route).readers
    if readers.sockets() is None or readers._reading == PyThread_get_thread_ident():
        return False
    if here is not None:
        if here.reading or here.task is not None or not isinstance(here.env, EnvCore):
            return False
        if here.cell is not None:
            if not isinstance(here.cell, CellCore) or here.thread != PyThread_get_thread_ident():
                return False
            waiter = <CellCore>here.cell
            waits = (<EnvCore>here.env).waits
            patience = (<EnvCore>here.env).options.deadlock_probe
        if here.pooled:
            pool = (<EnvCore>here.env).pool
    until = -1 if timeout is None else corps_now() + max(0.0, <double>timeout)
    if waiter is not None and not waits.begin_afar(waiter, future):
        return False
    gate = <GateCore>corps_new(gate_class)
    try:
        future.when_settled(gate)
        if pool is not None:
            pool.enter_blocked()
        try:
            # Again and again, because an answer that is relayed can close a circle at any time.
            while not readers.wait_at(gate, earlier(until, patience)) and (until < 0 or corps_now() < until):
                if waiter is not None:
                    waits.probe(waiter)
                    patience *= 2
        finally:
            if pool is not None:
                pool.leave_blocked()
    finally:
        if not gate.is_open:  # too late, or interrupted
            future.remove_callback(gate)
        if waiter is not None:
            waits.end(waiter)
    if future._outcome is None:
        future._too_late(timeout)
    return True
