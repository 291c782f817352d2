"""The driver: load, faults that come by a plan, the end, and the verdict.

    calm    load alone: the base line of the throughput
    storm   load and faults
    after   load alone, until the throughput is back
    end     the Corps ends in order; then what is left is looked for, and the witness files are judged

Everything that chance decides comes from the seed: the plan, what each fault draws, what the clients send.
What real processes do in the meantime does not.
"""

import heapq
import os
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from random import Random
from threading import Event
from typing import Any, Final

import psutil

from corps.addresses import FRONT
from corps.clock import now
from corps.errors import CorpsError, WaitTimeout
from corps.launch.boot import boot
from corps.launch.booted_name import BootedName
from corps.runtime.calls.waiting import wait_all
from corps.runtime.threads.loop_thread import new_event_loop
from corps.testing.chaos.census import MARK, Household, environment, orphans
from corps.testing.chaos.checker import Checker, check_files
from corps.testing.chaos.faults import KINDS, Fault, Injury
from corps.testing.chaos.judgement import Invariant, Limits, Violation
from corps.testing.chaos.ledger import Ledger
from corps.testing.chaos.plan import Planned, plan
from corps.testing.chaos.report import Injected, StormReport
from corps.testing.chaos.sizes import LEAST_SPAN, Sampler
from corps.testing.chaos.stories import stories
from corps.testing.chaos.target import Missed, Target
from corps.testing.chaos.visitors import Visitors
from corps.testing.chaos.witness import SUFFIX, Kind, Phase, Witness, merged, witness_files
from corps.testing.leaks import Snapshot
from corps.workers.corps import Corps
from corps.workers.parameters import read_words

LIMIT: Final = "CORPS_ENV_RESTART__MAX"
_ORPHANS: Final = 2.0  # seconds after the end
_END: Final = 60.0  # seconds that the end may take
_LOOK: Final = 0.2
_MEASURED: Final = 2.0  # seconds of calm after which the throughput is known well enough to be judged

LoadMaker = Callable[[Ledger, Path, Sequence[int], Random], AbstractContextManager[object]]
"""Makes work beside that of the application, for a ``with`` block whose end waits for what is under way.

It gets where to write down what is sent, the directory of witness files, the Envs, and what to draw from.
"""


@dataclass(frozen=True, slots=True)
class StormOptions:
    """Which storm.

    Attributes:
        seed: Of all that chance decides.
        source: What to boot, as for `corps.boot`.
        words: Arguments of the application's ``run``, as on a command line.
        envs: How many Envs; None for the setting.
        faults: The faults that there are, by name.
        kinds: The names of those that are wanted; None for all.
        mean_gap: Seconds between two faults, on average.
        count: How many faults; None for as many as the time has room for.
        seconds: How long the storm lasts; None for as long as the number takes.
        calm: Seconds of load before it.
        hit_front: Whether the front is hit too.
        visits: Whether the workers of the application, and its ``run``, are called all the while.
        load: Makes more load; None for none.
        others: Gives the processes of another Corps that the load has started, and that is hit as well, by
            numbers that no Env of the application has.
        checker: Judges the witness files.
        limits: How strict it is.
        config: Settings for the boot; or what makes them, of the directory of witness files.
        directory: Where witness files go and stay; None for a directory that is thrown away.
        replay: The command that does the same again, for the report.
    """

    seed: int
    source: str | type[Corps]
    words: Sequence[str] = ()
    envs: int | None = 3
    faults: Mapping[str, Fault] = field(default_factory=lambda: KINDS)
    kinds: Sequence[str] | None = None
    mean_gap: float = 2.0
    count: int | None = None
    seconds: float | None = None
    calm: float = 3.0
    hit_front: bool = False
    visits: bool = True
    load: LoadMaker | None = None
    others: Callable[[], Mapping[int, psutil.Process]] = dict
    checker: type[Checker] = Checker
    limits: Limits = field(default_factory=Limits)
    config: Mapping[str, Any] | Callable[[Path], Mapping[str, Any]] | None = None
    directory: Path | None = None
    replay: str = ""


def storm(options: StormOptions, say: Callable[[str], object] = lambda text: None) -> StormReport:
    """Boot an application, storm it, end it, and judge.

    The main thread of a process that does nothing else calls this. What that process opens meanwhile counts
    as left behind.

    Args:
        options: Which storm.
        say: Called with each line about what goes on.

    Returns:
        The report.

    Raises:
        BootError: The application did not start.
        CorpsError: The load could not be placed.
        ConfigError: A setting is wrong.
        ValueError: There are no faults of such a kind, or neither a count nor a time for them.
    """
    kinds = options.faults if options.kinds is None else options.kinds
    unknown = sorted(set(kinds) - set(options.faults))
    if unknown or not kinds:
        raise ValueError(f"no such faults: {', '.join(unknown)}; there are {', '.join(options.faults)}")
    if options.count is None and options.seconds is None:
        raise ValueError("a storm wants a number of faults, or a time")
    with ExitStack() as stack:
        directory = options.directory
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        else:
            directory.mkdir(parents=True, exist_ok=True)
            for old in directory.glob(f"*{SUFFIX}"):
                old.unlink()
        return _Storm(options, directory, say).run()


def unlimited() -> AbstractContextManager[None]:
    """Have a Corps that is booted meanwhile start its Envs again as often as it takes.

    A storm kills more often than a limit that suits daily life allows. The environment variable leaves the
    configuration of an application in force, and one that is set already stays.
    """
    return environment(LIMIT, os.environ.get(LIMIT, "1000000"))


class _Storm:
    def __init__(self, options: StormOptions, directory: Path, say: Callable[[str], object]) -> None:
        self._options = options
        self._directory = directory
        self._say = say
        self._report = StormReport(
            options.seed,
            options.source if isinstance(options.source, str) else options.source.__qualname__,
            options.replay or repr(options),
            f"{os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}",
        )
        self._is_ending = False
        self._visitors: Visitors | None = None
        self._undos: list[tuple[float, int, Injury]] = []
        self._number = 0

    def run(self) -> StormReport:
        began = now()
        new_event_loop().close()  # makes what a process keeps, once; see corps.testing.plugin
        before = Snapshot.take()
        household, sampler, mark = Household(), Sampler(Household()), os.urandom(16).hex()
        self._witness = Witness(self._directory / f"clients{SUFFIX}")
        self._ledger = Ledger(self._witness)
        try:
            with environment(MARK, mark):
                self._live(household, sampler)
            self._judge_orphans(household, mark)
        finally:
            self._witness.close()
        self._violate(Invariant.NO_LEAKS, *before.leaks())
        self._report.sizes = sampler.sizes()
        for size in self._report.sizes:
            self._report.violations += size.violations()
        self._judge_witness()
        self._report.seconds = now() - began
        return self._report

    # --- the life of the Corps ---

    def _live(self, household: Household, sampler: Sampler) -> None:
        options = self._options
        with unlimited():
            source: Any = options.source
            config = options.config(self._directory) if callable(options.config) else options.config
            app = boot(source, envs=options.envs, config=config)
        try:
            with ExitStack() as after, app, ExitStack() as busy:
                hit = [env for env in sorted(household.envs()) if env != FRONT or options.hit_front]
                if options.load is not None:
                    rng = Random(f"{options.seed}/load")
                    busy.enter_context(options.load(self._ledger, self._directory, hit, rng))
                if options.visits:
                    parameters = app._running.run_parameters()
                    args = None if parameters is None else read_words(parameters, options.words)
                    self._visitors = Visitors(self._ledger, app, args)
                    self._visitors.start()
                    after.callback(self._visitors.join)  # once the Corps has ended, a run of it has too
                    busy.callback(self._visitors.stop)
                sampler.start()
                busy.callback(sampler.stop)
                target = Target(
                    lambda: {**household.envs(), **options.others()},
                    [*hit, *sorted(options.others())],
                    self._directory,
                    self._announce,
                )
                with target.signals.handled():
                    self._weather(app, target)
                self._say("waiting for what is under way")
                busy.close()
                self._end(app)
        except CorpsError as error:  # of the application's cleanup(), or because it had ended before
            if not self._is_ending:
                raise
            self._note(f"the end raised {type(error).__name__}: {error}")
        self._ledger.drain(options.limits.allowance + 1.0)  # whatever was under way ended with the Corps
        if self._visitors is not None:
            self._note(self._visitors.note())
        self._report.errors = dict(self._ledger.errors)
        self._report.strange = list(self._ledger.strange)

    def _end(self, app: BootedName[Any]) -> None:
        self._say("ending the Corps")
        self._is_ending = True
        began = now()
        ended = app.exit()
        try:
            wait_all([ended], _END)
            self._note(f"the end took {now() - began:.1f} s")
        except WaitTimeout:
            self._violate(Invariant.NO_ORPHANS, f"the Corps did not end within {_END:g} s, and was killed")
            app._running.end_now()

    def _note(self, text: str) -> None:
        self._report.notes.append(text)

    def _violate(self, invariant: Invariant, *texts: str) -> None:
        self._report.violations += [Violation(invariant, text) for text in texts]

    # --- the weather ---

    def _weather(self, app: BootedName[Any], target: Target) -> None:
        options, faults, is_over = self._options, self._options.faults, app._running.is_over
        self._enter(Phase.CALM)
        is_over.wait(options.calm)
        base = self._ledger.served / options.calm if options.calm else 0.0
        self._enter(Phase.STORM)
        self._say(f"storm of seed {options.seed}; {base:.0f} answers/s in the calm")
        origin = now()
        weights = {kind: faults[kind].weight for kind in options.kinds or faults}
        planned = plan(
            options.seed, weights, mean_gap=options.mean_gap, count=options.count, seconds=options.seconds
        )
        try:
            for each in planned:
                self._wait(is_over, origin + each.at)
                if is_over.is_set():
                    break
                self._inject(each, target, origin)
            if options.seconds is not None:
                self._wait(is_over, origin + options.seconds)
        finally:
            self._undo_until(is_over, inf)
        self._enter(Phase.AFTER)
        self._await_recovery(base)
        self._enter(Phase.OVER)
        if is_over.is_set():
            self._violate(Invariant.LIVENESS, "the Corps was over before its time")

    def _enter(self, phase: Phase) -> None:
        self._witness.write(Kind.PHASE, detail=phase)

    def _announce(self, env: int, worker: int) -> None:
        self._witness.write(Kind.FAULT, worker=worker, sender=env, sequence=self._number)

    def _inject(self, planned: Planned, target: Target, origin: float) -> None:
        self._number = planned.number
        late = now() - origin - planned.at
        was_missed = True
        try:
            injury = self._options.faults[planned.fault].inject(Random(planned.seed), target)
            was_missed = False
        except Missed as missed:
            injury = Injury(str(missed))
        except (CorpsError, psutil.Error) as error:
            injury = Injury(f"{type(error).__name__}: {error}")
        # One that was missed may have done harm all the same, so its domain stays, and ends now.
        heapq.heappush(self._undos, (now() + injury.seconds, planned.number, injury))
        self._report.injected.append(
            Injected(planned.number, planned.at, late, planned.fault, injury.text, was_missed)
        )
        text = f"{planned.fault} missed: {injury.text}" if was_missed else injury.text
        self._say(f"{planned.at:7.1f} s  {planned.number:4}  {text}")

    def _wait(self, is_over: Event, until: float) -> None:
        """Wait, and undo meanwhile what is due."""
        self._undo_until(is_over, max(until, now()))
        is_over.wait(max(0.0, until - now()))

    def _undo_until(self, is_over: Event, until: float) -> None:
        """Undo what is due by then, each at its time; at once when the Corps is over."""
        while self._undos and self._undos[0][0] <= until:
            is_over.wait(max(0.0, self._undos[0][0] - now()))
            _, number, injury = heapq.heappop(self._undos)
            injury.undo()
            self._witness.write(Kind.OVER, sequence=number)

    def _await_recovery(self, base: float) -> None:
        limits = self._options.limits
        if base <= 0 or limits.recovery_share <= 0:
            return
        deadline = now() + limits.recovery + limits.allowance + 1.0
        # More than the judge wants, which counts for itself.
        wanted = base * (1.0 + limits.recovery_share) / 2
        rate = 0.0
        while rate < wanted and now() < deadline:
            served, since = self._ledger.served, now()
            Event().wait(1.0 + _LOOK)
            rate = (self._ledger.served - served) / (now() - since)

    # --- the verdict ---

    def _judge_orphans(self, household: Household, mark: str) -> None:
        deadline = now() + _ORPHANS
        while (left := household.left(mark)) and now() < deadline:
            Event().wait(_LOOK)
        self._report.violations += orphans(left)

    def _judge_witness(self) -> None:
        report, limits, why = self._report, self._options.limits, "the limits say so"
        if self._options.calm < _MEASURED:
            limits, why = replace(limits, recovery_share=0.0), "the calm before was too short"
        elif self._visitors is not None and self._visitors.has_lost_workers:  # they may declare no restart
            limits, why = replace(limits, recovery_share=0.0), "workers of the application did not come back"
        files = witness_files(self._directory)
        judged = check_files(files, self._options.checker(limits))
        report.violations += judged.violations
        report.summary = judged.summary
        report.stories = stories(merged(files), judged.violations)
        report.sections = list(judged.sections({each.number: each.fault for each in report.injected}))
        if self._options.directory is not None:
            report.witness = str(self._directory)
        if limits.recovery_share <= 0:
            self._note(f"the return of the throughput (I12) was not judged: {why}")
        if max((size.span for size in report.sizes), default=0.0) < LEAST_SPAN:
            self._note("slopes of memory (I10) were not judged: it was too short")
