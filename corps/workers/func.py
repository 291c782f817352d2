"""`corps.func`: a function that can also be asked, and then runs in a worker of the Corps."""

import functools
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from hashlib import blake2b
from secrets import token_hex
from threading import Lock
from types import CodeType, MethodType
from typing import Any, Final, Generic, ParamSpec, Protocol, TypeVar, overload
from weakref import WeakKeyDictionary

from corps.addresses import ConcAddr
from corps.clock import now
from corps.errors import CorpsError, DefinitionError, EnvLost, RequestError, WorkerGone
from corps.exporting import exported
from corps.messages.outcomes import Refused
from corps.messages.requests import CALL, Request
from corps.runtime.calls.arguments import await_arguments
from corps.runtime.calls.futures import Future
from corps.runtime.calls.retrying import Retrying
from corps.runtime.env import Env
from corps.runtime.parts import Part
from corps.supervision.restarts import Restart
from corps.workers.dirs_side import DirsSide
from corps.workers.everywhere import env_here
from corps.workers.factory import Options
from corps.workers.funcs import Functions
from corps.workers.idempotence import retries_of
from corps.workers.iterators import RemoteIterator
from corps.workers.names import Name
from corps.workers.unheard_futures import unheard_future

P = ParamSpec("P")
C_co = TypeVar("C_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")
Y = TypeVar("Y")

_METHOD: Final = "call"  # of the worker
_NOT_KNOWN: Final = -1  # the conc id of a worker that is not known yet: none has it
_RENEWALS: Final = 3  # workers that may be gone, one after the other, before a request has begun


class Func(Generic[P, C_co, R_co]):
    """A function that is called as ever, and can also be asked: see `corps.func`. Thread-safe."""

    __wrapped__: Callable[P, C_co]
    __name__: str
    __qualname__: str

    def __init__(self, function: Callable[P, C_co], at_once: int | None = None, token: str = "") -> None:
        """Make it; `corps.func` does. Equal tokens say that two of different processes are the same."""
        functools.update_wrapper(self, function)
        self._at_once = at_once
        self._token = token or token_hex(8)

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> C_co:
        """Call the function, here and now."""
        return self.__wrapped__(*args, **kwargs)

    def ask(self, /, *args: P.args, **kwargs: P.kwargs) -> Future[R_co]:
        """Have the function run in its worker, which is made at the first ask in the Corps.

        Args:
            *args: Arguments of the function.
            **kwargs: Its keyword arguments.

        Returns:
            The Future of what it returns; of a coroutine what that returns; of a generator an iterator.

        Raises:
            ContextError: There is no Env here, or several are open and it is not clear which is meant.
            PackError: The worker lives in another Env, and an argument cannot be packed.
            Overloaded: There was no room for the request in time.
        """
        future: Future[Any] = Future()
        self._ask(env_here("in which the function can be asked"), future, args, kwargs)
        return future

    def send(self, /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Have the function run as `ask` does, and want no answer. A failure goes to the log of this Env.

        Args:
            *args: Arguments of the function.
            **kwargs: Its keyword arguments.

        Raises:
            ContextError, PackError, Overloaded: As `ask`.
        """
        env = env_here("in which the function can be asked")
        self._ask(env, unheard_future(env, _nobody(env), str(self.__name__)), args, kwargs)

    def _ask(self, env: Env, future: Future[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        name = env.parts.get(Asked).known(self)
        target = name._addr if name is not None else _nobody(env)
        env.ask(CALL, target, _METHOD, args, kwargs, None, future, is_held=True)
        request = future.request
        if request is None:  # it was too late already
            return
        asking = _Asking(env, future, args, kwargs, self)
        request.promise = asking.next_try()
        if await_arguments(env, request, None if name is not None else asking.find_worker):
            return
        if name is None:
            asking.find_worker(request)
        else:
            env.send_held(future)

    def key_in(self, env: Env) -> str:
        """Return what all Envs call this function. For the runtime."""
        module, qualname = str(self.__module__), str(self.__qualname__)
        if not self._is_held():
            return f"{module}:{qualname}:{self._token}"
        code = getattr(self.__wrapped__, "__code__", None)
        # In a program that is typed in, the same name may get another function.
        version = f":{_digest(code)}" if isinstance(code, CodeType) else ""
        return env.class_key(f"{module}:{qualname}") + version

    def create_in(self, env: Env) -> Future[Name[Any]]:
        """Return a Future of its worker, which is made if it is not there. For the runtime."""
        options = Options(tag=self.key_in(env), restart=Restart(), at_once=self._at_once)
        return env.parts.get(DirsSide).singleton(options, Functions, ({_METHOD: self},), {})

    def _is_held(self) -> bool:
        """Return whether its module has it under its name, so that it can be found by that."""
        found: Any = sys.modules.get(self.__module__)
        for part in self.__qualname__.split("."):
            found = getattr(found, part, None)
        return found is self

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """Bind it as a function is bound that stands in a class."""
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> Any:
        if self._is_held():
            return self.__qualname__
        return self._corps_by_value()

    def _corps_by_value(self) -> tuple[Any, ...]:
        """Reduce it as code, where no other process can find it by its name."""
        return Func, (self.__wrapped__, self._at_once, self._token)

    def __repr__(self) -> str:
        return f"<func {self.__module__}.{self.__qualname__}>"


class Asked(Part):
    """The workers of functions, as one Env knows them. Thread-safe."""

    def __init__(self, env: Env) -> None:
        """Know none yet."""
        self._env = env
        self._lock = Lock()  # protects _names
        self._names: WeakKeyDictionary[Func[Any, Any, Any], Name[Any]] = WeakKeyDictionary()

    def known(self, func: Func[Any, Any, Any]) -> Name[Any] | None:
        """Return the worker of a function if it is known here."""
        with self._lock:
            return self._names.get(func)

    def find(self, func: Func[Any, Any, Any], gone: ConcAddr) -> Future[Name[Any]]:
        """Return a Future of the worker of a function, made if it is not there; it is not `gone`.

        Raises:
            CorpsError: It cannot be made.
        """
        with self._lock:
            name = self._names.get(func)
            if name is not None and name._addr == gone:
                del self._names[func]
        found = func.create_in(self._env)
        found.when_settled(lambda done: self._found(func, done))
        return found

    def _found(self, func: Func[Any, Any, Any], done: Future[Name[Any]]) -> None:
        if done.failure() is None:
            with self._lock:
                self._names[func] = done.result()


class _Asking(Retrying):
    """A request for the worker of a function, which may have to be found or made first. Thread-safe."""

    __slots__ = ("_func", "_renewals")

    def __init__(
        self,
        env: Env,
        future: Future[Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        func: Func[Any, Any, Any],
    ) -> None:
        super().__init__(env, future, args, kwargs, retries_of(func))
        self._func = func
        self._renewals = 0

    def find_worker(self, request: Request) -> None:
        """Send a request as soon as it is known where to."""
        env = self._env
        env.retrying[self] = None
        try:
            found = env.parts.get(Asked).find(self._func, request.target)
        except CorpsError as error:
            env.retrying.pop(self, None)
            self.future.settle(Refused(error))
            return
        # In the thread of the alarms, which may not wait: this one may be any.
        found.when_settled(lambda done: env.alarms.at(now(), lambda: self._found(request, done)))

    def _found(self, request: Request, done: Future[Name[Any]]) -> None:
        error = done.failure()
        if error is None:
            request.target = done.result()._addr
            self._again(request)
        else:
            self._env.retrying.pop(self, None)
            if isinstance(error, CorpsError):
                self.future.settle(Refused(error))

    def _is_worth_it(self, error: RequestError) -> bool:
        if error.executed != "no" or not isinstance(error, WorkerGone | EnvLost):
            return super()._is_worth_it(error)
        self._renewals += 1
        return self._renewals <= _RENEWALS and not self._env.closed

    def _again_later(self, request: Request, error: RequestError) -> None:
        if error.executed != "no":
            super()._again_later(request, error)
            return
        self._last = error
        self.find_worker(request)


def _nobody(env: Env) -> ConcAddr:
    return ConcAddr(env.corps_id, env.id, _NOT_KNOWN)


def _digest(code: CodeType) -> str:
    """Return a short text that is the same for the same code in all processes."""
    found = blake2b(digest_size=8)
    todo = [code]
    while todo:
        each = todo.pop()
        plain = [constant for constant in each.co_consts if not isinstance(constant, CodeType)]
        todo += [constant for constant in each.co_consts if isinstance(constant, CodeType)]
        found.update(each.co_code)
        # The members of a frozenset come in any order.
        shown = [sorted(map(repr, one)) if isinstance(one, frozenset) else one for one in plain]
        found.update(repr((each.co_names, each.co_varnames, shown)).encode("utf-8", "surrogatepass"))
    return found.hexdigest()


class _Decorator(Protocol):
    """What makes a Func of a function."""

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Func[P, Coroutine[Any, Any, R], R]: ...
    @overload
    def __call__(
        self, function: Callable[P, Generator[Y, Any, Any]], /
    ) -> Func[P, Generator[Y, Any, Any], RemoteIterator[Y]]: ...
    @overload
    def __call__(
        self, function: Callable[P, AsyncIterator[Y]], /
    ) -> Func[P, AsyncIterator[Y], RemoteIterator[Y]]: ...
    @overload
    def __call__(self, function: Callable[P, Iterator[Y]], /) -> Func[P, Iterator[Y], RemoteIterator[Y]]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Func[P, R, R]: ...


@overload
def func(function: Callable[P, Coroutine[Any, Any, R]], /) -> Func[P, Coroutine[Any, Any, R], R]: ...
@overload
def func(
    function: Callable[P, Generator[Y, Any, Any]], /
) -> Func[P, Generator[Y, Any, Any], RemoteIterator[Y]]: ...
@overload
def func(function: Callable[P, AsyncIterator[Y]], /) -> Func[P, AsyncIterator[Y], RemoteIterator[Y]]: ...
@overload
def func(function: Callable[P, Iterator[Y]], /) -> Func[P, Iterator[Y], RemoteIterator[Y]]: ...
@overload
def func(function: Callable[P, R], /) -> Func[P, R, R]: ...
@overload
def func(*, at_once: int | None = None) -> "_Decorator": ...
@exported
def func(function: Callable[..., Any] | None = None, /, *, at_once: int | None = None) -> Any:
    """Make a function one that can also be asked: ``@corps.func`` above its definition.

    It is called as ever, by ``resize("a.png", 10)``. ``resize.ask("a.png", 10)`` gives a Future: the function
    runs in a worker of the Corps then, a `corps.Funcs` of this one function. The first ask makes that worker,
    in one of the Envs, and all others in the Corps meet there. It ends with the Corps.

    Args:
        function: The function, where it decorates without parentheses.
        at_once: How many asks may run at a time; None for `threads.max` of the Env of the worker.

    Returns:
        The function, with `ask` and `send`; or a decorator.

    Raises:
        DefinitionError: What is decorated cannot be called, or is a class; or `at_once` is no number from 1.
    """
    if at_once is not None and (type(at_once) is not int or at_once < 1):
        raise DefinitionError(f"func(at_once={at_once!r}): wants how many may run at a time, from 1")

    def make(function: Callable[..., Any]) -> Any:
        if isinstance(function, type) or not hasattr(function, "__qualname__"):
            raise DefinitionError(f"func is for functions, and {function!r:.200} is none")
        return Func(function, at_once)

    return make if function is None else make(function)
