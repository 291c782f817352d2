"""What it takes to construct a worker again."""

from typing import TYPE_CHECKING, Any, NamedTuple

from corps.messages.endings import Failure
from corps.messages.interfaces import Interface
from corps.runtime.options import WorkerOptions

if TYPE_CHECKING:
    from corps.messages.interfaces import WorkerName


class Application:
    """Stands for the class of the application's Corps, which only the Envs have loaded."""

    @classmethod
    def _corps_interface_of(cls, record: "Record") -> Interface:
        return Interface("corps:Corps", frozenset())


class Component:
    """Stands for a class that its Env finds by its name, which is the first of the arguments."""

    _corps_interface = Interface("corps:Conc", frozenset())


class Sealed(NamedTuple):
    """Stands for the arguments of a constructor, which its Env unpacks: ``(args, kwargs)``, packed."""

    codec: int
    body: bytes


class Record(NamedTuple):
    """How a worker was created. Its Env and its Mgr keep that if it may be restarted."""

    cls: type
    args: tuple[Any, ...]  # for the constructor, as given: what the author changes in them afterwards counts
    kwargs: dict[str, Any]
    options: WorkerOptions = WorkerOptions()
    corps_name: "WorkerName | None" = None  # Name of the Corps it belongs to

    @property
    def interface(self) -> Interface:
        """That of its class, or what its class makes of this record."""
        interface: Interface = self.cls._corps_interface_of(self)  # type: ignore[attr-defined]  # of Conc, above
        return interface


def comes_back(record: Record | None, failure: Failure) -> bool:
    """Return whether a worker with this record is restarted after such a failure, if its Mgr can."""
    restart = record.options.restart if record is not None else None
    return restart is not None and restart.brings_back(failure.reason)


def if_needed(record: Record) -> Record | None:
    """Return the record if it is ever needed again, because a restart policy was declared; else None."""
    return record if record.options.restart is not None else None
