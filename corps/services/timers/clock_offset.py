"""How far the clock of this machine is from that of time servers. Nothing is set, and no timer goes by it."""

import re
import secrets
import socket
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, NamedTuple

from corps.clock import deadline_after, now, remaining, wall_time
from corps.errors import ConfigError, LoopBlocked, NoTimeServer
from corps.exporting import exported
from corps.runtime.context import acting
from corps.runtime.threads.running_loop import running_loop
from corps.services.timers.sntp import Unusable, measured, question, read_answer

_PORT: Final = 123
_SERVER: Final = re.compile(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<host>[^\[\]:]+))(?::(?P<port>\d{1,5}))?")


@exported
class ClockOffset(NamedTuple):
    """How far the clock of this machine is from that of a time server.

    Attributes:
        offset: Seconds by which the server's clock is ahead of this one.
        bound: Seconds by which that may be wrong at most, if the server is right.
        server: Which one has said so.
    """

    offset: float
    bound: float
    server: str


class _Silent(NamedTuple):
    server: str
    why: str


@exported
def clock_offset(servers: Sequence[str], *, timeout: float = 5.0) -> ClockOffset:
    """Ask time servers, all at once, how far the clock of this machine is from theirs (SNTP).

    Args:
        servers: Hosts that you may ask, each with a port if that is not 123: ``"ntp.example.org"``,
            ``"[::1]:1123"``.
        timeout: Seconds to wait for answers.

    Returns:
        The answer with the least error bound. All servers are waited for, up to the time limit.

    Raises:
        NoTimeServer: None has said in time what time it is.
        ConfigError: There is no server among these texts, or one is none, or the time limit is no number.
        LoopBlocked: Called in a coroutine: use `asyncio.to_thread`.
    """
    places = _places(servers)
    _check_limit(timeout)
    here = acting()
    if running_loop() is not None or (here is not None and (here.task is not None or here.reading)):
        raise LoopBlocked(
            "corps.clock_offset waits: in a coroutine use asyncio.to_thread(corps.clock_offset, ...)"
        )
    if here is not None:
        here.env.enter_blocked()
    try:
        answers = _ask_all(places, timeout)
    finally:
        if here is not None:
            here.env.leave_blocked()
    found = [each for each in answers if isinstance(each, ClockOffset)]
    if not found:
        why = "; ".join(f"{each.server}: {each.why}" for each in answers if isinstance(each, _Silent))
        raise NoTimeServer(f"no time server has said within {timeout:g} s what time it is: {why}")
    return min(found, key=lambda each: each.bound)


def _check_limit(timeout: object) -> None:
    if not isinstance(timeout, int | float) or not 0 < timeout < 1e6:
        raise ConfigError(f"corps.clock_offset(timeout={timeout!r:.80}): wants a number of seconds above 0")


def _places(servers: Sequence[object]) -> dict[str, tuple[str, int]]:
    if isinstance(servers, str) or not servers:
        raise ConfigError(
            f'corps.clock_offset({servers!r:.80}): wants a list of servers, as ["ntp.example.org"]'
        )
    places = {}
    for server in servers:
        match = _SERVER.fullmatch(server) if isinstance(server, str) else None
        port = int(match["port"] or _PORT) if match is not None else 0
        if match is None or not 0 < port < 65536:
            raise ConfigError(f"corps.clock_offset({server!r:.80}): wants a host, or a host and a port")
        places[match[0]] = match["six"] or match["host"], port
    return places


def _ask_all(places: dict[str, tuple[str, int]], timeout: float) -> list[ClockOffset | _Silent]:
    """Ask each server in a thread of its own, because to look up its name has no time limit."""
    until = deadline_after(timeout)
    answers: SimpleQueue[ClockOffset | _Silent] = SimpleQueue()
    for server, place in places.items():
        Thread(
            target=lambda *args: answers.put(_ask(*args)),
            args=(server, place, until),
            name="corps-clock-offset",
            daemon=True,
        ).start()
    came: list[ClockOffset | _Silent] = []
    try:
        while len(came) < len(places):
            came.append(answers.get(timeout=remaining(until)))
    except Empty:
        known = {each.server for each in came}
        came += [_Silent(server, "no answer in time") for server in places if server not in known]
    return came


def _ask(server: str, place: tuple[str, int], until: float | None) -> ClockOffset | _Silent:
    try:
        [(family, kind, _, _, address), *_] = socket.getaddrinfo(*place, type=socket.SOCK_DGRAM)
        with socket.socket(family, kind) as udp:
            udp.connect(address)  # so that only its datagrams come
            return _measure(server, udp, until)
    except (OSError, UnicodeError) as error:
        return _Silent(server, str(error) or type(error).__name__)
    except Unusable as error:
        return _Silent(server, str(error))


def _measure(server: str, udp: socket.socket, until: float | None) -> ClockOffset | _Silent:
    cookie = secrets.token_bytes(8)
    # The time that passes goes by the clock that nothing sets.
    asked, began = wall_time(), now()
    udp.send(question(cookie))
    while (left := remaining(until)) != 0.0:
        udp.settimeout(left)
        message = udp.recv(1024)
        answered = asked + now() - began
        answer = read_answer(message, cookie, answered)
        if answer is not None:
            return ClockOffset(*measured(asked, answered, answer), server)
    return _Silent(server, "no answer in time")
