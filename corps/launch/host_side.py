"""The host on which an Env is, as that Env knows it, if its Corps has several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corps.endpoints import Listening, read_ports
from corps.messages.members import Member
from corps.runtime.env import Env


@dataclass(frozen=True, slots=True)
class HostSide:
    """The name of a host, and where its Envs listen for those of others."""

    name: str
    addresses: tuple[str, ...]  # of this host, best first
    ports: str = "0"  # on which its Envs listen, as in a setting

    def as_list(self) -> list[Any]:
        """Make plain data of it, for the way to its Envs."""
        return [self.name, list(self.addresses), self.ports]

    @classmethod
    def from_list(cls, plain: list[Any]) -> "HostSide | None":
        """Make it from what `as_list` gave; None from nothing, which stands for a Corps of one host."""
        if not plain:
            return None
        name, addresses, ports = plain
        return cls(name, tuple(addresses), ports)

    def listening(self) -> list[Listening]:
        """Return where one of its Envs listens."""
        return [Listening(address, read_ports(self.ports)) for address in self.addresses]


def know_hosts(
    env: Env, me: Member, own: Mapping[int, frozenset[str]], of_hosts: Mapping[str, Sequence[str]]
) -> None:
    """Have an Env know the labels of each Env, from now on also those of the hosts where they are.

    `own` are the labels of single Envs, `of_hosts` those of hosts, if the Corps has several.
    """
    env.labels = own
    if not me.host:
        return

    def met(member: Member) -> None:
        labels = own.get(member.env, frozenset()) | {*of_hosts.get(member.host, ())}
        env.hosts = {**env.hosts, member.env: member.host}
        env.labels = {**env.labels, member.env: labels}

    env.others.on_met = met
    met(me)
