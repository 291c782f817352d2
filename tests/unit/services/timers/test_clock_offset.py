"""Claims about asking time servers: the messages, and a server on the loopback."""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest

import corps
from corps.clock import wall_time
from corps.errors import ConfigError, LoopBlocked, NoTimeServer
from corps.services.timers.sntp import SIZE, Answer, Unusable, measured, question, read_answer

COOKIE = b"12345678"
SINCE_1900 = 2_208_988_800
YEAR_2027 = 1_798_761_600.0


def stamp(wall: float) -> bytes:
    seconds = int(wall // 1)
    return struct.pack(">II", (seconds + SINCE_1900) % 2**32, int((wall - seconds) * 2**32))


def answer(
    cookie: bytes = COOKIE,
    *,
    received: float = YEAR_2027,
    sent: float = YEAR_2027,
    flags: int = 4 << 3 | 4,
    stratum: int = 2,
    delay: float = 0.25,
    dispersion: float = 0.5,
    reference: bytes = b"GPS\0",
) -> bytes:
    head = struct.pack(">BBbbII", flags, stratum, 0, -20, int(delay * 2**16), int(dispersion * 2**16))
    return head + reference + bytes(8) + cookie + stamp(received) + stamp(sent)


def test_a_question_gives_no_time_away() -> None:
    message = question(COOKIE)
    assert len(message) == SIZE == 48
    assert message == bytes([0x23]) + bytes(39) + COOKIE


def test_an_answer_is_read() -> None:
    read = read_answer(answer(received=YEAR_2027 + 0.25, sent=YEAR_2027 + 0.5), COOKIE, YEAR_2027)
    assert read == Answer(YEAR_2027 + 0.25, YEAR_2027 + 0.5, 0.125 + 0.5 + 2**-20)


@pytest.mark.parametrize("wall", [YEAR_2027, 2_085_978_495.0, 2_085_978_496.0, 2_085_978_497.0, 4e9])
def test_the_seconds_that_begin_anew_in_2036_are_those_near_this_clock(wall: float) -> None:
    read = read_answer(answer(received=wall, sent=wall + 0.5), COOKIE, wall - 1000.0)
    assert read is not None
    assert (read.received, read.sent) == (wall, wall + 0.5)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        answer()[:-1],
        answer(b"87654321"),
        answer(flags=4 << 3 | 3),  # a question
        question(COOKIE),
    ],
)
def test_what_is_no_answer_to_the_question_is_passed_over(message: bytes) -> None:
    assert read_answer(message, COOKIE, YEAR_2027) is None


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (answer(stratum=0, reference=b"RATE"), r"does not answer now \(RATE\)"),
        (answer(stratum=16), "does not know the time itself"),
        (answer(flags=3 << 6 | 4 << 3 | 4), "does not know the time itself"),
        (answer(sent=-SINCE_1900), "does not know the time itself"),
        (answer(dispersion=20.0), "may be wrong by 20"),
    ],
)
def test_a_server_that_does_not_know_the_time_is_not_believed(message: bytes, why: str) -> None:
    with pytest.raises(Unusable, match=why):
        read_answer(message, COOKIE, YEAR_2027)


def test_the_offset_is_found_between_two_ways_of_the_same_length() -> None:
    found = measured(100.0, 104.0, Answer(1101.0, 1103.0, 0.5))
    assert found == (1000.0, 1.5)


def test_the_offset_is_within_its_bound_however_the_ways_differ() -> None:
    for there in (0.0, 1.0, 2.0):
        found = measured(100.0, 104.0, Answer(1100.0 + there, 1102.0 + there, 0.0))
        assert abs(found.offset - 1000.0) <= found.bound == 1.0


@contextmanager
def server(make: Callable[[bytes], list[bytes]]) -> Iterator[str]:
    """A time server on the loopback that answers each question by what `make` makes of its cookie."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                message, client = udp.recvfrom(1024)
                if not message:
                    return
                for each in make(message[40:48]):
                    udp.sendto(each, client)

        thread = Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{udp.getsockname()[1]}"
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
                ending.sendto(b"", udp.getsockname())
            thread.join()


def ahead(seconds: float, **facts: Any) -> Callable[[bytes], list[bytes]]:
    def make(cookie: bytes) -> list[bytes]:
        wall = wall_time() + seconds
        return [answer(cookie, received=wall, sent=wall, **facts)]

    return make


def test_a_server_that_is_ahead() -> None:
    with server(ahead(1000.0, delay=0.0, dispersion=0.0)) as name:
        found = corps.clock_offset([name], timeout=30.0)
    assert found.server == name
    assert abs(found.offset - 1000.0) <= found.bound + 0.001
    assert found.bound < 15.0


def test_the_answer_with_the_least_bound_counts() -> None:
    with server(ahead(5.0, dispersion=15.0)) as rough, server(ahead(7.0, dispersion=0.0)) as fine:
        found = corps.clock_offset([rough, fine], timeout=30.0)
    assert found.server == fine


def test_answers_to_other_questions_are_passed_over() -> None:
    def make(cookie: bytes) -> list[bytes]:
        return [b"short", answer(b"87654321"), *ahead(1000.0)(cookie)]

    with server(make) as name:
        assert corps.clock_offset([name], timeout=30.0).offset > 900.0


def test_a_server_that_refuses_is_named_in_the_error() -> None:
    refusing = server(lambda cookie: [answer(cookie, stratum=0, reference=b"DENY")])
    with refusing as name, pytest.raises(NoTimeServer, match=rf"{name}: it does not answer now \(DENY\)"):
        corps.clock_offset([name], timeout=30.0)


def test_a_silent_server_is_an_error_and_no_number() -> None:
    with server(lambda _: []) as name, pytest.raises(NoTimeServer, match=r"timed out|no answer in time"):
        corps.clock_offset([name], timeout=0.05)


def test_without_a_server_there_is_an_error() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        port = udp.getsockname()[1]
    with pytest.raises(NoTimeServer, match=f"127.0.0.1:{port}"):
        corps.clock_offset([f"127.0.0.1:{port}"], timeout=30.0)


def test_one_of_several_servers_is_enough() -> None:
    with server(ahead(1000.0)) as name, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        port = udp.getsockname()[1]
        udp.close()
        assert corps.clock_offset([f"127.0.0.1:{port}", name], timeout=30.0).server == name


def test_a_worker_may_ask() -> None:
    class Asking(corps.Conc):
        def ask(self, name: str) -> corps.ClockOffset:
            return corps.clock_offset([name], timeout=30.0)

        async def aask(self, name: str) -> corps.ClockOffset:
            return corps.clock_offset([name], timeout=30.0)

    with server(ahead(1000.0)) as name, corps.env() as env:
        assert env.create(Asking).ask(name).ret.server == name
        with pytest.raises(LoopBlocked):
            env.create(Asking).aask(name).result(30.0)


def test_a_coroutine_cannot_wait() -> None:
    async def ask() -> None:
        corps.clock_offset(["127.0.0.1"])

    with pytest.raises(LoopBlocked, match="to_thread"):
        asyncio.run(ask())


@pytest.mark.parametrize(
    "servers", [[], "ntp.example.org", [""], ["a:b"], ["a:0"], ["a:70000"], ["::1"], [3]]
)
def test_what_is_no_server_is_refused(servers: Any) -> None:
    with pytest.raises(ConfigError, match="clock_offset"):
        corps.clock_offset(servers)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "5"])
def test_what_is_no_time_limit_is_refused(timeout: Any) -> None:
    with pytest.raises(ConfigError, match="wants a number of seconds above 0"):
        corps.clock_offset(["127.0.0.1"], timeout=timeout)
