"""The levels of the loggers of this process, as they were set while it runs.

A level for all workers is the level of a logger, so what is below it costs what it costs in `logging`. A
level for some workers is one too, if it is lower than the one for the others. Then a filter on each handler
keeps back what the other workers log.
"""

import logging
from collections.abc import Iterator, Sequence

from corps.runtime.cells.cell import Cell
from corps.runtime.context import current
from corps.services.logs.chosen import LevelRule


class Levels:
    """The levels that were set here. One thread at a time calls `apply`; any thread logs."""

    def __init__(self) -> None:
        """Change nothing yet."""
        self._before: dict[str, tuple[int, int]] = {}  # by logger: the level it had, and the one it was given
        self._filter: WorkersFilter | None = None
        self._filtered: list[logging.Handler] = []

    def apply(self, rules: Sequence[LevelRule]) -> None:
        """Have these levels, the weaker ones first, in place of those from before."""
        self._take_back()
        of_workers = []
        for rule in rules:
            if rule.is_of_workers:
                of_workers.append(rule)
            else:
                self._set(rule.logger, rule.level or logging.NOTSET)
        if not of_workers:
            return
        self._filter = WorkersFilter(of_workers)
        for rule in of_workers:
            logger = logging.getLogger(rule.logger)
            level = rule.level or logging.NOTSET
            if level < logger.getEffectiveLevel():
                self._filter.ordinary.setdefault(rule.logger, logger.level)
                self._set(rule.logger, level)
        for handler in _all_handlers():
            handler.addFilter(self._filter)
            self._filtered.append(handler)

    def _set(self, name: str, level: int) -> None:
        logger = logging.getLogger(name)
        first, _ = self._before.get(name, (logger.level, level))
        self._before[name] = first, level
        logger.setLevel(level)

    def _take_back(self) -> None:
        for name, (level, given) in self._before.items():
            logger = logging.getLogger(name)
            if logger.level == given:  # else the application has set another one meanwhile
                logger.setLevel(level)
        self._before.clear()
        for handler in self._filtered:
            if self._filter is not None:
                handler.removeFilter(self._filter)
        self._filtered.clear()
        self._filter = None


class WorkersFilter(logging.Filter):
    """Lets pass what workers log for which a level was set, and of the others what would pass without."""

    def __init__(self, rules: Sequence[LevelRule]) -> None:
        """Take the rules, the weaker ones first."""
        super().__init__()
        self._rules = tuple(reversed(rules))
        self.ordinary: dict[str, int] = {}
        """The levels of loggers for all other workers, where they were lowered for some."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record passes. In the thread that logs."""
        here = current.get()
        if here is not None and here.cell is not None:
            for rule in self._rules:
                if _is_below(record.name, rule.logger) and _concerns(rule, here.cell):
                    return record.levelno >= (rule.level or logging.NOTSET)
        return record.levelno >= self._ordinary_level(record.name)

    def _ordinary_level(self, name: str) -> int:
        known = logging.root.manager.loggerDict
        while True:
            logger = known.get(name) if name and name != "root" else logging.root
            if isinstance(logger, logging.Logger):
                key = "" if logger is logging.root else name
                level = self.ordinary.get(key, logger.level)
                if level or logger is logging.root:
                    return level
            name = name.rpartition(".")[0]


def _is_below(name: str, logger: str) -> bool:
    return not logger or name == logger or name.startswith(f"{logger}.")


def _concerns(rule: LevelRule, cell: Cell) -> bool:
    if rule.tag and cell.tag != rule.tag:
        return False
    if not rule.class_name:
        return True
    module, _, name = rule.class_name.partition(":")
    of_worker, _, name_of_worker = cell.interface.class_name.partition(":")
    # The module that the booting process runs as a script has another name in the Envs.
    return name == name_of_worker and (module == of_worker or "__main__" in (module, of_worker))


def _all_handlers() -> Iterator[logging.Handler]:
    """Yield all handlers of this process that a record can come to."""
    seen: set[int] = set()
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            if id(handler) not in seen:
                seen.add(id(handler))
                yield handler
    if logging.lastResort is not None:
        yield logging.lastResort
