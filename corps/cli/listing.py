"""`corps ps`: the external Corps of this user on this host."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from corps.cli.reporting import OK, report
from corps.errors import CorpsError
from corps.federation.processes import children_of
from corps.federation.registry import Entry, registry_of_user


@dataclass(frozen=True, slots=True)
class _Row:
    """What is shown of one Corps; None where it is not known."""

    tag: str
    id: str | None = None
    corps_class: str | None = None
    pid: int | None = None
    envs: int | None = None
    workers: int | None = None
    since: float | None = None
    addresses: tuple[str, ...] = ()
    log: str | None = None
    state: str = "unusable"
    problem: str | None = None

    @property
    def address(self) -> str | None:
        """Where others reach it: over tcp if it listens there, because its own user needs the tag alone."""
        far = [each for each in self.addresses if each.startswith("tcp:")]
        return next(iter((*far, *self.addresses)), None)

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        facts = {name: getattr(self, name) for name in self.__slots__}
        facts["class"] = facts.pop("corps_class")
        facts["address"] = self.address
        return facts

    def as_texts(self) -> list[str]:
        """Return it for people, in the order of `_TITLES`."""
        since = "" if self.since is None else f"{datetime.fromtimestamp(self.since):%Y-%m-%d %H:%M:%S}"
        numbers = ["" if each is None else str(each) for each in (self.pid, self.envs, self.workers)]
        state = self.state if self.problem is None else f"{self.state}: {self.problem}"
        return [
            self.tag,
            (self.id or "")[:8],
            self.corps_class or "",
            *numbers,
            since,
            self.address or "",
            state,
        ]


_TITLES = ("TAG", "ID", "CLASS", "PID", "ENVS", "WORKERS", "SINCE", "ADDRESS", "STATE")


def list_corps(*, as_json: bool) -> int:
    """Print what external Corps there are; return the exit status."""
    try:
        entries = registry_of_user().all_of_user()
        rows = [_row(entry, workers) for entry, workers in zip(entries, _workers(entries), strict=True)]
    except CorpsError as error:
        return report(error)
    if as_json:
        print(json.dumps([row.as_json() for row in rows], indent=2))
    else:
        table = [list(_TITLES), *(row.as_texts() for row in rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for line in table:
            print("  ".join(f"{text:<{width}}" for text, width in zip(line, widths, strict=True)).rstrip())
    sys.stdout.flush()  # here, where `main` can still report a full disk
    return OK


def _workers(entries: Sequence[Entry]) -> list[int | None]:
    """Ask the Corps that run how many workers they have; None for all others."""
    running = {
        entry.tag: entry.record for entry in entries if entry.record is not None and entry.state == "running"
    }
    if not running:
        return [None] * len(entries)
    from corps.launch.looking_on import count_workers

    counted = dict(zip(running, count_workers(list(running.values())), strict=True))
    return [counted.get(entry.tag) for entry in entries]


def _row(entry: Entry, workers: int | None) -> _Row:
    claim = entry.claim
    if claim is None or entry.problem is not None:
        return _Row(entry.tag, problem=str(entry.problem))
    state = claim.state
    is_seen = state != "stale" and claim.is_near
    return _Row(
        claim.tag,
        claim.corps,
        claim.class_name or None,
        claim.pid,
        # One of the children of the template is the front.
        max(0, len(children_of(claim.template)) - 1) if is_seen else None,
        workers,
        claim.since,
        () if entry.record is None else entry.record.addresses,
        claim.log_file or None,
        state,
    )
