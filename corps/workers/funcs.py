"""Funcs: a worker that is a set of functions, which run beside each other."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from corps.errors import DefinitionError
from corps.exporting import exported
from corps.messages.interfaces import Interface
from corps.messages.manners import ANY_NUMBER
from corps.workers.conc import OFFERED, Conc
from corps.workers.idempotence import retries_of
from corps.workers.interface import OF_NAME
from corps.workers.marks import is_marked_public
from corps.workers.routing import named_parameters
from corps.workers.steps import accepts, check_hooks

if TYPE_CHECKING:
    from corps.runtime.cells.records import Record

_NAME: Final = "corps:Funcs"

_REFUSED: Final = frozenset({"keep_state", "after_restart", "interleave"})
"""What means something in a Conc, and nothing in functions without a worker's own state."""


@exported
class Funcs(Conc):
    """A worker that is a set of functions: subclass it, and write plain functions in the class, without self.

    Its functions run beside each other, at most `at_once` at a time; what is above that waits, in the order
    in which it came. A coroutine function runs on the event loop of the Env. For a function that yields the
    caller gets an iterator that pulls items. What the functions share stands in the class: ``Tools.cache``.

    ``start()`` runs before the first function, and ``cleanup()`` when the worker ends in order. Both may be
    coroutine functions.

    Attributes:
        at_once: How many functions may run at a time; None for `threads.max` of the Env.
    """

    at_once: ClassVar[int | None] = None

    _corps_declared: ClassVar[frozenset[str]] = frozenset({"at_once"})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take each function of the class as it stands there, without self.

        Raises:
            DefinitionError: A function has a name that belongs to Names or workers, or a bad `at_once`.
        """
        for name, value in list(vars(cls).items()):
            if name in _REFUSED:
                raise DefinitionError(f"{cls.__qualname__}.{name} has no meaning in Funcs: rename it")
            if name in OFFERED:
                raise DefinitionError(
                    f"{cls.__qualname__}.{name} cannot be: every worker has a method {name!r}; rename it"
                )
            if callable(value) and not isinstance(value, type) and not name.startswith("__"):
                setattr(cls, name, staticmethod(value))
        super().__init_subclass__(**kwargs)
        if cls.at_once is not None and (type(cls.at_once) is not int or cls.at_once < 1):
            raise DefinitionError(
                f"{cls.__qualname__}.at_once is {cls.at_once!r}: it must be a number from 1"
            )

    @classmethod
    def _corps_find_steps(cls) -> frozenset[str]:
        check_hooks(cls, Conc)
        return frozenset()  # no request passes through steps: a function may have their names

    @classmethod
    def _corps_find_start(cls) -> bool:
        start = inspect.getattr_static(cls, "start", None)
        if start is None:
            return False
        if not isinstance(start, staticmethod) or not accepts(start, 0):
            raise DefinitionError(
                f"{cls.__qualname__}.start is {start!r:.200}: the runtime calls start() before the first "
                "function; rename yours if you mean something else"
            )
        return True

    @classmethod
    def _corps_interface_of(cls, record: "Record") -> Interface:
        return _freed(cls._corps_interface, record.options.at_once or cls.at_once)


class Functions(Funcs):
    """The worker that `corps.create_funcs` makes."""

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        """Serve these functions, by name."""
        vars(self).update(functions)

    @classmethod
    def _corps_interface_of(cls, record: "Record") -> Interface:
        functions: Mapping[str, Callable[..., Any]] = record.args[0]
        coroutines = frozenset(name for name, each in functions.items() if inspect.iscoroutinefunction(each))
        interface = Interface(
            _NAME,
            OFFERED.union(functions),
            cls._corps_interface.reserved.difference(functions),
            async_methods=coroutines,
            idempotent=tuple((name, n) for name, each in functions.items() if (n := retries_of(each))),
            public=frozenset(name for name, each in functions.items() if is_marked_public(each)),
        )
        return _freed(interface, record.options.at_once)

    @classmethod
    def _corps_parameters(cls, record: "Record") -> dict[str, list[str]]:
        functions: Mapping[str, Callable[..., Any]] = record.args[0]
        return {name: named_parameters(each, is_bound=False) for name, each in functions.items()}


# A worker without a class of the author's is a Funcs in texts and in Dirs.
for _cls in (Funcs, Functions):
    _cls._corps_interface = replace(_cls._corps_interface, class_name=_NAME)
del _cls


def room_in(interface: Interface, most: int) -> int:
    """Return how many requests may be under way in a worker before it is full; `most` if it does not say."""
    return most if interface.is_free and interface.interleave == ANY_NUMBER else interface.interleave


def _freed(interface: Interface, at_once: int | None) -> Interface:
    """Return the interface of a worker whose methods run beside each other, so many at once."""
    if at_once == 1:
        return interface  # one after the other, as in any worker
    return replace(interface, is_free=True, interleave=at_once or ANY_NUMBER)


def functions_of(
    functions: Iterable[Callable[..., Any] | ModuleType], named: Mapping[str, Callable[..., Any]]
) -> dict[str, Callable[..., Any]]:
    """Return what `corps.create_funcs` is given by name, with the public functions of modules.

    Raises:
        DefinitionError: Something cannot be called, has no name, a name that is taken or is not public; or
            there is nothing.
    """
    found: dict[str, Callable[..., Any]] = {}
    given = [pair for each in functions for pair in _named(each)]
    for name, function in (*given, *named.items()):
        _check(name, function)
        if name in found:
            raise DefinitionError(
                f"create_funcs: two functions have the name {name!r}: rename one, as in {name}2=..."
            )
        found[name] = function
    if not found:
        raise DefinitionError("create_funcs() wants functions, or a module with public functions")
    return found


def _named(given: Any) -> list[tuple[str, Any]]:
    if isinstance(given, ModuleType):
        return [(name, getattr(given, name)) for name in _public(given)]
    name = getattr(given, "__name__", None)
    if callable(given) and not (isinstance(name, str) and name.isidentifier()):
        raise DefinitionError(
            f"create_funcs: {given!r:.200} has no name of its own: give it one, as in name=..."
        )
    return [(name if isinstance(name, str) else repr(given), given)]


def _public(module: ModuleType) -> list[str]:
    """Return the names of the public functions of a module."""
    offered = getattr(module, "__all__", None)
    names = offered if offered is not None else [name for name in vars(module) if not name.startswith("_")]
    found = [
        name
        for name in names
        if callable(value := getattr(module, name, None))
        and not isinstance(value, type)
        and (offered is not None or getattr(value, "__module__", None) == module.__name__)
    ]
    if not found:
        raise DefinitionError(f"create_funcs: the module {module.__name__!r} has no public functions")
    return found


def _check(name: str, function: Any) -> None:
    if not callable(function):
        raise DefinitionError(f"create_funcs: {function!r:.200} cannot be called, so it is no function")
    if isinstance(function, type) and issubclass(function, Conc):
        raise DefinitionError(f"create_funcs: {function.__qualname__} is a worker's class: use corps.create")
    if name.startswith("_"):
        raise DefinitionError(f"create_funcs: {name!r} begins with an underscore, so no Name could reach it")
    if name in OF_NAME or name in OFFERED:
        raise DefinitionError(
            f"create_funcs: every worker has a method {name!r} of its own: give it another name"
        )
