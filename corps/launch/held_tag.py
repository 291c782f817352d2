"""The tag of an external Corps, while this process boots it, runs it and ends it."""

import getpass
import logging
import os
import socket

from corps.clock import wall_time
from corps.errors import ConfigError, CorpsError
from corps.federation.claims import Claim
from corps.federation.end_news import EndNews, tell_of_end
from corps.federation.registry import registry_of_user
from corps.process_stat import name_of_process

_log = logging.getLogger("corps.launch")


class HeldTag:
    """The tag of an external Corps of this process. One thread: the Corps's own."""

    def __init__(self, tag: str, corps: str, source: str, template: int, log_file: str) -> None:
        """Take the tag; see `Registry.claim` for what is raised. `template` starts the Envs."""
        if not tag:
            raise ConfigError(
                "an external Corps needs a tag by which others find it: --tag, corps.boot(tag=...), or the "
                "setting tag"
            )
        self.tag = tag
        self.corps = corps
        self._registry = registry_of_user()
        self._is_ending = False
        pid = os.getpid()
        claim = Claim(
            tag=tag,
            corps=corps,
            class_name="",
            pid=pid,
            template=template,
            started=name_of_process(pid),
            since=wall_time(),
            user=_user_name(),
            host=socket.gethostname(),
            source=source,
            log_file=log_file,
        )
        try:
            self._registry.claim(claim)
        except OSError as error:
            if isinstance(error, CorpsError):
                raise
            raise ConfigError(
                f"the tag {tag!r} could not be written to {self._registry.path}: {error}"
            ) from error

    def has_started(self, class_name: str) -> None:
        """Say that the Corps runs."""
        self._registry.reach(self.tag, self.corps, "running", class_name)

    def enter_phase(self, name: str) -> None:
        """Say that a phase of the end begins. It raises nothing."""
        if not self._is_ending:
            self._is_ending = True
            try:
                self._registry.reach(self.tag, self.corps, "ending")
            except (CorpsError, OSError) as error:
                _log.warning("the registry does not say that the Corps ends: %s", error)
        tell_of_end(self._registry.path, self.tag, EndNews(name))

    def give_back(self, error: BaseException | None) -> None:
        """Give the tag back: nothing of the Corps is left. `error` is its failure. It raises nothing."""
        try:
            self._registry.withdraw(self.tag, self.corps)
        except (CorpsError, OSError) as problem:
            _log.warning("the tag %s could not be given back: %s", self.tag, problem)
        news = EndNews("", "" if error is None else f"{type(error).__name__}: {error}")
        tell_of_end(self._registry.path, self.tag, news)


def _user_name() -> str:
    """Return the name of this user, or its id where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
