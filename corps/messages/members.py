"""The members of a Corps: one record per Env."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """One Env of a Corps, in one incarnation: an Env that is started again is another member.

    Attributes:
        env: Its id.
        incarnation: 32 random hexadecimal digits, never used again.
        endpoint: Where it listens, such as ``ipc:///run/.../1-5f3a.sock`` or ``tcp://127.0.0.1:5001``.
        public_key: Its CURVE public key, Z85 encoded; empty where the transport needs none.
        generation: How many processes the Env has had before.
    """

    env: int
    incarnation: str
    endpoint: str
    public_key: str = ""
    generation: int = 0

    def as_list(self) -> list[object]:
        """Return it as plain data, for the membership channel."""
        return [self.env, self.incarnation, self.endpoint, self.public_key, self.generation]
