"""Real connections between Envs of one process, each by way of a proxy, so that a test can break them."""

from corps.endpoints import Listening
from corps.messages.members import Member
from corps.security.keys import new_key_pair
from corps.transport.link import Transport
from corps.transport.zeromq.transport import ZmqTransport
from corps.wire.frames import Hello
from tests.lines.passages import Side
from tests.lines.proxy import Proxy


class ProxiedNetwork:
    """ZeroMQ links between the Envs of one process. Any thread may call.

    with ProxiedNetwork() as network, memory_corps(2, network=network) as (one, two):
        ...
        network.cut()
    """

    def __init__(
        self, runtime_dir: str | None = None, *, host: str = "127.0.0.1", silence: float | None = None
    ) -> None:
        """Nobody has joined.

        Args:
            runtime_dir: A directory of mode 0700 for links over `ipc`; None for `tcp`.
            host: Address that is listened on over `tcp`.
            silence: Seconds after which a silent peer is taken to be gone; None for never.
        """
        self._silence = silence
        self._runtime_dir = runtime_dir
        self._host = host
        self.proxies: list[Proxy] = []
        """In the order in which the Envs have joined: all links to an Env go by its proxy."""

    def join(self, hello: Hello) -> tuple[Transport, Member]:
        """An Env's end of all its links.

        Args:
            hello: Who the Env is.

        Returns:
            Its transport, which whoever joins has to close, and the record by which the others reach it.
        """
        keys = new_key_pair() if self._runtime_dir is None else None
        transport = ZmqTransport(
            hello,
            runtime_dir=self._runtime_dir,
            listening=Listening(self._host),
            keys=keys,
            silence=self._silence,
        )
        proxy = Proxy(transport.endpoint)
        self.proxies.append(proxy)
        public_key = "" if keys is None else keys.public
        return transport, Member(hello.env, hello.incarnation, proxy.endpoint, public_key)

    def cut(self, side: Side | None = None) -> int:
        """Break all connections; see `Proxy.cut`.

        Args:
            side: Which end is to see it; None for both.

        Returns:
            How many there were.
        """
        return sum(proxy.cut(side) for proxy in self.proxies)

    def stall(self) -> None:
        """From now on nothing gets through, and nobody is told."""
        for proxy in self.proxies:
            proxy.stall()

    def go_on(self) -> None:
        """Undo `stall`."""
        for proxy in self.proxies:
            proxy.go_on()

    def heal_all(self) -> None:
        """Undo every `stall` and delay."""
        for proxy in self.proxies:
            proxy.go_on()
            proxy.delay(0.0)

    def close(self) -> None:
        """Break all connections for good. Idempotent."""
        for proxy in self.proxies:
            proxy.close()

    def __enter__(self) -> "ProxiedNetwork":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
