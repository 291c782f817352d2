"""What of a class may be called from afar: decided once, from the class, when it is defined."""

import functools
import inspect
import sys
from typing import Any, Final, NoReturn

from corps.errors import DefinitionError
from corps.messages.interfaces import Interface
from corps.runtime.performing import STEPS
from corps.supervision.restarts import STRATEGIES, Restart
from corps.workers.idempotence import retries_of

OF_NAME: Final = frozenset({"options", "exit", "drain", "kill", "pinned"})
"""Public methods of every Name: a worker's class cannot have them too."""


def interface_of(cls: type, root: type, offered: frozenset[str]) -> Interface:
    """Decide what of a class may be called from afar.

    A method is a public attribute of the class, or of a class it inherits from, that is a function or
    behaves like one. What the library's own classes define is the worker's own, but for `offered`.

    Args:
        cls: A class derived from `root`.
        root: The library's class that it derives from: Conc.
        offered: Methods of `root` that may be called from afar.

    Returns:
        Its interface.

    Raises:
        DefinitionError: The class uses a name that belongs to Names, or what it declares has a bad value.
    """
    _check_declarations(cls)
    own = {name for name in dir(root) if not name.startswith("_")}
    for hook in sorted(own):
        if inspect.iscoroutinefunction(inspect.getattr_static(cls, hook)):
            raise DefinitionError(
                f"{cls.__qualname__}.{hook} cannot be async: nobody would await it; let it be a plain method"
            )
    methods = set(offered)
    coroutines = set()
    idempotent = []
    for name in dir(cls):
        if name.startswith("_") or name in own:
            continue
        if name in OF_NAME:
            raise DefinitionError(
                f"{cls.__qualname__}.{name} cannot be: every Name has a method {name!r} of its own; rename it"
            )
        raw = inspect.getattr_static(cls, name)
        if _is_method(raw):
            methods.add(name)
            if retries := retries_of(raw):
                idempotent.append((name, retries))
            if inspect.iscoroutinefunction(inspect.unwrap(getattr(raw, "__func__", raw))):
                coroutines.add(name)
    return Interface(
        class_name=f"{cls.__module__}:{cls.__qualname__}",
        methods=frozenset(methods),
        reserved=frozenset(own - offered),
        async_methods=frozenset(coroutines),
        interleave=_interleave(cls),
        has_steps=any(getattr(cls, step) is not getattr(root, step) for step in (*STEPS, "keep_state")),
        has_main=getattr(cls, "main") is not getattr(root, "main"),  # noqa: B009 - `type` has no `main`
        idempotent=tuple(idempotent),
    )


def _check_declarations(cls: Any) -> None:
    def refuse(name: str, wanted: str) -> NoReturn:
        value = inspect.getattr_static(cls, name)
        raise DefinitionError(f"{cls.__qualname__}.{name} is {value!r:.200}: it must be {wanted}")

    if not isinstance(cls.restart, Restart | None):
        refuse("restart", "a corps.Restart, or None")
    if cls.strategy not in STRATEGIES:
        refuse("strategy", f"one of {', '.join(sorted(STRATEGIES))}")
    if type(cls.keep_every) not in (int, float) or not cls.keep_every >= 0:
        refuse("keep_every", "a number of seconds, 0 or more")
    errors = cls.fails_on
    if not isinstance(errors, tuple) or not all(
        isinstance(kind, type) and issubclass(kind, BaseException) for kind in errors
    ):
        refuse("fails_on", "a tuple of classes of exceptions")


def _is_method(raw: Any) -> bool:
    if isinstance(raw, staticmethod | classmethod):
        return True
    # A partial is about to become a method: it has `__get__` from Python 3.13 on, and binds from 3.14 on.
    return callable(raw) and hasattr(raw, "__get__") and not isinstance(raw, type | functools.partial)


def _interleave(cls: Any) -> int:
    value = cls.interleave
    if value is True:
        return sys.maxsize
    if value is False:
        return 1
    if isinstance(value, int) and value >= 1:
        return value
    raise DefinitionError(
        f"{cls.__qualname__}.interleave is {value!r}: it must be True, False or a number from 1"
    )
