"""The functions of Dirs as methods of what stands for an Env, or for a booted Corps."""

from collections.abc import Callable
from inspect import Parameter, signature
from types import MethodType
from typing import Any, Generic, TypeVar, cast

from corps.runtime.env import Env
from corps.services.dirs import finding

F = TypeVar("F", bound=Callable[..., Any])


class _Method(Generic[F]):
    """A function of Dirs as a method: it has the type of the function, and asks one Env."""

    def __init__(self, function: F, in_env: Callable[..., Any]) -> None:
        """Do `in_env`, which gets the Env before the arguments of `function`."""

        def method(handle: "DirHandle", /, *args: Any, **kwargs: Any) -> Any:
            return in_env(handle._dirs_of(), *args, **kwargs)

        shown = signature(function)
        own = Parameter("self", Parameter.POSITIONAL_ONLY)
        method.__name__, method.__doc__ = function.__name__, function.__doc__
        vars(method)["__signature__"] = shown.replace(parameters=[own, *shown.parameters.values()])
        self._method = method

    def __get__(self, handle: "DirHandle | None", owner: type | None = None) -> F:
        return cast("F", self._method if handle is None else MethodType(self._method, handle))


def _waiting(begin: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: begin(*args, **kwargs).result()


class DirHandle:
    """What offers the functions of Dirs for one Env. Thread-safe."""

    find = _Method(finding.find, finding.find_in)
    afind = _Method(finding.afind, finding.afind_in)
    find_all = _Method(finding.find_all, finding.find_all_in)
    register = _Method(finding.register, _waiting(finding.register_in))
    aregister = _Method(finding.aregister, finding.register_in)
    unregister = _Method(finding.unregister, _waiting(finding.unregister_in))
    aunregister = _Method(finding.aunregister, finding.unregister_in)
    watch_dir = _Method(finding.watch_dir, finding.watch_in)

    def _dirs_of(self) -> Env:
        raise NotImplementedError
