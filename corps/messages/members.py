"""The members of a Corps: one record per Env."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """One Env of a Corps, in one incarnation: an Env that is started again is another member."""

    env: int
    incarnation: str  # 32 random hexadecimal digits, never used again
    endpoint: str  # where it listens, such as ``ipc:///run/.../1-5f3a.sock`` or ``tcp://127.0.0.1:5001``
    public_key: str = ""  # its CURVE public key, Z85 encoded; empty where the transport needs none
    generation: int = 0  # how many processes the Env has had before
    corps: str = ""  # id of its Corps; empty for that of the Env that knows it

    def as_list(self) -> list[object]:
        """Return it as plain data, for the membership channel."""
        return [self.env, self.incarnation, self.endpoint, self.public_key, self.generation, self.corps]
