"""Connections over `tcp` that have not proved who they are: few at a time, and none for long.

libzmq ends their time, and knows no limit on their number. But it reports, through a monitor, which
descriptors it has accepted and which are gone. So a connection that is one too many is shut down here by its
descriptor, and libzmq, which sees its end, closes it.

libzmq reports that a peer has proved who it is, and not by which connection. So one is a stranger until a
message has come by it, or it has lived longer than a stranger may; and as many more are let in as have proved
themselves in that time.
"""

import os
import socket
from collections import deque
from contextlib import suppress
from struct import Struct
from typing import Final

import zmq

from corps.clock import now
from corps.reserve import Reserve
from corps.security.audit import Audit
from corps.transport.strangers import MOST

_ENDPOINT: Final = "inproc://corps-strangers"
_EVENT: Final = Struct("=HI")  # what has happened, and mostly to which descriptor
_EVENTS: Final = zmq.EVENT_ACCEPTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
_AT_ONCE: Final = 64  # that are shut down at one look, so that what others send has its turn
_REPORTS: Final = 4096  # of libzmq that are read in one go


class ZmqStrangers:
    """The strangers of one Env's ROUTER socket. The thread that reads uses it alone."""

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        router: "zmq.Socket[bytes]",
        patience: float,
        reserve: Reserve,
        audit: Audit,
    ) -> None:
        """Watch a socket that is not bound yet. libzmq ends a stranger after `patience` seconds."""
        self._router = router
        self._patience = patience
        self._reserve = reserve
        self._audit = audit
        self._since: dict[int, float] = {}  # by descriptor, oldest first
        self._proofs: deque[float] = deque()  # when a peer has proved who it is
        router.monitor(_ENDPOINT, _EVENTS)
        self.socket = context.socket(zmq.PAIR)  # when it can be read, `look` is to be called
        self.socket.linger = 0
        self.socket.rcvhwm = 0  # else libzmq's own thread would wait for this one
        self.socket.connect(_ENDPOINT)

    def look(self) -> None:
        """See who has come and gone, and shut down those that are too many, the oldest first.

        However many come, it takes a moment. What is left to be done is done at the next look, which is soon:
        libzmq reports who was shut down.
        """
        self._take_note()
        for _ in range(_AT_ONCE):
            if len(self._since) <= MOST + len(self._proofs):
                return
            self._shut_down(next(iter(self._since)))

    @property
    def are_some(self) -> bool:
        """Return whether there are any."""
        return bool(self._since)

    def remove(self, fd: int) -> None:
        """Take out one by which a message has come. One that is no stranger is no error."""
        self._since.pop(fd, None)

    def close(self) -> None:
        """Watch no more."""
        self._router.disable_monitor()  # first: libzmq would wait for its reports to be read
        self.socket.close()

    def _take_note(self) -> set[int] | None:
        """Note what libzmq has reported; return the descriptors, or None if there is more to come."""
        heard_of: set[int] = set()
        is_all = False
        with suppress(zmq.Again):
            for _ in range(_REPORTS):
                is_all = True  # unless something comes
                event, _ = self.socket.recv_multipart(zmq.NOBLOCK)
                is_all = False
                kind, fd = _EVENT.unpack(event)
                if kind == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                    self._proofs.append(now())
                    continue
                heard_of.add(fd)
                self._since.pop(fd, None)
                if kind == zmq.EVENT_ACCEPTED:
                    self._since[fd] = now()
        past = now() - self._patience
        while self._proofs and self._proofs[0] <= past:
            self._proofs.popleft()
        while self._since:
            fd, since = next(iter(self._since.items()))
            if since > past:
                break
            del self._since[fd]  # libzmq has kept it: it has proved who it is
        return heard_of if is_all else None

    def _shut_down(self, fd: int) -> None:
        try:
            copy = socket.socket(fileno=self._reserve.use(lambda: os.dup(fd)))
        except OSError:  # closed at this moment, or there is no descriptor: its time will be over
            self._since.pop(fd, None)
            return
        with copy:
            # Had libzmq closed it before the copy was made, its word of that has come by now.
            heard_of = self._take_note()
            if heard_of is None or fd in heard_of or fd not in self._since:
                return
            del self._since[fd]
            with suppress(OSError):  # the peer has gone
                copy.shutdown(socket.SHUT_RDWR)
        self._audit.refused("connection", "too many connections have not proved who they are")
