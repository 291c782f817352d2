"""The hosts of a Corps: which of them starts the process of which Env."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from threading import Lock
from typing import Final

from corps.addresses import FRONT, env_label
from corps.clock import now
from corps.errors import ConfigError, EnvStartError
from corps.launchers.launcher import Exit, HostPlace, LaunchedEnv, Launcher
from corps.launchers.local.watcher import forward
from corps.launchers.remote.far_env import FarEnv
from corps.launchers.remote.link import ParentLink, ParentUp
from corps.launchers.remote.terms import Terms
from corps.launchers.starter import Starter

_log = logging.getLogger("corps.hosting")

_PARENT: Final = "corps.launchers.remote.parent"
_RESTART: Final = 10.0  # seconds at most that a host may take which has been there before
_PAUSE: Final = 5.0  # seconds until a host that was lost is tried again
_LONGEST_PAUSE: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Attached:
    """A parent that runs, and what its Envs have to know."""

    link: ParentLink
    place: HostPlace


class FarHost:
    """Another host, whose parent is started again where it has ended. Thread-safe."""

    def __init__(
        self,
        name: str,
        starter: Starter,
        python: str,
        terms: Terms,
        place: Callable[[str, ParentUp], HostPlace],
        on_exit: Callable[[Exit], object],
    ) -> None:
        """Start nothing yet. `place` says what its Envs have to know: by the name, and what a parent says."""
        self.name = name
        self._starter = starter
        self._words = [python, "-P", "-m", _PARENT]
        self._terms = terms
        self._place = place
        self._on_exit = on_exit
        self._lock = Lock()  # protects all below; held while a parent starts
        self._attached: _Attached | None = None
        self._link: ParentLink | None = None  # the last one, also while it starts
        self._not_before = 0.0
        self._pause = _PAUSE
        self._is_closed = False
        self._take_line: Callable[[int, int, str], object] | None = None

    def hand_over_lines(self, take_line: Callable[[int, int, str], object]) -> None:
        """Call this with each line that an Env writes, if the terms want that: see `ParentLink`."""
        self._take_line = take_line

    def _on_line(self, env_id: int, pid: int, line: str) -> None:
        if self._take_line is not None:
            self._take_line(env_id, pid, line)
        else:
            forward(f"{line}\n".encode(errors="surrogateescape"))

    def start(self) -> HostPlace:
        """Have a parent, started if need be, and return what its Envs have to know.

        Raises:
            EnvStartError: It cannot be started, or the host was lost a moment ago.
        """
        with self._lock:
            return self._attach().place

    def spawn(self, env_id: int, ticket: int) -> FarEnv:
        """Start the process of an Env; raise as `Launcher.spawn`."""
        with self._lock:
            found = self._attach()
        return found.link.spawn(env_id, ticket, found.place)

    def clear_after(self, env_id: int, incarnation: str) -> None:
        """See `Launcher.clear_after`."""
        found = self._attached
        if found is not None:
            found.link.clear_after(env_id, incarnation)

    @property
    def is_there(self) -> bool:
        """Whether its parent runs, as far as this process knows."""
        found = self._attached
        return found is not None and not found.link.is_over and not found.link.was_lost

    def end_soon(self) -> None:
        """Have its parent end, with its Envs, and start none any more. Idempotent."""
        self._is_closed = True
        if self._link is not None:
            self._link.end_soon()

    def close(self, grace: float) -> None:
        """End its parent, with its Envs, and start none any more. A start under way fails. Idempotent."""
        self.end_soon()
        if self._link is not None:
            self._link.close(grace)

    def _attach(self) -> _Attached:
        """Return what runs there. Caller holds the lock."""
        if self._is_closed:
            raise EnvStartError(f"host {self.name!r}: the Corps ends")
        found = self._attached
        if found is not None and not found.link.is_over:
            return found
        terms, is_again = self._terms, found is not None
        if found is not None:
            if found.link.was_lost and not self._not_before:
                self._not_before = now() + self._pause
            terms = replace(terms, start_timeout=min(terms.start_timeout, _RESTART))
            found.link.close(0.0)
        if now() < self._not_before:
            raise EnvStartError(f"host {self.name!r} was lost, and is tried again later", is_passing=True)
        try:
            attached = self._begin(terms)
        except EnvStartError as error:
            if is_again:
                self._not_before = now() + self._pause
                self._pause = min(2 * self._pause, _LONGEST_PAUSE)
                error.is_passing = True
            raise
        self._attached = attached
        self._not_before, self._pause = 0.0, _PAUSE
        return attached

    def _begin(self, terms: Terms) -> _Attached:
        stream = self._starter.start(self._words, terms.start_timeout)
        link = self._link = ParentLink(
            self.name, self._starter.shown, stream, terms, self._on_exit, self._on_line
        )
        if self._is_closed:  # `close` may not have seen the link
            link.close(0.0)
        up = link.begin()
        try:
            return _Attached(link, self._place(self.name, up))
        except BaseException:
            link.close(0.0)
            raise


class HostsLauncher:
    """Starts Envs on several hosts; see `corps.launchers.launcher.Launcher`. Thread-safe.

    An Env is started on its host. If that is not there, it is started on another one.
    """

    def __init__(
        self, local: Launcher, local_name: str, hosts: Sequence[FarHost], homes: Mapping[int, str]
    ) -> None:
        """Start nothing. `homes` has the name of the host of each Env; without one it is the local one."""
        self._local = local
        self._local_name = local_name
        self._hosts = {host.name: host for host in hosts}
        self._tickets = count(1)
        self._lock = Lock()  # protects what follows; nothing blocks under it
        self._homes = dict(homes)
        self._at: dict[int, str] = {}  # where the process of each Env was started last

    def spawn(self, env_id: int) -> LaunchedEnv:
        """See `Launcher.spawn`."""
        problem: EnvStartError | None = None
        home = self._homes.get(env_id, self._local_name)
        for name in self._in_order(env_id, home):
            try:
                process = self._spawn_at(name, env_id)
            except EnvStartError as error:
                problem = problem or error
                if not error.is_passing or env_id not in self._at:
                    raise  # another host would not do, or the Corps starts: its author has to know
                continue
            with self._lock:
                self._at[env_id] = name
            if name != home:
                _log.warning(
                    "%s is started on host %r: its own, %r, is not there", env_label(env_id), name, home
                )
            return process
        assert problem is not None
        raise problem

    def place(self, env_id: int, host: str) -> None:
        """See `Launcher.place`."""
        known = sorted({*self._hosts, self._local_name})
        if host not in known:
            raise ConfigError(f"add_env(host={host!r:.80}): the hosts of this Corps are {', '.join(known)}")
        with self._lock:
            self._homes[env_id] = host

    def clear_after(self, env_id: int, incarnation: str) -> None:
        """See `Launcher.clear_after`."""
        host = self._hosts.get(self._at.get(env_id, ""))
        (self._local if host is None else host).clear_after(env_id, incarnation)

    def _spawn_at(self, name: str, env_id: int) -> LaunchedEnv:
        host = self._hosts.get(name)
        return self._local.spawn(env_id) if host is None else host.spawn(env_id, next(self._tickets))

    def _in_order(self, env_id: int, home: str) -> list[str]:
        """Return the hosts to try: its own, those that are there, fewest Envs first, the local one last."""
        if home == self._local_name or env_id == FRONT:
            return [self._local_name]
        with self._lock:
            numbers = dict.fromkeys(self._hosts, 0)
            for each, name in self._at.items():
                if each != env_id and name in numbers:
                    numbers[name] += 1
        others = [name for name, host in self._hosts.items() if name != home and host.is_there]
        return [home, *sorted(others, key=lambda name: numbers[name]), self._local_name]


def close_all(hosts: Sequence[FarHost], grace: float) -> None:
    """End the parents of hosts, with their Envs, all at the same time. Idempotent."""
    for host in hosts:
        host.end_soon()
    for host in hosts:
        host.close(grace)


def start_all(hosts: Sequence[FarHost]) -> dict[str, HostPlace]:
    """Start the parents of hosts, all at the same time; return what their Envs have to know, by names.

    Raises:
        EnvStartError: One cannot be started. Then none is left.
    """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max(1, len(hosts)), "corps-host-start") as threads:
        starts = {host.name: threads.submit(host.start) for host in hosts}
    problems = [error for each in starts.values() if (error := each.exception()) is not None]
    if problems:
        close_all(hosts, 0.0)
        raise problems[0]
    return {name: each.result() for name, each in starts.items()}
