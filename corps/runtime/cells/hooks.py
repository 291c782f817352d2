"""Hooks and steps are looked up in the class of a worker, as Python does it with its special methods.

So an author may keep a `Popen` as ``self.process``, or None as ``self.cleanup``, and hides nothing that the
runtime calls.
"""

from typing import Any


def hook(worker: Any, name: str) -> Any:
    """Return a hook or step of a worker, bound to it, whatever the object itself keeps under that name."""
    cls = type(worker)
    for owner in cls.__mro__:
        if name in owner.__dict__:
            return owner.__dict__[name].__get__(worker, cls)
    raise AttributeError(f"{cls.__qualname__} has no {name!r}", name=name, obj=worker)


def steps_of(cls: type | None) -> frozenset[str]:
    """Return the names of the steps that an author's class overrides; see `workers.steps`."""
    steps: frozenset[str] = getattr(cls, "_corps_steps", frozenset())
    return steps
