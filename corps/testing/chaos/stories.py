"""What the records say about single requests, so that a violation can be understood. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from corps.addresses import env_label
from corps.testing.chaos.judgement import Violation
from corps.testing.chaos.witness import Kind, Outcome, Record, Trait

_MOST: Final = 60
_BEFORE: Final = 10 * 1_000_000_000
"""Nanoseconds before the first record of a request from which its surroundings are shown."""


def stories(records: Iterable[Record], violations: Iterable[Violation], most: int = 5) -> list[str]:
    """Write a text on each of the first requests of violations, with its worker, Env and faults."""
    wanted = list(dict.fromkeys((each.sender, each.sequence) for each in violations if each.sender))[:most]
    if not wanted:
        return []
    of_requests: dict[tuple[int, int], list[Record]] = {key: [] for key in wanted}
    around: list[Record] = []
    env_of: dict[int, int] = {}
    for record in records:
        if record.kind == Kind.PLACED:
            env_of[record.worker] = record.sequence
        elif record.kind in {Kind.BORN, Kind.ENDED, Kind.FAULT, Kind.OVER}:
            around.append(record)
        elif record.kind != Kind.PHASE and (record.sender, record.sequence) in of_requests:
            of_requests[record.sender, record.sequence].append(record)
    return [_story(found, around, env_of) for found in of_requests.values() if found]


def _story(found: Sequence[Record], around: Sequence[Record], env_of: dict[int, int]) -> str:
    worker, begin, end = found[0].worker, found[0].time, found[-1].time
    env = env_of.get(worker, 0)
    shown, numbers = list(found), set()  # numbers: of the faults that may have hit it
    for each in around:
        is_near = begin - _BEFORE <= each.time <= end
        if each.kind == Kind.FAULT and each.sender == env and each.worker in {0, worker}:
            numbers.add(each.sequence)
        is_about_it = (
            each.worker == worker if each.kind in {Kind.BORN, Kind.ENDED} else each.sequence in numbers
        )
        if is_near and is_about_it:
            shown.append(each)
    shown.sort(key=lambda each: each.time)
    lines = [f"request {found[0].sender}/{found[0].sequence} to worker {worker} of {env_label(env)}:"]
    lines += [f"{(each.time - begin) / 1e6:+12.3f} ms  {_said(each)}" for each in shown[-_MOST:]]
    return "\n".join(lines)


def _said(record: Record) -> str:
    match record.kind:
        case Kind.SENT:
            limit = f", deadline {record.incarnation / 1e9:g} s" if record.incarnation else ""
            traits = f", {Trait(record.detail)!r}" if record.detail else ""
            return f"SENT{limit}{traits}"
        case Kind.RESOLVED:
            return f"RESOLVED {Outcome(record.detail).name.lower()}"
        case Kind.FAULT:
            whom = f"worker {record.worker} of " if record.worker else ""
            return f"fault {record.sequence} hits {whom}{env_label(record.sender)}"
        case Kind.OVER:
            return f"fault {record.sequence} is over"
    return f"{Kind(record.kind).name} incarnation {record.incarnation}"
