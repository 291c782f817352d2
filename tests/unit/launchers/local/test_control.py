"""Claims about the control messages: what is encoded is decoded, and nothing else is."""

import pytest

from corps.errors import InternalError
from corps.launchers.local.control import (
    MAX_PACKET,
    Exited,
    Failed,
    Import,
    Kill,
    Message,
    Ready,
    Spawn,
    Spawned,
    SpawnFailed,
    decode,
    encode,
    shortened,
)


@pytest.mark.parametrize(
    "message",
    [
        Spawn(1, "package.module:function"),
        Import(["json", "corps.launch.child"]),
        Kill(1, 15, 4242),
        Ready(),
        Failed("no module named 'x'"),
        Spawned(1, 4242),
        SpawnFailed(1, "\u00e9", True),
        Exited(1, 4242, -9),
    ],
)
def test_a_message_survives_the_packet(message: Message) -> None:
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    "packet", [b"", b"\xff", b"[]", b"{}", b'{"message": "Exit"}', b'{"message": "Kill"}']
)
def test_other_bytes_are_a_defect(packet: bytes) -> None:
    with pytest.raises(InternalError):
        decode(packet)


def test_a_shortened_text_fits_into_a_packet() -> None:
    assert len(encode(Failed(shortened("\u00e9\x00" * 100_000)))) <= MAX_PACKET


def test_a_packet_over_the_limit_is_a_defect() -> None:
    with pytest.raises(InternalError):
        encode(Failed("x" * MAX_PACKET))
