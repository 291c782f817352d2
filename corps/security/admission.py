"""Which peers may connect: default deny, decided per connection, before any frame of it reaches Python.

ZeroMQ asks by ZAP (https://rfc.zeromq.org/spec/27/). Over `ipc` the kernel vouches for the peer's user,
over `tcp` CURVE vouches for its key. A refusal says why, for the audit log.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from corps.security.key_ring import KeyVerdict, fingerprint


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one ZAP request."""

    admitted: bool  # whether the peer may connect
    user: str  # the incarnation of the Env whose key the peer has proved, at the border the key; or empty
    reason: str  # for the log


@dataclass(slots=True)
class Admission:
    """The rule of one Env. Its transport's lock protects `keys`."""

    uid: int  # the user whose processes may connect over `ipc`
    # Incarnations by their CURVE public keys (Z85), of those that may connect over `tcp`.
    keys: dict[str, str] = field(default_factory=dict)
    ring: Callable[[str], KeyVerdict] | None = None  # at the border: whose a key is, and whether it counts

    def judge_local(self, address: str) -> Verdict:
        """Judge a connection over `ipc`. libzmq gives the address as ``localhost:uid:gid:pid``."""
        parts = address.split(":")
        if len(parts) != 4 or not parts[1].isdecimal():
            return Verdict(False, "", f"peer address {address!r} does not tell its user")
        return self.judge_user(parts[3], int(parts[1]))

    def judge_user(self, process: str, uid: int) -> Verdict:
        """Judge a connection inside the host by the user that the kernel says."""
        if uid != self.uid:
            return Verdict(False, "", f"process {process} belongs to user {uid}, not to {self.uid}")
        return Verdict(True, "", f"process {process} of user {uid}")

    def judge_key(self, public_key: str) -> Verdict:
        """Judge a connection over `tcp` that has proved to own a CURVE key (Z85)."""
        if self.ring is not None:
            verdict = self.ring(public_key)
            reason = f"key {fingerprint(public_key)} of {verdict.identity!r}"
            if not verdict.counts:
                reason = f"the key {fingerprint(public_key)} is {verdict.reason}"
            return Verdict(verdict.counts, public_key, reason)
        incarnation = self.keys.get(public_key)
        if incarnation is None:
            return Verdict(False, "", f"unknown key {public_key[:8]}...")
        return Verdict(True, incarnation, f"key {public_key[:8]}...")
