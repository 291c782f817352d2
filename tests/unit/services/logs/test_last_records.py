"""Claims about the file of the last records: what was written is read, oldest first, whatever happens."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corps.services.logs.last_records import LastRecords, read_records, records_path


def test_what_was_written_is_read_in_order(tmp_path: Path) -> None:
    path = records_path(str(tmp_path), -1, 2)
    assert os.path.basename(path) == "-1.2.records"
    records = LastRecords(path, 100_000)
    written = [f"record {number}".encode() for number in range(100)]
    for body in written:
        records.write(body)
    assert read_records(path) == written  # while it is open, too: another process reads it so


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, 3_000), max_size=60))
def test_the_last_ones_remain_without_a_gap(
    sizes: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = str(tmp_path_factory.mktemp("records") / "x")
    records = LastRecords(path, 8_192)
    written = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    for body in written:
        records.write(body)
    found = read_records(path)
    assert found == written[len(written) - len(found) :]
    assert sum(4 + len(body) for body in found) >= min(sum(4 + size for size in sizes), 4_096 - 16 - 3_004)


def test_one_that_is_too_long_is_left_out(tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    records = LastRecords(path, 8_192)
    records.write(b"a")
    records.write(b"b" * 5_000)
    records.write(b"c")
    assert [body for body in read_records(path) if body != b"a"] == [b"c"]


def test_a_destructor_that_logs_meanwhile_does_no_harm(tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    records = LastRecords(path, 8_192)

    class Body(bytes):
        def __len__(self) -> int:
            records.write(b"from inside")
            return super().__len__()

    records.write(Body(b"outer"))
    records.write(b"next")
    records.close()
    assert read_records(path) == [b"outer", b"next"]


@pytest.mark.parametrize("data", [b"", b"short", b"\xff" * 9_000, b"\x01" + b"\0" * 9_000])
def test_a_file_of_something_else_is_read_without_an_error(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    read_records(str(path))


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert read_records(str(tmp_path / "missing")) == []


def test_a_closed_one_takes_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    records = LastRecords(path, 8_192)
    records.write(b"a")
    records.close()
    records.write(b"b")
    assert read_records(path) == [b"a"]
