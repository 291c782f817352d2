"""Links over ZeroMQ: `ipc` inside a host, `tcp` between hosts.

An Env binds one ROUTER socket, which only the thread that reads touches, and connects one DEALER socket to
each peer it sends to, which is used by one thread at a time under a lock. So each direction between two
Envs has a connection of its own, and no socket is ever read and written by two threads.

Large messages travel in chunks (`corps.wire.chunks`). What the receiver says about them goes by its own link
to the sender, so there is one link at most to each peer, whatever it was opened for.

What ZeroMQ loses when a connection breaks is sent again (`corps.wire.resume`). What it loses when a peer dies
it loses silently; the membership, not the socket, tells of deaths.

One file because all of it uses the same sockets, in the thread that reads them.
"""

import errno
import itertools
import logging
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from math import ceil
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, Final

import zmq

from corps.addresses import env_label
from corps.clock import now
from corps.endpoints import Listening
from corps.errors import (
    BrokenError,
    CorpsError,
    JoinRefused,
    NoSuchKey,
    Overloaded,
    VersionMismatch,
    WireError,
)
from corps.messages.members import Member
from corps.reserve import Reserve
from corps.security.admission import Admission
from corps.security.audit import Audit
from corps.security.border_keys import BorderKeys
from corps.security.key_ring import fingerprint
from corps.security.keys import KeyPair
from corps.supervision.beats import Beats
from corps.transport.hello import note_refusal
from corps.transport.link import Link, OnBroken, OnMessage, Ready, Transport
from corps.transport.peer_user import user_who_listens
from corps.transport.timetable import until
from corps.transport.zeromq.doors import Door, Doors, tcp_address
from corps.transport.zeromq.inbound import InboundLink, InboundLinks
from corps.transport.zeromq.link import ZmqLink
from corps.transport.zeromq.patrol import Patrol
from corps.transport.zeromq.sockets import SocketFactory
from corps.transport.zeromq.strangers import ZmqStrangers
from corps.transport.zeromq.zap import ZapHandler
from corps.wire.chunks import CHUNK_SIZE, Incoming
from corps.wire.frames import Frame, Hello, read_header
from corps.wire.link_frames import (
    PREFIX,
    ArrivedHeader,
    AskHeader,
    ChunkHeader,
    DroppedHeader,
    MissedHeader,
    OpenHeader,
    TakenHeader,
    frame_of,
    is_chunk,
    is_hello,
    is_of_stream,
    read_link_header,
)

_log = logging.getLogger("corps.transport")

_VIEWED_FROM: Final = 65_536  # bytes from which a buffer is not copied when it comes in
_LONGEST: Final = 3600.0  # seconds of one poll; a thread that wants more comes again
_NOW: Final = int(zmq.NOBLOCK)
_FDS_OF_LINK: Final = 3  # that a socket takes to be made, and its connection later
_RESERVE: Final = 4 * _FDS_OF_LINK
_MEMORY_PAUSE: Final = 0.1  # seconds until memory is asked for again
_BATCH: Final = 256  # messages read before connections are judged again
_SEEKS: Final = 0.5  # seconds between two tries which key another Env has
_HEARS: Final = 0.4  # seconds between two looks whether a peer across the border has said that it is gone
_FAREWELL_MS: Final = 100  # that the last words across the border may take to leave
_LOOPBACK: Final = Listening()


class ZmqTransport(Transport):
    """One Env's sockets. Threads as `Transport` says."""

    def __init__(
        self,
        hello: Hello,
        *,
        runtime_dir: str | None,
        listening: Listening = _LOOPBACK,  # where, over `tcp`
        keys: KeyPair | None = None,  # needed over `tcp`
        max_frame: int = 64 * 1024 * 1024,  # bytes of the longest frame that is taken over `tcp`
        handshake_timeout: float = 3.0,  # seconds within which a peer must have proved who it is
        silence: float | None = None,  # seconds after which a silent peer over `tcp` is gone; None: no matter
        audit: Audit | None = None,  # of a transport of the same Env, if it has another one
        border: BorderKeys | None = None,  # whose keys count, if it is for other Corps, and over `tcp`
        also: Sequence[Listening] = (),  # where else, at the border
    ) -> None:
        """Bind the Env's endpoint: over `ipc` if there is a runtime directory, else over `tcp`, with keys."""
        self._hello = hello
        self._border = border
        self._doors = Doors()
        self._parting: SimpleQueue[str] = SimpleQueue()  # Envs, by incarnation, that are to hear of it
        self._hears_at: float | None = None  # when links are looked at; None: there is none
        self._keys = keys if runtime_dir is None else None
        self.max_frame = max_frame if runtime_dir is None else None
        pair = None if border is None else border.pair
        self._sockets = SocketFactory(hello, self._keys, self.max_frame, handshake_timeout, silence, pair)
        self.audit = Audit(f"{env_label(hello.env)}") if audit is None else audit
        # Protects _members, the keys of the admission, _links, _incoming and _closed. By incarnation, all.
        self._lock = Lock()
        self._members: dict[str, Member] = {}
        self._links: dict[str, ZmqLink] = {}
        self._incoming: dict[str, Incoming] = {}  # of members alone; used by the thread that reads
        self._closed = False
        self._streams = itertools.count(1)  # numbers of large messages: none is used again
        self._numbers = itertools.count(1)  # of links: none is used again
        self._patrol = Patrol(self.interrupt)
        self._reserve = Reserve(_RESERVE)
        self._tries_again: float | None = None  # when there may be memory for what there was none for
        self._chunk = CHUNK_SIZE if self.max_frame is None else min(CHUNK_SIZE, self.max_frame)
        self._beats: Beats[tuple[str, int]] | None = None if silence is None else Beats(silence)
        self._looks_at: float | None = None  # when `_beats` is to look; None: there is no link
        self._heard: set[str] = set()  # incarnations of those of whom something came since the last look
        # Used by the thread that reads alone. A single look-up among the members needs no lock.
        self._inbound = InboundLinks(hello, self._members.get, self.audit, self._proves)
        self._admission = Admission(os.getuid(), ring=None if border is None else border.judge_newcomer)
        self._proven: dict[str, str] = {}  # the key that each Env of another Corps has proved last
        # The key by which an Env of another Corps is reached, if it is not that of its record.
        self._server_keys: dict[str, str] = {}
        self._next_keys: SimpleQueue[KeyPair] = SimpleQueue()  # to take over
        # Links to Envs of the same owner, which may have another key since this one has: both are tried.
        self._seeking: dict[str, tuple[str, ...]] = {}
        self._seeks_at: float | None = None
        self._on_message: OnMessage  # both from `start` on: nothing is read before
        self._on_broken: OnBroken
        self._strangers: ZmqStrangers | None = None  # over `ipc` nobody else gets at the socket
        self._poller = zmq.Poller()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        try:
            self._zap = ZapHandler(self._sockets.context, self._admission, self._lock, self.audit)
            self._router = self._sockets.new_router()
            if self._keys is not None:
                self._strangers = ZmqStrangers(
                    self._sockets.context, self._router, handshake_timeout, self._reserve, self.audit
                )
            self.endpoint = self._bind(runtime_dir, (listening, *also))
        except BaseException:
            self.close()
            raise

    def _bind(self, runtime_dir: str | None, places: Sequence[Listening]) -> str:
        """Listen in the runtime directory, or else at these places; return the endpoint."""
        if runtime_dir is not None:
            return self._sockets.bind_ipc(self._router, runtime_dir)
        for each in places:
            self._open_door(each)
        return self._doors.outside()[0]

    def start(self, on_message: OnMessage, on_broken: OnBroken) -> None:
        """See `Transport.start`. libzmq connects again by itself, so a link breaks only by being refused."""
        self._on_message = on_message
        self._on_broken = on_broken
        self._poller.register(self._router, zmq.POLLIN)
        self._poller.register(self._zap.socket, zmq.POLLIN)
        self._poller.register(self._wake_read, zmq.POLLIN)
        if self._strangers is not None:
            self._poller.register(self._strangers.socket, zmq.POLLIN)

    def _open_door(self, listening: Listening) -> None:
        """Listen at one more address. Before anybody reads, or in the thread that does."""
        bound = self._sockets.bind_tcp(self._router, listening)
        self._doors.add(Door(bound, listening.advertise(bound)))

    @property
    def outside(self) -> tuple[str, ...]:
        """Where other Corps reach this Env."""
        return self._doors.outside()

    @property
    def public_key(self) -> str:
        """The key that this Env proves to those that connect; empty over `ipc`."""
        return "" if self._keys is None else self._keys.public

    def listen_towards(self, endpoint: str, timeout: float) -> None:
        """Listen on the interface by which the one at `endpoint` is reached. Blocks; not where it is read.

        Raises:
            BrokenError: There is no way there, or this Env cannot listen there.
        """
        self._doors.await_towards(endpoint, timeout, self.interrupt)

    def keys_of(self, member: Member) -> set[str]:
        """Return the keys of an Env of another Corps: that it has proved, and by which it is reached."""
        reached = self._server_keys.get(member.incarnation, member.public_key)
        return {self._proven.get(member.incarnation, reached), reached}

    def take_over(self, keys: KeyPair) -> None:
        """Go on with another pair of this owner: listen with it, and prove it to others. Thread-safe."""
        self._next_keys.put(keys)
        self.interrupt()

    def _take_over(self) -> None:
        """Take over the next pair, if there is one. In the thread that reads."""
        keys: KeyPair | None = None
        with suppress(Empty):
            while True:
                keys = self._next_keys.get_nowait()
        if keys is None or self._keys is None or keys == self._keys:
            return
        former, self._keys = self._keys, keys
        self._sockets.change_keys(self._router, keys)
        for endpoint in self._doors.bound:
            self._sockets.bind_anew(self._router, endpoint)
        _log.info("%s listens with the key %s now", env_label(self._hello.env), fingerprint(keys.public))
        with self._lock:
            links = {each: link for each, link in self._links.items() if each in self._members}
        for incarnation, link in links.items():
            known = self._server_keys.get(incarnation, link.member.public_key)
            if known == former.public:  # of the same ring: it changes its key at about the same time
                self._seeking[incarnation] = (known, keys.public)
                known = keys.public
            self._renew(link, known)
        if self._seeking:
            self._seeks_at = now() + _SEEKS

    def _renew(self, link: ZmqLink, server_key: str) -> None:
        """Have a link go on by another connection, to who has this key. In the thread that reads."""
        member = link.member
        try:
            dealer = self._reserve.use(
                lambda: self._sockets.new_dealer(member, link.number, server_key), _FDS_OF_LINK
            )
            self._server_keys[member.incarnation] = server_key
            link.renew(dealer, self._hello_to(member).header())
        except (zmq.ZMQError, ValueError, CorpsError) as error:  # then its silence tells
            _log.warning("the link to %s could not be renewed: %s", member.label, error)

    def _seek(self) -> None:
        """Try the other key of those that have not said hello since this Env has another one."""
        for incarnation, keys in list(self._seeking.items()):
            link = self._links.get(incarnation)
            if link is None:
                del self._seeking[incarnation]
                continue
            first, other = keys
            self._seeking[incarnation] = other, first
            self._renew(link, first)
        self._seeks_at = now() + _SEEKS if self._seeking else None

    def _learn_key(self, member: Member, said: str) -> None:
        """Take note of the key by which an Env of another Corps says that it listens."""
        self._seeking.pop(member.incarnation, None)
        known = self._server_keys.get(member.incarnation, member.public_key)
        link = self._links.get(member.incarnation)
        if said == known or not said or self._border is None:
            return
        verdict = self._border.judge_newcomer(said)
        if not verdict.counts or verdict.identity != self._border.judge(known).identity:
            return
        if link is None:
            self._server_keys[member.incarnation] = said
        else:
            self._renew(link, said)

    def _proves(self, user: str | None, member: Member) -> bool:
        """Return whether a peer that has proved to be `user` may speak for a member."""
        if self._border is None:
            return self._keys is None or user == member.incarnation
        verdict = self._border.judge(user or "?")
        known = self._server_keys.get(member.incarnation, member.public_key)
        return verdict.counts and verdict.identity == self._border.judge(known).identity

    def _hello_to(self, member: Member) -> Hello:
        """Return what a peer hears first: across the border also where its answers go, and whom it is for."""
        if self._border is None:
            return self._hello
        said = self._doors.said_to(member.endpoint)
        return self._hello._replace(endpoint=said, public_key=self.public_key, to=member.incarnation)

    def admit(self, member: Member) -> None:
        """See `Transport.admit`."""
        with self._lock:
            self._members[member.incarnation] = member
            if member.public_key and self._border is None:
                self._admission.keys[member.public_key] = member.incarnation

    def expel(self, member: Member) -> None:
        """See `Transport.expel`."""
        with self._lock:
            self._members.pop(member.incarnation, None)
            self._admission.keys.pop(member.public_key, None)
            self._proven.pop(member.incarnation, None)
            self._server_keys.pop(member.incarnation, None)
            self._incoming.pop(member.incarnation, None)
            link = self._links.pop(member.incarnation, None)  # who is admitted again gets another one
        if link is not None:
            link.forsake()
        if self._border is not None:
            self._parting.put(member.incarnation)
            self.interrupt()

    def _part(self) -> None:
        """Tell those that were expelled, which may live. In the thread that reads."""
        with suppress(Empty):
            while True:
                for routing_id in self._inbound.part_from(self._parting.get_nowait()):
                    self._answer(routing_id, is_farewell=True)

    def connect(self, member: Member) -> Link:
        """See `Transport.connect`."""
        with self._lock:
            return self._link_to(member)

    def _link_to(self, member: Member) -> ZmqLink:
        """Return the link to a peer, opened if need be. Caller holds the lock."""
        if self._closed:
            raise BrokenError(f"{env_label(self._hello.env)} has closed its links")
        link = self._links.get(member.incarnation)
        if link is None:
            number = next(self._numbers)
            self._check_listener(member)
            try:
                key = self._server_keys.get(member.incarnation, member.public_key)
                dealer = self._reserve.use(
                    lambda: self._sockets.new_dealer(member, number, key), _FDS_OF_LINK
                )
            except (zmq.ZMQError, ValueError, NoSuchKey) as error:
                raise _no_link(member, error) from error
            link = ZmqLink(
                dealer,
                member,
                number,
                hello=self._hello_to(member).header(),
                streams=self._streams,
                chunk=self._chunk,
                watch=self._patrol.add,
                forget=self._forget_link,
                refused=self._refused,
            )
            self._links[member.incarnation] = link
            if self._beats is not None and self._looks_at is None:
                self._looks_at = now() + self._beats.every
                self._hears_at = now() + _HEARS if self._border is not None else None
                self.interrupt()
        return link

    def _check_listener(self, member: Member) -> None:
        """Check that over `ipc` one of our own listens. Over `tcp` it has to prove the key of the member."""
        path = self._sockets.path_of(member.endpoint)
        if path is None:
            return
        try:
            user = self._reserve.use(lambda: user_who_listens(path), _FDS_OF_LINK)
            verdict = self._admission.judge_user(*user)
        except OSError as error:
            raise _no_link(member, error) from error
        if not verdict.admitted:
            raise BrokenError(f"the socket of env{member.env} is not its own: {verdict.reason}")

    def _forget_link(self, link: ZmqLink) -> None:
        with self._lock:
            if self._links.get(link.member.incarnation) is link:
                del self._links[link.member.incarnation]

    def close(self) -> None:
        """See `Transport.close`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            links = list(self._links.values())
            self._incoming.clear()
        self._on_message = self._on_broken = _hear_nothing  # no cycle: what was received may hold memory
        for link in links:
            link.close()
        self._patrol.stop()
        self._reserve.close()
        if self._strangers is not None:
            self._strangers.close()
        if hasattr(self, "_router"):  # else the constructor has failed
            if self._border is not None:
                for routing_id in self._inbound.all():
                    self._answer(routing_id, is_farewell=True)
            self._router.close(linger=_FAREWELL_MS if self._border is not None else 0)
        if hasattr(self, "_zap"):  # without it nobody is admitted
            self._zap.socket.close()
        self._wake_read.close()
        self._wake_write.close()
        self._sockets.close()

    # --- the thread that reads ---

    def tidy(self) -> None:
        """See `Transport.tidy`."""
        self._reserve.refill()

    def interrupt(self) -> None:
        """See `Transport.interrupt`."""
        with suppress(BlockingIOError):  # full: there is more than enough to wake it
            self._wake_write.send(b"x", socket.MSG_NOSIGNAL)

    def await_ready(self, timeout: float | None) -> Ready:
        """See `Transport.await_ready`."""
        if timeout != 0.0:  # else it is a look in passing: it makes nobody late
            timeout = self._patrol.within(timeout)
        timeout = until(self._hears_at, until(self._looks_at, until(self._tries_again, timeout)))
        timeout = until(self._seeks_at, timeout)
        return self._poller.poll(None if timeout is None else ceil(min(timeout, _LONGEST) * 1000))

    def watch_also(self, fd: int) -> None:
        """Let `await_ready` return when this descriptor can be read, too. Before anybody reads."""
        self._poller.register(fd, zmq.POLLIN)

    def hand_on(self, ready: Ready) -> None:
        """See `Transport.hand_on`."""
        for who, _ in ready:
            if who is self._router:
                self._read_batch()
            elif who is self._zap.socket:
                self._zap.answer()
            elif self._strangers is not None and who is self._strangers.socket:
                self._strangers.look()
            elif who == self._wake_read.fileno():  # else it is one of `watch_also`
                self._wake_read.recv(_BATCH)
                self._doors.open_wanted(self._open_door)
                self._part()
                self._take_over()
        self._patrol.go_if_due()
        if self._beats is not None and self._looks_at is not None and now() >= self._looks_at:
            self._listen_for_signs(self._beats)
        if self._hears_at is not None and now() >= self._hears_at:
            with self._lock:
                links = list(self._links.values())
                self._hears_at = now() + _HEARS if links else None
            for link in links:
                link.hear()
        if self._tries_again is not None and now() >= self._tries_again:
            self._try_again()
        if self._seeks_at is not None and now() >= self._seeks_at:
            self._seek()

    def _read_batch(self) -> None:
        for _ in range(_BATCH):
            try:
                routing_id, user, frames = self._receive()
            except zmq.Again:
                return
            try:
                self._take(routing_id, user, frames)
            # No message may end the reading, nor a callback that a Future runs here, whatever it raises.
            except BaseException:
                _log.exception("a message could not be handled; please report it")

    def _receive(self) -> tuple[bytes, str | None, list[Frame]]:
        receive: Any = self._router.recv
        user: str | None = None
        if self._keys is None:
            routing_id: bytes = receive(_NOW)
        else:
            first = receive(_NOW, copy=False)
            routing_id = first.bytes
            with suppress(zmq.ZMQError):  # without one, it speaks for nobody
                user = first.get("User-Id")
            if self._strangers is not None and self._strangers.are_some:
                self._strangers.remove(int(first.get(zmq.SRCFD)))
        frames: list[Frame] = []
        while True:
            frame = receive(_NOW, copy=False)
            # Large buffers stay where libzmq put them. A small one would keep alive all that came with it.
            is_buffer = len(frames) > 1 or (len(frames) == 1 and is_chunk(frames[0]))
            frames.append(frame.buffer if is_buffer and len(frame) >= _VIEWED_FROM else frame.bytes)
            if not frame.more:
                return routing_id, user, frames

    def _take(self, routing_id: bytes, user: str | None, frames: list[Frame]) -> None:
        size = sum(map(len, frames))
        number = round_ = 0
        if frames and len(frames[0]) >= PREFIX.size:
            number, round_ = PREFIX.unpack_from(frames[0])
            frames[0] = frames[0][PREFIX.size :]
            if not number and is_hello(frames[0]):
                self._greet(routing_id, user, frames)
                return
        inbound = self._inbound.of(routing_id, user)
        if inbound is None:
            return
        member = inbound.member
        if self._beats is not None:
            self._heard.add(member.incarnation)
        try:
            if not number:
                self._take_of_connection(inbound, frames)
                return
            is_next = inbound.arrivals.take(number, round_, size)
            if inbound.arrivals.owes:
                self._tell(inbound)
            if not is_next:
                return
            if is_of_stream(frames[0]):
                self._take_of_stream(member, frames)
                return
        except WireError as error:
            self.audit.refused("protocol", f"{env_label(member.env)} broke the protocol: {error}")
            return
        except BrokenError as error:  # the membership will tell
            _log.debug("a message from or to %s stays behind: %s", env_label(member.env), error)
            return
        self._on_message(member.env, frames)

    def _greet(self, routing_id: bytes, user: str | None, frames: Sequence[Frame]) -> None:
        try:
            if self._border is not None:
                if self._is_for_another(frames):
                    self._answer(routing_id)
                    return
                self._part()
                if self._inbound.is_over(routing_id):
                    self._answer(routing_id, is_farewell=True)
                    return
                former = self._inbound.follows(routing_id, user)
                if former is not None:  # it has given up this Env: what is unanswered cannot go on
                    self._on_broken(former, None)
                    self._part()
            on_visitor = None if self._border is None else self._on_visitor
            member = self._inbound.greet(routing_id, user, frames, on_visitor)
            if user is not None and self._border is not None:
                self._proven[member.incarnation] = user
                hello = read_header(frames)
                self._learn_key(member, hello.public_key if isinstance(hello, Hello) else "")
        except WireError as error:
            note_refusal(self.audit, error)
            if isinstance(error, VersionMismatch):
                self._answer(routing_id)

    def _is_for_another(self, frames: Sequence[Frame]) -> bool:
        """Return whether a HELLO is for an incarnation that was here before, or asks which is here now."""
        hello = read_header(frames)
        return isinstance(hello, Hello) and bool(hello.endpoint) and hello.to != self._hello.incarnation

    def _answer(self, routing_id: bytes, *, is_farewell: bool = False) -> None:
        """Say on a connection of another Env who listens here, or that nobody does for it. It may be lost."""
        hello = self._hello
        if self._border is not None:
            hello = hello._replace(endpoint=self.endpoint, public_key=self.public_key)
        if is_farewell:
            hello = hello._replace(incarnation="")
        with suppress(zmq.ZMQError):
            self._router.send_multipart([routing_id, PREFIX.pack(0, 0) + hello.header()], _NOW)

    def _on_visitor(self, hello: Hello, key: str) -> Member | None:
        """Ask who knows about visitors. Nobody has this Env connect to a socket file, or look up a name."""
        try:
            tcp_address(hello.endpoint)
        except BrokenError as error:
            raise WireError(f"a visitor listens where no answer goes: {error}") from error
        return None if self.on_visitor is None else self.on_visitor(hello, key)

    def _refused(self, link: ZmqLink, refusal: VersionMismatch | JoinRefused) -> None:
        """Report that a peer has refused a link of this Env, or is not there any more."""
        self._on_broken(link.member, refusal if isinstance(refusal, VersionMismatch) else None)

    def _take_of_connection(self, inbound: InboundLink, frames: Sequence[Frame]) -> None:
        """Take what a member says about what has arrived, and what has not."""
        match read_link_header(frames):
            case AskHeader(number, round_):
                inbound.arrivals.asked(number, round_)
                self._tell(inbound)
            case ArrivedHeader(link_number, number):
                if (link := self._link_of(inbound.member, link_number)) is not None:
                    link.arrived(number)
            case MissedHeader(link_number, number, round_):
                if (link := self._link_of(inbound.member, link_number)) is not None:
                    link.missed(number, round_)
            case _:
                raise WireError("it sent a message without its number")

    def _tell(self, inbound: InboundLink) -> None:
        """Tell the sender of a link what has arrived of it. It will ask if that cannot be."""
        try:
            self._reply(inbound.member, frame_of(inbound.arrivals.tell()))
        except BrokenError as error:
            _log.debug("%s cannot hear what has arrived: %s", env_label(inbound.member.env), error)

    def _link_of(self, member: Member, number: int) -> ZmqLink | None:
        """Return the link to a member, if it is still the one that the member speaks of."""
        link = self._links.get(member.incarnation)
        return link if link is not None and link.number == number else None

    def _take_of_stream(self, member: Member, frames: Sequence[Frame]) -> None:
        """Take a part of a large message of a member, or what it says about one."""
        match read_link_header(frames):
            case TakenHeader(size):
                if (link := self._links.get(member.incarnation)) is not None:
                    link.taken(size)
            case DroppedHeader(stream):
                if (link := self._links.get(member.incarnation)) is not None:
                    link.dropped(stream)
            case (OpenHeader(stream) | ChunkHeader(stream, _)) as header:
                self._assemble(member, header, frames[1])

    def _assemble(self, member: Member, header: OpenHeader | ChunkHeader, data: Frame) -> None:
        with self._lock:
            if member.incarnation not in self._members:
                return
            incoming = self._incoming.setdefault(member.incarnation, Incoming(self.max_frame))
        message = None
        try:
            if isinstance(header, OpenHeader):
                incoming.open(header.stream, data)
            else:
                message = incoming.add(header.stream, header.offset, data)
        except WireError:
            self._reply(member, frame_of(DroppedHeader(header.stream)), is_numbered=True)
            raise
        finally:
            if owed := incoming.owed():
                self._reply(member, frame_of(TakenHeader(owed)), is_numbered=True)
        if incoming.lacks_memory and self._tries_again is None:
            _log.warning("%s has no memory for a large message now", env_label(self._hello.env))
            self._tries_again = now() + _MEMORY_PAUSE
        if message is not None:
            self._on_message(member.env, message)

    def _try_again(self) -> None:
        """Take large messages that there was no memory for, if there is some by now."""
        self._tries_again = None
        for incarnation, incoming in list(self._incoming.items()):
            member = self._members.get(incarnation)
            if member is None or not incoming.lacks_memory:
                continue
            messages = incoming.try_again()
            if incoming.lacks_memory:
                self._tries_again = now() + _MEMORY_PAUSE
            if owed := incoming.owed(at_least=1):
                self._reply(member, frame_of(TakenHeader(owed)), is_numbered=True)
            for message in messages:
                self._on_message(member.env, message)

    def _listen_for_signs(self, beats: Beats[tuple[str, int]]) -> None:
        """Ask those who have been silent, and report those who were for too long."""
        with self._lock:
            # By the number of the link too: an Env that is admitted again begins anew.
            links = {
                (incarnation, self._links[incarnation].number): self._links[incarnation]
                for incarnation in self._links.keys() & self._members
            }
            self._looks_at = now() + beats.every if self._links else None
        looked = beats.look(now(), links, [each for each in links if each[0] in self._heard])
        self._heard.clear()
        for each in looked.ask:
            with suppress(BrokenError):  # it was closed at this moment
                links[each].ask()
        for each in looked.silent:
            self._on_broken(links[each].member, None)

    def _reply(self, member: Member, header: bytes, *, is_numbered: bool = False) -> None:
        with self._lock:
            if member.incarnation not in self._members:
                return
            link = self._link_to(member)
        if is_numbered:
            link.send([header])
        else:
            link.say(header)


def _hear_nothing(*_: object) -> None:
    """Take the place of what a closed transport would call."""


def _no_link(member: Member, error: Exception) -> CorpsError:
    has_no_descriptor = getattr(error, "errno", None) in (errno.EMFILE, errno.ENFILE)
    kind = Overloaded if has_no_descriptor else BrokenError
    return kind(f"no link to {env_label(member.env)} at {member.endpoint}: {error}")
