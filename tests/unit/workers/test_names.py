"""Claims about what a Name makes of a call, without any worker."""

from typing import Any

from corps.addresses import ConcAddr
from corps.messages.interfaces import Interface
from corps.messages.requests import CALL, GET, PINNED
from corps.workers.names import Name


def test_a_pinned_request_says_its_kind_as_a_plain_number() -> None:
    """It is packed, and packed as a member of its enum it would not be what the wire protocol says."""
    name: Name[Any] = Name(
        ConcAddr("0" * 16, 1, 2), Interface("app:Counter", frozenset({"add"})), None, None, 1, 3
    )
    for kind, (pinned, args) in (
        (CALL, name._method("add")._as_sent(())),
        (GET, name._as_pinned(GET, ())),
    ):
        assert (pinned, args) == (PINNED, (3, kind))
        assert type(args[1]) is int
