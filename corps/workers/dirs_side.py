"""What creating workers needs of the Dirs, which lie above it. `services.dirs.singletons` does it."""

from typing import TYPE_CHECKING, Any

from corps.addresses import ConcAddr
from corps.runtime.calls.futures import Future
from corps.runtime.parts import Part
from corps.workers.properties import Properties

if TYPE_CHECKING:
    from corps.workers.factory import Options
    from corps.workers.names import Name


class DirsSide(Part):
    """The Dirs of one Env. Thread-safe."""

    def register(
        self,
        name: "Name[Any]",
        tag: str,
        properties: Properties | None,
        *,
        is_unique: bool,
        group: ConcAddr | None = None,
    ) -> Future[None]:
        """Register a worker in the Dir of the Corps; see `corps.aregister`. It may stand for a group."""
        raise NotImplementedError

    def singleton(
        self, options: "Options", cls: type[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> "Future[Name[Any]]":
        """Return a Future of the only worker of a class and tag; see `Options.singleton_nowait`.

        Raises:
            ConfigError: `cls` is no class of workers, or the Env is none.
            PackError: It is made in another Env, and an argument cannot be packed.
        """
        raise NotImplementedError
