"""One map that is under way: what the feeder decides is sent, and what comes is handed to it."""

from collections.abc import Callable, Iterator
from itertools import compress, islice
from typing import Any, Final

from corps.errors import EnvLost, RemoteError, RequestError, WorkerGone
from corps.parallel.crew import Asked, Chunkers
from corps.parallel.feeder import Chunk, Feeder, Result
from corps.parallel.place import Place
from corps.parallel.progress import Progress
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import Arrivals

_SHOWN: Final = 60  # characters of an item in an error
_HINT: Final = ". With idempotent=True corps runs such items once more"


class Engine:
    """One map. One thread at a time uses it, but `end_soon` is for any."""

    def __init__(
        self,
        what: str,
        place: Place,
        crew: Chunkers | Asked,
        feeder: Feeder,
        *,
        returns_errors: bool = False,
        keeps: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """Send nothing yet. `keeps`: the answers say which of the items are the values."""
        self._what = what
        self._place = place
        self._crew = crew
        self._feeder = feeder
        self._returns_errors = returns_errors
        self._keeps = keeps
        self._progress = progress
        self._sent: dict[Future[Any], Chunk] = {}
        self._is_stopped = False

    def lists(self, items: Iterator[Any]) -> Iterator[list[Any]]:
        """Yield the values, chunk by chunk; draw items meanwhile."""
        # A generator that is closed, or garbage, leaves the end to what holds it: see `Results`.
        arrivals = Arrivals([])
        done = arrivals.within(None)
        try:
            while True:
                self._fill(items, arrivals)
                results = self.ready()
                if results:
                    self._fill(items, arrivals)  # before the caller works on them
                for result in results:
                    if result.values:
                        yield result.values
                    if result.error is not None:
                        raise result.error
                if not self._sent:
                    if self.is_over:
                        break
                    if results:
                        continue
                self.arrived(next(done))
        except GeneratorExit:
            raise
        except BaseException:
            self.end()
            raise
        self.end()

    def _fill(self, items: Iterator[Any], arrivals: Arrivals) -> None:
        while (wanted := self.wanted()) is not None:
            if not self.send_next(list(islice(items, wanted)) if wanted else None, arrivals.add):
                return

    def wanted(self) -> int | None:
        """Return how many items are to be drawn for the next chunk; None if nothing is to be sent now.

        0: a chunk is there that is to be sent again.
        """
        if len(self._sent) >= self._crew.at_once:
            return None
        return 0 if self._feeder.has_again else self._feeder.wanted() or None

    def send_next(self, items: list[Any] | None, watch: Callable[[Future[Any]], object]) -> bool:
        """Send the items that `wanted` asked for; return whether that was done."""
        chunk = self._feeder.again() if items is None else self._feeder.drawn(items)
        if chunk is None:
            return False
        future = self._crew.send(chunk)
        if future is None:
            self._feeder.put_back(chunk)
            return False
        self._sent[future] = chunk
        watch(future)
        return True

    def ready(self) -> list[Result]:
        """Return the results that are to be given now."""
        return self._feeder.ready()

    @property
    def is_busy(self) -> bool:
        """Whether chunks are under way."""
        return bool(self._sent)

    @property
    def is_over(self) -> bool:
        """Whether all results have been given."""
        return self._feeder.is_over

    def arrived(self, future: Future[Any]) -> None:
        """Take an answer."""
        chunk = self._sent.pop(future)
        failure = future.failure()
        error: BaseException | None = None
        if isinstance(self._crew, Asked):
            result = self._asked(future, failure, chunk)
        elif failure is None:
            values, error, seconds = future.result()
            self._feeder.pace.measured(len(values) or 1, seconds)
            if self._keeps:
                values = self._kept(chunk, values)
            result = Result(values, error)
        else:
            lost = None
            if isinstance(failure, RequestError) and not isinstance(failure, RemoteError):
                lost = failure
                error = self._named(lost, chunk, _HINT)
            else:
                error = failure
            self._crew.answered(future, lost)
            if lost is not None and self._feeder.lost(chunk, lost.executed):
                return
            result = Result([error] * len(chunk.items)) if self._returns_errors else Result([], error)
            self._take(chunk, result)
            return
        self._crew.answered(future, None)
        self._take(chunk, result)

    def _take(self, chunk: Chunk, result: Result) -> None:
        self._feeder.done(chunk, result)
        if self._progress is not None:
            self._progress.advance(len(chunk.items))

    def _asked(self, future: Future[Any], failure: BaseException | None, chunk: Chunk) -> Result:
        if failure is None:
            return Result([future.result()])
        if isinstance(failure, EnvLost | WorkerGone) and not isinstance(failure, RemoteError):
            failure = self._named(failure, chunk, "")
        return Result([failure]) if self._returns_errors else Result([], failure)

    def _kept(self, chunk: Chunk, flags: list[Any]) -> list[Any]:
        if not self._returns_errors:
            return list(compress(chunk.items, flags))
        pairs = zip(chunk.items, flags, strict=True)
        return [flag if isinstance(flag, BaseException) else item for item, flag in pairs if flag]

    def _named(self, error: RequestError, chunk: Chunk, hint: str) -> BaseException:
        """Return an error that names the items whose work may be done or not."""
        last = chunk.first + len(chunk.items) - 1
        which = f"item {last}" if last == chunk.first else f"items {chunk.first} to {last}"
        named = type(error)(
            f"{self._what}: {which}, the first of them {_short(chunk.items[0])}, got no answer: {error}{hint}"
        )
        named.__dict__.update({**vars(error), "items": tuple(chunk.items)})
        return named

    def end(self) -> None:
        """End the workers, and the Corps if it was booted for this."""
        if not self._is_stopped:
            self.stop()
            self._place.end()

    def end_soon(self) -> None:
        """Do the same, and wait for nothing."""
        if not self._is_stopped:
            self.stop()
            self._place.end_soon()

    def stop(self) -> None:
        """End the workers, and wait for nothing."""
        self._is_stopped = True
        self._feeder.stop()
        if self._progress is not None:
            self._progress.close()
        self._crew.end()

    def drop(self) -> None:
        """Have it ended soon. For destructors: takes no lock."""
        env = self._place.env
        if not self._is_stopped and not env.closed:
            env.dropped.put(self.end_soon)


def _short(item: object) -> str:
    try:
        text = repr(item)
    except Exception as error:  # of the author's class
        text = f"<repr() of it raised {type(error).__name__}>"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
