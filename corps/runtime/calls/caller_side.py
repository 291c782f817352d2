"""What fails at the caller: requests that cannot be sent, and those whose time is over."""

import os
import sys
import weakref
from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING, Any, Protocol

from corps.addresses import ConcAddr
from corps.errors import ClosedError, DeadlineExceeded, NoSuchWorker
from corps.messages.outcomes import Outcome, Raised, Refused
from corps.messages.requests import Request
from corps.runtime.calls.futures import Future

if TYPE_CHECKING:
    from corps.runtime.env import Env


class Unsent(Protocol):
    """A request that is named already, and is sent before the next one."""

    def begin(self) -> None:
        """Send it, unless that was done. Thread-safe."""


def too_late(env: "Env", target: ConcAddr) -> Refused:
    """Return the outcome of a request from an Env that ends, or has closed."""
    state = "has been closed" if env.closed else "ends"
    text = f"{env.label} {state}: nothing can be asked of {target} from here any more"
    return Refused(ClosedError(text, executed="no", target=str(target)), "closed")


def when_forked(env: "Env", then: Callable[[Any], object]) -> None:
    """Have `then(env)` called in the children of forks, by the one thread that there is."""
    known = weakref.ref(env)

    def forked() -> None:
        there = known()
        if there is not None:
            then(there)

    os.register_at_fork(after_in_child=forked)  # for ever, but it holds nothing


def forked(env: "Env", target: ConcAddr) -> ClosedError:
    """Return the error of a request that is made in the child of a fork of `env`."""
    return ClosedError(
        f"this process is a fork of {env.label}, which lives in its parent: only there can {target} be "
        "asked; to ask from a process of its own, use a Conc in another Env"
    )


class Forked:
    """In the child of a fork: the promise of the request that has forked. Its answer ends the child.

    Otherwise two processes would answer for one worker, on the connections of one of them.
    """

    def __init__(self, label: str, request: Request) -> None:
        self._label = label  # of the Env
        self._request = request  # that its thread runs

    def done(self) -> bool:
        """Return False: the answer has yet to end the child."""
        return False

    def settle(self, outcome: Outcome) -> bool:
        """End the child, because the method that has forked has come to its end there too."""
        text = f"a fork of {self._label} came back from {self._request!r}: call os._exit() in it\n"
        sys.stderr.write(text + (outcome.remote.traceback if isinstance(outcome, Raised) else ""))
        sys.stderr.flush()
        os._exit(1)


def nowhere(env: "Env", target: ConcAddr) -> Refused:
    """Return the outcome of a request that no way leads to: its Env is alone, or its Corps another one."""
    if target.corps != env.corps_id:
        text = f"{target} is not in this Corps ({env.corps_id[:6]})"
    else:
        text = f"{target} is in another Env, and this one is alone"
    return Refused(NoSuchWorker(text, target=str(target)), "no_such_worker")


def limit(env: "Env", future: Future[Any], request: Request, deadline: float) -> None:
    """Have a request that was not sent yet fail when its time is over."""

    def late() -> None:
        target = request.target
        text = f"no answer to {request.method!r} from {target} before its deadline"
        error = DeadlineExceeded(text, target=str(target))
        if request.route is None:  # it was not sent, and none begins after its deadline
            error.executed = "no"
        if future.give_up(error) and error.executed == "no":
            env.letters.undelivered(request, Refused(error, "expired"))

    errands = env.errands
    if errands is None or get_ident() != errands.main:
        future.set_alarm(env.alarms.at(deadline, late))
    else:
        errands.post(lambda: future.set_alarm(env.alarms.at(deadline, late)))
