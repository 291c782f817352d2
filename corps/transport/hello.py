"""Who speaks on a connection, by the HELLO that comes first; and what comes back if it is refused."""

from collections.abc import Callable, Sequence

from corps.addresses import env_label
from corps.errors import JoinRefused, VersionMismatch, WireError
from corps.messages.members import Member
from corps.security.audit import Audit
from corps.wire.frames import MAX_HELLO, Frame, Hello, read_header


def member_of(
    frames: Sequence[Frame],
    own: Hello,
    find: Callable[[str], Member | None],
    on_visitor: Callable[[Hello, str], Member | None] | None = None,
    key: str = "",
) -> Member:
    """Return the member that a HELLO names. `find` gives the member of an incarnation.

    `on_visitor` gives a record of an Env of another Corps that is not known yet; without it all are refused.
    `key` is the public key that the peer has proved; empty where the kernel vouches for it.

    Raises:
        VersionMismatch: The peer speaks another version of the protocol.
        JoinRefused: No member is what the HELLO says.
        WireError: It is no HELLO.
    """
    if frames and len(frames[0]) > MAX_HELLO:
        raise WireError(f"a HELLO of {len(frames[0])} bytes came; {MAX_HELLO} are the most")
    hello = read_header(frames)
    if not isinstance(hello, Hello):
        raise WireError("a peer did not say hello first")
    member = find(hello.incarnation)
    if hello.corps != own.corps:
        if member is None and hello.endpoint and on_visitor is not None:
            member = on_visitor(hello, key)
        if member is None or (member.corps, member.home) != (hello.corps, hello.env):
            raise JoinRefused(f"an Env of the Corps {hello.corps[:6]!r} may not connect")
    elif member is None or hello.env != member.env:
        raise no_member(hello.env)
    return member


def no_member(env: int) -> JoinRefused:
    """Return the error for a HELLO that is not true."""
    return JoinRefused(f"no member of this Corps says it is {env_label(env)}")


def note_refusal(audit: Audit, error: WireError) -> None:
    """Count a HELLO that was refused."""
    audit.refused("version" if isinstance(error, VersionMismatch) else "hello", str(error))


def mismatch_in(frames: Sequence[Frame]) -> VersionMismatch | None:
    """Return the error for what came back on a link; None unless it is the HELLO of another version."""
    refusal = refusal_in(frames, "")
    return refusal if isinstance(refusal, VersionMismatch) else None


def refusal_in(frames: Sequence[Frame], incarnation: str) -> VersionMismatch | JoinRefused | None:
    """Return the error for what came back on a link to an incarnation; None if it is nothing of matter.

    The HELLO of another version or of another incarnation says that the link leads to nobody.
    """
    try:
        hello = read_header(frames)
    except VersionMismatch as error:
        return error
    except WireError:
        return None
    if isinstance(hello, Hello) and hello.incarnation != incarnation:
        gone = "does not take it any more" if not hello.incarnation else "is another process now"
        return JoinRefused(f"{env_label(hello.env)} {gone}")
    return None
