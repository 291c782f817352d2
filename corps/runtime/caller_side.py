"""What fails at the caller: requests that cannot be sent, and those whose time is over."""

from typing import Any

from corps.addresses import ConcAddr
from corps.errors import ClosedError, DeadlineExceeded, NoSuchWorker
from corps.messages.outcomes import Refused
from corps.messages.requests import Request
from corps.runtime.futures import Future


def too_late(env: Any, target: ConcAddr) -> Refused:
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


def nowhere(env: Any, target: ConcAddr) -> Refused:
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


def limit(env: Any, future: Future[Any], request: Request, deadline: float) -> None:
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

    future.set_alarm(env.alarms.at(deadline, late))
