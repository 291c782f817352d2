"""The page of the wire protocol says what the code does: kinds, fields, statuses, limits, version."""

import re
from pathlib import Path
from typing import Any

import pytest

import corps.messages.requests as requests
import corps.wire.chunks as chunks
import corps.wire.frames as frames
import corps.wire.link_frames as link_frames
import corps.wire.resume as resume
from corps.packing.codecs import CODEC_TAGS
from corps.peers.answering import _CREDIT_DELAY

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "wire-protocol.md").read_text("utf-8")
KINDS = (
    "HELLO",
    "REQUEST",
    "OUTCOME",
    "CANCEL",
    "PROBE",
    "CREDIT",
    "OPEN",
    "CHUNK",
    "TAKEN",
    "DROPPED",
    "DEFINE",
    "ASK",
    "ARRIVED",
    "MISSED",
    "MARK",
    "SHARE",
    "SHARED",
    "WORKING",
)
READERS = {**frames.READERS, **link_frames._READERS}
SHAPES = {
    "header": (1, 1),
    "header, body, any number of buffers": (2, frames.MAX_FRAMES),
    "header, body": (2, 2),
    "header, lengths": (2, 2),
    "header, bytes": (2, 2),
}
TYPES = {
    "text": {str},
    "integer": {int},
    "integer or nil": {int, type(None)},
    "bytes": {bytes},
    f"{frames.TRACE_SIZE} bytes": {bytes},
    "number or nil": {int, float, type(None)},
    "array of two integers, or nil": {tuple, type(None)},
    "array of texts": {tuple},
}


def kind_of(name: str) -> int:
    kind: int = getattr(frames if hasattr(frames, name) else link_frames, name)
    return kind


def tables(section: str) -> list[list[list[str]]]:
    """The tables under a heading, as rows of cells without the head."""
    text = re.split(r"^#+ ", PAGE.split(f"# {section}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    found = re.findall(r"(?:^ *\|.*\n)+", text, flags=re.MULTILINE)
    rows = [
        [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines()]
        for table in found
    ]
    return [table[2:] for table in rows]


def test_the_version_is_that_of_the_code() -> None:
    assert f"\nVersion {frames.VERSION}. " in PAGE
    assert ["version", "integer", f"{frames.VERSION}"] in tables("1: HELLO")[0]
    assert ["magic", "text", f"`{frames._MAGIC}`"] in tables("1: HELLO")[0]


def test_the_kinds_are_those_of_the_code() -> None:
    assert [(int(row[0]), row[1]) for row in tables("Headers")[0]] == [
        (kind_of(name), name) for name in KINDS
    ]
    assert sorted(READERS) == [kind_of(name) for name in KINDS]


@pytest.mark.parametrize("name", KINDS)
def test_the_fields_are_those_of_the_code(name: str) -> None:
    kind = kind_of(name)
    signatures, least, most, _ = READERS[kind]
    shortest = min(map(len, signatures))  # without optional fields
    signatures = frozenset(signature for signature in signatures if len(signature) == shortest)
    listed = [TYPES[row[1]] for row in tables(f"{kind}: {name}")[0]]
    assert listed == [set(column) for column in zip(*signatures, strict=True)]
    shape = next(row[2] for row in tables("Headers")[0] if row[1] == name)
    assert SHAPES[shape] == (least, most)


def test_the_optional_fields_are_those_of_the_code() -> None:
    listed = [(int(row[0]), row[1].replace(" ", "_"), TYPES[row[2]]) for row in tables("2: REQUEST")[1]]
    known = frames.OPTIONAL_FIELDS.items()
    assert listed == [
        (flag, name, set(types)) for flag, (name, (types, _, _)) in zip(frames.FLAGS, known, strict=True)
    ]


def test_the_request_kinds_are_those_of_the_code() -> None:
    listed = {row[1]: int(row[0]) for row in tables("2: REQUEST")[2]}
    assert listed == {name: getattr(requests, name) for name in listed}
    assert set(listed.values()) == set(frames.REQUEST_KINDS)
    inside = (requests.CREATE, requests.HALT, requests.TOLD, requests.KEEP, requests.AHEAD)
    assert "Kinds {}, {}, {}, {} and {} (the construction".format(*inside) in PAGE


def test_the_statuses_are_those_of_the_code() -> None:
    listed = {row[1]: int(row[0]) for row in tables("3: OUTCOME")[1]}
    assert listed == {name: getattr(frames, name) for name in ("RETURNED", "RAISED", "REFUSED", "STREAMED")}
    assert set(listed.values()) == frames.STATUSES


def test_the_codecs_are_those_of_the_code() -> None:
    assert {row[1].strip("`"): int(row[0]) for row in tables("Codecs")[0]} == dict(CODEC_TAGS)


@pytest.mark.parametrize(
    ("sentence", "value"),
    [
        ("at most {} bytes long", frames.MAX_HEADER),
        ("at most {} frames", frames.MAX_FRAMES),
        ("between 0 and {}", frames.MAX_NUMBER),
        ("name of the method or attribute, at most {} bytes", frames.MAX_METHOD),
        ("until its deadline, 0 to {}", int(frames.MAX_REMAINING)),
        ("packed with, at most {}", frames.MAX_CODEC),
        ("asks, 1 to {} bytes", frames.MAX_IDENTITY),
        ("a Corps has 1 to {} bytes", frames.MAX_CORPS_ID),
        ("one of more than {} bytes", chunks.LARGE_MESSAGE),
        ("at most {} bytes, and not more than `max_message`", chunks.CHUNK_SIZE),
        ("while {} bytes or more are not TAKEN", chunks.WINDOW),
        ("at the latest when {} bytes have come", chunks.RETURN),
        ("more than {} streams under way", chunks.MAX_STREAMS),
        ("or all of them than {} bytes", chunks.MAX_SIZE),
        ("after {} messages", resume.TELL_MESSAGES),
        ("or {} bytes, whichever", resume.TELL_BYTES),
        ("for {} ms SHOULD send a HELLO and an ASK", int(resume.PAUSE * 1000)),
        ("within {} ms", int(_CREDIT_DELAY * 1000)),
    ],
)
def test_the_limits_are_those_of_the_code(sentence: str, value: Any) -> None:
    assert sentence.format(value) in re.sub(r"\s+", " ", PAGE)
