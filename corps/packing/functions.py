"""Taking functions apart that no other process can import, and putting them together there.

In one message functions share their globals and variables as they do in the sender. For that a namespace
travels as a dict and a variable as a list: the pickler writes each once, and the reader puts into the list
the cell that it made for it. `docs/design/packing-code-once.md` says what goes when.
"""

import builtins
import dis
import importlib
import sys
from collections.abc import Hashable
from functools import lru_cache
from operator import attrgetter
from types import CellType, CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from corps.errors import UnpackError
from corps.handlers import came_from_a_handler
from corps.packing.references import find_loaded

if TYPE_CHECKING:
    from corps.packing.identities import Identities

Namespace = dict[str, Any]
Variable = list[CellType]
"""A variable on its way: empty at first, then the one cell that the reader has made for it."""

FunctionState = tuple[Any, ...]
"""What of a function goes with each message, but for the end of it that is empty.

Globals that the code names and no function before it has brought; the variables of functions around it with
their values; what is set on it (defaults, names, annotations); its ``__dict__``; submodules that the code
reaches by way of their packages.
"""

_READS: Final = frozenset(
    {"LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
)
_NOTHING: Final[FunctionState] = ({}, (), {}, {}, ())
_OF_MODULES: Final = frozenset({"__name__", "__package__", "__builtins__", "__loader__"})


# What makes a code object, in the order that `CodeType` wants.
_parts_of_code: Final = attrgetter(
    *("co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_nlocals", "co_stacksize", "co_flags"),
    *("co_code", "co_consts", "co_names", "co_varnames", "co_filename", "co_name", "co_qualname"),
    *("co_firstlineno", "co_linetable", "co_exceptiontable", "co_freevars", "co_cellvars"),
)


class CodeFacts:
    """What a code object says about the functions made of it."""

    __slots__ = ("doc", "global_names", "names")

    def __init__(self, code: CodeType) -> None:
        inner = [facts_of(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
        # Class bodies look globals up as plain names.
        found = dict.fromkeys(
            instruction.argval
            for instruction in dis.get_instructions(code)
            if instruction.opname in _READS and instruction.argval not in _OF_MODULES
        )
        for each in inner:
            found.update(dict.fromkeys(each.global_names))
        # The globals that the code and the code inside it may name.
        self.global_names: tuple[str, ...] = tuple(found)
        # All names in them.
        self.names: frozenset[str] = frozenset(code.co_names).union(*(each.names for each in inner))
        # The docstring of a function that is made of it.
        self.doc = FunctionType(code, {}, closure=tuple(CellType() for _ in code.co_freevars)).__doc__


@lru_cache(maxsize=8192)
def facts_of(code: CodeType) -> CodeFacts:
    """Return the facts about a code object."""
    return CodeFacts(code)


class Blueprint(NamedTuple):
    """What of a function never changes."""

    code: CodeType
    module: str | None  # the ``__name__`` among its globals
    package: str | None  # the ``__package__`` among its globals
    annotations: tuple[tuple[str, Any], ...]  # its annotations, if they are classes and texts
    file: str | None  # of the module that has it at its top, if that is loaded from a path; otherwise None

    def key(self, identities: "Identities") -> Hashable:
        """Return what tells it from others while its annotations live: classes stand by their addresses."""
        code, module, package, annotations, file = self
        fixed: tuple[Any, ...] = ()
        if annotations:
            fixed = tuple((name, each if type(each) is str else id(each)) for name, each in annotations)
        return identities.name_of(code), module, package, fixed, file


def blueprint_of(function: FunctionType, file: str | None) -> Blueprint:
    """Return the blueprint of a function; `file` as in `Blueprint`."""
    variables = function.__globals__
    module, package = variables.get("__name__"), variables.get("__package__")
    annotations = _annotations_of(function)
    if type(module) is not str:
        module = None
    if type(package) is not str:
        package = None
    fixed = tuple(annotations.items()) if annotations and _are_fixed(annotations) else ()
    # The constructor of a NamedTuple is Python, and slower than what it calls.
    return tuple.__new__(Blueprint, (function.__code__, module, package, fixed, file))


class FunctionParts:
    """Take the functions of one message apart. Made for one message and thrown away."""

    def __init__(self) -> None:
        # By address. The functions that they belong to are kept by the pickler.
        self._namespaces: dict[int, Namespace] = {}
        self._brought: dict[int, set[str]] = {}
        self._variables: dict[int, Variable] = {}
        self._filled: set[int] = set()

    def namespace_of(self, variables: dict[str, Any]) -> Namespace:
        """Return what stands for the globals of functions."""
        return self._namespaces.setdefault(id(variables), {})

    def shared(self, function: FunctionType) -> tuple[Any, ...]:
        """Return what stands for the globals of a function, and for its variables if it has any."""
        namespace = self.namespace_of(function.__globals__)
        cells = function.__closure__
        if cells is None:
            return (namespace,)
        return namespace, tuple([self._variables.setdefault(id(cell), []) for cell in cells])

    def state(self, function: FunctionType) -> FunctionState | None:
        """Return what else there is of a function; None if there is nothing."""
        code = function.__code__
        facts = facts_of(code)
        variables = self._variables_of(function, facts.global_names)
        cells = () if function.__closure__ is None else self._cells_of(function)
        attributes = _attributes_of(function, facts)
        modules: tuple[str, ...] = ()
        if variables or cells:
            for value in (*variables.values(), *(value for _, value in cells)):
                if type(value) is ModuleType:
                    modules += tuple(_submodules(value.__name__, facts.names))
        parts = [variables, cells, attributes, function.__dict__, modules]
        while parts and not parts[-1]:
            parts.pop()
        return tuple(parts) or None

    def _variables_of(self, function: FunctionType, names: tuple[str, ...]) -> dict[str, Any]:
        if not names:
            return {}
        variables = function.__globals__
        brought = self._brought.setdefault(id(variables), set())
        new = {name: variables[name] for name in names if name not in brought and name in variables}
        brought.update(new)
        return new

    def _cells_of(self, function: FunctionType) -> tuple[tuple[Variable, Any], ...]:
        found = []
        for cell in function.__closure__ or ():
            if id(cell) not in self._filled:
                self._filled.add(id(cell))
                try:
                    found.append((self._variables[id(cell)], cell.cell_contents))
                except ValueError:  # it has no value yet
                    continue
        return tuple(found)


def _attributes_of(function: FunctionType, facts: CodeFacts) -> dict[str, Any]:
    code = function.__code__
    found: dict[str, Any] = {}
    if function.__defaults__:
        found["__defaults__"] = function.__defaults__
    if function.__kwdefaults__:
        found["__kwdefaults__"] = function.__kwdefaults__
    annotations = _annotations_of(function)
    if annotations and not _are_fixed(annotations):
        found["__annotations__"] = annotations
    if function.__name__ != code.co_name:
        found["__name__"] = function.__name__
    if function.__qualname__ != code.co_qualname:
        found["__qualname__"] = function.__qualname__
    if function.__module__ != function.__globals__.get("__name__"):
        found["__module__"] = function.__module__
    if function.__doc__ != facts.doc:
        found["__doc__"] = function.__doc__
    if parameters := getattr(function, "__type_params__", ()):
        found["__type_params__"] = parameters
    return found


def _annotations_of(function: FunctionType) -> dict[str, Any]:
    try:
        return function.__annotations__
    except Exception as error:  # Python 3.14 evaluates them now, and what they name may not exist
        if came_from_a_handler(error):
            raise
        return {}


def _are_fixed(annotations: dict[str, Any]) -> bool:
    """Return whether annotations are classes and texts, which are the same each time the function is made."""
    return all(type(each) is str or each is None or isinstance(each, type) for each in annotations.values())


def _submodules(package: str, names: frozenset[str]) -> list[str]:
    """Return what code may mean by ``package.module``: the loaded submodules whose names it holds."""
    found = []
    for name in names:
        inner = f"{package}.{name}"
        if inner in sys.modules:
            found += [inner, *_submodules(inner, names)]
    return found


def reduce_code(code: CodeType, identities: "Identities") -> Any:
    """Reduce a code object for a pickler, with its file name and its name in all processes."""
    return make_code, (identities.name_of(code), *_parts_of_code(code))


def make_code(identities: "Identities", name: str, *parts: Any) -> CodeType:
    """Return the code object of a name. Make it of its parts if there is none here."""
    return identities.make(name, lambda: CodeType(*parts), is_complete=True, is_kept=False)


def make_function(blueprint: Any, namespace: Namespace, variables: tuple[Variable, ...] = ()) -> FunctionType:
    """Make a function of a blueprint, with globals that others share. Its state is set afterwards."""
    if not isinstance(blueprint, Blueprint):
        raise UnpackError(f"the bytes want a function made of {type(blueprint).__name__}; they are damaged")
    code, module, package, annotations, file = blueprint
    if file is not None:
        loaded = find_loaded(module, file, code.co_qualname)
        if type(loaded) is FunctionType:
            return loaded
    if not namespace:
        namespace["__builtins__"] = builtins.__dict__
        if module is not None:
            namespace["__name__"] = module
        if package is not None:
            namespace["__package__"] = package
    function = FunctionType(code, namespace, None, None, tuple([_cell(each) for each in variables]) or None)
    if annotations:
        function.__annotations__ = dict(annotations)
    return function


def _cell(variable: Variable) -> CellType:
    if not variable:
        variable.append(CellType())
    return variable[0]


def set_function(function: FunctionType, state: FunctionState) -> None:
    """Give a function of `make_function` what `FunctionParts.state` took out of the original."""
    # It is this process' own, of a module that it has loaded itself: those that are made here know no loader.
    if "__loader__" in function.__globals__:
        return
    variables, cells, attributes, own, modules = (*state, *_NOTHING[len(state) :])
    for name in modules:
        importlib.import_module(name)
    function.__globals__.update(variables)
    for variable, value in cells:
        _cell(variable).cell_contents = value
    for name, value in attributes.items():
        setattr(function, name, value)
    function.__dict__.update(own)
