"""Envs that come and go, for workers and for all else that wants to hear of them."""

from typing import Literal

from corps.exporting import exported
from corps.messages.endings import ORDERLY
from corps.messages.env_event import EnvEvent
from corps.messages.requests import TOLD, Request
from corps.runtime.env import Env
from corps.runtime.parts import Part
from corps.workers.conc import Conc
from corps.workers.everywhere import env_here
from corps.workers.news import News
from corps.workers.watching import Told


class EnvEvents(Part):
    """Tells what happens to other Envs. Thread-safe."""

    def __init__(self, env: Env) -> None:
        """Tell nothing yet."""
        self._env = env
        self._news: tuple[News[EnvEvent], ...] = ()  # replaced as a whole

    def listen(self) -> News[EnvEvent]:
        """Return what comes from now on."""
        news: News[EnvEvent] = News("the Envs of the Corps", self._forget)
        self._news = (*self._news, news)
        if self._env.closed:
            news.end()
        return news

    def _forget(self, news: News[EnvEvent]) -> None:
        self._news = tuple(each for each in self._news if each is not news)

    def env_came(self, env_id: int) -> None:
        """See `Part.env_came`."""
        kind: Literal["added", "replaced"] = "replaced" if self._env.others.generation(env_id) else "added"
        self._tell(EnvEvent(kind, env_id))

    def env_lost(self, env_id: int, *, returns: bool) -> None:
        """See `Part.env_lost`."""
        failure = self._env.others.last_failure(env_id)
        if failure.reason in ORDERLY:
            self._tell(EnvEvent("removed", env_id, False, failure.reason, failure.text))
        else:
            self._tell(EnvEvent("lost", env_id, returns, failure.reason, failure.text))

    def close(self) -> None:
        """See `Part.close`."""
        for news in self._news:
            news.end()

    def _tell(self, event: EnvEvent) -> None:
        env = self._env
        if env.lives.is_winding_down:  # that they end is no event any more
            return
        for news in self._news:
            news.put(event)
        for cell in env.registry.cells():
            cls = cell.performer.cls
            if cls is not None and issubclass(cls, Conc) and cls.on_env_event is not Conc.on_env_event:
                # It goes past the limit of the mailbox: it must arrive, however much waits there.
                promise = Told(f"'on_env_event' of {cell.addr}")
                env.deliver(Request(TOLD, cell.addr, "on_env_event", (_ForWorker(event),), {}, promise))


class _ForWorker:
    """One event, for a worker; see `Performer`."""

    is_wanted = True

    def __init__(self, event: EnvEvent) -> None:
        self._event = event

    def result(self) -> EnvEvent:
        """Return the event."""
        return self._event


@exported
def env_events() -> News[EnvEvent]:
    """Hear of the Envs of the Corps from now on: which are added, lost, replaced and removed.

    ``with corps.env_events() as events: ...`` iterates over `EnvEvent`. A worker whose class overrides
    `on_env_event` needs no call of this.

    Returns:
        The events: close it, use it in a ``with`` statement, or let it end with the Env.

    Raises:
        ContextError: There is no Env here, or it is not clear which.
    """
    return env_here("whose Corps has Envs").parts.get(EnvEvents).listen()
