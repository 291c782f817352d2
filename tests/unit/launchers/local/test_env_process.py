"""Claims about EnvProcess and Exit that need no process."""

import os
import signal
import socket

import pytest

from corps.launchers.launcher import Exit
from corps.launchers.local.channel import Channel
from corps.launchers.local.env_process import EnvProcess
from corps.launchers.local.pulse import Pulse, open_pulse


@pytest.mark.parametrize(
    ("code", "sent", "words"),
    [
        (0, None, "ended with exit status 0"),
        (3, None, "ended with exit status 3"),
        (None, 9, "was killed by SIGKILL"),
        (None, 50, "was killed by signal 50"),
    ],
)
def test_an_exit_reads_as_a_sentence(code: int | None, sent: int | None, words: str) -> None:
    assert str(Exit(1, "pid 4242", code, sent)) == words


def test_an_exit_tells_its_reason() -> None:
    how = Exit(1, "pid 4242", None, signal.SIGKILL, "template died")
    assert str(how) == "was killed by SIGKILL (template died)"


def test_a_process_that_has_ended_is_sent_no_signal() -> None:
    sent: list[tuple[int, ...]] = []
    ours, theirs = socket.socketpair()
    fd = open_pulse()
    process = EnvProcess(7, Channel(ours), Pulse(fd), lambda *order: sent.append(order))
    os.close(fd)
    assert process.wait(0) is None
    process.kill(signal.SIGTERM)
    process.mark_ended(Exit(7, "pid 4242", 0, None))
    process.kill()
    assert sent == [(7, signal.SIGTERM, 0)]
    assert process.wait() == Exit(7, "pid 4242", 0, None)
    process.channel.close()
    theirs.close()
