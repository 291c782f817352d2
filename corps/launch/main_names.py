"""What of the running script all Envs have under its name, when the script boots itself.

They run the file as well, but only down to the call of `corps.boot`, or without the block that is for the
script alone. So what stands below the call, or in that block, exists here only, and goes by value. The same
holds for what the script put under an old name after the call.
"""

import ast
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from corps.packing.references import MAIN


class MainNames:
    """Answers whether all Envs have a name at the top of the script; made when that boots. Thread-safe."""

    def __init__(self, main: ModuleType, path: Path) -> None:
        here_only = names_for_the_script_alone(path.read_bytes())
        self._variables = vars(main)
        self._had = {
            name: _mark(value) for name, value in list(self._variables.items()) if name not in here_only
        }

    def __call__(self, name: str) -> bool:
        """Return whether they have what stands under this name."""
        had = self._had.get(name)
        return had is not None and had(self._variables.get(name))


def _mark(value: Any) -> Callable[[Any], bool]:
    """Make a test for a value, which does not keep it alive where weak references can be had."""
    try:
        alive = weakref.ref(value)
    except TypeError:  # data as a rule, which goes by no name
        address = id(value)
        return lambda other: id(other) == address
    return lambda other: other is not None and alive() is other


def names_for_the_script_alone(code: bytes) -> frozenset[str]:
    """Return the names that the code of a file binds only if it runs as a script."""
    alone: set[str] = set()
    always: set[str] = set()
    for node in ast.parse(code).body:
        if isinstance(node, ast.If) and (holds := _asks_whether_it_is_main(node.test)) is not None:
            for_script, for_others = (node.body, node.orelse) if holds else (node.orelse, node.body)
            alone.update(*map(_bound, for_script))
            always.update(*map(_bound, for_others))
        else:
            always.update(_bound(node))
    return frozenset(alone - always)


def _asks_whether_it_is_main(test: ast.expr) -> bool | None:
    """Return whether the test of an `if` holds for the script; None if it asks for something else."""
    for node in ast.walk(test):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            sides = (node.left, node.comparators[0])
            is_name = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
            is_main = any(isinstance(side, ast.Constant) and side.value in MAIN for side in sides)
            if is_name and is_main and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                return isinstance(node.ops[0], ast.Eq)
    return None


def _bound(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement binds where it stands."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    if isinstance(node, ast.Lambda):
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.partition(".")[0]
    for inner in ast.iter_child_nodes(node):
        yield from _bound(inner)
