"""A Corps that this process starts: the thread of its own that boots it, and later ends it."""

import concurrent.futures
import secrets
from threading import Thread, current_thread
from typing import TYPE_CHECKING, Any

from corps.errors import CorpsError, EnvStartError
from corps.launch.corps_end import CorpsEnd
from corps.launch.first_process import first_process
from corps.launch.loading import alias_main
from corps.launch.plan import CorpsPlan
from corps.messages.outcomes import Value
from corps.runtime.calls.futures import Future
from corps.runtime.threads.sleeping import join, result_of

if TYPE_CHECKING:
    from corps.launch.running import RunningCorps


class StartingCorps:
    """A Corps that starts; `booted` has the errors of `CorpsBuilder.build`. Thread-safe."""

    def __init__(self, plan: CorpsPlan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Start nothing yet. The arguments are for the constructor of the Corps."""
        self.booted: concurrent.futures.Future[RunningCorps] = concurrent.futures.Future()
        self._plan = plan
        self._corps_id = secrets.token_hex(8)
        self._end = CorpsEnd()
        name = f"corps-{self._corps_id[:6]}"
        self._thread = Thread(target=self._run, args=(args, kwargs), name=name, daemon=True)

    def begin(self) -> "StartingCorps":
        """Begin the start. Call `end_now` if it fails, or when nothing waits for it any more. Once."""
        alias_main(self._plan.source)
        self._thread.start()
        return self

    def end_soon(self) -> Future[None]:
        """Begin to end the Corps in order as soon as it has started; see `RunningCorps.end_soon`."""
        return self._end.ask()

    def end_now(self) -> None:
        """End what has started, at once, and wait until nothing of it is left."""
        self._end.kill()
        self._join()

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            running = self._start(args, kwargs)
        except BaseException as error:  # whatever it is, a thread waits for it
            self._end.be_over(Value(None))
            self.booted.set_exception(_as_corps_error(error))
            return
        running.live(self.booted)

    def _start(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> "RunningCorps":
        with first_process(self._plan, self._end) as first:
            # Half of corps, while the template imports as much.
            from corps.launch.building import CorpsBuilder
            from corps.launch.running import RunningCorps

            parts = CorpsBuilder(self._corps_id, self._plan, self._end, first).build(args, kwargs)
        return RunningCorps(parts, self._end, self._join)

    def _join(self) -> None:
        """Wait for the Corps's own thread, if it was started, and is not this one."""
        if self._thread.ident is not None and self._thread is not current_thread():
            join(self._thread)


def start_corps(plan: CorpsPlan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> "RunningCorps":
    """Start a Corps, and wait for that; raise as `CorpsBuilder.build`."""
    starting = StartingCorps(plan, args, kwargs)
    try:
        return result_of(starting.begin().booted)
    except BaseException:
        starting.end_now()
        raise


def _as_corps_error(error: BaseException) -> BaseException:
    if not isinstance(error, OSError) or isinstance(error, CorpsError):
        return error
    wrapped = EnvStartError(f"the Corps could not be started: {error}")
    wrapped.__cause__ = error
    return wrapped
