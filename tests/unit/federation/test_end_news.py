"""Claims about the news of an end: all that listen hear it, and nothing stops who tells."""

import os
import select
import socket
from pathlib import Path

import pytest

from corps.federation.end_news import EndListener, EndNews, tell_of_end


@pytest.fixture
def place(tmp_path: Path) -> str:
    long = tmp_path / ("x" * 90)  # longer than the address of a socket may be
    long.mkdir(0o700)
    return str(long)


def test_all_that_listen_for_a_tag_hear_of_its_end(place: str) -> None:
    with EndListener(place, "index") as one, EndListener(place, "index") as two:
        with EndListener(place, "x.index") as other:
            tell_of_end(place, "index", EndNews("stop accepting"))
            tell_of_end(place, "index", EndNews("", "it broke"))
            assert other.take() is None
        for listener in (one, two):
            assert select.select([listener.fd], [], [], 10.0)[0] == [listener.fd]
            assert listener.take() == EndNews("stop accepting")
            assert listener.take() == EndNews("", "it broke")
            assert listener.take() is None
    assert os.listdir(place) == []


def test_telling_never_fails_and_never_waits(place: str, tmp_path: Path) -> None:
    tell_of_end(str(tmp_path / "missing"), "index", EndNews("stop accepting"))
    Path(place, "0.index.ear").write_text("no socket")
    with EndListener(place, "index") as listener:
        for _ in range(2000):  # more than the socket holds
            tell_of_end(place, "index", EndNews("", "x" * 100_000))
        news = listener.take()
        assert news is not None
        assert news.problem


def test_what_a_killed_listener_left_is_removed(place: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as gone:
        fd = os.open(place, os.O_RDONLY)
        gone.bind(f"/proc/self/fd/{fd}/0.index.ear")
        os.close(fd)
    tell_of_end(place, "index", EndNews("stop accepting"))
    assert os.listdir(place) == []


@pytest.mark.parametrize("content", [b"", b"junk", b"[]", b"\xff", b"[" * 5000, b"7"])
def test_what_is_no_news_is_passed_over(place: str, content: bytes) -> None:
    with EndListener(place, "index") as listener:
        (name,) = os.listdir(place)
        fd = os.open(place, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(content, f"/proc/self/fd/{fd}/{name}")
        os.close(fd)
        tell_of_end(place, "index", EndNews("stand still"))
        assert listener.take() == EndNews("stand still")
