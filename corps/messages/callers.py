"""Who has sent a request, as a worker may know it. Values only."""

from dataclasses import dataclass
from typing import Final

from corps.exporting import exported

OWN: Final = "own"
"""The identity of the owner of the Corps."""


@exported
@dataclass(frozen=True, slots=True)
class Caller:
    """Who has sent the request that is being answered. A value; any thread may use it.

    Attributes:
        identity: ``"own"`` for the owner of this Corps. No other user can have that name.
        corps: The id of the Corps of the worker that has sent the request; empty where a plain thread has.
        key: The fingerprint of the key that the caller has proved; empty where the kernel vouches for it.
        is_own: Whether the caller belongs to the owner of this Corps.
    """

    identity: str
    corps: str
    key: str
    is_own: bool


def own_caller(corps: str) -> Caller:
    """Return the owner of this Corps, who calls from a Corps with this id."""
    return Caller(OWN, corps, "", True)


UNKNOWN: Final = Caller("", "", "", False)
"""The caller behind a connection that has not said yet who speaks."""
