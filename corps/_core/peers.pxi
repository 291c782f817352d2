# What one Env asks another one, and what that answers: the usual request and the usual answer. Part of engine.pyx.
#
# Both are messages of two small frames that hold plain values, and they go through a UNIX socket that takes them
# at once. They are written and read where they lie, without an object for a frame or a header.

cdef enum:
    _HEAD = 20  # bytes before the frames of a message of two: their number and their lengths
    _BEFORE = _HEAD + _HEADER_MOST  # bytes that are kept free before a body that is packed
    _SLOT_BITS = 16
    _NO_SLOT = 0xFFFF
    _OPENED_WORD = 1  # slots of a journal before those of requests

cdef uint64_t _ENDED = <uint64_t>1 << 63


cdef class WindowCore:
    """The fields of `corps.wire.credit.Window`."""

    cdef public int64_t _max_requests, _max_bytes, requests, size

    cdef bint take_here(self, int64_t size) noexcept:
        """Do as `take_if_room`."""
        if self.requests and (self.requests >= self._max_requests or self.size + size > self._max_bytes):
            return False
        self.requests += 1
        self.size += size
        return True

    cdef void give_here(self, int64_t size) noexcept:
        """Give back the room of one request."""
        self.requests = max(0, self.requests - 1)
        self.size = max(0, self.size - size)


cdef class ReturnsCore:
    """The fields of `corps.wire.credit.Returns`."""

    cdef public int64_t _bytes, _lump_bytes, _lump_requests, _requests


cdef class RoomCore:
    """The fields of `corps.peers.room.Room`."""

    cdef public WindowCore window
    cdef public object _queue


cdef class AskerJournalCore:
    """The fields of `corps.peers.journal.AskerJournal`, and its numbers."""

    cdef public int64_t _size, _used, _last
    cdef public list _free
    cdef public object _path

    cdef int64_t next_number(self, bint is_kept) except -1:
        """Do as `number`, where there is no file to be made."""
        cdef int64_t slot
        self._last += 1 << _SLOT_BITS
        while is_kept and self._free:
            slot = <int64_t>self._free.pop() & _NO_SLOT
            if slot != _NO_SLOT:
                return self._last | slot
        if is_kept and self._used + 1 < self._size:
            self._used += 1
            return self._last | self._used
        return self._last | _NO_SLOT


cdef class RunnerJournalCore:
    """The fields of `corps.peers.journal.RunnerJournal`, and its two stores."""

    cdef public object _words
    cdef public Py_ssize_t _size

    cdef uint64_t *slot_of(self, int64_t number) noexcept:
        """Return where the number of a request is noted; NULL if nowhere. Nothing releases it in this step."""
        cdef Py_ssize_t slot = number & _NO_SLOT
        if slot >= self._size:
            return NULL
        return <uint64_t *>PyMemoryView_GET_BUFFER(self._words).buf + slot

    def began(self, int64_t number):
        """Note that a request begins: before anything of it is unpacked, and never after it was answered."""
        cdef uint64_t *slot = self.slot_of(number)
        if slot is not NULL:
            slot[0] = <uint64_t>number

    def ended(self, int64_t number):
        """Note that a request has ended, if it began. Before its outcome is sent."""
        cdef uint64_t *slot = self.slot_of(number)
        if slot is not NULL and slot[0] == <uint64_t>number:
            slot[0] = <uint64_t>number | _ENDED


cdef class WayCore:
    """The fields of `corps.peers.way.Way` that each message meets."""

    cdef public object _direct

    cdef UnixLinkCore free_link(self):
        """Return the link, if it takes a small message at once as far as is known; else None."""
        cdef UnixLinkCore link
        if not isinstance(self._direct, UnixLinkCore):
            return None
        link = <UnixLinkCore>self._direct
        return link if link.is_free() else None


cdef Py_ssize_t join(unsigned char *message, const unsigned char *header, Py_ssize_t header_size, Py_ssize_t size) noexcept:
    """Put the head and the header of a message right before its body; return where in it all of that begins."""
    cdef Py_ssize_t begin = _BEFORE - header_size - _HEAD
    cdef Writer to
    to.at = message + begin
    put_number(&to, 2, 4)
    put_number(&to, header_size, 8)
    put_number(&to, size, 8)
    memcpy(to.at, header, header_size)
    return begin


cdef class PackingCore:
    """A side of a peer that packs and unpacks, and knows whether that takes no codec of the author's."""

    cdef object its_packer
    cdef bint packs_plainly

    @property
    def _packer(self):
        return self.its_packer

    @_packer.setter
    def _packer(self, packer):
        self.its_packer = packer
        self.packs_plainly = isinstance(packer, PackerCore) and packer._codec == _PICKLE


cdef class AskingCore(PackingCore):
    """The fields of `corps.peers.asking.Asking`, its usual request, and the usual answer to it."""

    cdef public object readers, env, _outcomes, _max_frame, _withdrawn, _when_answered, _lost, incarnation
    cdef public object _header_of
    cdef public Lock _lock
    cdef public WayCore _way
    cdef public RoomCore room
    cdef public AskerJournalCore _journal
    cdef public dict _pending

    def send(self, request):
        """Send a request; its promise is settled here now. Raise PackError, Overloaded or MemoryError."""
        if not isinstance(request, RequestCore) or not self.send_here(<RequestCore>request):
            self._pure_send(request)

    cdef bint send_here(self, RequestCore request) except -1:
        """Do as `send` in the usual case; in every other one do nothing, and return False."""
        cdef unsigned char message[_BEFORE + _PACKED_MOST]
        cdef unsigned char header[_HEADER_MOST]
        cdef RequestFields fields
        cdef Py_ssize_t size, header_size, begin
        cdef int64_t number
        cdef bint is_answered
        cdef UnixLinkCore link = self._way.free_link()
        if (
            link is None
            or request.kind is not CALL
            or request.deadline is not None
            or request.travelling is not None
            or request.stage != _WAITING
            or request.yields
            or type(self) is not asking_class
            or not self.packs_plainly
            or self._max_frame is not None
            or not text_of(request.method, &fields.method, &fields.method_size)
            or not whole_of((<tuple>request.target)[2], &fields.conc)
            or not self.is_from(request.sender, &fields)
        ):
            return False
        size = pack_into(message + _BEFORE, _PACKED_MOST, request.args, request.kwargs)
        if size == 0:
            return False
        is_answered = not isinstance(request.promise, NoAnswerCore)
        pending = (request.promise, size, request.sent) if is_answered else None
        # One step up to the sending.
        if self._lock.is_held or self._lost is not None or self.room._queue or self._journal._path is not None:
            return False
        if not link.is_free() or not self.room.window.take_here(size):
            return False
        number = self._journal.next_number(is_answered)
        request.number = number
        request.route = self
        if is_answered:
            self._pending[request.number] = pending
        fields.number = number if is_answered else 0
        fields.kind = _CALL
        fields.codec = _PICKLE
        header_size = put_request(header, &fields)
        begin = join(message, header, header_size, size)
        if link.send_here(message + begin, _HEAD + header_size + size):
            request.args = ()  # the caller's objects need not live until the answer
            request.kwargs = {}
            return True
        frames = [
            PyBytes_FromStringAndSize(<char *>header, header_size),
            PyBytes_FromStringAndSize(<char *>message + _BEFORE, size),
        ]
        self._leave(request, frames, size)
        return True

    cdef bint is_from(self, object sender, RequestFields *fields) noexcept:
        fields.has_sender = sender is not None
        if sender is None:
            return True
        if not isinstance(sender, tuple) or PyTuple_GET_SIZE(sender) != 3:
            return False
        env = <object>PyTuple_GET_ITEM(sender, 1)
        if not env_of(env, &fields.sender_env):
            return False
        return whole_of(<object>PyTuple_GET_ITEM(sender, 2), &fields.sender_conc)

    cdef bint take_here(self, int64_t number, const unsigned char *body, Py_ssize_t size) except -1:
        """Take a value that the peer has returned; in an unusual case do nothing, and return False."""
        cdef ValueCore outcome
        cdef PyObject *found
        if type(self) is not asking_class or not self.packs_plainly:
            return False
        key = number
        pending = self._pending.get(key)
        if pending is None or (<tuple>pending)[0] is None:
            return False
        found = read_plain(body, size)
        if found is NULL:
            return False
        value = <object>found
        Py_DECREF(found)
        outcome = <ValueCore>corps_new(value_class)
        outcome.value = value
        # One step up to `settle`.
        if self._lock.is_held or self._when_answered or self._withdrawn or self.room._queue:
            return False
        if self._pending.pop(key, None) is not pending:
            return False  # it was lost at this very moment
        self.room.window.give_here((<tuple>pending)[1])
        self._journal._free.append(key)
        promise = (<tuple>pending)[0]
        if type(promise) is future_class:
            (<FutureCore>promise).end_with(outcome)
        else:
            promise.settle(outcome)
        if self._when_answered:
            self._tell_answered()
        return True


cdef class OpeningCore:
    """The fields of `corps.peers.answering.Opening`, and how plain arguments are opened."""

    cdef public AnsweringCore answering
    cdef object _header, _frames
    cdef int64_t number, conc
    cdef bytes body  # else it was made by Python
    cdef object method, sender

    def __init__(self, answering, header, frames):
        self.answering = answering
        self._header = header
        self._frames = frames

    @property
    def header(self):
        if self._header is None:
            fields = (self.number, CALL, self.conc, self.method, self.sender, None, _PICKLE, None)
            self._header = tuple_of(header_class, fields)
        return self._header

    @property
    def frames(self):
        return [b"", self.body] if self._frames is None else self._frames

    cdef bint open_here(self, RequestCore request) except -1:
        """Begin a request, and open its arguments; in an unusual case do nothing, and return False."""
        cdef PyObject *found
        if self.body is None:
            return False
        found = read_plain(
            <const unsigned char *>PyBytes_AS_STRING(self.body), PyBytes_GET_SIZE(self.body)
        )
        if found is NULL:
            return False
        opened = <object>found
        Py_DECREF(found)
        if type(opened) is not tuple or PyTuple_GET_SIZE(opened) != 2:
            return False
        args, kwargs = (<tuple>opened)[0], (<tuple>opened)[1]
        if type(args) is not tuple or type(kwargs) is not dict:
            return False
        for key in <dict>kwargs:
            if type(key) is not str:
                return False
        # One step.
        if self.answering._lock.is_held:
            return False
        if self.number and self.number in self.answering._incoming:
            self.answering._journal.began(self.number)
        request.args = args
        request.kwargs = kwargs
        request.packed = None
        return True


cdef class WirePromiseCore:
    """`corps.peers.promises.WirePromise`. Each method is one step up to the answer, so it needs no lock."""

    cdef public AnsweringCore _peer
    cdef public int64_t _number
    cdef bint _done

    def __init__(self, peer, number):
        self._peer = peer
        self._number = number

    @property
    def env(self):
        """Return the Env that gets the outcome."""
        return self._peer.env_id

    def settle(self, outcome):
        return self.settle_here(outcome)

    cdef bint settle_here(self, outcome) except -1:
        if self._done:
            return False
        self._done = True
        if type(outcome) is not value_class or not self._peer.answer_here(self._number, <ValueCore>outcome):
            self._peer.answer(self._number, outcome)
        return True

    def done(self):
        return self._done

    def begins(self):
        """Note that what the request carries begins now. For a tick, which a service hands on."""
        self._peer.begins(self._number)

    def abandon(self):
        """Let go of it: nobody wants the outcome any more."""
        self._done = True


cdef class WireCreditCore(SentCore):
    """The fields of `corps.peers.promises.WireCredit`, and its usual end."""

    cdef public AnsweringCore _peer
    cdef public object _size

    def settle(self, outcome):
        if not NoAnswerCore.settle(self, outcome):
            return False
        if not self._peer.credit_here(self._size):
            self._peer.give_credit(self._size, self)
        return True


cdef class AnsweringCore(PackingCore):
    """The fields of `corps.peers.answering.Answering`, its usual request, and the usual answer to it."""

    cdef public object _env, env_id, _home, _home_corps, _hand_over, _max_frame, _journal_path
    cdef public Lock _lock
    cdef public WayCore _way
    cdef public RunnerJournalCore _journal
    cdef public ReturnsCore _returns
    cdef public dict _incoming
    cdef public bint _is_credit_due, _is_lost

    cdef bint take_here(self, RequestFields *fields, const unsigned char *body, Py_ssize_t size) except -1:
        """Take a request and hand it on; in an unusual case do nothing, and return False."""
        cdef RequestCore request
        cdef OpeningCore opening
        cdef WirePromiseCore promise
        cdef WireCreditCore credit
        cdef EnvCore env
        if (
            type(self) is not answering_class
            or not self.packs_plainly
            or fields.kind != _CALL
            or fields.codec != _PICKLE
            or fields.conc >= _SERVICES and fields.conc < _GENERATION
            or size > _PACKED_MOST
            or self._journal_path is not None
            or not isinstance(self._env, EnvCore)
            or (fields.has_sender and fields.sender_env != self._home)
        ):
            return False
        env = <EnvCore>self._env
        cell = env.cells.get(fields.conc)
        if not isinstance(cell, CellCore):
            return False
        try:
            method = PyUnicode_DecodeUTF8(fields.method, fields.method_size, NULL)
        except UnicodeDecodeError:
            return False
        number = fields.number
        target = tuple_of(address_class, (env.corps_id, env.id, fields.conc))
        request = <RequestCore>corps_new(request_class)
        opening = <OpeningCore>corps_new(opening_class)
        opening.answering = self
        opening.number = fields.number
        opening.conc = fields.conc
        opening.method = method
        opening.body = PyBytes_FromStringAndSize(<const char *>body, size)
        request.kind = CALL
        request.target = target
        request.method = method
        request.args = ()
        request.kwargs = {}
        request.packed = opening
        if fields.has_sender:
            opening.sender = (fields.sender_env, fields.sender_conc)
            request.sender = tuple_of(address_class, (self._home_corps, fields.sender_env, fields.sender_conc))
        if fields.number:
            promise = <WirePromiseCore>corps_new(wire_promise_class)
            promise._peer = self
            promise._number = fields.number
            request.promise = promise
        else:
            credit = <WireCreditCore>corps_new(wire_credit_class)
            credit._open = [True]
            credit._letters = env.letters
            credit._sender = request.sender
            credit._target = target
            credit._method = method
            credit._peer = self
            credit._size = size
            request.promise = credit
        request.came = corps_now()
        # One step up to the handing over.
        if self._lock.is_held or self._is_lost or (fields.number and number in self._incoming):
            return False
        if fields.number:
            self._incoming[number] = request
        if not (<CellCore>cell).is_plain or not (<CellCore>cell).take_in(request, None):
            self._hand_over(request)
        return True

    cdef bint answer_here(self, int64_t number, ValueCore outcome) except -1:
        """Send a value as an outcome; in an unusual case do nothing, and return False."""
        cdef unsigned char message[_BEFORE + _PACKED_MOST]
        cdef unsigned char header[_HEADER_MOST]
        cdef Py_ssize_t size, begin, header_size
        cdef UnixLinkCore link
        if type(self) is not answering_class or not self.packs_plainly or self._max_frame is not None:
            return False
        link = self._way.free_link()
        if link is None or self._lock.is_held:
            return False
        size = pack_into(message + _BEFORE, _PACKED_MOST, outcome.value, None)
        if size == 0:
            return False
        # One step up to the sending.
        self._journal.ended(number)
        request = self._incoming.pop(number, None)  # kept until the end: to free it may run Python code
        header_size = put_outcome(header, number, _RETURNED, _PICKLE)
        begin = join(message, header, header_size, size)
        if not link.send_here(message + begin, _HEAD + header_size + size):
            body = PyBytes_FromStringAndSize(<char *>message + _BEFORE, size)
            self._send_packed(number, outcome, _RETURNED, tuple_of(packed_class, (_PICKLE, body, ())))
        return True

    cdef bint credit_here(self, int64_t size) noexcept:
        """Note that a request was dealt with, if nothing is to be sent or set for that; else do nothing."""
        cdef ReturnsCore returns = self._returns
        if type(self) is not answering_class or self._lock.is_held or not self._is_credit_due:
            return False
        if returns._requests + 1 >= returns._lump_requests or returns._bytes + size >= returns._lump_bytes:
            return False
        returns._requests += 1
        returns._bytes += size
        return True


cdef class PeerCore:
    """The fields of `corps.peers.peer.Peer` that each message meets."""

    cdef public object asking, answering


cdef class PeersCore:
    """The fields of `corps.peers.members.Peers` that each message meets."""

    cdef public dict _peers

    cdef AskingCore asking_of(self, env):
        """Return what is asked of another Env, if that is here, and nothing special; else None."""
        peer = self._peers.get(env)
        if not isinstance(peer, PeerCore) or type((<PeerCore>peer).asking) is not asking_class:
            return None
        return <AskingCore>(<PeerCore>peer).asking

    cdef bint take_here(
        self, env, const unsigned char *header, Py_ssize_t header_size, const unsigned char *body, Py_ssize_t size
    ) except -1:
        """Handle a usual message of a member; in every other case do nothing, and return False."""
        cdef RequestFields fields
        cdef int64_t number = 0
        cdef int status = 0, codec = 0
        peer = self._peers.get(env)
        if not isinstance(peer, PeerCore):
            return False
        if take_outcome(header, header_size, &number, &status, &codec):
            if status != _RETURNED or codec != _PICKLE or not isinstance((<PeerCore>peer).asking, AskingCore):
                return False
            return (<AskingCore>(<PeerCore>peer).asking).take_here(number, body, size)
        if take_request(header, header_size, &fields):
            if not isinstance((<PeerCore>peer).answering, AnsweringCore):
                return False
            return (<AnsweringCore>(<PeerCore>peer).answering).take_here(&fields, body, size)
        return False
