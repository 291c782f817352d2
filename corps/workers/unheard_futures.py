"""Futures that nobody waits for: what `send` asks with where an answer is needed all the same."""

from typing import Any

from corps.addresses import ConcAddr
from corps.messages.promises import Sent
from corps.runtime.calls.futures import Future
from corps.runtime.context import acting
from corps.runtime.env import Env


def unheard_future(env: Env, target: ConcAddr, method: str) -> Future[Any]:
    """Return a Future for a request of the calling code: if it fails, that is a dead letter. Thread-safe."""
    here = acting()
    sender = here.cell.addr if here is not None and here.cell is not None else None
    sent = Sent(env.letters, sender, target, method)

    def note(done: Future[Any]) -> None:
        if done.outcome is not None:
            done.hear()
            sent.settle(done.outcome)

    future: Future[Any] = Future()
    future.when_settled(note)
    return future
