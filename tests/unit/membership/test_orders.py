from collections import deque
from typing import Final, get_args

import pytest

from corps.addresses import ConcAddr
from corps.errors import BrokenError, WireError
from corps.membership.orders import (
    CorpsCreated,
    Failed,
    Joined,
    Lost,
    MemberJoined,
    Members,
    Message,
    Orders,
    Ready,
    Released,
    ReleaseOutput,
    Retired,
    Start,
    Stop,
)
from corps.messages.endings import Failure
from corps.messages.interfaces import Interface
from corps.messages.members import Member
from corps.packing.packer import Packer
from corps.supervision.restarts import Restart


class FakeChannel:
    """Gives back what was sent; then what is at its end."""

    def __init__(self, end: BrokenError | None = None) -> None:
        self.messages: deque[bytes] = deque()
        self.end = end

    def send(self, message: bytes) -> None:
        self.messages.append(message)

    def wait(self, timeout: float) -> bool:
        return bool(self.messages) or timeout > 0

    def close(self) -> None: ...

    def recv(self) -> bytes | None:
        if self.messages:
            return self.messages.popleft()
        if self.end is not None:
            raise self.end
        return None


ME = Member(1, "a" * 32, "ipc:///x", "key", 2)
INTERFACE = Interface("app:App", frozenset({"add"}), interleave=3, idempotent=(("add", 2),))
MESSAGES: Final[tuple[Message, ...]] = (
    Start(
        "0" * 16,
        {"envs": 2, "deadline": None},
        ["file", "app.py"],
        b"/run/\xff",
        1,
        [["m:C", "C", [], True, "env", {}]],
        [[2, {"DEVICES": "1"}, None, [], ["gpu"]]],
    ),
    Members((ME, Member(2, "b" * 32, "")), (3, 4), is_late=True),
    MemberJoined(ME),
    Lost(2, Failure("killed", "by SIGKILL"), returns=True),
    Retired(3),
    CorpsCreated(ConcAddr("0" * 16, -1, 1), INTERFACE),
    ReleaseOutput(),
    Stop(),
    Ready(ME, INTERFACE, Restart(max=3, backoff=(0.5, 1.0)), {"user": ["app.user"]}),
    Ready(ME, INTERFACE, None, {}),
    Joined(),
    Released(),
    Failed("LoadError", "no such file"),
)


@pytest.mark.parametrize("message", MESSAGES, ids=repr)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    orders = Orders(FakeChannel())
    orders.send(message)
    assert orders.receive() == message


def test_every_kind_of_message_is_tried_and_has_a_word_of_its_own() -> None:
    assert {type(message) for message in MESSAGES} == set(get_args(Message))
    assert len({kind.word for kind in get_args(Message)}) == len(get_args(Message))


def test_what_is_no_message_is_refused() -> None:
    channel = FakeChannel()
    channel.send(Packer(codec="data").pack(["dance", 1]).body)
    with pytest.raises(WireError, match="'dance'"):
        Orders(channel).receive()


def test_the_end_of_the_channel_is_the_end_of_orders() -> None:
    assert Orders(FakeChannel()).receive() is None
    assert Orders(FakeChannel(BrokenError("gone"))).receive() is None
