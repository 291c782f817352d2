"""What a caller shows to say for which user it asks, and what an authenticator says of it.

No text, log line or error shows credentials. Pure. Thread-safe.
"""

import logging
from typing import Final, NamedTuple

from corps.errors import KeyRingError, NotAuthenticated
from corps.handlers import came_from_a_handler
from corps.security.authenticators import MOST, Authenticator
from corps.security.key_ring import check_name

_log = logging.getLogger("corps.security")

_LONGEST: Final = 200  # characters of the reason of an authenticator


class Credentials:
    """Credentials on their way. Immutable. Thread-safe."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Take them.

        Raises:
            NotAuthenticated: Nobody could have them: they are no text, empty, or too long.
        """
        check_form(text)
        self._text = text

    def __repr__(self) -> str:
        return "<Credentials>"

    def __reduce__(self) -> str:
        raise TypeError("credentials are not packed: give them where they are needed")

    def reveal(self) -> str:
        """Return the text, to be sent or checked, and for nothing else."""
        return self._text


class Verdict(NamedTuple):
    """What came of a check: whose the credentials are, or why they do not count."""

    identity: str = ""  # empty where they do not count
    reason: str = ""
    is_final: bool = True  # False: the authenticator has failed, and another try may say something else


def check_form(text: object) -> None:
    """Check that a text can be credentials at all.

    Raises:
        NotAuthenticated: It cannot.
    """
    if type(text) is not str:
        raise NotAuthenticated(f"credentials are a text, and not of the type {type(text).__name__}")
    if not text:
        raise NotAuthenticated("the credentials are empty")
    if len(text) > MOST:
        raise NotAuthenticated(f"the credentials have {len(text)} characters, and {MOST} are the most")
    if not text.isprintable():
        raise NotAuthenticated("the credentials have a character that cannot be printed, such as a newline")


def judge(authenticator: Authenticator, credentials: Credentials) -> Verdict:
    """Say whose credentials are. An authenticator that fails lets nobody in.

    Args:
        authenticator: What knows that. It may be an application's, and do anything.
        credentials: What the caller has sent.

    Returns:
        The verdict. Its reason shows nothing of what was sent.
    """
    try:
        identity = authenticator.check(credentials.reveal())
    except NotAuthenticated as error:
        return Verdict(reason=_shown(str(error), credentials))
    except BaseException as error:  # the peer waits for an answer, whatever it is
        if came_from_a_handler(error):
            raise
        # Not its text: that may show what was sent.
        _log.error("the authenticator has failed: %s", type(error).__name__)
        return Verdict(reason="they could not be checked: the authenticator has failed", is_final=False)
    try:
        check_name(identity if type(identity) is str else "")
    except KeyRingError:
        _log.error("the authenticator named no user, but something of type %s", type(identity).__name__)
        return Verdict(reason="they could not be checked: the authenticator named no user")
    return Verdict(identity)


def _shown(reason: str, credentials: Credentials) -> str:
    """Return the reason of an authenticator, unless it shows what was sent."""
    if credentials.reveal() in reason or not reason:
        return "the authenticator refuses them"
    return reason[:_LONGEST]
