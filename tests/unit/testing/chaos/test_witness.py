import os
from pathlib import Path

import pytest

from corps.testing.chaos.checker import Checker, check_files
from corps.testing.chaos.judgement import Limits
from corps.testing.chaos.witness import (
    SIZE,
    SUFFIX,
    Kind,
    Outcome,
    Record,
    Witness,
    WitnessFile,
    merged,
    now_ns,
    witness_files,
)

RECORDS = [Record(Kind.START, 1, 2, 3, number, 5, 6 + number) for number in range(5)]


def filled(path: Path, records: list[Record]) -> Path:
    path.write_bytes(b"".join(record.packed() for record in records))
    return path


def test_a_record_takes_32_bytes_and_comes_back() -> None:
    assert SIZE == 32
    largest = Record(Kind.PHASE, 255, 2**32 - 1, 2**31 - 1, 2**31 - 1, 2**64 - 1, 2**64 - 1)
    assert len(largest.packed()) == SIZE


def test_what_is_written_is_in_the_file_at_once(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "a.witness")
    before = now_ns()
    witness.write(Kind.SENT, detail=1, worker=2, sender=3, sequence=4, incarnation=5)
    witness.write(Kind.RESOLVED, detail=Outcome.VALUE, time=77)
    first, second = WitnessFile(tmp_path / "a.witness")
    witness.close()
    witness.close()
    assert first[:6] == (Kind.SENT, 1, 2, 3, 4, 5)
    assert before <= first.time <= now_ns()
    assert second == Record(Kind.RESOLVED, Outcome.VALUE, time=77)


def test_several_writers_append_to_one_file(tmp_path: Path) -> None:
    writers = [Witness(tmp_path / "a.witness") for _ in range(3)]
    for number in range(30):
        writers[number % 3].write(Kind.START, sequence=number)
    for writer in writers:
        writer.close()
    assert [record.sequence for record in WitnessFile(tmp_path / "a.witness")] == list(range(30))


def test_a_torn_record_at_the_end_is_counted(tmp_path: Path) -> None:
    path = filled(tmp_path / "a.witness", RECORDS)
    os.truncate(path, 4 * SIZE + 7)
    file = WitnessFile(path)
    assert list(file) == RECORDS[:4]
    assert file.torn == 7
    assert check_files([file], Checker(Limits())).summary.torn == 7


@pytest.mark.parametrize("rest", [1, 2, 31])
def test_what_follows_a_torn_record_is_read(tmp_path: Path, rest: int) -> None:
    torn = RECORDS[0].packed()[:rest]
    path = tmp_path / "a.witness"
    path.write_bytes(torn + b"".join(record.packed() for record in RECORDS))
    file = WitnessFile(path)
    assert list(file) == RECORDS
    assert file.torn == rest


def test_a_changed_byte_costs_one_record(tmp_path: Path) -> None:
    path = filled(tmp_path / "a.witness", RECORDS)
    data = bytearray(path.read_bytes())
    data[SIZE + 9] ^= 1
    path.write_bytes(data)
    file = WitnessFile(path)
    assert list(file) == [RECORDS[0], *RECORDS[2:]]
    assert file.torn == SIZE


def test_records_that_span_two_reads_are_whole(tmp_path: Path) -> None:
    many = [Record(Kind.START, sequence=number) for number in range(5000)]
    path = tmp_path / "a.witness"
    path.write_bytes(b"?" + b"".join(record.packed() for record in many))
    assert list(WitnessFile(path)) == many


def test_the_files_of_a_directory_are_merged_by_time(tmp_path: Path) -> None:
    filled(tmp_path / f"b{SUFFIX}", RECORDS[::2])
    filled(tmp_path / f"a{SUFFIX}", RECORDS[1::2])
    (tmp_path / "notes.txt").write_text("no witness")
    files = witness_files(tmp_path)
    assert [file.path.name for file in files] == ["a.witness", "b.witness"]
    assert list(merged(files)) == RECORDS


def test_a_record_that_was_written_late_comes_after_what_its_writer_had_seen() -> None:
    late = Record(Kind.SENT, sequence=1, time=10)  # its writer was stopped between the clock and the file
    clients = [Record(Kind.SENT, sequence=2, time=500), late]
    worker = [Record(Kind.START, sequence=1, time=600)]
    order = list(merged([clients, worker]))
    assert order.index(late) < order.index(worker[0])


def test_a_full_disk_is_an_error_and_not_a_silence(tmp_path: Path) -> None:
    witness = Witness("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        witness.write(Kind.START)
    witness.close()
