"""Hosts on one machine: Envs of one process that reach each other over a real network, which a test can part.

Each Env is in a network namespace of its own; another one lies between them and passes packets on, or not.
Needs root, and the command ``ip``.
"""

import ctypes
import os
import secrets
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from corps.endpoints import Listening
from corps.messages.members import Member
from corps.security.keys import new_key_pair
from corps.transport.link import Transport
from corps.transport.zeromq.transport import ZmqTransport
from corps.wire.frames import Hello

_NEW_NET: Final = 0x40000000  # CLONE_NEWNET


def can_make_namespaces() -> bool:
    """Whether this process may, and the machine can."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    try:
        NamespaceNetwork(1).close()
    except subprocess.CalledProcessError:
        return False
    return True


class NamespaceNetwork:
    """TCP links between the Envs of one process, each in a network namespace. One thread at a time.

    with NamespaceNetwork(2) as network, memory_corps(2, network=network) as (one, two):
        network.part()
    """

    def __init__(self, hosts: int, *, silence: float | None = None, ipv6: bool = False) -> None:
        """Make the namespaces, which all can reach each other.

        Args:
            hosts: How many Envs will join.
            silence: Seconds after which a silent peer is taken to be gone; None for never.
            ipv6: Whether the Envs listen on addresses of IPv6.

        Raises:
            subprocess.CalledProcessError: This process may not, or the machine cannot.
        """
        self._silence = silence
        self._ipv6 = ipv6
        prefix = f"corps-{secrets.token_hex(3)}"
        self._between = f"{prefix}-r"
        self._hosts = [f"{prefix}-{number}" for number in range(1, hosts + 1)]
        self._joined = 0
        try:
            _ip("netns", "add", self._between)
            self._pass_on(True)
            for number, host in enumerate(self._hosts, 1):
                near, far = f"c{number}", f"r{number}"
                _ip("netns", "add", host)
                _ip("-n", self._between, "link", "add", far, "type", "veth", "peer", near, "netns", host)
                _ip("-n", self._between, "address", "add", f"10.77.{number}.1/24", "dev", far)
                _ip("-n", host, "address", "add", f"10.77.{number}.2/24", "dev", near)
                _ip("-n", self._between, "link", "set", far, "up")
                _ip("-n", host, "link", "set", "lo", "up")
                _ip("-n", host, "link", "set", near, "up")
                _ip("-n", host, "route", "add", "default", "via", f"10.77.{number}.1")
                if ipv6:  # without a look whether another host has the address, which takes a second
                    net = f"fd00:77:{number}::"
                    _ip("-n", self._between, "address", "add", f"{net}1/64", "dev", far, "nodad")
                    _ip("-n", host, "address", "add", f"{net}2/64", "dev", near, "nodad")
                    _ip("-n", host, "route", "add", "default", "via", f"{net}1")
        except subprocess.CalledProcessError:
            self.close()
            raise

    def join(self, hello: Hello) -> tuple[Transport, Member]:
        """An Env's end of all its links, in the next namespace.

        Args:
            hello: Who the Env is.

        Returns:
            Its transport, and its record.
        """
        host = self._hosts[self._joined]
        self._joined += 1
        address = f"fd00:77:{self._joined}::2" if self._ipv6 else f"10.77.{self._joined}.2"
        keys = new_key_pair()

        def make() -> ZmqTransport:
            _enter(host)
            listening = Listening(address)
            return ZmqTransport(
                hello, runtime_dir=None, listening=listening, keys=keys, silence=self._silence
            )

        # Sockets belong to the namespace of the thread that makes them, and so do those of the threads it
        # starts: libzmq's are.
        with ThreadPoolExecutor(1) as thread:
            transport = thread.submit(make).result()
        return transport, Member(hello.env, hello.incarnation, transport.endpoint, keys.public)

    def part(self) -> None:
        """From now on no packet gets from one host to another; nobody is told."""
        self._pass_on(False)

    def part_one_way(self, host: int) -> None:
        """From now on no packet gets to a host, though its own get through.

        Args:
            host: Its number: the first that has joined is 1.
        """
        _ip("-n", self._between, "route", "add", "blackhole", f"10.77.{host}.2/32")

    def heal_all(self) -> None:
        """Let all packets through again."""
        self._pass_on(True)
        _ip("-n", self._between, "route", "flush", "type", "blackhole")

    def close(self) -> None:
        """Let go of the namespaces. Idempotent."""
        for name in (*self._hosts, self._between):
            with suppress(subprocess.CalledProcessError):
                _ip("netns", "del", name)

    def _pass_on(self, does: bool) -> None:
        for switch in ("ipv4/ip_forward", *(["ipv6/conf/all/forwarding"] if self._ipv6 else [])):
            write = f"echo {int(does)} > /proc/sys/net/{switch}"
            _ip("netns", "exec", self._between, "sh", "-c", write)

    def __enter__(self) -> "NamespaceNetwork":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
