"""The Name: what stands for a worker wherever it is needed.

A Name is a value: an address, what is known of the worker's class, and the Env that it is used from. It
packs as a call of `restore_name`; the Env that unpacks it answers that call itself, so that a Name that
arrives is ready to use.
"""

from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from corps.addresses import ConcAddr
from corps.errors import ContextError, LoopBlocked, NoSuchMethod
from corps.messages.interfaces import Interface
from corps.messages.requests import CALL, EXIT_LAST, EXIT_NOW, GET, PINNED, SET
from corps.runtime.context import acting
from corps.runtime.env import Env
from corps.runtime.futures import Future

T = TypeVar("T")


class Name(Generic[T]):
    """The Name of a worker of class `T`. Any thread may use it.

    ``name.method(...)`` is a request, and gives a Future at once. ``name.method.send(...)`` wants no
    answer. ``name.attribute`` gives a Future of a data attribute's value; ``name.attribute = value`` sets
    it and raises if that failed. Only public names can be reached.

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

    def __init__(
        self,
        addr: ConcAddr,
        interface: Interface,
        env: Env | None,
        deadline: float | None = None,
        incarnation: int = 1,
        pin: int = 0,
    ) -> None:
        """For the runtime: applications get Names from `corps.create` and from each other."""
        object.__setattr__(self, "_addr", addr)
        object.__setattr__(self, "_interface", interface)
        object.__setattr__(self, "_env", env)
        object.__setattr__(self, "_deadline", deadline)
        if incarnation != 1:
            object.__setattr__(self, "_incarnation", incarnation)
        if pin:
            object.__setattr__(self, "_pin", pin)

    def options(self, *, deadline: float | None = None) -> "Name[T]":
        """The same worker, called in another way.

        Args:
            deadline: Seconds within which each request must be answered, else it fails with
                DeadlineExceeded; None for no limit.

        Returns:
            Another Name of the worker, equal to this one.
        """
        return Name(self._addr, self._interface, self._env, deadline, self._incarnation, self._pin)

    @property
    def pinned(self) -> "Name[T]":
        """The same worker, but only the incarnation that it was in when this Name was made.

        When that has ended, requests fail with WorkerGone, executed "no", though the worker may be there
        again. A Name was made when the worker was created or, from `my_name`, when it was asked for.
        """
        return Name(
            self._addr, self._interface, self._env, self._deadline, self._incarnation, self._incarnation
        )

    def exit(self) -> Future[None]:
        """End the worker in order.

        The request it runs is finished, what waits fails with WorkerGone, the workers it created end,
        newest first, then its ``cleanup()`` is called.

        Returns:
            A Future that is done when it has ended; fails with a RemoteError if its ``cleanup()`` raised.
            Asking again is no error.
        """
        return self._bound().exit(self._addr)

    def drain(self) -> Future[None]:
        """End the worker in order, but first let it run what waits for it. Nothing new is taken.

        Returns:
            As `exit`.
        """
        return self._bound().exit(self._addr, EXIT_LAST)

    def kill(self) -> Future[None]:
        """End the worker at once, and the workers it created: no ``cleanup()`` is called.

        What waits fails with WorkerGone, executed "no", and what runs with "unknown". A coroutine is
        cancelled; a thread cannot be ended from outside: it goes on until its method returns, but nothing
        comes of that.

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
            kind, args = self._as_pinned(GET, ())
            return self._bound().ask(kind, self._addr, name, args, {}, self._deadline, future)

    def _method(self, name: str) -> "Method":
        parts = (self._addr, name, self._env, self._deadline, repr(self))
        if self._pin:
            return PinnedMethod(*parts, self._pin)
        retries = dict(self._interface.idempotent).get(name)
        return Method(*parts) if retries is None else IdempotentMethod(*parts, retries)

    def _as_pinned(self, kind: int, args: tuple[Any, ...]) -> tuple[int, tuple[Any, ...]]:
        return (PINNED, (self._pin, kind, *args)) if self._pin else (kind, args)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a data attribute of the worker; waits until that is done.

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

    def _bound(self) -> Env:
        return self._env or _no_env(repr(self))

    def __dir__(self) -> list[str]:
        """The methods, for completion; data attributes are known to the worker alone."""
        return [*super().__dir__(), *self._interface.methods]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Name) and self._addr == other._addr

    def __hash__(self) -> int:
        return hash(self._addr)

    def __repr__(self) -> str:
        return f"<Name {self._interface.short_name} {self._addr}>"

    def __copy__(self) -> "Name[T]":
        return self

    def __deepcopy__(self, memo: object) -> "Name[T]":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        addr, interface = tuple(self._addr), self._interface.as_tuple()
        return restore_name, (addr, interface, self._deadline, self._incarnation, self._pin)


class Method:
    """A method of a worker, as seen through its Name. Any thread may call it."""

    # The parts of the Name and not the Name itself, which keeps this: no garbage cycle for every Name.
    __slots__ = ("_addr", "_deadline", "_env", "_method", "_owner")

    def __init__(
        self, addr: ConcAddr, method: str, env: Env | None, deadline: float | None, owner: str
    ) -> None:
        self._addr = addr
        self._method = method
        self._env = env
        self._deadline = deadline
        self._owner = owner

    def __call__(self, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Ask the worker to call the method.

        Returns:
            The Future of what it returns.

        Raises:
            PackError: The worker lives in another Env, and an argument cannot be packed.
            Overloaded: There was no room for the request in time.
        """
        env = self._env or _no_env(self._owner)
        return env.ask(CALL, self._addr, self._method, args, kwargs, self._deadline)

    def send(self, /, *args: Any, **kwargs: Any) -> None:
        """Ask the worker to call the method, and want no answer. A failure goes to the log of its Env.

        Nobody waits for it, so the deadline of `Name.options` does not count here. What still waits in a
        mailbox when its worker ends is dropped.

        Raises:
            PackError: The worker lives in another Env, and an argument cannot be packed.
            Overloaded: There was no room for the request in time.
        """
        env = self._env or _no_env(self._owner)
        env.tell(CALL, self._addr, self._method, args, kwargs)

    def __repr__(self) -> str:
        return f"<method {self._method!r} of {self._owner}>"


class PinnedMethod(Method):
    """A method of one incarnation of a worker. Any thread may call it."""

    __slots__ = ("_pin",)

    def __init__(
        self, addr: ConcAddr, method: str, env: Env | None, deadline: float | None, owner: str, pin: int
    ) -> None:
        super().__init__(addr, method, env, deadline, owner)
        self._pin = pin

    def __call__(self, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `Method.__call__`."""
        env = self._env or _no_env(self._owner)
        return env.ask(PINNED, self._addr, self._method, (self._pin, CALL, *args), kwargs, self._deadline)

    def send(self, /, *args: Any, **kwargs: Any) -> None:
        """See `Method.send`."""
        env = self._env or _no_env(self._owner)
        env.tell(PINNED, self._addr, self._method, (self._pin, CALL, *args), kwargs)


class IdempotentMethod(Method):
    """A method that may be sent again. Any thread may call it."""

    __slots__ = ("_retries",)

    def __init__(
        self, addr: ConcAddr, method: str, env: Env | None, deadline: float | None, owner: str, retries: int
    ) -> None:
        super().__init__(addr, method, env, deadline, owner)
        self._retries = retries

    def __call__(self, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `Method.__call__`."""
        env = self._env or _no_env(self._owner)
        return env.ask(CALL, self._addr, self._method, args, kwargs, self._deadline, retries=self._retries)


def _no_env(owner: str) -> NoReturn:
    raise ContextError(
        f"{owner} was unpacked outside of every Env, so there is no way to its worker: unpack it "
        "inside a worker, or inside `with corps.boot(...)` or `with corps.env()`"
    )


class Attribute(Future[Any]):
    """The Future of a data attribute."""

    __slots__ = ("_attribute", "_owner")

    def __init__(self, owner: Name[Any], attribute: str) -> None:
        super().__init__()
        self._owner = owner
        self._attribute = attribute

    def __call__(self, /, *args: object, **kwargs: object) -> NoReturn:
        """Refused: the class has no such method.

        Raises:
            NoSuchMethod: Always; its text lists the methods there are.
        """
        known = self._owner._interface.known_methods
        raise NoSuchMethod(
            f"{self._owner!r} has no method {self._attribute!r}; its methods are: {known}",
            target=str(self._owner._addr),
        )

    send = __call__


def restore_name(
    addr: tuple[str, int, int],
    interface: tuple[Any, ...],
    deadline: float | None = None,
    incarnation: int = 1,
    pin: int = 0,
) -> Name[Any]:
    """Make a Name of what it was packed as. An Env that unpacks one answers this itself.

    Args:
        addr: The worker's address.
        interface: What is known of its class.
        deadline: Time limit for its requests, in seconds.
        incarnation: Of the worker, when the Name was made.
        pin: The only incarnation it stands for; 0 for every one.

    Returns:
        The Name, for the Env of the calling code; one that cannot be used if there is none.
    """
    here = acting()
    env = here.env if here is not None else None
    return Name(ConcAddr(*addr), Interface.from_tuple(*interface), env, deadline, incarnation, pin)
