"""What is known of a worker's class without having the class: a value that travels inside every Name."""

import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from corps.messages.requests import ANEXT, NEXT

if TYPE_CHECKING:
    from corps.addresses import ConcAddr


@dataclass(frozen=True, slots=True)
class Interface:
    """The outside of a worker class."""

    class_name: str  # ``module:qualname`` of the class
    methods: frozenset[str]  # names that may be called from afar
    # Names that may not be read or set from afar although they begin with no underscore: hooks and other
    # parts of the runtime.
    reserved: frozenset[str] = frozenset()
    # Those of the methods that are coroutine functions; in a class that interleaves, also the step of an
    # asynchronous generator (`messages.requests.ANEXT`).
    async_methods: frozenset[str] = frozenset()
    interleave: int = 1  # how many coroutines of one worker may be under way at once; 1 means one at a time
    # Whether the class overrides a step that each request passes through, or keeps its state.
    has_steps: bool = False
    has_main: bool = False  # whether the class has a loop of its own
    idempotent: tuple[tuple[str, int], ...] = ()  # methods that may be sent again, each with how often
    # Attributes that run code of the author's when they are read: properties and their like.
    computed: frozenset[str] = frozenset()
    read_only: frozenset[str] = frozenset()  # methods that may run beside each other: they change nothing
    # Coroutine functions that may run beside other coroutines, whatever the class says.
    interleaving: frozenset[str] = frozenset()
    # Whether all methods are functions that run beside each other on threads, `interleave` of them at once.
    is_free: bool = False
    # Methods that other owners may call; empty where the Interface came with a Name.
    public: frozenset[str] = field(default=frozenset(), compare=False)
    # The class itself where the Interface was made from it, for help and signatures; never travels.
    author: type | None = field(default=None, compare=False, repr=False)
    # These two follow from the others. They are known once for all, because each call asks for them.
    is_shared: bool = field(init=False, compare=False, repr=False)
    """Whether single methods say what may run beside them."""
    overlaps: bool = field(init=False, compare=False, repr=False)
    """Whether several requests of one worker may be under way at once."""

    def __post_init__(self) -> None:
        is_shared = self.is_free or bool(self.read_only or self.interleaving)
        object.__setattr__(self, "is_shared", is_shared)
        object.__setattr__(self, "overlaps", is_shared or self.interleave != 1)

    @property
    def loaded(self) -> Any:
        """The class if this process has loaded it, else None. No code runs: anybody may have named it."""
        if self.author is not None:
            return self.author
        module, _, qualname = self.class_name.partition(":")
        found: Any = sys.modules.get(module)
        for part in qualname.split("."):
            found = vars(found).get(part) if isinstance(found, ModuleType | type) else None
        return found if isinstance(found, type) else None

    @property
    def short_name(self) -> str:
        """The class's own name, for texts."""
        return self.class_name.rpartition(":")[2].rpartition(".")[2]

    @property
    def known_methods(self) -> str:
        """The author's methods, for texts; not those that every worker has."""
        return ", ".join(sorted(name for name in self.methods if not name.startswith("my_"))) or "none"

    def runs_apart(self, method: str) -> bool:
        """Return whether requests for a method may be under way beside others."""
        if self.is_free:
            return method in self.methods or method in (NEXT, ANEXT)
        if method in self.async_methods and self.overlaps:
            return True
        return method in self.read_only or method in self.interleaving

    def as_tuple(self) -> tuple[object, ...]:
        """Return it as plain data: a Name travels with it, so it packs small and fast."""
        return (
            self.class_name,
            tuple(self.methods),
            tuple(self.reserved),
            tuple(self.async_methods),
            self.interleave,
            self.has_steps,
            self.has_main,
            self.idempotent,
            tuple(self.computed),
            *((tuple(self.read_only), tuple(self.interleaving), self.is_free) if self.is_shared else ()),
        )

    @classmethod
    def from_tuple(cls, *facts: Any) -> "Interface":
        """Undo `as_tuple`."""
        name, methods, reserved, async_methods, interleave, has_steps, has_main, idempotent = facts[:8]
        computed, read_only, interleaving, is_free = (*facts[8:], (), (), False)[:4]
        return cls(
            name,
            frozenset(methods),
            frozenset(reserved),
            frozenset(async_methods),
            interleave,
            has_steps,
            has_main,
            tuple([(method, retries) for method, retries in idempotent]),
            frozenset(computed),
            frozenset(read_only),
            frozenset(interleaving),
            is_free,
        )


class WorkerName(Protocol):
    """A Name as the engine sees it: a `corps.workers.names.Name`. `workers.kept_names` makes it one again."""

    @property
    def _addr(self) -> "ConcAddr":
        """Return the address of the worker."""

    @property
    def _interface(self) -> Interface:
        """Return what can be called."""
