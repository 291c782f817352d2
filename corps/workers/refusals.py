"""What Envs refuse, for all that want to hear of it: a worker that looks for attacks, or another log."""

from typing import Final

from corps.clock import wall_time
from corps.exporting import exported
from corps.messages.refusal import Refusal
from corps.runtime.env import Env
from corps.runtime.parts import Part
from corps.security.audit import Audit, Details
from corps.workers.everywhere import env_here
from corps.workers.news import News

_MOST: Final = 10_000  # refusals that wait for one listener: an attacker must not fill the memory


class Refusals(Part):
    """Tells what its Env refuses. Thread-safe."""

    def __init__(self, env: Env) -> None:
        """Tell nothing yet."""
        self._env = env
        self._news: tuple[News[Refusal], ...] = ()  # replaced as a whole

    def follow(self, *audits: Audit) -> None:
        """Tell what these count from now on. Before the Env reads anything."""
        for audit in audits:
            audit.watch = self._tell

    def listen(self) -> News[Refusal]:
        """Return what is refused from now on."""
        news: News[Refusal] = News("the refusals of an Env", self._forget, most=_MOST)
        self._news = (*self._news, news)
        if self._env.closed:
            news.end()
        return news

    def close(self) -> None:
        """See `Part.close`."""
        for news in self._news:
            news.end()

    def _tell(self, kind: str, reason: str, details: Details) -> None:
        """Hand a refusal to all listeners. The thread that reads calls this."""
        if not self._news:
            return
        refusal = Refusal(kind, reason, self._env.id, wall_time(), *details)
        for news in self._news:
            news.put(refusal)

    def _forget(self, news: News[Refusal]) -> None:
        self._news = tuple(each for each in self._news if each is not news)


@exported
def watch_refusals() -> News[Refusal]:
    """Hear what the Env of the caller refuses from now on: connections, and what comes by them.

    ``with corps.watch_refusals() as refusals: ...`` iterates over `Refusal`. Each Env tells its own, so a
    worker that looks for attacks on all of them lives in each: see `corps.Options.replicate`. At most 10 000
    wait for a slow listener; the oldest go first, and `News.missed` counts them.

    Returns:
        The refusals: close it, use it in a ``with`` statement, or let it end with the Env.

    Raises:
        ContextError: There is no Env here, or it is not clear which.
    """
    return env_here("whose refusals to watch").parts.get(Refusals).listen()
