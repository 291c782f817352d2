"""`corps.operate`: what those who run a Corps do to it from outside, of the same owner or permitted."""

from typing import Any

from corps.errors import ConfigError
from corps.exporting import exported
from corps.messages.contacts import ExtAddr
from corps.messages.outcomes import Value
from corps.messages.requests import CALL
from corps.runtime.calls.futures import Future
from corps.services.logs.choosing import level_of
from corps.services.logs.chosen import LevelRule
from corps.workers.names import Name


@exported
class Operator:
    """Operates another Corps. Thread-safe. `corps.operate` makes it.

    Callers of the same owner may do all of it. Another owner needs a rule for the class of the Corps object
    that names the verb: ``corps.allow(Index, identity="bob", verbs=["stacks"])``. Otherwise the Future fails
    with NotPermitted, and the Corps has one audit line more.
    """

    def __init__(self, front: Name[Any], border: ExtAddr) -> None:
        """Make it; `corps.operate` calls this."""
        self._front = front
        self._border = border

    def add_env(self) -> Future[int]:
        """Start one more Env: the verb ``"add_env"``.

        Returns:
            A Future of its id. It fails as that of `Corps.add_env`.
        """
        return self._ask("add_env")

    def remove_env(self, env_id: int, timeout: float | None = None) -> Future[None]:
        """End an Env in order: the verb ``"remove_env"``.

        Args:
            env_id: Its id.
            timeout: Seconds for its workers to do what waits for them; None for as long as it takes.

        Returns:
            A Future of None. It fails as that of `Corps.remove_env`.
        """
        return self._ask("remove_env", env_id, timeout)

    def log_level(
        self, level: int | str | None, name: str = "", *, env: int | None = None, tag: str = ""
    ) -> Future[None]:
        """Set from which level on records are made: the verb ``"log_level"``.

        Args:
            level: A level of `logging`; None takes back what was set for the same.
            name: Name of a logger: it, and those below it. Empty: all that have no level of their own.
            env: The id of an Env; None for all.
            tag: Only for workers with this tag.

        Returns:
            A Future of None, done when it holds in all Envs.

        Raises:
            ConfigError: There is no such level.
        """
        number = None if level is None else level_of("log_level", level)
        return self._ask("set_log_level", list(LevelRule(number, name, env, "", tag)))

    def stacks(self, env: int | None = None) -> Future[dict[int, str]]:
        """Return what all threads do: the verb ``"stacks"``.

        Args:
            env: The id of an Env; None for all.

        Returns:
            A Future of a text for the id of each Env. One that does not answer is missing.
        """
        texts: Future[dict[int, str]] = Future()

        def answered(asked: Future[Any]) -> None:
            assert asked.outcome is not None
            outcome = asked.outcome.opened()
            if isinstance(outcome, Value):
                outcome = Value(dict(outcome.value))
            texts.settle(outcome)

        self._ask("stacks", env).when_settled(answered)
        return texts

    def _ask(self, method: str, *args: Any) -> Future[Any]:
        return self._front._bound().ask(CALL, self._border, method, args, {})


@exported
def operate(name: Name[Any], /) -> Operator:
    """Operate a Corps that was reached by `corps.connect`, or found with ``where="ext"``.

    Args:
        name: Of its Corps object.

    Returns:
        What adds and removes Envs of it, sets its log levels, and shows its stacks.

    Raises:
        ConfigError: It is no Name of a Corps object of another Corps.
    """
    addr = getattr(name, "_addr", None)
    if not isinstance(addr, ExtAddr) or addr.env != addr.border.env:
        raise ConfigError(
            f"operate({name!r:.80}): wants the Name of a Corps that corps.connect has returned; in the Corps "
            "itself there are corps.log_level and the methods of its Name"
        )
    return Operator(name, addr.border)
