"""The judge of what services keep: entries in Dirs, timers, and log records; proves I13 to I15. Pure.

It remembers each entry, timer and record of the storm, a few dozen bytes each.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from corps.testing.chaos.judgement import Invariant, Limits, Summary
from corps.testing.chaos.witness import Kind, Look, Phase, Record

_NANO: Final = 1_000_000_000
_EARLY: Final = 50_000_000
"""Nanoseconds by which a call may come before its time: the clocks of durable and other timers differ."""

Find = Callable[[Invariant, str, Record], None]
"""Notes a violation."""
Excuses = Callable[[int, int, int], bool]
"""Says whether a fault may be why something went wrong with a worker between two times."""


class Keeping:
    """Takes records in the order of `merged`, one by one. One thread."""

    def __init__(self, find: Find, excuses: Excuses, limits: Limits, summary: Summary) -> None:
        """Know nothing yet.

        Args:
            find: Takes the violations.
            excuses: Knows the faults.
            limits: How late a timer may call.
            summary: Where to count.
        """
        self._find = find
        self._excuses = excuses
        self._late = round((limits.lateness + limits.allowance) * _NANO)
        self._summary = summary
        self._entered: dict[int, bool] = {}  # by entry: whether it is in the Dir
        self._arming: set[int] = set()
        self._armed: dict[int, Record] = {}  # by timer
        self._ticked: Counter[int] = Counter()  # by timer
        self._repeating: dict[int, Record] = {}  # by worker: the timers that call it again and again
        self._latest: dict[int, int] = {}  # by worker: when one of these called last
        self._logged: dict[int, Record] = {}  # by log record
        self._kept: Counter[int] = Counter()  # by log record
        self._last_fault = 0
        self._is_whole = False  # the storm has come to its end in order
        self._over = 0  # when nothing more was done to it

    def feed(self, record: Record) -> None:
        """Take the next record."""
        match record.kind:
            case Kind.ENTERED:
                self._entered[record.sequence] = True
            case Kind.LEFT:
                self._entered[record.sequence] = False
            case Kind.LOOKED:
                self._looked(record)
            case Kind.ARMING:
                self._arming.add(record.sequence)
            case Kind.ARMED:
                self._note_armed(record)
            case Kind.TICKED:
                self._tick(record)
            case Kind.LOGGED:
                self._summary.records += 1
                self._logged[record.sequence] = record
            case Kind.KEPT:
                self._kept[record.sequence] += 1
                if self._kept[record.sequence] == 2:
                    self._find(Invariant.LOGGED, f"record {record.sequence} came twice", record)
            case Kind.FAULT:
                self._last_fault = record.time
            case Kind.PHASE:
                self._is_whole, self._over = record.detail == Phase.OVER, record.time

    def finish(self) -> None:
        """Judge what is left."""
        if not self._is_whole:
            return
        for number, armed in self._armed.items():
            self._judge_missing(number, armed)
        for worker, armed in self._repeating.items():
            if self._latest.get(worker, 0) <= self._last_fault:
                text = f"a timer that repeats has not called worker {worker} after the last fault"
                self._find(Invariant.TIMELY, text, armed)
        for number, logged in self._logged.items():
            if not self._kept[number]:
                text = f"record {number} of worker {logged.worker} did not come to the sink"
                self._find(Invariant.LOGGED, text, logged)

    def _looked(self, record: Record) -> None:
        self._summary.looks += 1
        is_there = self._entered.get(record.sequence)
        found = Look(record.detail)
        if is_there is not None and is_there is not (found is Look.FOUND):
            where = "is in the Dir" if is_there else "was taken out"
            text = f"entry {record.sequence} {where}, and worker {record.worker} found {found.name.lower()}"
            self._find(Invariant.REGISTERED, text, record)

    def _note_armed(self, record: Record) -> None:
        self._summary.timers += 1
        if record.sequence:
            self._armed[record.sequence] = record
        else:
            self._repeating[record.worker] = record

    def _tick(self, record: Record) -> None:
        number = record.sequence
        if not number:
            self._latest[record.worker] = record.time
            return
        self._ticked[number] += 1
        if number not in self._arming:
            self._find(Invariant.TIMELY, f"timer {number} called, and nobody has set it", record)
        elif self._ticked[number] == 2:
            self._find(Invariant.TIMELY, f"timer {number} called twice", record)
        armed = self._armed.get(number)
        if armed is not None and record.time < armed.incarnation - _EARLY:
            early = (armed.incarnation - record.time) / _NANO
            self._find(Invariant.TIMELY, f"timer {number} called {early:.3f} s before its time", record)

    def _judge_missing(self, number: int, armed: Record) -> None:
        """A call of a plain timer that was under way when its worker was hit is lost; a durable one never."""
        if self._ticked[number]:
            return
        is_durable = bool(armed.detail)
        due = armed.incarnation
        if not is_durable and due + self._late > self._over:  # its Corps may have ended before
            return
        if is_durable or not self._excuses(armed.worker, due, due + self._late):
            kind = "durable timer" if is_durable else "timer"
            text = f"the {kind} {number} for worker {armed.worker} has not called"
            self._find(Invariant.TIMELY, text, armed)
