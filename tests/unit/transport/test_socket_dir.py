"""Claims about socket files: they can be named and reached, whatever their directory is called."""

import os
import socket
from pathlib import Path

import pytest

from corps.transport.socket_dir import SocketDir


@pytest.mark.parametrize("name", ["plain", "x" * 200, os.fsdecode(b"no-utf8-\xff"), "ümlaut"])
def test_a_socket_file_can_be_reached_in_any_directory(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.mkdir()
    mine, others = SocketDir(str(path)), SocketDir(str(path))
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as caller:
        listener.bind(mine.reach(mine.place("1-a.sock")))
        listener.listen()
        place = mine.place("1-a.sock")
        assert place.encode("ascii")
        caller.connect(others.reach(place))
    assert os.listdir(path) == ["1-a.sock"]
    mine.remove("1-a.sock")
    mine.remove("1-a.sock")
    assert os.listdir(path) == []
    mine.close()
    mine.close()
    others.close()


def test_a_path_that_is_short_enough_is_a_path_for_everybody() -> None:
    directory = SocketDir("/run/corps")
    assert directory.place("1.sock") == directory.reach("/run/corps/1.sock") == "/run/corps/1.sock"
