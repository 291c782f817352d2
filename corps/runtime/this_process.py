"""What holds for this process as a whole, whichever thread asks: its open Envs, and what it loads.

Code outside of every block and worker has no Activity: a cell of a notebook, a handler of a web framework, a
plain thread. If one Env is open in the process, such code means that one. While an application is being
loaded, none of its threads may boot it once more. So both are facts of the process and not of a context.
`this_process` is the only object at module level that changes, beside the ContextVar in `context`.
"""

import weakref
from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from corps.runtime.env import Env


class Loading:
    """One application that is being loaded."""

    def __init__(
        self, what: str, *, everywhere: bool, stopped: Callable[[str], object] | None = None
    ) -> None:
        self.what = what  # its file, or the name of its module
        self.everywhere = everywhere  # it concerns all threads of the process, and not only this one
        self.stopped = stopped  # called with the place when `corps.boot` was called meanwhile
        self.thread = get_ident()  # that loads
        self.stops: list[str] = []  # where `corps.boot` was called meanwhile, as "file, line n"
        self.is_cut = False  # such a call has ended what is loaded: what stands above it is there

    def stop_at(self, where: str) -> None:
        """Note a call of `corps.boot`, at a place as ``file, line n``. The thread that calls it does so."""
        self.stops.append(where)
        if self.stopped is not None:
            self.stopped(where)

    def was_cut(self) -> None:
        """Note that a call of `corps.boot` has ended what is loaded."""
        self.is_cut = True


class ThisProcess:
    """The facts of one process. Thread-safe.

    It takes no lock: each change is one step of a dict or a list, so a fork never inherits a lock that is
    held.
    """

    def __init__(self) -> None:
        self.env_id: int | None = None  # of a booted Corps that this process is; None in every other one
        self.loadings: list[Loading] = []  # what is being loaded now
        self._opened: dict[weakref.ref[Env], None] = {}  # in the order of their opening

    def loading(self) -> Loading | None:
        """Return the innermost loading that concerns the calling thread; None if this thread may boot."""
        mine = [each for each in list(self.loadings) if each.everywhere or each.thread == get_ident()]
        return mine[-1] if mine else None

    def has_opened(self, env: "Env") -> None:
        """Note an Env that can be used from now on. It is forgotten when it takes no more, or is garbage."""
        for known in list(self._opened):
            there = known()
            if there is None or there.closed:
                self._opened.pop(known, None)
        self._opened[weakref.ref(env)] = None

    def forget(self, env: "Env") -> None:
        """Leave an Env to the code that has opened it: no other code means it."""
        self._opened.pop(weakref.ref(env), None)

    def open_envs(self) -> "list[Env]":
        """Return the Envs that take requests now, in the order of their opening."""
        there = [known() for known in list(self._opened)]
        return [env for env in there if env is not None and env.is_open]

    def env_of(self, corps_id: str, *, is_abroad: bool = False) -> "Env | None":
        """Return the open Env of a Corps in this process; with `is_abroad` else one that reaches others."""
        own = next((env for env in self.open_envs() if env.corps_id == corps_id), None)
        return self.env_at_a_border() if own is None and is_abroad else own

    def env_at_a_border(self) -> "Env | None":
        """Return the Env of this process that reaches other Corps, if there is one."""
        return next((env for env in self.open_envs() if env.border is not None), None)


this_process: Final = ThisProcess()
