"""Claims about what a process that boots a Corps for another one hears, and says."""

import socket
from collections.abc import Iterator

import pytest

import corps
from corps.errors import BrokenError, EnvStartError, WireError
from corps.launch.apart.order import BootOrder, Failed, Over, Told, Up, hear, tell
from corps.launchers.local.channel import Channel
from corps.packing.data import encode_data

ORDER = BootOrder(
    "managed",
    ["part", b"/a/part.py", "", b"", 0, b"/a/part.py"],
    (0, b"packed"),
    (0, b"config"),
    "tag",
    None,
    ("transient", 3, 10.0, (0.1, 1.0)),
    "/a/log",
    (12, "a name"),
)


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    one, other = map(Channel, socket.socketpair())
    yield one, other
    one.close()
    other.close()


@pytest.mark.parametrize(
    "told",
    [
        ORDER,
        Up("{}", comes_back=True),
        Failed("LoadError", "no such file", "what it printed"),
        Over("killed", "by a signal", is_final=False),
    ],
    ids=lambda told: told.word,
)
def test_each_message_arrives_as_it_was(ends: tuple[Channel, Channel], told: Told) -> None:
    tell(ends[0], told)
    assert hear(ends[1]) == told


def test_the_end_of_the_other_side_is_none_and_an_error_for_a_sender(ends: tuple[Channel, Channel]) -> None:
    ends[0].close()
    assert hear(ends[1]) is None
    with pytest.raises(BrokenError):
        tell(ends[1], Up("", comes_back=False))


def test_a_word_that_is_not_known_is_said(ends: tuple[Channel, Channel]) -> None:
    ends[0].send(encode_data(["hello", 1]))
    with pytest.raises(WireError, match="'hello'"):
        hear(ends[1])


def test_an_order_gives_the_restart_policy_that_was_wanted() -> None:
    assert ORDER.restart_policy == corps.Restart("transient", 3, 10.0, (0.1, 1.0))
    assert ORDER.is_kept


@pytest.mark.parametrize(
    "error", [corps.LoadError("no file"), corps.NameTaken("it is taken"), corps.ConfigError("no")]
)
def test_a_failure_is_an_error_of_the_same_class(error: corps.CorpsError) -> None:
    again = Failed.of(error).error()
    assert type(again) is type(error)
    assert str(again) == str(error)


def test_the_output_of_a_boot_that_failed_goes_along() -> None:
    error = corps.CorpsStartError("it raised", output="a line")
    again = Failed.of(error).error()
    assert isinstance(again, corps.CorpsStartError)
    assert again.output == "a line"


def test_what_is_no_error_of_corps_becomes_one() -> None:
    assert type(Failed.of(OSError("no memory")).error()) is EnvStartError
    assert type(Failed("int", "a text", "").error()) is corps.BootError
