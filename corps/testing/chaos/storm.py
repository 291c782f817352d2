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
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol

from corps.addresses import FRONT, env_label
from corps.clock import now
from corps.errors import CorpsError, WaitTimeout
from corps.launch.boot import BootedName, boot
from corps.runtime.calls.waiting import wait_all
from corps.runtime.threads.loop_thread import new_event_loop
from corps.testing.chaos.census import Household, marking, orphans
from corps.testing.chaos.checker import JudgeMaker, check_files
from corps.testing.chaos.faults import KINDS, Fault, Injury
from corps.testing.chaos.growth import Bounds, fitted, judge_growth
from corps.testing.chaos.healing import unlimited
from corps.testing.chaos.judgement import Invariant, Limits, Violation
from corps.testing.chaos.ledger import Ledger
from corps.testing.chaos.missed import Missed
from corps.testing.chaos.plan import Planned, plan
from corps.testing.chaos.report import Injected, Size, StormReport
from corps.testing.chaos.sampler import Sampler
from corps.testing.chaos.stories import stories
from corps.testing.chaos.target import Target
from corps.testing.chaos.visitors import Visitors
from corps.testing.chaos.witness import SUFFIX, Kind, Phase, Witness, merged, witness_files
from corps.testing.leaks import Snapshot
from corps.workers.corps import Corps
from corps.workers.parameters import read_words

_ORPHANS: Final = 2.0  # seconds after the end
_END: Final = 60.0  # seconds that the end may take
_LOOK: Final = 0.2
_MEASURED: Final = 2.0  # seconds of calm after which the throughput is known well enough to be judged


class Load(Protocol):
    """Work beside that of the application, in the same Envs. The thread of the storm calls both methods."""

    def start(self) -> None:
        """Begin, inside the ``with`` block of the Corps."""

    def stop(self) -> None:
        """Send nothing more, and wait for what is under way. Idempotent."""


LoadMaker = Callable[[Ledger, Path, Sequence[int], Random], Load]
"""Gets where to write down what is sent, the directory of witness files, the Envs, and what to draw from."""


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
        judges: Make judges of what else is in the witness files.
        limits: How strict the judge is.
        bounds: How large processes may become.
        config: Settings for the boot.
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
    judges: Sequence[JudgeMaker] = ()
    limits: Limits = field(default_factory=Limits)
    bounds: Bounds = field(default_factory=Bounds)
    config: Mapping[str, Any] | None = None
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
        self._has_fewer_workers = False
        self._undos: list[tuple[float, int, Injury]] = []
        self._number = 0

    def run(self) -> StormReport:
        began = now()
        new_event_loop().close()  # makes what a process keeps, once; see corps.testing.plugin
        before = Snapshot.take()
        household, sampler = Household(), Sampler(Household())
        self._witness = Witness(self._directory / f"clients{SUFFIX}")
        self._ledger = Ledger(self._witness)
        try:
            with marking() as mark:
                self._live(household, sampler)
            self._judge_orphans(household, mark)
        finally:
            self._witness.close()
        found = before.leaks()
        self._report.violations += [Violation(Invariant.NO_LEAKS, line) for line in found]
        self._judge_sizes(sampler)
        self._judge_witness()
        self._report.seconds = now() - began
        return self._report

    # --- the life of the Corps ---

    def _live(self, household: Household, sampler: Sampler) -> None:
        options = self._options
        load: Load | None = None
        visitors: Visitors | None = None
        with unlimited():
            source: Any = options.source
            app = boot(source, envs=options.envs, config=options.config)
        try:
            with app:
                ids = sorted(household.envs())
                hit = [env for env in ids if env != FRONT or options.hit_front]
                load = self._load(hit)
                if load is not None:
                    load.start()
                if options.visits:
                    visitors = Visitors(self._ledger, app, self._run_args(app))
                    visitors.start()
                sampler.start()
                target = Target(household, hit, self._directory, self._announce)
                with target.signals.handled():
                    self._weather(app, target)
                if visitors is not None:
                    visitors.stop()
                if load is not None:
                    self._say("waiting for what is under way")
                    load.stop()
                sampler.stop()
                self._end(app)
        except CorpsError as error:  # of the application's cleanup(), or because it had ended before
            if not self._is_ending:
                raise
            self._report.notes.append(f"the end raised {type(error).__name__}: {error}")
        finally:
            sampler.stop()
            if load is not None:
                load.stop()  # did nothing more already, unless something has failed
            if visitors is not None:
                visitors.stop()
                visitors.join()
        self._ledger.drain(options.limits.allowance + 1.0)  # whatever was under way ended with the Corps
        if visitors is not None:
            runs = f", its run gave {visitors.runs} values" if "run" in dir(app) else ""
            self._has_fewer_workers = visitors.at_last < visitors.at_first
            note = f"{visitors.found} workers of the application were asked in {visitors.rounds} rounds{runs}"
            self._report.notes.append(note)
        self._report.errors = dict(self._ledger.errors)
        self._report.strange = list(self._ledger.strange)

    def _load(self, envs: Sequence[int]) -> Load | None:
        if self._options.load is None:
            return None
        rng = Random(f"{self._options.seed}/load")
        return self._options.load(self._ledger, self._directory, envs, rng)

    def _run_args(self, app: BootedName[Any]) -> Sequence[Any] | None:
        parameters = app._running.run_parameters()
        return None if parameters is None else read_words(parameters, self._options.words)

    def _end(self, app: BootedName[Any]) -> None:
        self._say("ending the Corps")
        self._is_ending = True
        began = now()
        ended = app.exit()
        try:
            wait_all([ended], _END)
            self._report.notes.append(f"the end took {now() - began:.1f} s")
        except WaitTimeout:
            text = f"the Corps did not end within {_END:g} s, and was killed"
            self._report.violations.append(Violation(Invariant.NO_ORPHANS, text))
            app._running.end_now()

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
        try:
            for planned in plan(
                options.seed, weights, mean_gap=options.mean_gap, count=options.count, seconds=options.seconds
            ):
                self._wait(is_over, origin + planned.at)
                if is_over.is_set():
                    break
                self._inject(planned, target, origin)
            if options.seconds is not None:
                self._wait(is_over, origin + options.seconds)
        finally:
            self._undo_all(is_over)
        self._enter(Phase.AFTER)
        self._await_recovery(base)
        self._enter(Phase.OVER)
        if is_over.is_set():
            text = "the Corps was over before its time"
            self._report.notes.append(text)
            self._report.violations.append(Violation(Invariant.LIVENESS, text))

    def _enter(self, phase: Phase) -> None:
        self._witness.write(Kind.PHASE, detail=phase)

    def _announce(self, env: int, worker: int) -> None:
        self._witness.write(Kind.FAULT, worker=worker, sender=env, sequence=self._number)

    def _inject(self, planned: Planned, target: Target, origin: float) -> None:
        self._number = planned.number
        late = now() - origin - planned.at
        try:
            injury = self._options.faults[planned.fault].inject(planned.rng(), target)
        except Missed as missed:
            self._missed(planned, late, str(missed))
        except CorpsError as error:
            self._missed(planned, late, f"{type(error).__name__}: {error}")
        else:
            heapq.heappush(self._undos, (now() + injury.seconds, planned.number, injury))
            done = Injected(planned.number, planned.at, late, planned.fault, injury.text, was_missed=False)
            self._report.injected.append(done)
            self._say(f"{planned.at:7.1f} s  {planned.number:4}  {injury.text}")

    def _missed(self, planned: Planned, late: float, why: str) -> None:
        """Note a fault that failed. It may have done harm all the same, so its domain stays, and ends now."""
        self._over(planned.number)
        self._report.injected.append(
            Injected(planned.number, planned.at, late, planned.fault, why, was_missed=True)
        )
        self._say(f"{planned.at:7.1f} s  {planned.number:4}  {planned.fault} missed: {why}")

    def _over(self, number: int) -> None:
        self._witness.write(Kind.OVER, sequence=number)

    def _wait(self, is_over: threading.Event, until: float) -> None:
        """Wait, and undo meanwhile what is due."""
        while not is_over.is_set():
            while self._undos and self._undos[0][0] <= now():
                self._undo()
            left = until - now()
            if left <= 0:
                return
            next_undo = self._undos[0][0] - now() if self._undos else left
            is_over.wait(max(0.0, min(left, next_undo)))

    def _undo(self) -> None:
        _, number, injury = heapq.heappop(self._undos)
        injury.undo()
        self._over(number)

    def _undo_all(self, is_over: threading.Event) -> None:
        while self._undos:
            is_over.wait(max(0.0, self._undos[0][0] - now()))
            self._undo()

    def _await_recovery(self, base: float) -> None:
        limits = self._options.limits
        if base <= 0 or limits.recovery_share <= 0:
            return
        pause = threading.Event()
        deadline = now() + limits.recovery + limits.allowance + 1.0
        wanted = (
            base * (1.0 + limits.recovery_share) / 2
        )  # so that the judge, which counts for itself, agrees
        rate = 0.0
        while rate < wanted and now() < deadline:
            served, since = self._ledger.served, now()
            pause.wait(1.0 + _LOOK)
            rate = (self._ledger.served - served) / (now() - since)

    # --- the verdict ---

    def _judge_orphans(self, household: Household, mark: str) -> None:
        pause, deadline = threading.Event(), now() + _ORPHANS
        while (left := household.left(mark)) and now() < deadline:
            pause.wait(_LOOK)
        self._report.violations += orphans(left)

    def _judge_sizes(self, sampler: Sampler) -> None:
        for (env, pid), samples in sorted(sampler.series.items()):
            self._report.violations += judge_growth(
                f"{env_label(env)} (pid {pid})", samples, self._options.bounds
            )
            line = fitted(samples[len(samples) // 2 :])
            sizes = [size for _, size in samples]
            slope, error, span = (line.slope, line.error, line.span) if line else (None, None, 0.0)
            self._report.sizes.append(Size(env, pid, sizes[0], max(sizes), slope, error, span))

    def _judge_witness(self) -> None:
        limits, why = self._options.limits, "the limits say so"
        if self._options.calm < _MEASURED:
            limits, why = replace(limits, recovery_share=0.0), "the calm before was too short"
        elif self._has_fewer_workers:  # they declare no restart, or not often enough
            limits, why = replace(limits, recovery_share=0.0), "workers of the application did not come back"
        verdict = check_files(witness_files(self._directory), limits, self._options.judges)
        self._report.violations += verdict.violations
        self._report.summary = verdict.summary
        self._report.stories = stories(merged(witness_files(self._directory)), verdict.violations)
        if self._options.directory is not None:
            self._report.witness = str(self._directory)
        if limits.recovery_share <= 0:
            self._report.notes.append(f"the return of the throughput (I12) was not judged: {why}")
        longest = max((size.span for size in self._report.sizes), default=0.0)
        if longest < self._options.bounds.least_span:
            self._report.notes.append("slopes of memory (I10) were not judged: it was too short")
