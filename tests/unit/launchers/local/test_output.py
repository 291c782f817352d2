"""Claims about OutputTail: it keeps the end, and no more than that."""

from corps.launchers.local.output import MAX_BYTES, MAX_LINES, OutputTail


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
