"""On which terms Envs of other Corps are let in, and what of them may be asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from corps.errors import BrokenError
from corps.messages.callers import OWN, Caller
from corps.messages.members import Member
from corps.packing.declared_classes import DeclaredClasses
from corps.peers.proving import Guard
from corps.security.audit import Audit
from corps.security.key_ring import KeyVerdict, fingerprint, judge_by_kernel
from corps.security.permissions import Permissions


@dataclass(frozen=True, slots=True)
class Terms:
    """What one Env grants to Envs of other Corps. The thread that reads judges by it.

    Attributes:
        secret: Of this Corps; None: it has handed out nothing, and admits no visitor.
        judge: Says whose a public key is; an empty one stands for the word of the kernel.
        permissions: What other owners may ask for.
        declared: How arguments and results travel between owners.
        weights: How large the shares of users are beside each other; 1 for those that are not in it.
        guard: Checks credentials; None: the key of an Env alone says who asks.
    """

    secret: bytes | None = None
    judge: Callable[[str], KeyVerdict] = judge_by_kernel
    permissions: Permissions = field(default_factory=Permissions)
    declared: DeclaredClasses = field(default_factory=DeclaredClasses)
    guard: Guard | None = None
    weights: Mapping[str, int] = field(default_factory=dict)

    def caller_of(self, member: Member, key: str) -> Caller:
        """Return whose an Env is that has proved a key, or that has to prove it to be connected to.

        Raises:
            BrokenError: The key does not count.
        """
        verdict = self.judge(key)
        if not verdict.counts:
            raise BrokenError(f"{member.label} has the key {fingerprint(key)}, which is {verdict.reason}")
        mark = fingerprint(key) if key else ""
        return Caller(verdict.identity, member.corps, mark, verdict.identity == OWN)


class Standing(NamedTuple):
    """How one peer stands to this Corps."""

    owner: str  # the identity of its owner, or of the one that it has to have
    terms: Terms
    audit: Audit  # of what is refused to it; for the thread that reads


def weights_of(words: Sequence[str]) -> dict[str, int]:
    """Read the setting `window.weights`, of which `corps.settings` has checked each word."""
    return {user: int(weight) for user, _, weight in (word.partition("=") for word in words)}
