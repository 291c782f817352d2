"""`corps.map` and its kind: one function over many items, in all Envs."""

import builtins
import itertools
from collections.abc import Callable, Coroutine, Iterable, Sized
from copy import copy
from typing import Any, Final, Literal, Self, TypedDict, TypeVar, Unpack, overload

from corps.errors import ConfigError
from corps.exporting import exported
from corps.parallel.crew import Asked, Chunkers, begin_crew
from corps.parallel.engine import Engine
from corps.parallel.feeder import Feeder
from corps.parallel.pacing import Pace
from corps.parallel.place import Place, find_place, has_env
from corps.parallel.progress import Progress
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import wait_all
from corps.workers.names import Method, Name

T = TypeVar("T")
R = TypeVar("R")

Errors = Literal["raise", "return"]
_WINDOW: Final = 4  # chunks that are under way or wait for an earlier one, for each that may be under way
_BESIDE: Final = 64  # items for which a method is asked at once


@exported
class Results(itertools.chain[R]):
    """The results of a map, one by one. Closing it, or dropping it, cancels what is left.

    Use it as an iterator, and in a ``with`` block if you may leave it before its end.
    """

    _engine: Engine | None = None

    def close(self) -> None:
        """Cancel what is left, and end the Envs that were booted for it. Again, it does nothing."""
        if self._engine is not None:
            self._engine.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        if self._engine is not None:
            self._engine.drop()


class How(TypedDict, total=False):
    """How chunks are sent; see `corps.map`."""

    chunk: int | None
    at_once: int | None
    idempotent: bool
    progress: bool


class Asking:
    """What a map was asked for, checked."""

    def __init__(
        self,
        what: str,
        kind: str,
        function: Any,
        how: How,
        *,
        ordered: bool = True,
        errors: Errors = "raise",
    ) -> None:
        """Check it.

        Raises:
            ConfigError: A value is out of range.
            TypeError: The function cannot be called, or `how` has what there is not.
        """
        if not callable(function):
            raise TypeError(
                f"corps.{what}({function!r:.200}, ...): wants a function first, or a method of a Name"
            )
        for name in how.keys() - How.__annotations__.keys():
            raise TypeError(f"corps.{what}() got an unexpected keyword argument {name!r}")
        self._chunk = how.get("chunk")
        self._at_once = how.get("at_once")
        for name, value in (("chunk", self._chunk), ("at_once", self._at_once)):
            if value is not None and (type(value) is not int or value < 1):
                raise ConfigError(f"corps.{what}(..., {name}={value!r}): wants a number from 1, or None")
        if errors not in ("raise", "return"):
            raise ConfigError(f'corps.{what}(..., errors={errors!r}): wants "raise" or "return"')
        self.what = what
        self.kind = kind
        self.function = function
        self._ordered = ordered
        self._idempotent = how.get("idempotent", False)
        self._returns_errors = errors == "return"
        self._shows_progress = how.get("progress", False)

    def find_place(self) -> Place:
        """Return where it runs; see `place.find_place`."""
        return find_place(f"for corps.{self.what}")

    def in_chunks_of(self, size: int) -> "Asking":
        """Return the same with chunks of another size."""
        other = copy(self)
        other._chunk = size
        other._shows_progress = False
        return other

    def must_boot(self) -> bool:
        """Return whether `find_place` would boot a Corps, which takes a while."""
        return not has_env()

    def begin(self, place: Place) -> tuple[Chunkers | Asked, list[Future[Name[Any]]]]:
        """Begin to make what runs it, and return that with the workers that are created."""
        if isinstance(self.function, Method) and self.kind in ("map", "starmap"):
            asked = Asked(
                self.function, self.kind, self._at_once or _BESIDE, returns_errors=self._returns_errors
            )
            return asked, []
        return begin_crew(place, self.function, self.kind, self._at_once, returns_errors=self._returns_errors)

    def engine(self, place: Place, crew: Chunkers | Asked, total: int | None) -> Engine:
        """Make what runs it."""
        chunk = 1 if isinstance(crew, Asked) or crew.takes_single_items else None
        pace = Pace(self._chunk if isinstance(crew, Chunkers) and self._chunk else chunk, crew.at_once, total)
        feeder = Feeder(
            pace, window=_WINDOW * crew.at_once, ordered=self._ordered, idempotent=self._idempotent
        )
        place.env.expect_garbage()
        return Engine(
            f"corps.{self.what}",
            place,
            crew,
            feeder,
            returns_errors=self._returns_errors,
            keeps=self.kind == "filter",
            progress=Progress(f"corps.{self.what}", total) if self._shows_progress else None,
        )

    def start(self, items: Iterable[Any], place: Place | None = None) -> Results[Any]:
        """Make the workers, and return the results. `place` is where it runs, if that is known."""
        drawn, total = iter(items), length_of(items)
        place = place or self.find_place()
        try:
            crew, made = self.begin(place)
            if isinstance(crew, Chunkers):
                wait_all(made)
                crew.take_in(made)
            engine = self.engine(place, crew, total)
        except BaseException:
            place.end()
            raise
        results: Results[Any] = Results.from_iterable(engine.lists(drawn))  # type: ignore[assignment]
        results._engine = engine
        return results


def length_of(items: object) -> int | None:
    """Return how many items there are, where that is known."""
    try:
        return len(items) if isinstance(items, Sized) else None
    except Exception:  # an author's class says anything
        return None


def together(items: Iterable[Any], more: tuple[Iterable[Any], ...]) -> Iterable[Any]:
    """Return what the function gets, item by item: of several iterables a tuple."""
    return builtins.zip(items, *more, strict=False) if more else items


@overload
def map(
    fn: Callable[..., Any],
    xs: Iterable[Any],
    /,
    *more: Iterable[Any],
    ordered: bool = True,
    errors: Literal["return"],
    **how: Unpack[How],
) -> Results[Any]: ...
@overload
def map(
    fn: Callable[..., Coroutine[Any, Any, R]],
    xs: Iterable[Any],
    /,
    *more: Iterable[Any],
    ordered: bool = True,
    errors: Literal["raise"] = "raise",
    **how: Unpack[How],
) -> Results[R]: ...
@overload
def map(
    fn: Callable[..., Future[R]],
    xs: Iterable[Any],
    /,
    *more: Iterable[Any],
    ordered: bool = True,
    errors: Literal["raise"] = "raise",
    **how: Unpack[How],
) -> Results[R]: ...
@overload
def map(
    fn: Callable[..., R],
    xs: Iterable[Any],
    /,
    *more: Iterable[Any],
    ordered: bool = True,
    errors: Errors = "raise",
    **how: Unpack[How],
) -> Results[R]: ...
@exported
def map(  # as the builtin, which it stands beside as `corps.map`
    fn: Callable[..., Any],
    xs: Iterable[Any],
    /,
    *more: Iterable[Any],
    chunk: int | None = None,
    at_once: int | None = None,
    ordered: bool = True,
    errors: Errors = "raise",
    idempotent: bool = False,
    progress: bool = False,
) -> Results[Any]:
    """Call a function for each item, in all Envs, and iterate over the results.

    It runs in the Envs of the Corps that is here. In a plain script it boots a Corps with one Env for each
    core, and ends it after the last result. Items are drawn as they are needed, in the thread that iterates,
    so there may be endlessly many. They travel in chunks whose size is measured: each takes 10 to 50 ms.

    Example:
        ``for picture in corps.map(resize, paths): ...``; ``list(corps.map(group.any.score, texts))``.

    Args:
        fn: A function, a lambda, or any other callable; it travels once to each worker. A coroutine function
            runs for many items beside each other. A method of a Name is asked for one item after the other.
        xs: The items.
        *more: Further iterables: ``fn`` gets one item of each, until the shortest ends.
        chunk: Items in each chunk; None for what the measurement gives.
        at_once: How many chunks are under way at most; of a method, how many requests. None: two for each
            Env; in an Env that is alone, as many as threads help.
        ordered: Whether results come in the order of the items; else as they are ready.
        errors: ``"raise"``: the first error cancels the rest and ends the iteration. ``"return"``: it stands
            in the place of its result.
        idempotent: Whether a chunk whose Env has died may run again though it had begun. One that had not
            begun runs again in any case.
        progress: Whether a bar on stderr shows how far it is, if that is a terminal.

    Returns:
        An iterator, with `close`, and for ``with`` blocks.

    Raises:
        RemoteError: While iterating: ``fn`` raised; also of the type of its exception.
        EnvLost: While iterating: an Env died while it ran items; its text and ``error.items`` say which.
        PackError: The function, an item or a result cannot be packed.
        TypeError: ``fn`` cannot be called, or the items cannot be iterated over.
        ConfigError: Another value is out of range.
        ContextError: Several Envs are open, and it is not clear which is meant.
        LoopBlocked: Called in a coroutine: use `corps.amap`.
    """
    how: How = {"chunk": chunk, "at_once": at_once, "idempotent": idempotent, "progress": progress}
    asking = Asking("map", "starmap" if more else "map", fn, how, ordered=ordered, errors=errors)
    return asking.start(together(xs, more))
