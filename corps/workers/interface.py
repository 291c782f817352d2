"""What of a class may be called from other workers: decided once, when the class is defined."""

import functools
import inspect
import sys
from collections.abc import Callable
from types import MemberDescriptorType
from typing import Any, Final, NoReturn

from corps.errors import DefinitionError
from corps.handlers import came_from_a_handler
from corps.messages.interfaces import Interface
from corps.messages.requests import ANEXT
from corps.runtime.options import WHEN_FULL
from corps.supervision.restarts import STRATEGIES, Restart
from corps.workers.idempotence import retries_of
from corps.workers.marks import is_marked_public, mark_of
from corps.workers.steps import RECOGNISED, STEPS, differs

OF_NAME: Final = frozenset({"options", "exit", "drain", "kill", "pinned"})
"""Public methods of every Name: a worker's class cannot have them too."""


def interface_of(
    cls: Any, root: type, offered: frozenset[str], steps: frozenset[str], declared: frozenset[str]
) -> Interface:
    """Decide what of a class may be called from other workers.

    A method is a public attribute of the class, or of a class that it inherits from, and is a function or
    behaves like one. What `root` defines is the worker's own, except for two: `offered`, and a method of the
    author's with the name of a step that is none. `steps` are those of `steps_of`. `declared` is what a class
    of the library between `root` and `cls` declares for the runtime alone.
    """
    _check_declarations(cls)
    own = {name for name in dir(root) if not name.startswith("_")} | declared
    own -= {name for name in RECOGNISED if name not in steps and differs(cls, root, name)}
    interleave = _interleave(cls)
    found = _Found(set(offered))
    for name in dir(cls):
        if name.startswith("_") or name in own:
            continue
        if name in OF_NAME:
            raise DefinitionError(
                f"{cls.__qualname__}.{name} cannot be: every Name has a method {name!r} of its own; rename it"
            )
        _sort(found, cls, name, beside_others=interleave != 1)
    if "main" in steps and (found.interleaving or found.reading):
        names = ", ".join(sorted(found.interleaving | found.reading))
        raise DefinitionError(
            f"{cls.__qualname__} has a main() of its own, which runs one request at a time: nothing can run "
            f"beside {names}, so take its mark away"
        )
    if interleave != 1:
        found.coroutines.add(ANEXT)  # beside other coroutines, an asynchronous generator may be stepped
    return Interface(
        class_name=f"{cls.__module__}:{cls.__qualname__}",
        methods=frozenset(found.methods),
        reserved=frozenset(own - offered),
        async_methods=frozenset(found.coroutines),
        interleave=interleave,
        has_steps=not steps.isdisjoint(STEPS) or differs(cls, root, "keep_state"),
        has_main="main" in steps,
        idempotent=tuple(found.idempotent),
        computed=frozenset(found.computed),
        read_only=frozenset(found.reading),
        interleaving=frozenset(found.interleaving),
        public=frozenset(found.public),
        author=cls,
    )


class _Found:
    """The public attributes of a class, by what they are."""

    def __init__(self, methods: set[str]) -> None:
        self.methods = methods
        self.coroutines: set[str] = set()
        self.computed: set[str] = set()
        self.idempotent: list[tuple[str, int]] = []
        self.public: set[str] = set()
        self.interleaving: set[str] = set()
        self.reading: set[str] = set()


def _sort(found: _Found, cls: Any, name: str, *, beside_others: bool) -> None:
    """Enter one attribute of a class where it belongs. `beside_others`: coroutines run beside each other."""
    raw = inspect.getattr_static(cls, name)
    if not _is_method(raw, cls, name):
        is_plain = isinstance(raw, type | MemberDescriptorType | functools.partial)
        if hasattr(raw, "__get__") and not is_plain:
            found.computed.add(name)
        return
    found.methods.add(name)
    if retries := retries_of(raw):
        found.idempotent.append((name, retries))
    if _is_coroutine_function(raw) or (beside_others and _is_of_kind(raw, inspect.isasyncgenfunction)):
        found.coroutines.add(name)
    if cls.public or is_marked_public(raw):
        found.public.add(name)
    match mark_of(raw):
        case "interleaving":
            found.interleaving.add(name)
        case "reading":
            found.reading.add(name)


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
    if cls.when_full not in WHEN_FULL:
        refuse("when_full", f"one of {', '.join(WHEN_FULL)}")
    if type(cls.public) is not bool:
        refuse("public", "True or False")
    errors = cls.fails_on
    if not isinstance(errors, tuple) or not all(
        isinstance(kind, type) and issubclass(kind, BaseException) for kind in errors
    ):
        refuse("fails_on", "a tuple of classes of exceptions")


def _is_method(raw: Any, cls: type, name: str) -> bool:
    if isinstance(raw, staticmethod | classmethod):
        return True
    if isinstance(raw, type | property) or not hasattr(raw, "__get__"):
        return False
    if callable(raw):
        # A partial is about to become a method: it has `__get__` from Python 3.13 on, and binds from 3.14 on.
        return not isinstance(raw, functools.partial)
    try:  # partialmethod and singledispatchmethod cannot be called, but what they give can
        return not isinstance(given := getattr(cls, name), type) and given is not raw and callable(given)
    except Exception as error:  # a descriptor of the author's that wants an instance
        if came_from_a_handler(error):
            raise
        return False


def _is_coroutine_function(raw: Any) -> bool:
    """Return whether a method is a coroutine function itself. A plain function around one runs alone."""
    return _is_of_kind(raw, inspect.iscoroutinefunction)


def _is_of_kind(raw: Any, is_kind: Callable[[Any], bool]) -> bool:
    function = getattr(raw, "__func__", raw)
    if isinstance(function, functools.partialmethod):
        function = function.func
    return is_kind(function)


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
