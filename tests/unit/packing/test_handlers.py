"""Claims about what handlers of signals raise while the main thread packs or unpacks."""

import functools
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from corps.errors import PackError, UnpackError
from corps.packing.handlers import came_from_a_handler
from corps.packing.packer import Packer


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
