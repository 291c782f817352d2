"""Hosts on one machine: they reach each other over a real network, which a test can part.

Each is a network namespace; another one lies between them and passes packets on, or not. Processes run there
by `Hosts.command`. `NamespaceNetwork` has Envs of this process there. Needs root, the command ``ip``, and
``nft`` for a firewall.
"""

import ctypes
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from typing import Final, Self

from corps.endpoints import Listening
from corps.messages.members import Member
from corps.security.keys import new_key_pair
from corps.transport.link import Transport
from corps.transport.zeromq.transport import ZmqTransport
from corps.wire.frames import Hello

_NEW_NET: Final = 0x40000000  # CLONE_NEWNET
_RULES: Final = """
table inet fault {
    chain between {
        type filter hook forward priority 0
        policy drop
    }
}
"""


def can_make_namespaces() -> bool:
    """Whether this process may, and the machine can."""
    return why_no_hosts() == ""


def why_no_hosts(*, firewall: bool = False) -> str:
    """Return why there can be no hosts, or no firewall between them; empty if there can."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    commands = ["ip", *(["nft"] if firewall else [])]
    if missing := [command for command in commands if shutil.which(command) is None]:
        return f"this machine lacks the command {missing[0]}"
    try:
        with Hosts(1) as hosts, hosts.firewall() if firewall else nullcontext():
            return ""
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode() if isinstance(error.stderr, bytes) else error.stderr
        return f"this machine cannot: {' '.join(error.cmd)}: {said.strip()}"


class Hosts:
    """Hosts on one machine, each a network namespace, and one between them. One thread at a time.

    with Hosts(2, ipv6=True) as hosts:
        subprocess.run(hosts.command(1, "ping", "-c", "1", hosts.address(2)))
    """

    def __init__(self, count: int, *, ipv6: bool = False) -> None:
        """Make the namespaces, which all can reach each other.

        Args:
            count: How many hosts there are.
            ipv6: Whether they have addresses of IPv6 too.

        Raises:
            subprocess.CalledProcessError: This process may not, or the machine cannot.
        """
        self._ipv6 = ipv6
        prefix = f"corps-{secrets.token_hex(3)}"
        self._between = f"{prefix}-r"
        self._names = [f"{prefix}-{number}" for number in range(1, count + 1)]
        try:
            _ip("netns", "add", self._between)
            self._pass_on(True)
            for number, host in enumerate(self._names, 1):
                near, far = f"c{number}", f"r{number}"
                _ip("netns", "add", host)
                _ip("-n", self._between, "link", "add", far, "type", "veth", "peer", near, "netns", host)
                _ip("-n", self._between, "address", "add", f"10.77.{number}.1/24", "dev", far)
                _ip("-n", host, "address", "add", f"{self.address(number)}/24", "dev", near)
                _ip("-n", self._between, "link", "set", far, "up")
                _ip("-n", host, "link", "set", "lo", "up")
                _ip("-n", host, "link", "set", near, "up")
                _ip("-n", host, "route", "add", "default", "via", f"10.77.{number}.1")
                if ipv6:  # without a look whether another host has the address, which takes a second
                    gate = f"fd00:77:{number}::1"
                    _ip("-n", self._between, "address", "add", f"{gate}/64", "dev", far, "nodad")
                    _ip("-n", host, "address", "add", f"{self.address_v6(number)}/64", "dev", near, "nodad")
                    _ip("-n", host, "route", "add", "default", "via", gate)
        except subprocess.CalledProcessError:
            self.close()
            raise

    def address(self, host: int) -> str:
        """Return the IPv4 address of a host: the first one is 1."""
        return f"10.77.{host}.2"

    def address_v6(self, host: int) -> str:
        """Return the IPv6 address of a host: the first one is 1."""
        return f"fd00:77:{host}::2"

    def command(self, host: int, *words: str) -> tuple[str, ...]:
        """Return the command that runs another one on a host."""
        return ("ip", "netns", "exec", self._names[host - 1], *words)

    def enter(self, host: int) -> None:
        """Have the calling thread be on a host, for as long as it lives."""
        _enter(self._names[host - 1])

    def part(self) -> None:
        """From now on no packet gets from one host to another; nobody is told."""
        self._pass_on(False)

    def part_one_way(self, host: int) -> None:
        """From now on no packet gets to a host, though its own get through.

        Args:
            host: Its number: the first that has joined is 1.
        """
        _ip("-n", self._between, "route", "add", "blackhole", f"{self.address(host)}/32")

    def heal_all(self) -> None:
        """Let all packets through again, whatever has parted the hosts."""
        self._pass_on(True)
        _ip("-n", self._between, "route", "flush", "type", "blackhole")

    @contextmanager
    def firewall(self) -> Iterator[None]:
        """Part the hosts for the time of a block by a rule of nftables, which drops each packet between them.

        Raises:
            subprocess.CalledProcessError: This process may not, or the machine cannot.
        """
        self._nft(_RULES)
        try:
            yield
        finally:
            self._nft("delete table inet fault")

    def close(self) -> None:
        """Let go of the namespaces. Idempotent."""
        for name in (*self._names, self._between):
            with suppress(subprocess.CalledProcessError):
                _ip("netns", "del", name)

    def _nft(self, rules: str) -> None:
        command = ["ip", "netns", "exec", self._between, "nft", "-f", "-"]
        subprocess.run(command, input=rules, text=True, capture_output=True, check=True)

    def _pass_on(self, does: bool) -> None:
        for switch in ("ipv4/ip_forward", *(["ipv6/conf/all/forwarding"] if self._ipv6 else [])):
            write = f"echo {int(does)} > /proc/sys/net/{switch}"
            _ip("netns", "exec", self._between, "sh", "-c", write)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class NamespaceNetwork(Hosts):
    """TCP links between the Envs of one process, each on a host of its own. One thread at a time.

    with NamespaceNetwork(2) as network, memory_corps(2, network=network) as (one, two):
        network.part()
    """

    def __init__(self, hosts: int, *, silence: float | None = None, ipv6: bool = False) -> None:
        """Make the hosts.

        Args:
            hosts: How many Envs will join.
            silence: Seconds after which a silent peer is taken to be gone; None for never.
            ipv6: Whether the Envs listen on addresses of IPv6.

        Raises:
            subprocess.CalledProcessError: This process may not, or the machine cannot.
        """
        super().__init__(hosts, ipv6=ipv6)
        self._silence = silence
        self._joined = 0

    def join(self, hello: Hello) -> tuple[Transport, Member]:
        """An Env's end of all its links, on the next host.

        Args:
            hello: Who the Env is.

        Returns:
            Its transport, and its record.
        """
        self._joined += 1
        host = self._joined
        address = self.address_v6(host) if self._ipv6 else self.address(host)
        keys = new_key_pair()

        def make() -> ZmqTransport:
            self.enter(host)
            listening = Listening(address)
            return ZmqTransport(
                hello, runtime_dir=None, listening=listening, keys=keys, silence=self._silence
            )

        # Sockets belong to the namespace of the thread that makes them, and so do those of the threads it
        # starts: libzmq's are.
        with ThreadPoolExecutor(1) as thread:
            transport = thread.submit(make).result()
        return transport, Member(hello.env, hello.incarnation, transport.endpoint, keys.public)


def _enter(host: str) -> None:
    """Have the calling thread be in a namespace, for as long as it lives."""
    fd = os.open(f"/run/netns/{host}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(fd, _NEW_NET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the namespace {host}")
    finally:
        os.close(fd)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], capture_output=True, check=True)
