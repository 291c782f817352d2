"""What the booting process and its Envs tell each other over the channel that each Env inherited."""

from typing import Any

from corps.errors import BrokenError
from corps.launchers.launcher import ByteChannel
from corps.packing.codecs import CODEC_TAGS
from corps.packing.packer import Packed, Packer


class Orders:
    """The channel between the booting process and one Env: lists of plain data, the first item a word."""

    def __init__(self, channel: ByteChannel) -> None:
        self._channel = channel
        self._packer = Packer(codec="data")

    def send(self, *message: Any) -> None:
        """Send a message. Any thread.

        Raises:
            BrokenError: The other side has gone.
        """
        self._channel.send(self._packer.pack(list(message)).body)

    def wait(self, timeout: float) -> bool:
        """Wait until there is something to receive, be it the end. The thread that receives.

        Args:
            timeout: Seconds.

        Returns:
            False if the time was over first.
        """
        return self._channel.wait(timeout)

    def receive(self) -> list[Any] | None:
        """The next message; None if the other side has gone. One thread."""
        try:
            body = self._channel.recv()
        except BrokenError:
            return None
        if body is None:
            return None
        message: list[Any] = self._packer.unpack(Packed(CODEC_TAGS["data"], body, ()))
        return message
