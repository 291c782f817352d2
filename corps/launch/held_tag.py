"""The tag by which a Corps is listed on this host, while this process boots it, runs it and ends it."""

import logging
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from corps.addresses import FRONT
from corps.clock import wall_time
from corps.errors import ConfigError, CorpsError
from corps.federation.claims import Claim
from corps.federation.describing import record_of, user_name
from corps.federation.end_news import EndNews, tell_of_end
from corps.federation.registry import registry_of_user
from corps.process_stat import name_of_process
from corps.runtime.env import Env
from corps.runtime.parts import Part
from corps.workers.names import Name

_log = logging.getLogger("corps.launch")


class HeldTag(Part):
    """The tag of a Corps of this process. The Corps's own thread; any thread calls `env_came`."""

    def __init__(
        self, tag: str, corps: str, source: str, template: int, log_file: str, *, is_private: bool = False
    ) -> None:
        """Take the tag; see `Registry.claim` for what is raised. `template` starts the Envs.

        `is_private`: what is published says where the front is, to those that have got a Name. It does not
        admit others.
        """
        if not tag:
            raise ConfigError(
                "an external Corps needs a tag by which others find it: --tag, corps.boot(tag=...), or the "
                "setting tag"
            )
        self.tag = tag
        self.corps = corps
        self.addresses: tuple[str, ...] = ()
        """Where the front listens over tcp, once the Corps is published."""
        self._registry = registry_of_user()
        self._is_private = is_private
        self._is_ending = False
        self._again: Callable[[], None] = lambda: None
        pid = os.getpid()
        claim = self._claim = Claim(
            tag=tag,
            corps=corps,
            class_name="",
            pid=pid,
            template=template,
            started=name_of_process(pid),
            since=wall_time(),
            user=user_name(),
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

    @property
    def connection_file(self) -> str:
        """The path of the file by which others find the Corps, once it is published."""
        return self._registry.file_of(self.tag)

    def publish(self, env: Env, name: Name[Any]) -> None:
        """Say that the Corps runs, and how it is reached: `env` is that of this process, `name` the Corps.

        A front that gets another process listens elsewhere, so that is said once more.
        """
        self._publish(env, name)
        self._again = lambda: self._publish(env, name)
        env.parts.add(self)

    def env_came(self, env_id: int) -> None:
        """See `Part.env_came`."""
        if env_id == FRONT:
            try:
                self._again()
            except (CorpsError, OSError) as error:  # at the end of the Corps it has no tag any more
                _log.debug("where the front is now does not stand in the registry: %s", error)

    def _publish(self, env: Env, name: Name[Any]) -> None:
        record = record_of(env, name, self.tag, self._claim.started, self._claim.log_file)
        self.addresses = record.front.outside
        if self._is_private:
            record = replace(record, capability=bytes(len(record.capability)))
        self._registry.publish(replace(record, since=self._claim.since))

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
