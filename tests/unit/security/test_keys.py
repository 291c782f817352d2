"""Claims about key pairs."""

import pytest
import zmq

from corps.security.keys import new_key_pair


def test_no_two_pairs_are_equal() -> None:
    pairs = [new_key_pair() for _ in range(10)]
    assert len({pair.secret for pair in pairs} | {pair.public for pair in pairs}) == 20


def test_the_secret_is_not_shown() -> None:
    pair = new_key_pair()
    assert pair.public in repr(pair)
    assert pair.secret not in repr(pair)


def test_a_libzmq_without_curve_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zmq, "has", lambda _: False)
    with pytest.raises(RuntimeError, match="install the pyzmq wheel"):
        new_key_pair()
