"""The end of an Env that is alone. It is like that of a Corps, but threads cannot be killed."""

import logging
from collections.abc import Iterator
from typing import Any

from corps.launch.patience import Patience, in_words
from corps.messages.outcomes import Value
from corps.runtime.calls.futures import Future
from corps.runtime.calls.winding_down import hear_last_words, still, unfinished
from corps.runtime.env import Env

_log = logging.getLogger("corps.launch")

_ABANDONED = 0.1  # seconds for the other threads, if some are given up already


def end_alone(env: Env, *, interrupted: bool) -> None:
    """End the workers of an Env without others in order, children before their Mgr, then its threads.

    `interrupted`: a Ctrl-C is why it ends. Another one ends it at once, and is raised.
    """
    hurry: Future[None] = Future()
    patience = Patience(env, list, hurry, env.options.shutdown_timeout)
    interrupt: KeyboardInterrupt | None = None
    steps = _steps(env)
    step = next(steps, None)
    try:
        while step is not None and not patience.is_over:
            try:
                patience.wait(step)
            except KeyboardInterrupt as error:
                interrupt = error
                if interrupted:
                    hurry.settle(Value(None))
                interrupted = True
            else:
                step = next(steps, None)
    finally:
        _close(env, patience)
    if interrupt is not None:
        raise interrupt


def _steps(env: Env) -> Iterator[Future[Any]]:
    """Begin one step after the other, each when the one before is over."""
    yield from still(env)
    hear_last_words(env)
    yield env.exit(env.manager_of(env.id))
    yield env.services.end()


def _close(env: Env, patience: Patience) -> None:
    left = unfinished(env)
    abandoned = [*env.lives.abandoned, *([in_words(left)] if left else [])]
    env.close(patience.left(env.options.grace) if not abandoned else _ABANDONED)
    if abandoned:
        _log.warning("left behind, and their threads go on until they return: %s", ", ".join(abandoned))
