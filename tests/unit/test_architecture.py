"""The house rules of the layout, read off the syntax tree of every file in corps/.

A rule is a function from all files to complaints. Each has a test that the package keeps it, and plants
that it must find.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final

import pytest

PACKAGE: Final = Path(__file__).parents[2] / "corps"

BANDS: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        (
            "exporting",
            "errors",
            "clock",
            "_core",
            "core",
            "addresses",
            "endpoints",
            "truth_words",
            "main_interpreter",
            "settings",
            "machine",
            "toml_reading",
            "config_files",
            "config",
            "host_file",
            "messages",
            "reserve",
            "process_stat",
            "handlers",
        ),
        0,
    ),
    **dict.fromkeys(("security", "packing", "wire", "supervision", "observing", "scaling"), 1),
    **dict.fromkeys(("transport", "peers", "runtime", "launchers"), 2),
    **dict.fromkeys(("workers", "services", "federation"), 3),
    **dict.fromkeys(("membership", "managers", "launch", "parallel", "admin", "cli", "__main__"), 4),
}
"""Folders and top-level files with their bands: words, rules, engine, actors, system. Imports point down."""

SIDEWAYS: Final[Mapping[str, frozenset[str]]] = {
    "core": frozenset({"_core"}),
    "errors": frozenset({"exporting"}),
    "addresses": frozenset({"errors"}),
    "endpoints": frozenset({"errors"}),
    "settings": frozenset({"errors", "endpoints", "exporting", "machine"}),
    "toml_reading": frozenset({"errors"}),
    "config_files": frozenset({"errors", "toml_reading"}),
    "host_file": frozenset({"errors", "endpoints", "toml_reading"}),
    "config": frozenset({"core", "errors", "settings", "config_files", "truth_words"}),
    "messages": frozenset(
        {"exporting", "core", "errors", "clock", "addresses", "handlers", "settings", "config"}
    ),
    "packing": frozenset({"security"}),
    "wire": frozenset({"security"}),
    "security": frozenset({"observing"}),
    "peers": frozenset({"transport"}),
    "runtime": frozenset({"transport", "peers"}),
    "services": frozenset({"workers"}),
    "federation": frozenset({"workers"}),
    "managers": frozenset({"membership"}),
    "launch": frozenset({"managers", "membership"}),
    "parallel": frozenset({"launch"}),
    "admin": frozenset({"launch", "managers"}),
    "cli": frozenset({"admin", "launch", "managers"}),
    "__main__": frozenset({"cli"}),
}
"""What may be imported inside one band. All else of the same band may not."""

RULES_BAND: Final = frozenset(name for name, band in BANDS.items() if band == 1)
NO_ASSERT: Final = frozenset({"packing", "security", "wire", "transport", "peers"})
PICKLES: Final = frozenset({"pickle", "_pickle", "cloudpickle", "dill"})
VAGUE_NAMES: Final = frozenset({"util", "utils", "common", "helper", "helpers", "misc", "base"})
# The words of the field for what packs and unpacks, and for where requests wait.
AGREED_NAMES: Final = frozenset({"codecs", "mailbox"})
STDLIB_NAMES: Final = frozenset(name for name in sys.stdlib_module_names if not name.startswith("_"))
CONTAINERS: Final = frozenset({"list", "dict", "set", "bytearray", "deque", "defaultdict", "OrderedDict"})
WEAK_CONTAINERS: Final = frozenset({"WeakSet", "WeakKeyDictionary", "WeakValueDictionary"})
COUNTERS: Final = frozenset({"Counter", "count", "cycle", "local"})
LOCKS: Final = frozenset({"Lock", "RLock", "Event", "Condition", "Semaphore", "Queue", "SimpleQueue"})
MUTABLE_TYPES: Final = CONTAINERS | WEAK_CONTAINERS | COUNTERS | LOCKS
READ_ONLY: Final = re.compile(r"\b(Final|Mapping|Sequence|Collection|AbstractSet|frozenset|tuple)\b")
LONG: Final = 600
PRIVATE_NAMES: Final[Mapping[str, str]] = {
    "_thread._is_main_interpreter": "main_interpreter.py",  # tests/integration/test_core_and_tools.py
    "asyncio._get_running_loop": "runtime/threads/running_loop.py",  # tests/unit/.../test_running_loop.py
    "asyncio._set_running_loop": "runtime/threads/running_loop.py",  # the same
    "cloudpickle._PICKLE_BY_VALUE_MODULES": "packing/picklers.py",  # tests/unit/packing/test_functions.py
    "abc._get_dump": "packing/classes.py",  # tests/unit/packing/test_abstract_classes.py
    "abc._abc_init": "packing/classes.py",  # the same
}
"""Private names of libraries, the file that asks for each, and the test of what is done without it."""
DOCUMENTED_NAMES: Final = frozenset(
    {
        "_thread",
        "os._exit",
        "sys._getframe",
        "sys._getframemodulename",
        "sys._current_frames",
        "sys._xoptions",
    }
)
"""Names that the reference of Python describes, though they begin like private ones."""


@dataclass(frozen=True)
class Import:
    """One module that a file imports. `module` is the longest dotted path that an import could mean."""

    module: str
    name: str | None
    line: int
    for_types: bool


@dataclass(frozen=True)
class File:
    """One source file: its path inside the package, and its syntax tree."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))

    @property
    def module(self) -> str:
        return ".".join(["corps", *self.path.removesuffix(".py").split("/")]).removesuffix(".__init__")

    @property
    def unit(self) -> str:
        """The folder or top-level file that decides about its band; empty for the package root."""
        return self.path.partition("/")[0].removesuffix(".py").removesuffix("__init__")

    @property
    def package(self) -> list[str]:
        parts = self.module.split(".")
        return parts if self.path.endswith("__init__.py") else parts[:-1]

    @cached_property
    def for_types(self) -> set[int]:
        """The ids of the statements that type checkers alone run."""
        return {
            id(each)
            for node in self.nodes
            if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
            for each in node.body
        }

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        return tuple(self._find_imports())

    def _find_imports(self) -> Iterator[Import]:
        """Imports at any depth: in functions, under TYPE_CHECKING, by name through importlib."""
        for_types = self.for_types
        for node in self.nodes:
            match node:
                case ast.Import(names=names):
                    for each in names:
                        yield Import(each.name, None, node.lineno, id(node) in for_types)
                case ast.ImportFrom(module=module, names=names, level=level):
                    start = self.package[: len(self.package) - level + 1] if level else []
                    source = ".".join([*start, module] if module else start)
                    for each in names:
                        yield Import(source, each.name, node.lineno, id(node) in for_types)
                case ast.Call(func=func, args=[ast.Constant(value=str(module)), *_]):
                    if ast.unparse(func) in {"import_module", "importlib.import_module", "__import__"}:
                        yield Import(module, None, node.lineno, for_types=False)

    def at(self, line: int, complaint: str) -> str:
        return f"corps/{self.path}:{line}: {complaint}"


Files = tuple[File, ...]
Rule = Callable[[Files], Iterator[str]]


@cache
def package_files() -> Files:
    paths = sorted(PACKAGE.rglob("*.py"))
    return tuple(File(path.relative_to(PACKAGE).as_posix(), path.read_text("utf-8")) for path in paths)


def internal(file: File, modules: Mapping[str, File]) -> Iterator[tuple[Import, str]]:
    """The imports of other files of corps, each with the module that it reaches."""
    for each in file.imports:
        if each.module == "corps" or each.module.startswith("corps."):
            inner = f"{each.module}.{each.name}"
            yield each, inner if each.name and inner in modules else each.module


def by_module(files: Files) -> dict[str, File]:
    return {file.module: file for file in files}


# The rules


def imports_point_down(files: Files) -> Iterator[str]:
    modules = by_module(files)
    for file in files:
        if file.unit not in BANDS:
            continue  # the package root and the test kit stand beside the bands
        for each, target in internal(file, modules):
            unit = target.split(".")[1] if "." in target else ""
            if unit in {"", "testing", file.unit}:
                continue  # other rules judge these
            if unit not in BANDS:
                yield file.at(each.line, f"imports {target}, which has no band")
            elif BANDS[unit] > BANDS[file.unit]:
                yield file.at(each.line, f"imports {target}, which lies in a higher band")
            elif BANDS[unit] == BANDS[file.unit] and unit not in SIDEWAYS.get(file.unit, frozenset()):
                yield file.at(each.line, f"{file.unit} may not import {target} beside it")


def every_file_has_a_band(files: Files) -> Iterator[str]:
    for file in files:
        if file.unit not in BANDS and file.unit not in {"", "testing"}:
            yield file.at(1, f"{file.unit!r} is in no band; add it to BANDS and to docs/design/overview.md")


Graph = Mapping[str, AbstractSet[str]]


def imports_at_run_time(files: Files) -> dict[str, set[str]]:
    """For each module, the modules of corps that are loaded when it runs."""
    modules = by_module(files)
    return {
        file.module: {
            target
            for each, target in internal(file, modules)
            if not each.for_types and target in modules and target != file.module
        }
        for file in files
    }


def rooms_of(folder: str, graph: Graph) -> dict[str, set[str]]:
    """The rooms of a folder, which are its files and its sub-folders, and what each imports of the others."""
    rooms: dict[str, set[str]] = {}
    start = folder + "."
    for module, targets in graph.items():
        if module.startswith(start):
            room = module.removeprefix(start).partition(".")[0]
            inside = {
                target.removeprefix(start).partition(".")[0] for target in targets if target.startswith(start)
            }
            rooms.setdefault(room, set()).update(inside - {room})
    return rooms


def circles(graph: Graph) -> Iterator[str]:
    done: set[str] = set()

    def visit(place: str, trail: list[str]) -> Iterator[str]:
        if place in trail:
            circle = trail[trail.index(place) :]
            start = circle.index(min(circle))
            yield " -> ".join([*circle[start:], *circle[:start], circle[start]])
        elif place not in done:
            for target in sorted(graph[place]):
                yield from visit(target, [*trail, place])
            done.add(place)

    for place in sorted(graph):
        yield from visit(place, [])


def no_import_circles(files: Files) -> Iterator[str]:
    for circle in circles(imports_at_run_time(files)):
        yield f"circle: {circle}"


def rooms_lie_on_floors(files: Files) -> Iterator[str]:
    """Between the rooms of a folder, too, imports point one way: a sub-folder counts as a whole."""
    graph = imports_at_run_time(files)
    for folder in sorted({file.module.rpartition(".")[0] for file in files} - {"", "corps"}):
        for circle in circles(rooms_of(folder, graph)):
            yield f"circle in {folder}: {circle}"


def floors(rooms: Graph) -> int:
    """How many floors the rooms stand on: the longest way down."""

    @cache
    def floor(room: str) -> int:
        return 1 + max(map(floor, rooms[room]), default=0)

    return max(map(floor, rooms))


def only_launch_knows_the_launchers(files: Files) -> Iterator[str]:
    """All others know the Protocol alone, so that Envs may be started on other hosts."""
    modules = by_module(files)
    for file in files:
        for each, target in internal(file, modules):
            is_one = target.startswith("corps.launchers.") and target != "corps.launchers.launcher"
            if is_one and file.unit not in {"launchers", "launch", "testing"}:
                yield file.at(each.line, f"imports {target}; only launch chooses a launcher")


def nothing_imports_the_root(files: Files) -> Iterator[str]:
    for file in files:
        for each in file.imports:
            if each.module == "corps":
                yield file.at(each.line, "imports the package root; import from the file that defines it")


def nothing_imports_the_test_kit(files: Files) -> Iterator[str]:
    modules = by_module(files)
    for file in files:
        for each, target in internal(file, modules):
            inside = f"{target}.{each.name}." if target == "corps" else f"{target}."
            if file.unit != "testing" and inside.startswith("corps.testing."):
                yield file.at(each.line, "imports corps.testing, which is for tests only")


def only_in(names: frozenset[str], units: frozenset[str]) -> Rule:
    """A rule: these third-party or standard modules are imported in these units only."""

    def rule(files: Files) -> Iterator[str]:
        for file in files:
            for each in file.imports:
                if each.module.partition(".")[0] in names and file.unit not in units:
                    yield file.at(
                        each.line, f"imports {each.module}; that belongs to {', '.join(sorted(units))}"
                    )

    return rule


nothing_imports_the_checkout = only_in(frozenset({"tests", "benchmarks", "examples"}), frozenset({"none"}))
zmq_only_in_transport = only_in(frozenset({"zmq"}), frozenset({"transport", "security"}))
pickles_only_in_packing = only_in(
    PICKLES | {"msgpack", "marshal", "shelve", "pickletools"}, frozenset({"packing", "wire"})
)
time_only_in_clock = only_in(frozenset({"time"}), frozenset({"clock"}))
pydantic_only_in_settings = only_in(frozenset({"pydantic"}), frozenset({"settings", "config", "host_file"}))


def unpickling_only_in_packing(files: Files) -> Iterator[str]:
    for file in files:
        if file.unit == "packing":
            continue
        aliases = {
            alias.asname or alias.name
            for node in file.nodes
            if isinstance(node, ast.Import)
            for alias in node.names
            if alias.name in PICKLES
        }
        for each in file.imports:
            if each.module in PICKLES and each.name in {"load", "loads", "Unpickler"}:
                yield file.at(each.line, f"imports {each.module}.{each.name}; only packing unpickles")
        for node in file.nodes:
            match node:
                case ast.Attribute(attr="Unpickler"):
                    yield file.at(node.lineno, "uses Unpickler; only packing unpickles")
                case ast.Attribute(value=ast.Name(id=name), attr="load" | "loads") if name in aliases:
                    yield file.at(node.lineno, f"uses {name}.{node.attr}; only packing unpickles")


def settings_are_imported_late(files: Files) -> Iterator[str]:
    """No file loads pydantic when it is imported: an Env does without it, and an application at first."""
    for file in files:
        if file.unit in {"settings", "config", "host_file", "testing"}:
            continue
        for_types = file.for_types
        for node in module_level(file.tree.body):
            match node:
                case ast.ImportFrom(module="corps.settings" | "corps.config" | "corps.host_file" as module):
                    if id(node) not in for_types:
                        yield file.at(
                            node.lineno, f"imports {module} too early; see launch/found_settings.py"
                        )


def no_threads_in_the_rules(files: Files) -> Iterator[str]:
    for file in files:
        for each in file.imports:
            if file.unit in RULES_BAND and each.module.partition(".")[0] in {"threading", "_thread"}:
                yield file.at(each.line, f"imports {each.module}; {file.unit} is pure and knows no threads")


def no_wall_clock_but_in_clock(files: Files) -> Iterator[str]:
    for file in files:
        for node in file.nodes:
            match node:
                case ast.Attribute(attr="now" | "utcnow" | "today") if file.unit != "clock":
                    if re.search(r"\b(datetime|date)$", ast.unparse(node.value)):
                        yield file.at(node.lineno, "reads the time; only clock.py does")


def no_global_statement(files: Files) -> Iterator[str]:
    for file in files:
        for node in file.nodes:
            if isinstance(node, ast.Global):
                yield file.at(node.lineno, f"global {', '.join(node.names)}: state hangs on an Env object")


def module_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported, those inside if, try, with and for too."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.For | ast.While | ast.With | ast.Try):
            inner = [*node.body, *getattr(node, "orelse", []), *getattr(node, "finalbody", [])]
            inner += [each for handler in getattr(node, "handlers", []) for each in handler.body]
            yield from module_level(inner)


def is_mutable(value: ast.expr | None) -> bool:
    match value:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in MUTABLE_TYPES
        case ast.Call(func=ast.Subscript(value=ast.Name(id=name))):
            return name in MUTABLE_TYPES
    return False


def no_mutable_module_state(files: Files) -> Iterator[str]:
    for file in files:
        for node in module_level(file.tree.body):
            if isinstance(node, ast.Assign):
                names, annotation = [ast.unparse(target) for target in node.targets], ""
            elif isinstance(node, ast.AnnAssign):
                names, annotation = [ast.unparse(node.target)], ast.unparse(node.annotation)
            else:
                continue
            for name in names:
                constant = name.lstrip("_").isupper() and READ_ONLY.search(annotation)
                if is_mutable(node.value) and name != "__all__" and not constant:
                    yield file.at(
                        node.lineno,
                        f"{name} is mutable module state; make it a Final or a Mapping, or an object's",
                    )


def one_context_variable(files: Files) -> Iterator[str]:
    found = [
        (file, node.lineno)
        for file in files
        for node in file.nodes
        if isinstance(node, ast.Call) and re.match(r"(contextvars\.)?ContextVar\b", ast.unparse(node.func))
    ]
    for number, (file, line) in enumerate(found):
        if file.path != "runtime/context.py" or number > 0:
            yield file.at(line, "a ContextVar; the single one lives in runtime/context.py")


def one_record_of_the_process(files: Files) -> Iterator[str]:
    """What holds for a process as a whole cannot hang on an Env: there may be none yet, or several."""
    for file in files:
        for node in file.nodes:
            match node:
                case ast.Call(func=ast.Name(id="ThisProcess")) if file.path != "runtime/this_process.py":
                    yield file.at(node.lineno, "a second record of the process; see runtime/this_process.py")


def names_say_something(files: Files) -> Iterator[str]:
    for file in files:
        for part in file.path.removesuffix(".py").split("/"):
            if part.strip("_") in VAGUE_NAMES:
                yield file.at(1, f"{part!r} says nothing; name the file after its concept")
        stem = file.path.removesuffix(".py").rpartition("/")[2]
        if stem in STDLIB_NAMES - AGREED_NAMES:
            yield file.at(1, f"{stem!r} is a module of the standard library too")


def long_files_say_why(files: Files) -> Iterator[str]:
    for file in files:
        lines = len(file.text.splitlines())
        if lines > LONG and "One file because" not in (ast.get_docstring(file.tree) or ""):
            yield file.at(1, f'{lines} lines: its docstring has to say "One file because ..."')


def no_bare_except(files: Files) -> Iterator[str]:
    for file in files:
        for node in file.nodes:
            if isinstance(node, ast.ExceptHandler) and node.type is None:
                yield file.at(node.lineno, "bare except")


def no_assert_where_bytes_come_in(files: Files) -> Iterator[str]:
    for file in files:
        for node in file.nodes:
            if file.unit in NO_ASSERT and isinstance(node, ast.Assert):
                yield file.at(node.lineno, f"assert vanishes with -O; {file.unit} has to raise an error")


def no_shell(files: Files) -> Iterator[str]:
    for file in files:
        for node in file.nodes:
            match node:
                case ast.keyword(arg="shell", value=value) if not (
                    isinstance(value, ast.Constant) and value.value is False
                ):
                    yield file.at(value.lineno, "starts a shell")
                case ast.Attribute(value=ast.Name(id="os"), attr="system" | "popen"):
                    yield file.at(node.lineno, f"os.{node.attr} starts a shell")


def folders_open_with_words_only(files: Files) -> Iterator[str]:
    for file in files:
        if file.path.endswith("/__init__.py"):
            body = file.tree.body
            if ast.get_docstring(file.tree) is None:
                yield file.at(1, "says not what lives here")
            elif len(body) > 1:
                yield file.at(
                    body[1].lineno, "the __init__.py of a folder holds a docstring and nothing else"
                )


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def private_names_have_a_fallback(files: Files) -> Iterator[str]:
    """Private names of other libraries: those listed alone, by a getattr whose default does without them."""
    advice = "private to its library: do without it, or list it in PRIVATE_NAMES with a fallback and a test"
    for file in files:
        modules = {each.name or each.module: each.module for each in file.imports}
        foreign = {
            alias.asname or alias.name.partition(".")[0]: alias.name
            for node in file.nodes
            if isinstance(node, ast.Import | ast.ImportFrom) and "corps" not in ast.unparse(node)
            for alias in node.names
        }
        for name, module in modules.items():
            if (
                not module.startswith("corps")
                and module != "__future__"
                and is_private(name.rpartition(".")[2])
                and name not in DOCUMENTED_NAMES
            ):
                yield file.at(1, f"imports {name} of {module}, which is {advice}")
        for node in file.nodes:
            match node:
                case ast.Attribute(value=ast.Name(id=holder), attr=name) if holder in foreign and is_private(
                    name
                ):
                    if f"{foreign[holder]}.{name}" not in DOCUMENTED_NAMES:
                        yield file.at(node.lineno, f"uses {foreign[holder]}.{name}, which is {advice}")
                case ast.Call(
                    func=ast.Name(id="getattr"),
                    args=[ast.Name(id=holder), ast.Constant(value=str(name)), *default],
                ) if holder in foreign and is_private(name):
                    listed = PRIVATE_NAMES.get(f"{foreign[holder]}.{name}")
                    if not default or listed != file.path:
                        yield file.at(node.lineno, f"asks for {foreign[holder]}.{name}, which is {advice}")


def private_names_are_in_use(files: Files) -> Iterator[str]:
    texts = {file.path: file.text for file in files}
    for name, path in PRIVATE_NAMES.items():
        if path in texts and f'"{name.rpartition(".")[2]}"' not in texts[path]:
            yield f"{name} is listed in PRIVATE_NAMES, and corps/{path} does not ask for it"


RULES: Final[tuple[Rule, ...]] = (
    imports_point_down,
    every_file_has_a_band,
    no_import_circles,
    rooms_lie_on_floors,
    only_launch_knows_the_launchers,
    nothing_imports_the_root,
    nothing_imports_the_test_kit,
    nothing_imports_the_checkout,
    zmq_only_in_transport,
    pickles_only_in_packing,
    time_only_in_clock,
    pydantic_only_in_settings,
    settings_are_imported_late,
    unpickling_only_in_packing,
    no_threads_in_the_rules,
    no_wall_clock_but_in_clock,
    no_global_statement,
    no_mutable_module_state,
    one_context_variable,
    one_record_of_the_process,
    names_say_something,
    long_files_say_why,
    no_bare_except,
    no_assert_where_bytes_come_in,
    no_shell,
    folders_open_with_words_only,
    private_names_have_a_fallback,
    private_names_are_in_use,
)
RULE_NAMES: Final = {rule: name for name, rule in list(globals().items()) if callable(rule) and rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=RULE_NAMES.get)
def test_the_package_keeps_the_rule(rule: Rule) -> None:
    assert "\n".join(rule(package_files())) == ""


def test_the_package_was_found() -> None:
    assert {"errors.py", "runtime/__init__.py"} <= {file.path for file in package_files()}


def test_the_engine_has_few_rooms_on_few_floors() -> None:
    rooms = rooms_of("corps.runtime", imports_at_run_time(package_files()))
    assert len(rooms) <= 12
    assert floors(rooms) <= 7


def test_the_order_inside_the_bands_has_no_circle() -> None:
    for unit, allowed in SIDEWAYS.items():
        for other in allowed:
            assert BANDS[unit] == BANDS[other]
            assert unit not in SIDEWAYS.get(other, frozenset())


# The checker itself: for each rule, sources that break it and sources that do not


def planted(sources: Mapping[str, str]) -> Files:
    return tuple(File(path, text) for path, text in sources.items())


@pytest.mark.parametrize(
    ("rule", "sources"),
    [
        (imports_point_down, {"wire/a.py": "import corps.runtime.env"}),
        (imports_point_down, {"wire/a.py": "from corps.runtime import env", "runtime/env.py": ""}),
        (imports_point_down, {"wire/a.py": "def f():\n    from corps.transport.link import Link"}),
        (imports_point_down, {"wire/a.py": "if TYPE_CHECKING:\n    from corps.workers.names import Name"}),
        (imports_point_down, {"wire/a.py": "from ..runtime import env"}),
        (imports_point_down, {"wire/a.py": "from ..runtime.env import Env"}),
        (imports_point_down, {"wire/a.py": "import importlib\nimportlib.import_module('corps.cli.main')"}),
        (imports_point_down, {"transport/a.py": "import corps.runtime.env"}),
        (imports_point_down, {"runtime/a.py": "import corps.workers.names"}),
        (imports_point_down, {"launchers/a.py": "import corps.transport.link"}),
        (imports_point_down, {"transport/a.py": "import corps.launchers.local.processes"}),
        (imports_point_down, {"managers/a.py": "import corps.launch.boot"}),
        (imports_point_down, {"clock.py": "import corps.errors"}),
        (imports_point_down, {"security/a.py": "import corps.packing.packer"}),
        (imports_point_down, {"errors.py": "import corps.novel"}),
        (only_launch_knows_the_launchers, {"membership/a.py": "import corps.launchers.local.processes"}),
        (every_file_has_a_band, {"novel.py": ""}),
        (every_file_has_a_band, {"novel/a.py": ""}),
        (no_import_circles, {"wire/a.py": "import corps.wire.b", "wire/b.py": "import corps.wire.a"}),
        (
            no_import_circles,
            {
                "wire/a.py": "from corps.wire import b",
                "wire/b.py": "def f():\n    from .c import x",
                "wire/c.py": "def f():\n    from corps.wire.a import y",
            },
        ),
        (nothing_imports_the_root, {"wire/a.py": "import corps"}),
        (nothing_imports_the_root, {"wire/a.py": "from corps import errors"}),
        (nothing_imports_the_root, {"wire/a.py": "from .. import errors"}),
        (nothing_imports_the_root, {"errors.py": "from . import clock"}),
        (nothing_imports_the_root, {"testing/a.py": "from corps import boot"}),
        (nothing_imports_the_test_kit, {"__init__.py": "from corps.testing.leaks import no_leaks"}),
        (nothing_imports_the_test_kit, {"wire/a.py": "from corps import testing"}),
        (nothing_imports_the_test_kit, {"wire/a.py": "import corps.testing"}),
        (nothing_imports_the_checkout, {"testing/chaos/a.py": "from tests.storm.load import Load"}),
        (zmq_only_in_transport, {"runtime/a.py": "import zmq.asyncio"}),
        (zmq_only_in_transport, {"wire/a.py": "def f():\n    from zmq import Frame"}),
        (pickles_only_in_packing, {"workers/a.py": "import pickle"}),
        (pickles_only_in_packing, {"transport/a.py": "from msgpack import packb"}),
        (time_only_in_clock, {"runtime/a.py": "from time import sleep"}),
        (pydantic_only_in_settings, {"wire/a.py": "def f():\n    import pydantic"}),
        (settings_are_imported_late, {"launch/a.py": "from corps.settings import Settings"}),
        (settings_are_imported_late, {"__init__.py": "from corps.config import load_settings"}),
        (settings_are_imported_late, {"cli/a.py": "try:\n    from corps.config import x\nfinally: pass"}),
        (unpickling_only_in_packing, {"wire/a.py": "import pickle\npickle.loads(b'')"}),
        (unpickling_only_in_packing, {"wire/a.py": "import dill as d\nf = d.load"}),
        (unpickling_only_in_packing, {"wire/a.py": "from pickle import loads"}),
        (unpickling_only_in_packing, {"wire/a.py": "import pickle\nclass U(pickle.Unpickler): pass"}),
        (no_threads_in_the_rules, {"packing/a.py": "import threading"}),
        (no_threads_in_the_rules, {"wire/a.py": "from threading import Lock"}),
        (no_wall_clock_but_in_clock, {"security/a.py": "import datetime\ndatetime.datetime.now()"}),
        (no_wall_clock_but_in_clock, {"security/a.py": "from datetime import date\nx = date.today()"}),
        (no_global_statement, {"wire/a.py": "def f():\n    global x\n    x = 1"}),
        (no_mutable_module_state, {"wire/a.py": "cache = {}"}),
        (no_mutable_module_state, {"wire/a.py": "cache: Final = {}"}),
        (no_mutable_module_state, {"wire/a.py": "CACHE = {}"}),
        (no_mutable_module_state, {"wire/a.py": "CACHE: dict[int, int] = {1: 1}"}),
        (
            no_mutable_module_state,
            {"wire/a.py": "if True:\n    try:\n        found = list()\n    finally: pass"},
        ),
        (no_mutable_module_state, {"wire/a.py": "lock = threading.Lock()"}),
        (no_mutable_module_state, {"wire/a.py": "a = b = [x for x in ()]"}),
        (no_mutable_module_state, {"wire/a.py": "table = defaultdict[int, list](list)"}),
        (one_context_variable, {"workers/a.py": "x = ContextVar('x')"}),
        (one_context_variable, {"runtime/context.py": "x = ContextVar[int]('x')\ny = ContextVar('y')"}),
        (one_record_of_the_process, {"launch/a.py": "mine = ThisProcess()"}),
        (names_say_something, {"wire/utils.py": ""}),
        (names_say_something, {"common/a.py": ""}),
        (names_say_something, {"runtime/queue.py": ""}),
        (long_files_say_why, {"wire/a.py": "x = 1\n" * (LONG + 1)}),
        (
            rooms_lie_on_floors,
            {
                "runtime/low/a.py": "import corps.runtime.b",
                "runtime/b.py": "from corps.runtime.low.c import x",
                "runtime/low/c.py": "",
            },
        ),
        (no_bare_except, {"wire/a.py": "try:\n    f()\nexcept:\n    pass"}),
        (no_assert_where_bytes_come_in, {"wire/a.py": "assert x"}),
        (no_assert_where_bytes_come_in, {"transport/a.py": "def f():\n    assert x"}),
        (no_shell, {"launchers/a.py": "run('ls', shell=True)"}),
        (no_shell, {"launchers/a.py": "run('ls', shell=1)"}),
        (no_shell, {"launchers/a.py": "import os\nos.system('ls')"}),
        (folders_open_with_words_only, {"wire/__init__.py": '"""Words."""\nfrom corps.wire.a import x'}),
        (folders_open_with_words_only, {"wire/__init__.py": ""}),
        (private_names_have_a_fallback, {"wire/a.py": "import asyncio\nasyncio._get_running_loop()"}),
        (
            private_names_have_a_fallback,
            {"wire/a.py": "from asyncio import events as e\ne._set_running_loop"},
        ),
        (private_names_have_a_fallback, {"wire/a.py": "from asyncio.events import _get_running_loop"}),
        (private_names_have_a_fallback, {"wire/a.py": "import _socket"}),
        (private_names_have_a_fallback, {"wire/a.py": "import abc\ngetattr(abc, '_get_dump')"}),
        (private_names_have_a_fallback, {"wire/a.py": "import abc\ngetattr(abc, '_get_dump', None)"}),
        (private_names_have_a_fallback, {"packing/classes.py": "import abc\ngetattr(abc, '_get_dump')"}),
        (private_names_are_in_use, {"packing/classes.py": "import abc"}),
    ],
)
def test_the_checker_finds_what_breaks_the_rule(rule: Rule, sources: Mapping[str, str]) -> None:
    assert list(rule(planted(sources)))


def test_the_checker_lets_pass_what_is_allowed() -> None:
    files = planted(
        {
            "__init__.py": "from corps.wire.a import x as x\n__all__ = ['x']",
            "clock.py": "import time\nfrom datetime import datetime\ndatetime.now()",
            "runtime/context.py": "x = ContextVar('x')",
            "runtime/a.py": "import asyncio\nimport copyreg\nimport corps.transport.link\nassert copyreg",
            "wire/__init__.py": '"""Words."""',
            "wire/a.py": (
                "import msgpack\nimport pickle\nfrom . import b\nfrom corps.errors import WireError\n"
                "x = msgpack.loads\nKINDS: Final[Mapping[int, str]] = {1: 'x'}\n_SEEN: Final = {1}\n"
                "class A:\n    def f(self):\n        cache = {}\n        g(shell=False)\n"
            ),
            "wire/b.py": "x = frozenset({1})",
            "packing/a.py": "import pickle\npickle.loads\nimport corps.security.trust",
            "testing/plugin.py": "import corps.cli.main\nimport corps.testing.leaks",
            "transport/a.py": "import zmq\nimport threading\nimport corps.wire.a",
            "cli/main.py": "import corps.launch.boot",
            "packing/classes.py": (
                'import abc\nimport sys\ngetattr(abc, "_get_dump", None)\ngetattr(abc, "_abc_init", None)\n'
                "sys._getframe(1)\nself._name\n"
            ),
            "launch/a.py": "if TYPE_CHECKING:\n    from corps.settings import Settings\n"
            "def f():\n    from corps.config import load_settings\n",
        }
    )
    for rule in RULES:
        assert list(rule(files)) == [], RULE_NAMES[rule]


def test_a_complaint_names_the_file_and_the_line() -> None:
    files = planted({"wire/a.py": "x = 1\nimport corps.runtime.env"})
    assert list(imports_point_down(files)) == [
        "corps/wire/a.py:2: imports corps.runtime.env, which lies in a higher band"
    ]


def test_a_circle_is_shown_as_the_way_around_it() -> None:
    files = planted({"wire/a.py": "import corps.wire.b", "wire/b.py": "import corps.wire.a"})
    assert list(no_import_circles(files)) == ["circle: corps.wire.a -> corps.wire.b -> corps.wire.a"]
