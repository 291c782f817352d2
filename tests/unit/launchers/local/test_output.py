"""Claims about what a process wrote: the tail keeps the end, and no more than that; lines are whole."""

from corps.launchers.local.output import MAX_BYTES, MAX_LINES, Lines, OutputTail


def test_what_fits_is_kept_as_it_was_written() -> None:
    tail = OutputTail()
    tail.append(b"one\ntw")
    tail.append(b"o\nthree")
    assert tail.text() == "one\ntwo\nthree"


def test_only_the_last_lines_are_kept() -> None:
    tail = OutputTail()
    for number in range(1000):
        tail.append(b"%d\n" % number)
    assert tail.text().splitlines() == [str(number) for number in range(1000 - MAX_LINES, 1000)]


def test_only_the_last_bytes_of_long_lines_are_kept() -> None:
    tail = OutputTail()
    for letter in b"abcdefgh":
        tail.append(bytes([letter]) * MAX_BYTES)
    tail.append(b"end")
    assert tail.text() == "h" * (MAX_BYTES - 3) + "end"


def test_bytes_that_are_no_text_are_replaced() -> None:
    tail = OutputTail()
    tail.append(b"caf\xc3\xa9 \xff\n")
    assert tail.text() == "caf\u00e9 \ufffd\n"


def test_lines_are_whole_however_they_were_read() -> None:
    lines = Lines()
    assert lines.feed(b"one\ntw") == ["one"]
    assert lines.feed(b"o") == []
    assert lines.feed(b"\r\n\nthree") == ["two", ""]
    assert lines.rest() == ["three"]
    assert lines.rest() == []


def test_a_character_may_be_divided_and_bytes_that_are_no_text_are_replaced() -> None:
    lines = Lines()
    assert lines.feed(b"caf\xc3") == []
    assert lines.feed(b"\xa9 \xff\n") == ["caf\u00e9 \ufffd"]


def test_a_line_without_an_end_is_handed_over_when_it_is_too_long() -> None:
    lines = Lines()
    assert lines.feed(b"x" * MAX_BYTES) == []
    assert lines.feed(b"y") == ["x" * MAX_BYTES + "y"]
    assert lines.rest() == []
