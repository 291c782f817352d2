"""What of its caller's context travels with a request: the values of the variables that the Corps names.

The caller's Env takes them along when it is asked. They are set in the worker's own context while its code
runs for that request, and are what they were before when it is over. Between Envs they go by the names of the
variables.
"""

import sys
from collections.abc import Iterable, Mapping
from contextvars import ContextVar, Token
from typing import Any, Final

from corps.addresses import is_runtimes_own
from corps.messages.requests import ASKING, Request

_UNSET: Final = object()


def fault_of(travels: object) -> str:
    """Return what an author's declaration of variables that travel has to be; empty if it is that."""
    if not isinstance(travels, tuple) or not all(isinstance(each, ContextVar) for each in travels):
        return "it must be a tuple of ContextVars"
    if len({each.name for each in travels}) < len(travels):
        return "each of its ContextVars must have a name of its own, because they travel by name"
    return ""


def places_of(variable: ContextVar[Any]) -> list[str]:
    """Return where the modules of this process have a variable, as ``module:attribute``."""
    return [
        f"{name}:{attribute}"
        for name, module in list(sys.modules.items())
        for attribute, value in list(getattr(module, "__dict__", {}).items())
        if value is variable
    ]


class Travels:
    """The variables that travel from and to one Env. Thread-safe.

    A variable of which only the places are known is looked for until its module is loaded. Until then no code
    of this process can set it or look at it.
    """

    __slots__ = ("_known", "_places")

    def __init__(
        self, variables: Iterable[ContextVar[Any]] = (), places: Mapping[str, list[str]] | None = None
    ) -> None:
        """Know the variables that this process has; of all others, where another process has found them."""
        # Changed by single steps of a dict; two threads that find the same variable do the same.
        self._known = {variable.name: variable for variable in variables}
        self._places = dict(places or {})

    def take_along(self, request: Request) -> None:
        """Have the values of the caller travel with a request for author's code. Before it is sent."""
        if request.kind in ASKING and not is_runtimes_own(request.target.conc):
            self._look()
            values = {name: variable.get(_UNSET) for name, variable in list(self._known.items())}
            set_ones = {name: value for name, value in values.items() if value is not _UNSET}
            request.travelling = set_ones or None

    def arrive(self, values: Mapping[str, Any]) -> list[Token[Any]]:
        """Set what has travelled with a request, in the current context; return what `leave` wants there."""
        self._look()
        known = self._known
        return [known[name].set(value) for name, value in values.items() if name in known]

    def _look(self) -> None:
        for name, places in list(self._places.items()):
            for place in places:
                module, _, attribute = place.partition(":")
                found = getattr(sys.modules.get(module), attribute, None)
                if isinstance(found, ContextVar) and found.name == name:
                    self._known[name] = found
                    self._places.pop(name, None)
                    break


def leave(arrived: Iterable[Token[Any]]) -> None:
    """Set back what `Travels.arrive` has set, because the request is over."""
    for token in arrived:
        token.var.reset(token)
