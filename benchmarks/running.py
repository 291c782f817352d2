"""Measures: section by section, work by work, in rounds that take the subjects in turn.

A drift of the machine, which may well double every figure within an hour, so hits all alike. Subjects are
opened anew for each pass of a few rounds: what one opening happens to get (pages, ports, which core) is part
of the noise, too. The first round after an opening only warms up.
"""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.cases import Section, Subject, Work
from benchmarks.machine import installed_version
from benchmarks.results import Key, Result, Round
from benchmarks.subject_process import SubjectFailed, SubjectProcess

PASSES = 3
OPEN_LIMIT = 90.0
CLOSE_LIMIT = 120.0
QUICK_SHARE = 0.01


def split(rounds: int, passes: int) -> list[int]:
    """Share rounds among passes.

    Args:
        rounds: At least one.
        passes: At least one.

    Returns:
        The numbers of rounds, none of them 0, the larger ones first.
    """
    passes = min(rounds, passes)
    return [rounds // passes + (number < rounds % passes) for number in range(passes)]


@dataclass(slots=True)
class Runner:
    """Measures sections. One thread uses it.

    Attributes:
        rounds: How often each work is measured.
        quick: Whether to do little, once, and without warming up.
        say: Told what goes on.
        samples: What was measured so far.
        absent: Why something was not.
        is_broken: Whether a floor or corps itself failed, and not just a peer.
    """

    rounds: int
    quick: bool
    say: Callable[[str], None]
    samples: dict[Key, list[Round]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    is_broken: bool = False

    def measure(self, section: Section, subjects: list[Subject]) -> list[Result]:
        """Measure the works of a section.

        Args:
            section: Which.
            subjects: Who may be able to do them.

        Returns:
            What was measured, by work; why something was not, is in `absent`.
        """
        here = len(os.sched_getaffinity(0))
        if section.processors > here:
            self.absent[section.name] = f"it needs {section.processors} processors, and {here} may be used"
            return []
        present = [subject for subject in subjects if self._is_present(subject)]
        steady = [subject for subject in present if not subject.is_alone]
        for rounds in split(1 if self.quick else self.rounds, PASSES):
            self._pass(section, steady, rounds)
            for subject in present:
                if subject.is_alone:
                    self._pass(section, [subject], 1)
        return [
            Result(key, subject.role, work.unit, work.size, subject.floors, tuple(self.samples[key]))
            for work in section.works
            for subject in present
            if (key := Key(section.name, work.name, subject.name)) in self.samples
        ]

    def _is_present(self, subject: Subject) -> bool:
        if subject.package and installed_version(subject.package) is None:
            self.absent[subject.name] = f"{subject.package} is not installed"
            return False
        return True

    def _pass(self, section: Section, subjects: list[Subject], rounds: int) -> None:
        if not subjects:
            return
        self.say(f"{section.name}: {', '.join(subject.name for subject in subjects)}")
        with ExitStack() as stack:
            started = [
                self._start(section, subject, stack)
                for subject in subjects
                if not self._has_failed(section, subject, "start")
            ]
            opened = [(process, self._open(section, process)) for process in started]
            for work in section.works:
                able = [process for process, works in opened if work.name in works]
                for number in range(0 if work.warms_up and not self.quick else 1, rounds + 1):
                    for process in able:
                        self._round(section, work, process, warming=number == 0)

    def _start(self, section: Section, subject: Subject, stack: ExitStack) -> SubjectProcess:
        process = SubjectProcess(subject, QUICK_SHARE if self.quick else 1.0)
        stack.callback(self._close, section, process)
        return process

    def _open(self, section: Section, process: SubjectProcess) -> frozenset[str]:
        try:
            return process.open(OPEN_LIMIT)
        except SubjectFailed as failure:
            self._failed(section, process.subject, "start", failure)
            return frozenset()

    def _round(self, section: Section, work: Work, process: SubjectProcess, *, warming: bool) -> None:
        key = Key(section.name, work.name, process.subject.name)
        if len(self.samples.get(key, ())) >= work.rounds or not process.is_alive:
            return
        if self._has_failed(section, process.subject, work.name):
            return
        try:
            samples = process.measure(work.name, work.effort(quick=self.quick, warming=warming), work.limit)
        except SubjectFailed as failure:
            self._failed(section, process.subject, work.name, failure)
        else:
            if not warming:
                self.samples.setdefault(key, []).append(Round.of(samples))

    def _close(self, section: Section, process: SubjectProcess) -> None:
        try:
            process.close(CLOSE_LIMIT)
        except SubjectFailed as failure:
            self._failed(section, process.subject, "end", failure)

    def _has_failed(self, section: Section, subject: Subject, what: str) -> bool:
        return f"{subject.name}, {section.name}: {what}" in self.absent

    def _failed(self, section: Section, subject: Subject, what: str, failure: SubjectFailed) -> None:
        self.absent.setdefault(f"{subject.name}, {section.name}: {what}", str(failure))
        if subject.role != "peer":
            self.is_broken = True
