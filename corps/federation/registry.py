"""The external Corps of this user on this host, by their tags: files in a directory of the user.

Of each tag there is a *claim*, from the beginning of a boot to the end of the Corps: it keeps the tag for one
Corps, and says how far that is. While the Corps can be reached there is its connection record too. What a
killed process leaves is stale: its tag is free, and the next boot with that tag replaces it. The tag of a
contained Corps is never taken again: the next boot of any Corps removes what is stale of those.

All changes are made under a lock of the directory, which the kernel releases with a process. Readers need no
lock, because a file is written as a whole.
"""

import difflib
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from corps.errors import ConfigError, CorpsError, NameTaken, NotFound
from corps.federation import claims, records
from corps.federation.claims import Claim, Stage, State
from corps.federation.private_dir import PrivateDir, read_private_file
from corps.federation.records import ConnectionRecord
from corps.security.private_places import problem_with

T = TypeVar("T")

_CLAIM: Final = ".claim"
_RECORD: Final = ".json"
_TAG: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One external Corps of this user. `problem` says why its file cannot be used; then `claim` is None."""

    tag: str
    claim: Claim | None
    record: ConnectionRecord | None = None  # None where it cannot be reached, or not yet
    problem: CorpsError | None = None

    @property
    def state(self) -> State | None:
        """How far it is; None where that is not known."""
        return None if self.claim is None else self.claim.state

    def check_free(self) -> None:
        """Raise NameTaken if a Corps that is not gone has the tag."""
        if self.claim is not None and self.claim.state != "stale":
            raise NameTaken(
                f"the tag {self.tag!r} belongs to another Corps of yours: {self.claim.holder}; take another "
                f"tag, or end that Corps: corps stop {self.tag}"
            )


class Registry:
    """The external Corps of this user on this host. Thread-safe: it holds nothing but a path."""

    def __init__(self, path: str) -> None:
        """Use a directory, which is made when something is claimed."""
        self.path = path

    def file_of(self, tag: str) -> str:
        """Return the path of the connection file of a tag, which is there while the Corps can be reached."""
        return f"{self.path}/{checked(tag)}{_RECORD}"

    def claim(self, claim: Claim) -> None:
        """Take a tag for one Corps, if it is free. What a Corps has left that is gone is removed.

        So is what contained Corps have left, because nobody takes their tags again.

        Args:
            claim: Who takes it.

        Raises:
            NameTaken: A Corps that is not gone has it. The error's text says which.
            UnsafeFile: The directory, or the file of the tag, could have been made by another user.
            Damaged: The file of the tag is no claim.
            NewerFormat: A newer release of corps wrote it.
            OSError: It cannot be written.
        """
        with self._open(make=True) as place, place.locked():
            held = _or_none(self._claim_of, place, checked(claim.tag))
            Entry(claim.tag, held).check_free()
            self._sweep(place)
            place.remove(claim.tag + _RECORD)
            place.write(claim.tag + _CLAIM, claim.to_json())

    def _sweep(self, place: PrivateDir) -> None:
        """Remove what killed contained Corps have left. The directory is locked."""
        for tag in place.names(_CLAIM):
            try:
                claim = _or_none(self._claim_of, place, tag)
            except CorpsError:  # `corps ps` shows it
                continue
            if claim is not None and claim.tag == tag and claim.is_left_over:
                place.remove(tag + _RECORD)
                place.remove(tag + _CLAIM)

    def publish(self, record: ConnectionRecord) -> None:
        """Make a Corps that has a tag known to all that look for it. Its claim says that it runs.

        Raises:
            NotFound: The tag is not claimed for this Corps.
            CorpsError: As `claim`.
            OSError: It cannot be written.
        """
        with self._open(make=False) as place, place.locked():
            claim = self._own(place, record.tag, record.corps)
            place.write(record.tag + _RECORD, record.to_json().encode())
            stage: Stage = "ending" if claim.stage == "ending" else "running"
            running = replace(claim, class_name=record.class_name, stage=stage)
            place.write(record.tag + _CLAIM, running.to_json())

    def reach(self, tag: str, corps: str, stage: Stage, class_name: str | None = None) -> None:
        """Write down how far a Corps is that has a tag.

        Args:
            tag: The tag.
            corps: The id of the Corps.
            stage: How far it is.
            class_name: Its class, if that is known only now.

        Raises:
            NotFound: The tag is not claimed for this Corps.
            CorpsError: As `claim`.
            OSError: It cannot be written.
        """
        with self._open(make=False) as place, place.locked():
            claim = self._own(place, tag, corps)
            reached = replace(claim, stage=stage, class_name=class_name or claim.class_name)
            place.write(tag + _CLAIM, reached.to_json())

    def begin_end(self, tag: str, corps: str, signal: Callable[[], None]) -> bool:
        """Have one of all that want the end of a Corps signal it: a second signal would cut the end short.

        Args:
            tag: The tag.
            corps: The id of the Corps.
            signal: What sends the signal.

        Returns:
            Whether it was called: the Corps was not ending yet.

        Raises:
            NotFound: The tag is not claimed for this Corps any more: all is over.
            CorpsError: As `claim`.
            OSError: It cannot be written.
        """
        with self._open(make=False) as place, place.locked():
            claim = self._own(place, tag, corps)
            if claim.stage == "ending":
                return False
            signal()
            place.write(tag + _CLAIM, replace(claim, stage="ending").to_json())
            return True

    def withdraw(self, tag: str, corps: str) -> None:
        """Give a tag back that a Corps has, and forget the Corps. Nothing happens if another one has it.

        Raises:
            CorpsError: As `claim`.
            OSError: It cannot be removed.
        """
        with self._open(make=False) as place, place.locked():
            try:
                self._own(place, tag, corps)
            except NotFound:
                return
            place.remove(tag + _RECORD)
            place.remove(tag + _CLAIM)

    def find(self, tag: str) -> ConnectionRecord:
        """Return what is needed to reach the Corps with a tag.

        Args:
            tag: The tag.

        Returns:
            Its connection record.

        Raises:
            NotFound: No Corps of this user has it, or it cannot be reached now. The text says which tags
                there are.
            UnsafeFile: The directory, or a file of the tag, could have been made by another user.
            Damaged: A file of the tag is not what it has to be.
            NewerFormat: A newer release of corps wrote it.
            ConfigError: It cannot be a tag.
        """
        entry = self.entry(tag)
        if entry.problem is not None:
            raise entry.problem
        if entry.claim is None or entry.state == "stale":
            raise NotFound(f"the Corps with the tag {tag!r} has died without giving the tag back")
        if entry.record is None or entry.record.corps != entry.claim.corps:
            raise NotFound(f"the Corps with the tag {tag!r} is {entry.state}, and cannot be reached yet")
        return entry.record

    def entry(self, tag: str) -> Entry:
        """Return what is known of a tag.

        Raises:
            NotFound: Nothing is. The text says which tags there are.
            UnsafeFile: The directory could have been made by another user.
            ConfigError: It cannot be a tag.
        """
        checked(tag)
        try:
            with self._open(make=False) as place:
                return self._entry(place, tag)
        except FileNotFoundError:
            raise NotFound(_nobody(tag, self.tags())) from None

    def is_claimed(self, tag: str, corps: str) -> bool:
        """Return whether a Corps still has a tag.

        Raises:
            UnsafeFile: The directory could have been made by another user.
        """
        try:
            claim = self.entry(tag).claim
        except NotFound:
            return False
        return claim is not None and claim.corps == corps

    def all_of_user(self) -> list[Entry]:
        """Return what is known of each tag, sorted.

        Raises:
            UnsafeFile: The directory could have been made by another user.
        """
        found = []
        try:
            with self._open(make=False) as place:
                for tag in place.names(_CLAIM):
                    entry = _or_none(self._entry, place, tag)
                    if entry is not None:  # it has not gone meanwhile
                        found.append(entry)
        except FileNotFoundError:
            pass
        return found

    def tags(self) -> list[str]:
        """Return the tags of the Corps that are not gone, sorted.

        Raises:
            UnsafeFile: The directory could have been made by another user.
        """
        return [entry.tag for entry in self.all_of_user() if entry.state not in {None, "stale"}]

    def _open(self, *, make: bool) -> PrivateDir:
        return PrivateDir(self.path, make=make)

    def _claim_of(self, place: PrivateDir, tag: str) -> Claim:
        where = f"{self.path}/{tag}{_CLAIM}"
        return Claim.from_json(place.read(tag + _CLAIM, claims.MAX_SIZE), where)

    def _own(self, place: PrivateDir, tag: str, corps: str) -> Claim:
        """Return the claim of this Corps, or raise NotFound."""
        held = _or_none(self._claim_of, place, checked(tag))
        if held is None or held.corps != corps:
            raise NotFound(f"the tag {tag!r} is not that of the Corps {corps} any more")
        return held

    def _entry(self, place: PrivateDir, tag: str) -> Entry:
        claim = None
        try:
            claim = self._claim_of(place, tag)
            return Entry(tag, claim, _or_none(self._record_of, place, tag))
        except CorpsError as error:
            return Entry(tag, claim, problem=error)

    def _record_of(self, place: PrivateDir, tag: str) -> ConnectionRecord:
        where = f"{self.path}/{tag}{_RECORD}"
        return ConnectionRecord.from_json(place.read(tag + _RECORD, records.MAX_SIZE), where)


def registry_of_user() -> Registry:
    """Return the registry of this user on this host.

    It is ``$XDG_RUNTIME_DIR/corps`` where that directory is this user's alone, and otherwise
    ``corps-<user id>`` in the directory for temporary files.
    """
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(base) and problem_with(base) is None:
        return Registry(os.path.join(base, "corps"))
    return Registry(os.path.join(tempfile.gettempdir(), f"corps-{os.getuid()}"))


def read_connection_file(path: str) -> ConnectionRecord:
    """Read a connection file that this user alone may open.

    Args:
        path: Where it is.

    Returns:
        What it says.

    Raises:
        NotFound: There is none.
        UnsafeFile: It is no regular file, or other users may open it.
        Damaged: It is no connection record.
        NewerFormat: A newer release of corps wrote it.
    """
    try:
        return ConnectionRecord.from_json(read_private_file(path, records.MAX_SIZE), path)
    except FileNotFoundError:
        raise NotFound(f"there is no connection file {path}") from None


def checked(tag: str) -> str:
    """Return a tag that can be one; raise ConfigError for others."""
    if not _TAG.fullmatch(tag):
        raise ConfigError(
            f"{tag!r:.80} cannot be the tag of an external Corps: it wants 1 to 64 letters, digits, dots, "
            "underscores and hyphens"
        )
    return tag


def _nobody(tag: str, tags: list[str]) -> str:
    near = difflib.get_close_matches(tag, tags)
    if near:
        return f"no Corps of yours on this host has the tag {tag!r}; did you mean {' or '.join(near)}?"
    known = ", ".join(tags[:20]) or "none"
    return f"no Corps of yours on this host has the tag {tag!r}; there are: {known}"


def _or_none(read: Callable[[PrivateDir, str], T], place: PrivateDir, tag: str) -> T | None:
    """Return what a function reads of a tag; None where its file is not there."""
    try:
        return read(place, tag)
    except FileNotFoundError:
        return None
