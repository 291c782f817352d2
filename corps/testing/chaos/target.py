"""A running Corps as the faults see it."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Event
from types import FrameType
from typing import Any, Final

import psutil

from corps.addresses import env_label
from corps.errors import CorpsError
from corps.launch.choosing import options
from corps.supervision.restarts import Restart
from corps.testing.chaos.sabotage import Saboteur
from corps.testing.chaos.witness import SUFFIX
from corps.workers.names import Name

PATIENCE: Final = 2.0
"""Seconds that a saboteur may take to be there and to act."""
HANDLED: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCHLD,
    signal.SIGWINCH,
)
"""What a script may have handlers for, and then wants to survive."""

_HANDLING: Final = 1.0  # seconds until a signal was handled


class Missed(Exception):
    """A fault could not be injected: there was nothing to hit, or it did not hold still."""


class Signals:
    """Signals to the process that booted the Corps, which its script handles. For its main thread."""

    def __init__(self) -> None:
        self._awaited: int | None = None
        self._came = Event()

    @contextmanager
    def handled(self) -> Iterator["Signals"]:
        """Handle all of `HANDLED` in the block. What comes from elsewhere has its usual effect."""
        before = {number: signal.signal(number, self._handle) for number in HANDLED}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == self._awaited:
            self._came.set()
        elif number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the user wants to stop the storm
            raise KeyboardInterrupt

    def send(self, number: signal.Signals) -> None:
        """Send a signal of `HANDLED` to this process, and wait until it was handled; raise Missed if not."""
        self._came.clear()
        self._awaited = number
        try:
            os.kill(os.getpid(), number)
            if not self._came.wait(_HANDLING):
                raise Missed(f"{number.name} was not handled")
        finally:
            self._awaited = None


class Target:
    """What faults may do. For the one thread that storms, inside the ``with`` block of the Corps.

    It hits the Envs of `envs` alone. `living` gives the process of each Env that lives. `announce` is called
    with the Env and the worker (0 for the whole Env) before they are hit.
    """

    def __init__(
        self,
        living: Callable[[], Mapping[int, psutil.Process]],
        envs: Sequence[int],
        directory: Path,
        announce: Callable[[int, int], None],
    ) -> None:
        self._living = living
        self._envs = tuple(envs)
        self._directory = directory
        self._announce = announce
        self.signals: Final = Signals()
        """Those to the process that booted."""

    def announce(self, env: int, worker: int = 0) -> None:
        """Write down that an Env, or one worker of it, is about to be hit."""
        self._announce(env, worker)

    def choose_env(self, rng: Random) -> int:
        """Choose an Env that lives, or raise Missed. While all live, the choice depends on `rng` alone."""
        living = self._living()
        for env in rng.sample(self._envs, len(self._envs)):
            if env in living:
                return env
        raise Missed("no Env is left that may be hit")

    def process(self, env: int) -> psutil.Process:
        """Return the process of an Env, or raise Missed. It never stands for a later one of the same id."""
        try:
            return self._living()[env]
        except KeyError:
            raise Missed(f"{env_label(env)} has no process") from None

    def sabotage(self, env: int, method: str, *args: Any) -> Any:
        """Call a method of a `Saboteur` in an Env, and return its result or raise its CorpsError."""
        saboteur = self._saboteur(env)
        try:
            return getattr(saboteur, method)(*args).result()
        finally:
            saboteur.exit()

    def sabotage_nowait(self, env: int, method: str, *args: Any) -> None:
        """Call a method of a `Saboteur` in an Env, and do not wait."""
        saboteur = self._saboteur(env)
        acted = getattr(saboteur, method)(*args)
        # Not before: a worker that is asked to end drops what still waits for it.
        acted.add_done_callback(lambda done: saboteur.exit())

    def written(self) -> int:
        """Return the size of the largest witness file, in bytes."""
        return max((path.stat().st_size for path in self._directory.glob(f"*{SUFFIX}")), default=0)

    def _saboteur(self, env: int) -> Name[Saboteur]:
        """Create a worker that does one thing, within a deadline, and is not restarted; or raise Missed."""
        try:
            return options(env=env, deadline=PATIENCE, restart=Restart("temporary")).create(Saboteur)
        except CorpsError as error:
            raise Missed(
                f"no saboteur could be placed in {env_label(env)}: {type(error).__name__}: {error}"
            ) from error
