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
    """What asks for itself before the next request."""

    def begin(self) -> None:
        """Ask, unless that was done. Thread-safe."""


def too_late(env: "Env", target: ConcAddr) -> Refused:
    """The outcome of a request from an Env that takes no more.

    Args:
        env: It ends, or has closed.
        target: The worker.

    Returns:
        What its caller is told.
    """
    state = "has been closed" if env.closed else "ends"
    text = f"{env.label} {state}: nothing can be asked of {target} from here any more"
    return Refused(ClosedError(text, executed="no", target=str(target)), "closed")


def when_forked(env: "Env", then: Callable[[Any], object]) -> None:
    """Have something done in the children of forks.

    Args:
        env: What is done there concerns it.
        then: Called with it, by the one thread that there is.
    """
    known = weakref.ref(env)

    def forked() -> None:
        there = known()
        if there is not None:
            then(there)

    os.register_at_fork(after_in_child=forked)  # for ever, but it holds nothing


def forked(env: "Env", target: ConcAddr) -> ClosedError:
    """The error of who asks in the child of a fork.

    Args:
        env: It lives in the parent.
        target: The worker.
    """
    return ClosedError(
        f"this process is a fork of {env.label}, which lives in its parent: only there can {target} be "
        "asked; to ask from a process of its own, use a Conc in another Env"
    )


class Forked:
    """In the child of a fork: the promise of the request that has forked. Its answer ends the child.

    Else there would be two processes that answer for one worker, on the connections of one of them.
    """

    def __init__(self, label: str, request: Request) -> None:
        """For the child.

        Args:
            label: Of the Env, for the text.
            request: What its thread runs.
        """
        self._label = label
        self._request = request

    def done(self) -> bool:
        """See `Promise.done`."""
        return False

    def settle(self, outcome: Outcome) -> bool:
        """The method that has forked has come to its end, in the child too."""
        told = f"a fork of {self._label} came back from {self._request!r}: call os._exit() in it\n"
        sys.stderr.write(told + (outcome.traceback if isinstance(outcome, Raised) else ""))
        sys.stderr.flush()
        os._exit(1)


def nowhere(env: "Env", target: ConcAddr) -> Refused:
    """The outcome of a request to where no way leads.

    Args:
        env: It is alone, or the target is in another Corps.
        target: The worker.

    Returns:
        What its caller is told.
    """
    if target.corps != env.corps_id:
        text = f"{target} is not in this Corps ({env.corps_id[:6]})"
    else:
        text = f"{target} is in another Env, and this one is alone"
    return Refused(NoSuchWorker(text, target=str(target)), "no_such_worker")


def limit(env: "Env", future: Future[Any], request: Request, deadline: float) -> None:
    """Have a request fail when its time is over.

    Args:
        env: The Env that sends it.
        future: Of its caller.
        request: Not sent yet.
        deadline: On the monotonic clock.
    """

    def late() -> None:
        target = request.target
        text = f"no answer to {request.method!r} from {target} before its deadline"
        error = DeadlineExceeded(text, target=str(target))
        if future.give_up(error) and error.executed == "no":
            env.letters.undelivered(request, Refused(error, "expired"))

    errands = env.errands
    if errands is None or get_ident() != errands.main:
        future.set_alarm(env.alarms.at(deadline, late))
    else:
        errands.post(lambda: future.set_alarm(env.alarms.at(deadline, late)))
