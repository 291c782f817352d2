from collections import deque

from corps.errors import BrokenError
from corps.membership.orders import Orders


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


def test_an_order_arrives_as_it_was_sent() -> None:
    orders = Orders(FakeChannel())
    orders.send("members", [[1, "a"], [2, "b"]], {"envs": 2, "deadline": None}, b"\x80bytes")
    assert orders.receive() == ["members", [[1, "a"], [2, "b"]], {"envs": 2, "deadline": None}, b"\x80bytes"]


def test_the_end_of_the_channel_is_the_end_of_orders() -> None:
    assert Orders(FakeChannel()).receive() is None
    assert Orders(FakeChannel(BrokenError("gone"))).receive() is None
