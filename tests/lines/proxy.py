"""A proxy between two ends of a connection, which a test can cut, stall, slow down and close by half.

    with Proxy(member.endpoint) as proxy:
        link = transport.connect(proxy.stands_for(member))
        ...
        proxy.cut()

It has one thread, which does everything; nothing in it polls.
"""

import os
import selectors
import socket
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from threading import Lock, Thread
from typing import Any, Final, TypeVar

from corps.clock import now
from corps.messages.members import Member
from tests.lines.passages import Passage, Side, reset

T = TypeVar("T")

_CONNECT: Final = 5.0  # seconds


class Proxy:
    """Listens on an address of its own, and passes on what comes to the endpoint it stands for. Any thread.

    Connections that are made later are not affected by `cut` and `half_close`, but by `stall` and `delay`.
    """

    def __init__(self, endpoint: str, place: tuple[str, int] | None = None) -> None:
        """Start it.

        Args:
            endpoint: ``tcp://host:port`` or ``ipc://path``, as in a Member.
            place: Where to listen over tcp; None for any free port of the same host.

        Raises:
            OSError: It cannot listen.
        """
        self._family, self._target = _address(endpoint)
        self._listener = socket.socket(self._family, socket.SOCK_STREAM)
        if self._family == socket.AF_UNIX:
            self._listener.bind(f"{self._target}-proxy")
        else:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(place or (self._target[0], 0))
        self._listener.listen(128)
        self._listener.setblocking(False)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)
        # Protects _orders and _is_closed. Nothing else is called while it is held.
        self._lock = Lock()
        self._orders: deque[Callable[[], object]] = deque()
        self._is_closed = False
        # All that follows is the business of the thread.
        self._passages: set[Passage] = set()
        self._silent: list[socket.socket] = []  # ends of connections whose other end was cut
        self._is_stalled = False
        self._delay = 0.0
        self._accepted = 0
        self._bytes = 0
        self._thread = Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """Where it listens, as the endpoint of a Member."""
        if self._family == socket.AF_UNIX:
            return f"ipc://{self._listener.getsockname()}"
        host, port = self._listener.getsockname()[:2]
        return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"

    def stands_for(self, member: Member) -> Member:
        """The record of a member that is reached by way of this proxy.

        Args:
            member: Whose endpoint the proxy was made for.

        Returns:
            The record.
        """
        return replace(member, endpoint=self.endpoint)

    def cut(self, side: Side | None = None) -> int:
        """Break all connections with RST, and lose what is under way.

        Args:
            side: Which end is to see it; None for both. The other end is not told: it is left with a
                connection through which nothing comes or goes, until both are cut.

        Returns:
            How many connections there were.
        """
        return self._ask(lambda: self._cut(side))

    def half_close(self, side: Side) -> int:
        """Tell one end of all connections that nothing more will come, once it has got what is under way.

        Args:
            side: Which end.

        Returns:
            How many connections there were.
        """

        def order() -> int:
            for passage in self._passages:
                passage.flow_to(side).has_ended = True
            return self._look_at_all()

        return self._ask(order)

    def stall(self) -> None:
        """From now on nothing gets through in either direction, nor is a connection taken; nobody is told."""
        self._ask(lambda: self._set_stalled(True))

    def go_on(self) -> None:
        """Undo `stall`: what was held back gets through."""
        self._ask(lambda: self._set_stalled(False))

    def delay(self, seconds: float) -> None:
        """From now on all that comes is passed on later. Its order stays.

        Args:
            seconds: How much later; 0 undoes it.
        """

        def order() -> None:
            self._delay = seconds

        self._ask(order)

    def statistics(self) -> dict[str, int]:
        """Connections that were taken so far, those that there are now, and bytes passed on."""
        return self._ask(
            lambda: {"accepted": self._accepted, "open": len(self._passages), "bytes": self._bytes}
        )

    def close(self) -> None:
        """Cut all connections, and listen no more. Idempotent."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        self._selector.close()
        os.close(self._wake)
        if self._family == socket.AF_UNIX:
            with suppress(FileNotFoundError):
                os.unlink(self._listener.getsockname())
        self._listener.close()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, order: Callable[[], T]) -> T:
        """Have the thread do something, and wait for it."""
        answer: Future[T] = Future()

        def run() -> None:
            try:
                answer.set_result(order())
            except BaseException as error:
                answer.set_exception(error)

        with self._lock:
            if self._is_closed:
                raise ValueError("the proxy is closed")
            self._orders.append(run)
        os.eventfd_write(self._wake, 1)
        return answer.result()

    # --- the thread ---

    def _run(self) -> None:
        while True:
            ready = self._selector.select(self._until_due())
            with suppress(BlockingIOError):
                os.eventfd_read(self._wake)  # before the orders are taken: what comes after them wakes again
            with self._lock:
                orders, self._orders = self._orders, deque()
                is_closed = self._is_closed
            for order in orders:
                order()
            if is_closed:
                self._cut(None)
                return
            for key, events in ready:
                self._serve(key, events)
            if not self._is_stalled:
                for passage in [each for each in self._passages if each.is_due]:
                    self._move(passage, None, 0)

    def _until_due(self) -> float | None:
        """Seconds until something that was delayed is to be passed on."""
        if self._is_stalled:
            return None
        due = [due for passage in self._passages if (due := passage.due()) is not None]
        return max(0.0, min(due) - now()) if due else None

    def _serve(self, key: selectors.SelectorKey, events: int) -> None:
        if key.fileobj is self._listener:
            if not self._is_stalled:
                self._accept()
        elif key.data in self._passages and not self._is_stalled:
            self._move(key.data, key.fileobj, events)

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # it has gone already
        server = socket.socket(self._family, socket.SOCK_STREAM)
        server.settimeout(_CONNECT)
        try:
            server.connect(self._target)
        except OSError:
            server.close()
            reset(client)
            return
        self._accepted += 1
        passage = Passage(client, server)
        self._passages.add(passage)
        for sock in (client, server):
            sock.setblocking(False)
        self._look_at(passage)

    def _move(self, passage: Passage, sock: Any, events: int) -> None:
        try:
            for flow in passage.flows:
                if flow.source is sock and events & selectors.EVENT_READ:
                    flow.read(self._delay)
            for flow in passage.flows:
                self._bytes += flow.write()
        except BlockingIOError:
            pass
        except OSError:
            for each in self._leave(passage):
                reset(each)
            return
        self._look_at(passage)

    def _look_at(self, passage: Passage) -> None:
        """Wait for what a connection can do next, or end it if there is nothing."""
        if passage.is_over:
            for sock in self._leave(passage):
                sock.close()
            return
        for sock in passage.socks:
            wanted = 0 if self._is_stalled else passage.wanted(sock)
            if sock.fileno() in self._selector.get_map():
                if wanted:
                    self._selector.modify(sock, wanted, passage)
                else:
                    self._selector.unregister(sock)
            elif wanted:
                self._selector.register(sock, wanted, passage)

    def _look_at_all(self) -> int:
        passages = list(self._passages)
        for passage in passages:
            if not self._is_stalled:
                self._move(passage, None, 0)
            else:
                self._look_at(passage)
        return len(passages)

    def _set_stalled(self, is_stalled: bool) -> None:
        if is_stalled == self._is_stalled:
            return
        self._is_stalled = is_stalled
        if is_stalled:
            self._selector.unregister(self._listener)
        else:
            self._selector.register(self._listener, selectors.EVENT_READ)
        self._look_at_all()

    def _cut(self, side: Side | None) -> int:
        passages = list(self._passages)
        for passage in passages:
            for sock in self._leave(passage):
                if side is None or sock is passage.sock(side):
                    reset(sock)
                else:
                    self._silent.append(sock)
        if side is None:
            for sock in self._silent:
                reset(sock)
            self._silent.clear()
        return len(passages)

    def _leave(self, passage: Passage) -> tuple[socket.socket, socket.socket]:
        """Have nothing to do with a connection any more; its sockets are to be closed."""
        self._passages.discard(passage)
        for sock in passage.socks:
            self._forget(sock)
        return passage.socks

    def _forget(self, sock: socket.socket) -> None:
        if sock.fileno() in self._selector.get_map():
            self._selector.unregister(sock)


def _address(endpoint: str) -> tuple[socket.AddressFamily, Any]:
    scheme, _, rest = endpoint.partition("://")
    if scheme == "ipc":
        return socket.AF_UNIX, rest
    host, _, port = rest.rpartition(":")
    is_v6 = host.startswith("[")
    return (socket.AF_INET6 if is_v6 else socket.AF_INET), (host.strip("[]"), int(port))
