"""Claims about what handlers of signals raise while the main thread packs or unpacks."""

import contextlib
import functools
import gc
import itertools
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from corps.addresses import ConcAddr
from corps.errors import PackError, Remote, UnpackError
from corps.handlers import came_from_a_handler
from corps.messages.originals import copy_of, remote_error, text_of
from corps.messages.outcomes import Raised
from corps.packing.codecs import PICKLE
from corps.packing.packer import Packer
from corps.peers.outcome_codec import OutcomeCodec
from corps.wire.frames import REFUSED, STREAMED
from tests.striking import strike
from tests.unit.packing.stored import store_bytes


class Stop(Exception):
    pass


class Object:
    def handle(self, _signum: int, _frame: Any) -> None:
        raise Stop

    def __call__(self, *_: Any) -> None:
        self.handle(0, None)


def _raise_stop(_extra: str, _signum: int, _frame: Any) -> None:
    raise Stop


class Signalled:
    """The signal comes while it is packed, or unpacked."""

    def __init__(self, when: str) -> None:
        self.when = when

    def __getstate__(self) -> str:
        if self.when == "packed":
            signal.raise_signal(signal.SIGUSR1)
        return self.when

    def __setstate__(self, when: str) -> None:
        self.when = when
        if when == "unpacked":
            signal.raise_signal(signal.SIGUSR1)


@pytest.fixture(params=[Object().handle, Object(), functools.partial(_raise_stop, "x")])
def handled(request: pytest.FixtureRequest) -> Iterator[None]:
    before = signal.signal(signal.SIGUSR1, request.param)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("handled")
def test_what_a_handler_raises_comes_out_of_packing_and_unpacking_as_it_is() -> None:
    packer = Packer()
    with pytest.raises(Stop):
        packer.pack(Signalled("packed"))
    packed = packer.pack(Signalled("unpacked"))
    with pytest.raises(Stop):
        packer.unpack(packed)


class Broken:
    def __init__(self, when: str) -> None:
        self.when = when

    __getstate__ = Signalled.__getstate__

    def __setstate__(self, when: str) -> None:
        raise Stop


class Unpackable:
    def __reduce__(self) -> str:
        raise Stop


def test_what_an_object_raises_is_an_error_of_packing() -> None:
    packer = Packer()
    with pytest.raises(UnpackError):
        packer.unpack(packer.pack(Broken("never")))
    with pytest.raises(PackError):
        packer.pack(Unpackable())


def _fails(error: Exception) -> None:
    raise error


def _caught(act: Callable[[], object]) -> BaseException:
    try:
        act()
    except BaseException as error:
        return error
    raise AssertionError


def test_a_plain_error_came_from_no_handler() -> None:
    assert not came_from_a_handler(_caught(lambda: _fails(Stop())))
    assert not came_from_a_handler(Stop())


def test_what_is_raised_at_any_point_of_the_main_thread_comes_out() -> None:
    # In a process of its own: see tests/integration/test_signals.
    done = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import strike_everywhere as s; s()"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr


class Peculiar(Exception):
    """Its author's code stands in the way of everything."""

    def __init__(self, text: str, more: object = None) -> None:
        super().__init__(text)
        self.more = more

    def __str__(self) -> str:
        raise ValueError


class Streams:
    corps_id = "0123456789abcdef"

    def address_abroad(self, addr: ConcAddr) -> ConcAddr:
        return addr

    def expect_garbage(self) -> None: ...

    def forsake(self, held: object) -> None: ...


def caused() -> BaseException:
    error = ExceptionGroup("all", [Peculiar("one"), UnicodeDecodeError("utf-8", b"x", 0, 1, "no")])
    error.__cause__ = KeyError("two")
    return error


def failing(act: Callable[[], object]) -> None:
    with contextlib.suppress(PackError, UnpackError):
        act()


def strike_everywhere() -> None:
    """Raise at each point of each act. An act is done before, so that what is kept is kept."""
    packer, codec = Packer(), OutcomeCodec(Packer(), Streams())
    data = Packer(codec="data")
    unpackable = [1, {"a": Peculiar("three", threading.Lock())}]
    facts = data.pack(["Cancelled", "it was", {}])
    refused = codec.receive(REFUSED, PICKLE, [facts.body])
    stream = data.pack([[1, 2], 3, 4, 5]).body
    acts: dict[str, Callable[[], object]] = {
        "text": lambda: text_of(Peculiar("x")),
        "copy": lambda: copy_of(caused()),
        "remote": lambda: str(remote_error(Remote(origin=caused()))),
        "pack": lambda: failing(lambda: packer.pack(unpackable)),
        "pack by value": lambda: packer.pack(failing),
        "pack data": lambda: failing(lambda: data.pack(unpackable)),
        "unpack data": lambda: failing(lambda: data.unpack(facts._replace(body=b"x"))),
        "store": lambda: failing(lambda: store_bytes(unpackable)),
        "cancelled": lambda: refused.is_cancelled,
        "stream": lambda: codec.receive(STREAMED, PICKLE, [stream, b""]),
        "raised": lambda: Raised.capture(Peculiar("four"), None),
    }
    gc.disable()  # what is raised in a destructor never comes out
    swallowed = []
    for name, act in acts.items():
        act()
        for point in itertools.count(1):
            came_out = strike(point, act, Stop)
            if came_out is None:
                break
            if not came_out:
                swallowed.append((name, point))
    assert not swallowed, swallowed
    assert codec.receive(REFUSED, PICKLE, [facts.body]).is_cancelled


class Interrupted(Exception):
    def __str__(self) -> str:
        signal.raise_signal(signal.SIGINT)
        return "there was no signal"


class LikeCtrlC(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


def test_ctrl_c_is_told_from_code_that_raises_the_same() -> None:
    with pytest.raises(KeyboardInterrupt):
        text_of(Interrupted())
    assert text_of(LikeCtrlC()) == "<str() of it raised KeyboardInterrupt>"


def test_an_exception_that_was_looked_at_is_in_no_circle() -> None:
    class Kind(str):
        """A str that can be watched."""

    def looks_at(kind: str) -> None:
        try:
            raise LookupError(kind)
        except LookupError as error:
            came_from_a_handler(error)

    kind = Kind("planted")
    kept = weakref.ref(kind)
    gc.disable()
    try:
        looks_at(kind)
        del kind
        assert kept() is None
    finally:
        gc.enable()
