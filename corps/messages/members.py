"""The members of a Corps: one record per Env."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from corps.addresses import FOREIGN, FRONT, env_label
from corps.errors import UnpackError

_BIGGEST: Final = FOREIGN - 1
_LONGEST: Final = 4096
_MOST_ADDRESSES: Final = 64


@dataclass(frozen=True, slots=True)
class Member:
    """One Env of a Corps, in one incarnation: an Env that is started again is another member."""

    env: int  # the number by which the Env knows it that has this record
    incarnation: str  # 32 random hexadecimal digits, never used again
    endpoint: str  # where it listens, such as ``ipc:///run/.../1-5f3a.sock`` or ``tcp://127.0.0.1:5001``
    public_key: str = ""  # its CURVE public key, Z85 encoded; empty where the transport needs none
    generation: int = 0  # how many processes the Env has had before
    corps: str = ""  # id of its Corps; empty for that of the Env that has this record
    home: int | None = None  # its id in its own Corps, where that differs from `env`
    outside: tuple[str, ...] = ()  # where others than this host's user reach it, with its key; best first
    host: str = ""  # the name of its host, if its Corps has several

    @property
    def label(self) -> str:
        """Return what texts call it."""
        label = env_label(self.env if self.home is None else self.home)
        return f"{label} of the Corps {self.corps[:6]}" if self.corps else label

    @classmethod
    def from_plain(cls, plain: Any) -> "Member":
        """Read what anybody has sent in place of `as_list`.

        Raises:
            UnpackError: It is no such record.
        """
        kinds = [int, str, str, str, int, str]
        if type(plain) not in (list, tuple) or [type(each) for each in plain[:-1]] != kinds:
            raise UnpackError("a record of an Env has to come, and something else has")
        if not FRONT <= plain[0] <= _BIGGEST or not 0 <= plain[4] <= _BIGGEST:
            raise UnpackError("a record of an Env has a number out of range")
        *first, outside = plain
        if type(outside) not in (list, tuple) or len(outside) > _MOST_ADDRESSES:
            raise UnpackError(f"a record of an Env has no list of at most {_MOST_ADDRESSES} addresses")
        if not all(type(each) is str for each in outside):
            raise UnpackError("a record of an Env has an address that is no text")
        if any(len(each) > _LONGEST for each in (*first, *outside) if type(each) is str):
            raise UnpackError(f"a record of an Env has a text of more than {_LONGEST} characters")
        return cls.from_list(plain)

    def as_list(self) -> list[object]:
        """Return it as plain data, for the membership channel."""
        where = self.endpoint, self.public_key, self.generation, self.corps
        on = [self.host] if self.host else []
        return [self.env, self.incarnation, *where, list(self.outside), *on]

    @classmethod
    def from_list(cls, facts: Sequence[Any]) -> "Member":
        """Undo `as_list`."""
        env, incarnation, endpoint, public_key, generation, corps, outside, *on = facts
        where = endpoint, public_key, generation, corps
        return cls(env, incarnation, *where, outside=tuple(outside), host=on[0] if on else "")

    def by_socket(self) -> "Member":
        """Return it as the user of its host reaches it: by a socket file, where no key is needed."""
        return replace(self, public_key="", outside=())

    def at(self, endpoint: str) -> "Member":
        """Return it as it is reached at one of the addresses of `outside`."""
        return replace(self, endpoint=endpoint, outside=())
