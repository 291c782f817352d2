"""A running Corps as the faults see it."""

import os
import select
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

from corps.addresses import env_label
from corps.errors import CorpsError
from corps.testing.chaos.census import Household
from corps.testing.chaos.healing import fleeting
from corps.testing.chaos.missed import Missed
from corps.testing.chaos.sabotage import Saboteur
from corps.testing.chaos.signals import Signals
from corps.testing.chaos.witness import SUFFIX
from corps.workers.names import Name

_PATIENCE: Final = 2.0
"""Seconds that a saboteur may take to be there and to act."""


class Target:
    """What faults may do. For the one thread that storms, inside the ``with`` block of the Corps.

    Args:
        household: Finds the processes.
        envs: The ids of the Envs that may be hit.
        directory: Where witness files are.
        announce: Called with the Env and the worker (0 for the whole Env) before they are hit.
    """

    def __init__(
        self,
        household: Household,
        envs: Sequence[int],
        directory: Path,
        announce: Callable[[int, int], None],
    ) -> None:
        self._household = household
        self._envs = tuple(envs)
        self._directory = directory
        self.signals: Final = Signals()
        """Those to the process that booted."""
        self.announce: Final = announce
        """To be called with the Env and the worker (0 for the whole Env) that are about to be hit."""

    def choose_env(self, rng: Random) -> int:
        """Choose an Env that lives. The choice depends on the numbers alone as long as all live.

        Raises:
            Missed: None lives that may be hit.
        """
        living = self._household.envs()
        for env in rng.sample(self._envs, len(self._envs)):
            if env in living:
                return env
        raise Missed("no Env is left that may be hit")

    @contextmanager
    def grip(self, env: int) -> Iterator[int]:
        """Hold the process of an Env by a pidfd, which never means another process, for the block.

        Raises:
            Missed: It has gone.
        """
        fd = self.take(env)
        try:
            yield fd
        finally:
            os.close(fd)

    def take(self, env: int) -> int:
        """Do as `grip`, but leave it to the caller to close the descriptor.

        Raises:
            Missed: It has gone.
        """
        pid = self._household.envs().get(env)
        if pid is None:
            raise Missed(f"{env_label(env)} has no process")
        try:
            fd = os.pidfd_open(pid)
        except OSError as error:
            raise Missed(f"the process of {env_label(env)} has gone: {error}") from error
        if self._household.envs().get(env) != pid:  # looked up again: now the descriptor is certain
            os.close(fd)
            raise Missed(f"the process of {env_label(env)} has changed")
        return fd

    def signal(self, fd: int, number: signal.Signals) -> None:
        """Send a signal.

        Raises:
            Missed: The process has gone.
        """
        try:
            signal.pidfd_send_signal(fd, number)
        except OSError as error:
            raise Missed(f"{number.name} reached nobody: {error}") from error

    def sabotage(self, env: int, method: str, *args: Any) -> Any:
        """Call a method of a `Saboteur` in an Env, and wait for its result.

        Raises:
            Missed: It could not be created there in time.
            CorpsError: From the request.
        """
        saboteur = self._saboteur(env)
        try:
            return getattr(saboteur, method)(*args).result()
        finally:
            saboteur.exit()

    def sabotage_nowait(self, env: int, method: str, *args: Any) -> None:
        """Call a method of a `Saboteur` in an Env, and do not wait.

        Raises:
            Missed: It could not be created there in time, or not be asked.
        """
        saboteur = self._saboteur(env)
        try:
            acted = getattr(saboteur, method)(*args)
        except CorpsError as error:
            raise Missed(f"the saboteur could not be asked: {error}") from error
        # Not before: a worker that is asked to end drops what still waits for it.
        acted.add_done_callback(lambda done: saboteur.exit())

    def await_end(self, fd: int) -> None:
        """Wait until the process of a descriptor has ended.

        Raises:
            Missed: It goes on.
        """
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        if not poller.poll(1000 * _PATIENCE):
            raise Missed(f"the process goes on after {_PATIENCE:g} s")

    def written(self) -> int:
        """Return the size of the largest witness file, in bytes."""
        return max((path.stat().st_size for path in self._directory.glob(f"*{SUFFIX}")), default=0)

    def _saboteur(self, env: int) -> Name[Saboteur]:
        try:
            return fleeting(env, _PATIENCE).create(Saboteur)
        except CorpsError as error:
            raise Missed(
                f"no saboteur could be placed in {env_label(env)}: {type(error).__name__}: {error}"
            ) from error
