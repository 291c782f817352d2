"""What a code object says about the functions made of it: which globals they read, and whether they write.

Leans on cloudpickle for the names, so that they are the ones that it packs.
"""

import dis
from functools import lru_cache
from types import CodeType
from typing import Final

from cloudpickle import cloudpickle as cloudpickle_internals

_GLOBAL_WRITES: Final = frozenset({"STORE_GLOBAL", "DELETE_GLOBAL"})
_CELL_WRITES: Final = frozenset({"STORE_DEREF", "DELETE_DEREF"})


class CodeFacts:
    """Facts about all code objects that are equal. Compares by identity, which is cheap where code is not.

    Attributes:
        global_names: The globals that the code and the code inside it name.
        writes_globals: Whether it assigns to globals.
        writes_cells: Whether it assigns to variables of the functions around it.
    """

    __slots__ = ("global_names", "writes_cells", "writes_globals")

    def __init__(self, code: CodeType) -> None:
        self.global_names: tuple[str, ...] = tuple(cloudpickle_internals._extract_code_globals(code))
        self.writes_globals = _writes(code, _GLOBAL_WRITES, frozenset(self.global_names))
        self.writes_cells = _writes(code, _CELL_WRITES, frozenset(code.co_freevars))


# Evicting facts that are still in use costs time and nothing else: the function is taken for a new one.
@lru_cache(maxsize=8192)
def facts_of(code: CodeType) -> CodeFacts:
    """Returns the facts about a code object: the same for all that are equal.

    Args:
        code: The code. Two copies of it, as a function has that came back from another process, are equal.
    """
    return CodeFacts(code)


def _writes(code: CodeType, opcodes: frozenset[str], names: frozenset[str]) -> bool:
    for instruction in dis.get_instructions(code):
        if instruction.opname in opcodes and instruction.argval in names:
            return True
    inside = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    # A function inside may have a variable of its own of the same name: then this is too careful.
    return any(_writes(inner, opcodes, names) for inner in inside)
