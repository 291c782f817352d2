"""The end of a Corps in order, phase by phase.

Nothing more is accepted, and what was asked is finished. Then the workers end that the script created, the
class that came last first; the application, its children first; components; the CorpsMgr; the processes; at
last the links and threads of this process. This follows Pekko's Coordinated Shutdown. What does not end in
its phase is left to the next one, which has less regard for it: at last its process is killed.
"""

import logging
from contextlib import suppress

from corps.addresses import BOOT_ENV, ENV_MGR, FRONT
from corps.clock import now
from corps.errors import WaitTimeout
from corps.launch.application import end_workers
from corps.launch.building import LAST_REPORTS, CorpsParts
from corps.launch.corps_end import CorpsEnd
from corps.launch.patience import Patience
from corps.messages.outcomes import Outcome, Value
from corps.messages.requests import CALL
from corps.runtime.calls.waiting import wait_any
from corps.runtime.calls.winding_down import hear_last_words, still

_log = logging.getLogger("corps.launch")


class OrderlyEnd:
    """Ends a Corps. `outcome` is how the Corps object has ended. One thread."""

    def __init__(self, parts: CorpsParts, end: CorpsEnd, *, has_threads: bool) -> None:
        """Begin to count the time. `has_threads`: the interpreter does not end, so others can be started."""
        self.outcome: Outcome = Value(None)
        self._parts = parts
        self._env = parts.env
        self._end = end
        self._patience = Patience(
            parts.env,
            parts.membership.places,
            end.hurry,
            parts.env.options.shutdown_timeout,
            has_threads=has_threads,
        )
        parts.deaths.killed = self._patience.killed

    def run(self) -> None:
        """End it, phase by phase, also after one that fails; raise what the first such one has raised."""
        failed: BaseException | None = None
        for name, phase in (
            ("stop accepting", self._stop_accepting),
            ("finish requests", self._finish_requests),
            ("stand still", self._stand_still),
            ("stop Concs", self._end_workers),
            ("stop Envs", self._end_processes),
        ):
            began = now()
            if self._parts.tag is not None:
                self._parts.tag.enter_phase(name)
            try:
                phase()
            except BaseException as error:  # what is to be ended next must end
                failed = failed or error
                continue
            _log.debug("the phase %r of the end took %.3f s", name, now() - began)
        if failed is not None:
            raise failed

    def _stop_accepting(self) -> None:
        """Take nothing more from outside, and start no process any more."""
        self._parts.membership.replace_no_more()
        self._env.accept_no_more()

    def _finish_requests(self) -> None:
        """Wait for the answers to what the script has asked, for as long as it wants that."""
        limit = self._patience.left(self._parts.finish_timeout)
        if self._end.has_failed or not limit:
            return
        try:
            wait_any([self._env.when_answered(), self._end.hurry], limit)
        except WaitTimeout:
            _log.debug("the Corps ends, though not all its requests were answered within %s s", limit)

    def _stand_still(self) -> None:
        """Let nothing begin any more, in any worker of any Env, but for what a `cleanup()` asks of others."""
        for what, here in (("still", still), ("hear_last_words", hear_last_words)):
            env_ids = self._env_ids() if not self._patience.is_over else []
            asked = [self._env.ask_manager(each, what) for each in env_ids]
            for answer in (*here(self._env), *asked):
                self._patience.wait(answer)

    def _end_workers(self) -> None:
        """End the script's workers, the application, those of plain threads, components, and the CorpsMgr."""
        manager = self._env.registry.find(ENV_MGR)
        for turn in manager.family.close_in_turns() if manager is not None else ():
            end_workers(self._env, turn, self._patience)
        (self.outcome,) = end_workers(self._env, [self._parts.name._addr], self._patience)
        there = self._env_ids()
        if FRONT in there and not self._patience.is_over:  # its report of a failure may be slower
            heard = self._env.ask(CALL, self._env.manager_of(FRONT), "has_told", (BOOT_ENV,), {})
            with suppress(WaitTimeout):
                wait_any([heard, self._end.hurry], self._patience.left(self._env.options.grace))
        if not self._patience.is_over:
            for ended in [self._env.ask_manager(env_id, "end_children") for env_id in there]:
                self._patience.wait(ended)
        for ended in self._parts.autoloading.ends(there):
            self._patience.wait(ended)
        for addr in (self._parts.mgr.addr, self._env.manager_of(self._env.id)):
            end_workers(self._env, [addr], self._patience)

    def _env_ids(self) -> list[int]:
        return [place.process.env_id for place in self._parts.membership.places()]

    def _end_processes(self) -> None:
        """End the processes, then the threads and links of this one."""
        deaths = self._parts.deaths
        deaths.expect_ends()
        grace = self._patience.left(self._env.options.grace)
        self._parts.membership.stop(grace or None)
        self._patience.wait(self._env.services.end())
        if self._parts.hosts is not None:
            self._parts.hosts.close(0.0)
        self._parts.host.close(0.0)
        deaths.finish(max(grace, LAST_REPORTS))
        late = self._env.close(grace)
        if late and not self._end.hurry.done():
            _log.warning("threads of this process are still busy in workers: %s", ", ".join(late))
