"""What an Env has refused: a connection, or what came by one. Values only."""

from dataclasses import dataclass

from corps.exporting import exported


@exported
@dataclass(frozen=True, slots=True)
class Refusal:
    """An Env has refused a peer, or something that a peer has sent. A value; any thread may use it.

    Attributes:
        kind: What was wrong, in one word. ``"connection"``: the peer is another user, or has no key that
            counts. ``"hello"``: it does not say who it is, or says what cannot be. ``"version"``: it speaks
            another version of the protocol. ``"identity"``: its key is that of another Env. ``"expelled"``:
            its Env counts as lost. ``"capability"``: it asks for a worker whose Name it was not given.
            ``"key"``: an Env of another Corps has a key that does not count. ``"credentials"``: it
            presents none, or some that do not count. An Env of another owner asks
            for what it may not, ``"permission"``; or too often, ``"rate"``; or sends what is no plain data,
            ``"codec"``.
            ``"frames"`` or ``"protocol"``: it sends what the protocol does not allow.
        reason: The same in words, with the process, key or Env that it was.
        env: The id of the Env that has refused it.
        time: When, in seconds since 1970.
        identity: The user whose key the peer has proved, as the key ring calls that one; empty where nothing
            was proved.
        key: The fingerprint of a key that the peer has proved, as `corps keys` shows it; empty for none.
        retry_after: Seconds after which the same may pass; None where it never will.
    """

    kind: str
    reason: str
    env: int
    time: float
    identity: str = ""
    key: str = ""
    retry_after: float | None = None
