"""Which methods of an author's class are the runtime's steps and hooks, and which are the author's own.

Pure: values in, values out. A *step* is a method that takes part in each request, or that a `main` calls. An
author may have a method of the same name and another meaning, so a step is recognised by the names of its
parameters, and by their annotations where there are any. A *hook* is called at one moment of a worker's life;
it has to accept what it is called with.
"""

import inspect
from collections.abc import Mapping
from types import FunctionType
from typing import Any, Final

from corps.errors import DefinitionError
from corps.messages.requests import Request

STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "before": ("request",),
    "process": ("request",),
    "after": ("request", "outcome"),
    "reply": ("request", "outcome"),
}
"""The steps that the runtime calls for each request, with the names of their parameters."""

OF_MAIN: Final[Mapping[str, tuple[str, ...]]] = {
    "main": (),
    "receive": ("timeout",),
    "handle": ("request",),
    "is_ending": (),
}
"""A loop of one's own, and what it calls."""

RECOGNISED: Final[Mapping[str, tuple[str, ...]]] = {**STEPS, **OF_MAIN}
"""Every name that is recognised by its parameters."""

HOOKS: Final[Mapping[str, tuple[str, ...]]] = {
    "cleanup": (),
    "on_ended": ("event",),
    "on_dir_change": ("event",),
    "on_env_event": ("event",),
    "keep_state": (),
    "before_restart": ("error",),
    "after_restart": ("state",),
}
"""What the runtime calls at one moment of a worker's life."""

MAY_BE_ASYNC: Final = frozenset({"cleanup", "before_restart"})
"""Hooks that may be coroutine functions: nothing else of the worker runs meanwhile."""


def steps_of(cls: type, root: type) -> frozenset[str]:
    """Return the names of the steps that a class overrides, of `STEPS` and `OF_MAIN`.

    Another attribute of such a name is the author's own. A broken step or hook is a DefinitionError.
    """
    overridden = {name: inspect.getattr_static(cls, name) for name in RECOGNISED if differs(cls, root, name)}
    steps = {name for name, raw in overridden.items() if _is_step(raw, RECOGNISED[name], name)}
    if "main" not in steps:  # without a loop of its own the class has no use for what a loop calls
        steps -= OF_MAIN.keys()
    for name in sorted(steps):
        _refuse_async(cls, name, overridden[name])
    if "process" in steps and not _hands_on(overridden["process"], "process"):
        raise DefinitionError(
            f"{cls.__qualname__}.process(request) is a step: the runtime calls it for every request, in "
            "place of the method that was asked for, so it has to `return super().process(request)`. If you "
            "mean a method of your own, name its parameter otherwise"
        )
    check_hooks(cls, root)
    return frozenset(steps)


def check_hooks(cls: type, root: type) -> None:
    """Check that what a class has under the names of hooks can be called as such.

    Raises:
        DefinitionError: One cannot.
    """
    for name, parameters in HOOKS.items():
        if differs(cls, root, name):
            raw = inspect.getattr_static(cls, name)
            if name not in MAY_BE_ASYNC:
                _refuse_async(cls, name, raw)
            if not accepts(raw, len(parameters)):
                wanted = ", ".join(("self", *parameters))
                raise DefinitionError(
                    f"{cls.__qualname__}.{name} is {raw!r:.200}: the runtime calls {name}({wanted}) of a "
                    "worker; rename yours if you mean something else"
                )


def starts(cls: type) -> bool:
    """Return whether a class has the hook ``async def start(self) -> None``.

    Another method of that name is the author's own: a plain one, one that takes or gives something, and one
    that does not say ``-> None``. Workers with a method `start` that others call are older than the hook.
    """
    raw = inspect.getattr_static(cls, "start", None)
    function = getattr(raw, "__func__", raw)
    if not inspect.iscoroutinefunction(function) or not accepts(raw, 0):
        return False
    given = inspect.signature(function).return_annotation
    return not _own_parameters(raw) and given in (None, "None")


def differs(cls: type, root: type, name: str) -> bool:
    """Return whether a class has something else under a name than `root` has."""
    return inspect.getattr_static(cls, name) is not inspect.getattr_static(root, name)


def _refuse_async(cls: type, name: str, raw: Any) -> None:
    if inspect.iscoroutinefunction(getattr(raw, "__func__", raw)):
        raise DefinitionError(
            f"{cls.__qualname__}.{name} cannot be async: nobody would await it; let it be a plain method"
        )


def _is_step(raw: Any, parameters: tuple[str, ...], name: str) -> bool:
    """Return whether what a class has under the name of a step is meant as that step."""
    own = _own_parameters(raw)
    if own is None:
        return False
    if any(each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD) for each in own):
        return _hands_on(raw, name)  # passes through what it is given, as a mixin or a decorator does
    named = tuple(each.name.lstrip("_") for each in own if each.kind is not each.KEYWORD_ONLY)
    if named != parameters and not (name == "receive" and not named):
        return False
    return all(_may_be_request(each, raw) for each in own if each.name.lstrip("_") == "request")


def _may_be_request(parameter: inspect.Parameter, raw: Any) -> bool:
    """Return whether a parameter named `request` may be one, by its annotation."""
    meant = parameter.annotation
    if isinstance(meant, str):
        function = inspect.unwrap(getattr(raw, "__func__", raw))
        head, *rest = meant.strip("'\"").split(".")
        meant = getattr(function, "__globals__", {}).get(head, parameter.empty)
        for part in rest:
            meant = getattr(meant, part, parameter.empty)
    return meant in (parameter.empty, Any, object) or meant is Request


def _own_parameters(raw: Any) -> list[inspect.Parameter] | None:
    """Return the parameters that a caller of a method gives; None for what is no function."""
    function = getattr(raw, "__func__", raw)
    if not callable(function) or isinstance(function, type):
        return None
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    return parameters if isinstance(raw, staticmethod) else parameters[1:]


def accepts(raw: Any, count: int) -> bool:
    """Return whether a method can be called with so many arguments."""
    own = _own_parameters(raw)
    if own is None:
        return False
    try:
        inspect.Signature(own).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True


def _hands_on(raw: Any, name: str) -> bool:
    """Return whether a method's code mentions the step of its name, as `super().process(request)` does."""
    function = inspect.unwrap(getattr(raw, "__func__", raw))
    return not isinstance(function, FunctionType) or name in function.__code__.co_names
