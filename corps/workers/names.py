"""The Name: what stands for a worker wherever it is needed.

A Name is a value: an address, what is known of the worker's class, and the Env that it is used from. It packs
as a call of `restore_name`. The Env that unpacks it answers that call itself, so a Name that arrives is ready
to use.

One file because a Name makes its methods and its attributes, and they show the Name.
"""

import inspect
import weakref
from collections.abc import Callable, Generator
from contextvars import copy_context
from math import isnan, nan
from numbers import Real
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, NoReturn, TypeVar

from corps.addresses import ConcAddr
from corps.core import native
from corps.errors import ConfigError, ContextError, CorpsError, LoopBlocked, NoSuchMethod
from corps.exporting import exported
from corps.messages.contacts import address_in
from corps.messages.interfaces import Interface
from corps.messages.outcomes import Outcome, Refused, Value
from corps.messages.requests import CALL, EXIT_LAST, EXIT_NOW, GET, PINNED, SET, Kind, Request
from corps.messages.streams import Streaming
from corps.runtime.calls.arguments import await_arguments, is_future
from corps.runtime.calls.futures import Future
from corps.runtime.context import acting
from corps.runtime.env import Env
from corps.runtime.options import WHEN_FULL, WhenFull
from corps.runtime.this_process import this_process

T_co = TypeVar("T_co", covariant=True)

_CALL: Final = int(CALL)  # as it is packed


@exported
class Name(Generic[T_co]):
    """The Name of a worker of class `T_co`. Thread-safe.

    ``name.method(...)`` sends a request, and gives a Future at once. ``name.method.send(...)`` wants no
    answer. ``name.attribute`` gives a Future of a data attribute's value. ``name.attribute = value`` sets it,
    waits, and raises if that failed. Only public methods and attributes can be reached.

    Names are equal if they stand for the same worker; they can be hashed, packed, passed and stored.
    """

    # No __slots__: each method's callable is made once and kept as an attribute of the Name, where the next
    # use finds it without __getattr__ (0.05 µs against 0.4 µs). Attributes are set by object.__setattr__ and
    # not through vars(), which would give each Name a dict of its own (136 bytes more).

    _addr: ConcAddr
    _interface: Interface
    _env: Env | None
    _deadline: float | None
    _incarnation: int = 1
    _pin: int = 0
    _prefetch: int | None = None
    _when_full: WhenFull = "wait"

    def __init__(
        self,
        addr: ConcAddr,
        interface: Interface,
        env: Env | None,
        deadline: float | None = None,
        incarnation: int = 1,
        pin: int = 0,
        prefetch: int | None = None,
        when_full: WhenFull = "wait",
    ) -> None:
        """Make a Name; the runtime calls this. Applications get them from `corps.create` and each other."""
        object.__setattr__(self, "_addr", addr)
        object.__setattr__(self, "_interface", interface)
        object.__setattr__(self, "_env", env)
        object.__setattr__(self, "_deadline", deadline)
        if incarnation != 1:
            object.__setattr__(self, "_incarnation", incarnation)
        if pin:
            object.__setattr__(self, "_pin", pin)
        if prefetch is not None:
            object.__setattr__(self, "_prefetch", prefetch)
        if when_full != "wait":
            object.__setattr__(self, "_when_full", when_full)

    def options(
        self,
        *,
        deadline: float | None = None,
        prefetch: int | None = None,
        when_full: WhenFull = "wait",
    ) -> "Name[T_co]":
        """Return another Name of the same worker, for calls with other options.

        Args:
            deadline: Seconds within which each request must be answered; otherwise it fails with
                DeadlineExceeded. None for no limit. It counts for each item of a generator, too.
            prefetch: How many items a generator of the worker may make ahead while the caller works on the
                one before: 0 for none. None: up to 2, if they take long to make.
            when_full: What a call or `send` does where there is no room for the request: in the mailbox of a
                worker of this Env, or on the way to another Env. ``"wait"``, up to the deadline and the
                setting ``send_timeout``; or ``"raise"`` Overloaded at once. With ``"drop_oldest"`` it takes
                the place of the oldest request that waits for the worker and was sent in this way too. That
                one fails with Overloaded, executed "no"; if there is none, the new one does. Here a mailbox
                is full with half of the setting ``window.requests`` at most, also in another Env.
                What the worker itself declares counts too: see `corps.options`.

        Returns:
            The Name, which is equal to this one.

        Raises:
            ConfigError: `prefetch` is no number from 0, `deadline` is no number, or `when_full` is something
                else.
        """
        if deadline is not None:
            deadline = _seconds(deadline)
        if prefetch is not None and (type(prefetch) is not int or prefetch < 0):
            raise ConfigError(f"options(prefetch={prefetch!r}): wants a number of items from 0, or None")
        if when_full not in WHEN_FULL:
            raise ConfigError(f"options(when_full={when_full!r:.80}): wants one of {', '.join(WHEN_FULL)}")
        how = deadline, self._incarnation, self._pin, prefetch, when_full
        return Name(self._addr, self._interface, self._env, *how)

    @property
    def pinned(self) -> "Name[T_co]":
        """The same worker, but only the incarnation that it was in when this Name was made.

        When that incarnation has ended, requests fail with WorkerGone, executed "no", though the worker may
        have come back. `corps.create` makes the Name when the worker is created, `my_name` when it is called.
        """
        return Name(
            self._addr,
            self._interface,
            self._env,
            self._deadline,
            self._incarnation,
            self._incarnation,
            self._prefetch,
            self._when_full,
        )

    def exit(self) -> Future[None]:
        """End the worker in order.

        The worker finishes the request that it runs. What waits fails with WorkerGone. Then the workers that
        it created end: those of one class at once, the class that came last first. Last its ``cleanup()``
        runs.

        Returns:
            A Future that is done when the worker has ended. It fails with a RemoteError if ``cleanup()``
            raised. Asking again is no error. The Future has no time limit of its own. An Env that hangs is
            killed after `beat.dead` seconds; if that setting is None, wait with ``result(timeout)``.
        """
        return self._bound().exit(self._addr)

    def drain(self) -> Future[None]:
        """End the worker in order, but first let it run what waits for it. It takes nothing new.

        Returns:
            As `exit`.
        """
        return self._bound().exit(self._addr, EXIT_LAST)

    def kill(self) -> Future[None]:
        """End the worker at once, and the workers that it created, without any ``cleanup()``.

        What waits fails with WorkerGone, executed "no", and what runs with "unknown". A coroutine is
        cancelled. A thread cannot be ended from outside: it goes on until its method returns, and its result
        is thrown away.

        Returns:
            As `exit`.
        """
        return self._bound().exit(self._addr, EXIT_NOW)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    else:

        def __getattr__(self, name: str) -> "Method | Attribute":
            if name in self._interface.methods:
                method = self._method(name)
                object.__setattr__(self, name, method)
                return method
            if name.startswith("_"):
                raise AttributeError(f"{self!r}: {name!r} begins with an underscore and cannot be reached")
            if name in self._interface.reserved:
                raise NoSuchMethod(f"{self!r}: {name!r} belongs to the worker alone and cannot be reached")
            future = Attribute(self, name)
            self._bound().unsent.append(weakref.ref(future))
            return future

    def _method(self, name: str) -> "Method":
        parts = (self._addr, name, self._env, self._deadline, self._interface)
        method: Method
        if self._pin:
            method = PinnedMethod(*parts, self._pin)
        else:
            method = Method(*parts, dict(self._interface.idempotent).get(name, 0))
        method.apply(self._deadline, self._prefetch, self._when_full)
        return method

    def _as_pinned(self, kind: Kind, args: tuple[Any, ...]) -> tuple[Kind, tuple[Any, ...]]:
        return (PINNED, (self._pin, int(kind), *args)) if self._pin else (kind, args)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a data attribute of the worker, and wait until that is done.

        Raises:
            NoSuchMethod: The name is not public, or is a method.
            RemoteError: Setting it raised.
            LoopBlocked: Called in a coroutine.
        """
        if name.startswith("_") or name in self._interface.methods or name in self._interface.reserved:
            raise NoSuchMethod(f"{self!r}: {name!r} is no public data attribute, so it cannot be set")
        here = acting()
        if here is not None and here.task is not None:
            raise LoopBlocked(f"{self!r}: setting {name!r} waits; in a coroutine call a method that sets it")
        kind, args = self._as_pinned(SET, (value,))
        self._bound().ask(kind, self._addr, name, args, {}, self._deadline).result()

    @property
    def _of_one(self) -> ConcAddr:
        """Return the address of the one worker that it stands for."""
        return self._addr

    def _bound(self) -> Env:
        return self._env or no_env(self)

    def __dir__(self) -> list[str]:
        """Return the methods, for completion. Only the worker knows its data attributes."""
        return sorted({*super().__dir__(), *self._interface.methods})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Name) and self._addr == other._addr

    def __hash__(self) -> int:
        return hash(self._addr)

    def __repr__(self) -> str:
        return _text_of(self._addr, self._interface)

    def __copy__(self) -> "Name[T_co]":
        return self

    def __deepcopy__(self, memo: object) -> "Name[T_co]":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return self._reduced(self._addr)

    def _reduced(self, addr: ConcAddr) -> tuple[Any, ...]:
        plain, interface = addr.as_plain(), self._interface.as_tuple()
        how: tuple[Any, ...] = () if self._prefetch is None else (self._prefetch,)
        if self._when_full != "wait":
            how = self._prefetch, self._when_full
        return restore_name, (plain, interface, self._deadline, self._incarnation, self._pin, *how)


@native
class Method:
    """A method of a worker, as seen through its Name. Thread-safe."""

    # The parts of the Name and not the Name itself, which keeps this: no garbage cycle for every Name.
    __slots__ = (
        "_addr",
        "_deadline",
        "_env",
        "_interface",
        "_method",
        "_retries",
        "is_hasty",
        "limits",
        "yields",
    )

    def __init__(
        self,
        addr: ConcAddr,
        method: str,
        env: Env | None,
        deadline: float | None,
        interface: Interface,
        retries: int = 0,
    ) -> None:
        self._addr = addr
        self._method = method
        self._env = env
        self._deadline = deadline
        self._interface = interface
        self._retries = retries  # how often a request may be sent again
        self.limits: tuple[float | None, int | None] | None = None  # of an iterator that it gives
        self.is_hasty = False  # its requests wait for no room, or yield; only where there are limits
        self.yields = False  # see `Request.yields`

    def apply(self, deadline: float | None, prefetch: int | None, when_full: WhenFull) -> None:
        """Take over the options of a Name, when it is made."""
        self.is_hasty = when_full != "wait"
        self.yields = when_full == "drop_oldest"
        if deadline is not None or prefetch is not None or self.is_hasty:
            self.limits = deadline, prefetch

    def mark(self, request: Request) -> None:
        """Note on a request what it does where there is no room."""
        if self.yields:
            request.yields = True
        elif self.is_hasty:
            request.is_hasty = True

    def __call__(self, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Ask the worker to call the method; return the Future of what it returns."""
        env = self._env or no_env(self)
        for each in (*args, *kwargs.values()) if kwargs else args:
            if issubclass(type(each), Future):
                return self._ask_when_there(args, kwargs)
        future = None
        if self.limits is not None:
            if self.is_hasty:
                return self._ask_when_there(args, kwargs)
            future = Limited(*self.limits)
        return env.ask(CALL, self._addr, self._method, args, kwargs, self._deadline, future, self._retries)

    def _ask_when_there(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Future[Any]:
        """Call the method when all Futures that are arguments have given their values."""
        env = self._env or no_env(self)
        kind, args = self._as_sent(args)
        given = None if self.limits is None else Limited(*self.limits)
        how = self._deadline, given, self._retries
        future = env.ask(kind, self._addr, self._method, args, kwargs, *how, is_held=True)
        request = future.request
        if request is None:  # it was too late already
            return future
        self.mark(request)
        try:
            if not await_arguments(env, request):
                env.dispatch(request)
        except BaseException:
            future.cancel()  # nobody holds the request
            raise
        return future

    def _to_be_sent(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request | None:
        """Return a request that wants no answer; None if it waits for its arguments."""
        env = self._env or no_env(self)
        kind, args = self._as_sent(args)
        request = env.one_way(kind, self._addr, self._method, args, kwargs)
        self.mark(request)
        return None if await_arguments(env, request) else request

    def send(self, /, *args: Any, **kwargs: Any) -> None:
        """Ask the worker to call the method, and want no answer. A failure goes to the log of its Env.

        Nothing waits for the answer, so the deadline of `Name.options` does not count. If the worker ends
        first, the request is dropped.
        """
        env = self._env or no_env(self)
        for each in (*args, *kwargs.values()) if kwargs else args:
            if issubclass(type(each), Future):
                self._send_when_there(args, kwargs)
                return
        if self.is_hasty:
            self._send_when_there(args, kwargs)
            return
        env.dispatch(env.one_way(CALL, self._addr, self._method, args, kwargs))

    def _send_when_there(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Send when all Futures that are arguments have given their values."""
        env = self._env or no_env(self)
        request = self._to_be_sent(args, kwargs)
        if request is not None:
            env.dispatch(request)

    async def asend(self, /, *args: Any, **kwargs: Any) -> None:
        """Send from a coroutine. Where there is no room it waits, and its event loop goes on."""
        env = self._env or no_env(self)
        request = self._to_be_sent(args, kwargs)
        if request is not None:
            await env.dispatch_when_room(request)

    async def _ask_when_room(self, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call the method, and wait where there is no room; for `corps.asking`."""
        env = self._env or no_env(self)
        kind, args = self._as_sent(args)
        if not self.is_hasty and not any(map(is_future, (*args, *kwargs.values()))):
            how = self._deadline, None, self._retries
            return await env.ask_when_room(kind, self._addr, self._method, args, kwargs, *how)
        future = env.ask(
            kind, self._addr, self._method, args, kwargs, self._deadline, None, self._retries, is_held=True
        )
        request = future.request
        if request is not None:
            self.mark(request)
        if request is not None and not await_arguments(env, request):
            try:
                await env.dispatch_when_room(request)
            except BaseException:
                future.cancel()
                raise
        return future

    def _as_sent(self, args: tuple[Any, ...]) -> tuple[Kind, tuple[Any, ...]]:
        """Return the kind of the request, and its arguments."""
        return CALL, args

    @property
    def interface(self) -> Interface:
        """What is known of the worker's class."""
        return self._interface

    def as_request(self, args: tuple[Any, ...]) -> tuple[Env, ConcAddr, str, Kind, tuple[Any, ...]]:
        """Return the Env that asks, the worker, the method, the kind of request and its arguments."""
        env = self._env or no_env(self)
        return env, self._addr, self._method, *self._as_sent(args)

    def takes(self, keyword: str) -> bool:
        """Return whether the author's method has this parameter; False if its class is not loaded here."""
        # No code of the author's runs, and `inspect.signature` would take 20 µs.
        cls = self._interface.loaded
        for each in () if cls is None else cls.__mro__:
            if self._method in vars(each):
                return _has_parameter(vars(each)[self._method], keyword)
        return False

    def __repr__(self) -> str:
        return f"<method {self._method!r} of {_text_of(self._addr, self._interface)}>"

    # --- what `help`, `inspect` and interactive prompts ask for: they get that of the author's method if its
    # class is loaded in this process.

    def __getattr__(self, name: str) -> Any:
        if name in _SHOWN:
            method = self._author_method()
            if name == "__signature__":
                if method is not None:
                    return inspect.signature(method)
            elif (shown := getattr(method, name, None)) is not None:
                return shown
            elif name in ("__name__", "__qualname__"):
                return self._method
        raise AttributeError(f"{self!r} has no attribute {name!r}")

    def __get__(self, instance: object, owner: type | None = None) -> "Method":
        """Return itself, wherever it is kept. `help` shows as a function what has this."""
        return self

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        method = self._author_method()
        return None if method is None else inspect.getdoc(method)  # of None there is one, from 3.13 on

    def _author_method(self) -> Any:
        """Return the author's method without its `self`; None if its class is not loaded here."""
        cls = self._interface.loaded
        raw = inspect.getattr_static(cls, self._method, None) if cls is not None else None
        if isinstance(raw, FunctionType):
            return MethodType(raw, cls)
        return getattr(cls, self._method, None)


class PinnedMethod(Method):
    """A method of one incarnation of a worker. Thread-safe."""

    __slots__ = ("_pin",)

    def __init__(
        self,
        addr: ConcAddr,
        method: str,
        env: Env | None,
        deadline: float | None,
        interface: Interface,
        pin: int,
    ) -> None:
        super().__init__(addr, method, env, deadline, interface)
        self._pin = pin

    def __call__(self, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `Method.__call__`."""
        env = self._env or no_env(self)
        if self.is_hasty or any(map(is_future, (*args, *kwargs.values()))):
            return self._ask_when_there(args, kwargs)
        args = self._pin, _CALL, *args
        future = None if self.limits is None else Limited(*self.limits)
        return env.ask(PINNED, self._addr, self._method, args, kwargs, self._deadline, future)

    def send(self, /, *args: Any, **kwargs: Any) -> None:
        """See `Method.send`."""
        self._send_when_there(args, kwargs)

    def _as_sent(self, args: tuple[Any, ...]) -> tuple[Kind, tuple[Any, ...]]:
        return PINNED, (self._pin, _CALL, *args)


_SHOWN: Final = frozenset({"__name__", "__qualname__", "__signature__", "__annotations__"})


def _has_parameter(function: Any, keyword: str) -> bool:
    while (inner := _inside(function)) is not None:
        function = inner
    if not isinstance(function, FunctionType):
        return False
    code = function.__code__
    named = code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount]
    return keyword in named


def _inside(function: Any) -> Any:
    """Return what is decorated; None if nothing is."""
    if isinstance(function, FunctionType):
        return vars(function).get("__wrapped__")
    return function.__func__ if isinstance(function, staticmethod | classmethod) else None


def _text_of(addr: ConcAddr, interface: Interface) -> str:
    return f"<Name {interface.short_name} {addr}>"


def no_env(owner: object) -> NoReturn:
    """Refuse to use what was unpacked where there is no way to its worker."""
    raise ContextError(
        f"{owner!r} was unpacked where no Env of its Corps was open, so there is no way to its worker: "
        "unpack it inside a worker, or while what `corps.boot(...)` or `corps.env()` has returned is open"
    )


class Limited(Future[Any]):
    """The Future of a call through a Name with options: an iterator that it gives has them too."""

    __slots__ = ("_limits",)

    def __init__(self, seconds: float | None, prefetch: int | None) -> None:
        super().__init__()
        self._limits = seconds, prefetch

    def _opened(self) -> Outcome:
        outcome = super()._opened()
        if isinstance(outcome, Value) and issubclass(type(outcome.value), Streaming):
            outcome.value.limit(*self._limits)
        return outcome


class Attribute(Future[Any]):
    """The Future of a data attribute. Thread-safe.

    Its first use, or the next request of this Env if that comes first, asks the worker. So attributes are
    read in turn with calls. What only looks at a Name sends nothing: `hasattr`, `inspect`, completion, a
    prompt.
    """

    __slots__ = ("_attribute", "_context", "_owner", "_unsent")

    def __init__(self, owner: Name[Any], attribute: str) -> None:
        self._owner = owner
        self._attribute = attribute
        self._context = copy_context()  # the caller's: another thread may send it
        self._unsent = [True]  # emptied by the thread that uses it first: `pop` is atomic
        super().__init__()

    @property
    def _condition(self) -> Any:  # `concurrent.futures` takes it; a Condition there, a Lock for ours
        if self._unsent:
            self.begin()
        return super()._condition

    @_condition.setter
    def _condition(self, lock: Any) -> None:
        Future._condition.__set__(self, lock)  # type: ignore[attr-defined]  # a slot

    def when_settled(self, fn: Callable[[Future[Any]], object]) -> None:
        """See `Future.when_settled`."""
        self.begin()
        super().when_settled(fn)

    def done(self) -> bool:
        """See `Future.done`."""
        self.begin()
        return super().done()

    def cancel(self, *, only_if: Literal["waiting"] | None = None) -> bool:
        """See `Future.cancel`."""
        self.begin()
        return super().cancel(only_if=only_if)

    def __await__(self) -> Generator[Any, None, Any]:
        """See `Future.__await__`."""
        self.begin()
        return super().__await__()

    def _wait(self, timeout: float | None) -> None:
        self.begin()
        super()._wait(timeout)

    def begin(self) -> None:
        """Ask the worker, unless that was done."""
        try:
            self._unsent.pop()
        except IndexError:  # it was sent before
            return
        try:
            self._send()
        except CorpsError as error:  # there was no room, or the Env has closed
            self.settle(Refused(error))

    async def begin_when_room(self) -> None:
        """Do as `begin`, in a coroutine: wait for room without blocking the event loop."""
        try:
            self._unsent.pop()
        except IndexError:
            return
        env, *parts = self._parts()
        await env.ask_when_room(*parts)

    def _send(self) -> None:
        env, *parts = self._parts()
        self._context.run(env.ask, *parts)

    def _parts(self) -> tuple[Any, ...]:
        """Return the Env that asks, and what it is to ask."""
        owner = self._owner
        kind, args = owner._as_pinned(GET, ())
        return owner._bound(), kind, owner._addr, self._attribute, args, {}, owner._deadline, self

    def __call__(self, /, *args: object, **kwargs: object) -> NoReturn:
        """Refuse: the class has no such method. The error lists those there are."""
        known = self._owner._interface.known_methods
        raise NoSuchMethod(
            f"{self._owner!r} has no method {self._attribute!r}; its methods are: {known}",
            target=str(self._owner._addr),
        )

    send = __call__

    def __repr__(self) -> str:
        if self._unsent:
            return f"<Future of {self._attribute!r} of {self._owner!r}, not asked for yet>"
        return super().__repr__()


def restore_name(
    addr: tuple[Any, ...],
    interface: tuple[Any, ...],
    deadline: float | None = None,
    incarnation: int = 1,
    pin: int = 0,
    prefetch: int | None = None,
    when_full: WhenFull = "wait",
) -> Name[Any]:
    """Make a Name of its packed form, for the Env of the calling code or the open one of the same Corps."""
    here = acting()
    env = here.env if here is not None else this_process.env_of(addr[0], is_abroad=len(addr) > 3)
    known = Interface.from_tuple(*interface)
    restored = address_in("" if env is None else env.corps_id, addr, known)
    return Name(restored, known, env, deadline, incarnation, pin, prefetch, when_full)


def _seconds(deadline: object) -> float:
    """Return a plain number, for the thread of the alarms. It may be negative, because authors subtract."""
    try:
        seconds = float(deadline) if isinstance(deadline, Real) else nan
    except OverflowError:
        seconds = nan
    if isnan(seconds):
        raise ConfigError(f"options(deadline={deadline!r:.80}): wants a number of seconds, or None")
    return seconds
