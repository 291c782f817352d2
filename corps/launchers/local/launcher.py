"""LocalLauncher: the processes of Envs on this host."""

from collections.abc import Callable

from corps.errors import ConfigError
from corps.launchers.launcher import LaunchedEnv
from corps.launchers.local.child import ChildSide
from corps.launchers.local.processes import ProcessHost
from corps.launchers.local.runtime_dir import remove_files


class LocalLauncher:
    """Starts Envs on this host; see `corps.launchers.launcher.Launcher`. Thread-safe."""

    def __init__(self, host: ProcessHost, entry: Callable[[ChildSide], int]) -> None:
        """Have a host start them. `entry` is a function of a module: the whole life of their processes."""
        self._host = host
        self._entry = f"{entry.__module__}:{entry.__qualname__}"

    def spawn(self, env_id: int) -> LaunchedEnv:
        """See `Launcher.spawn`."""
        return self._host.spawn(env_id, self._entry)

    def place(self, env_id: int, host: str) -> None:
        """See `Launcher.place`."""
        raise ConfigError(f"add_env(host={host!r:.80}): this Corps has one host; see the guide on many hosts")

    def clear_after(self, env_id: int, incarnation: str) -> None:
        """See `Launcher.clear_after`."""
        journals = (f"{incarnation[:12]}-*.journal",) if incarnation else ()
        remove_files(self._host.runtime_dir, f"{env_id}-*.sock", *journals)
