"""Claims about the doctor's judgements: each side of each limit, and what there is to do."""

from ipaddress import ip_address

import pytest

from corps.endpoints import TcpEndpoint
from corps.launch.doctor.findings import (
    GREETING,
    GREETING_SIZE,
    MIB,
    Finding,
    of_clock,
    of_descriptors,
    of_greeting,
    of_memory,
    of_offset,
    of_ports,
    of_versions,
    of_way_back,
)

THERE = TcpEndpoint("::1", 7000)
SAID = (GREETING + b"\x01CURVE").ljust(GREETING_SIZE, b"\0")
NOW = 1_900_000_000.0


@pytest.mark.parametrize(
    ("finding", "state"),
    [
        (of_versions((3, 11, 0), (4, 3, 5), True, ""), "ok"),
        (of_versions((3, 10, 9), (4, 3, 5), True, ""), "wrong"),
        (of_versions((3, 13, 0), (4, 3, 4), True, ""), "wrong"),
        (of_versions((3, 13, 0), (4, 3, 5), False, ""), "wrong"),
        (of_descriptors(132, 132, 2), "ok"),
        (of_descriptors(131, 132, 2), "wrong"),
        (of_memory("", 1024 * MIB, 512 * MIB, -1), "ok"),
        (of_memory("", 300 * MIB, 512 * MIB, -1), "ok"),
        (of_memory("", 200 * MIB, 512 * MIB, -1), "note"),
        (of_memory("", 1024 * MIB, 512 * MIB, 511 * MIB), "wrong"),
        (of_memory("not permitted", 1024 * MIB, 512 * MIB, -1), "wrong"),
        (of_clock(NOW, 1.0, 1.0), "ok"),
        (of_clock(NOW, 1.0, 0.9), "wrong"),
        (of_clock(0.0, 1.0, 1.0), "wrong"),
        (of_offset("ntp.example.org", -1.2, 0.3), "ok"),
        (of_offset("ntp.example.org", 1.4, 0.3), "wrong"),
        (of_ports("127.0.0.1", range(1), 0, 4), "ok"),
        (of_ports("127.0.0.1", range(5000, 5004), 4, 4), "ok"),
        (of_ports("127.0.0.1", range(5000, 5004), 3, 4), "wrong"),
        (of_greeting(THERE, SAID), "ok"),
        (of_greeting(THERE, SAID.replace(b"CURVE", b"NULL\0")), "wrong"),
        (of_greeting(THERE, GREETING[:10]), "wrong"),
        (of_greeting(THERE, b"HTTP/1.1 400 Bad Request\r\n"), "wrong"),
        (of_greeting(THERE, b""), "wrong"),
    ],
)
def test_what_is_wrong_says_what_to_do(finding: Finding, state: str) -> None:
    assert finding.state == state
    assert bool(finding.do) == (state != "ok")
    assert finding.says


@pytest.mark.parametrize(
    ("ours", "theirs", "listens_at", "state"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", "ok"),
        ("10.0.0.7", "10.0.0.8", None, "ok"),
        ("10.0.0.7", "10.0.0.8", "10.0.0.7", "ok"),
        ("10.0.0.7", "10.0.0.8", "127.0.0.1", "note"),
        ("10.0.0.7", "9.9.9.9", None, "note"),
        ("100.64.1.1", "9.9.9.9", None, "note"),
        ("fd00::1", "2606:4700::1111", None, "note"),
        ("2606:4700::1", "2606:4700::1111", None, "ok"),
        (None, "9.9.9.9", None, "note"),
    ],
)
def test_the_way_back_is_doubted_where_others_may_not_come(
    ours: str | None, theirs: str, listens_at: str | None, state: str
) -> None:
    ends = [None if each is None else ip_address(each) for each in (ours, theirs, listens_at)]
    assert of_way_back(*ends).state == state


def test_the_versions_stand_in_one_line() -> None:
    assert (
        of_versions((3, 12, 1), (4, 3, 5), True, "corps 1.0").says
        == "CPython 3.12.1, libzmq 4.3.5, corps 1.0"
    )
