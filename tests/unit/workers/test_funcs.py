"""What makes a worker of functions, and what is refused."""

import functools
import math
import statistics
import types
from typing import Any

import pytest

import corps
from corps.errors import ConfigError, DefinitionError
from corps.runtime.cells.records import Record
from corps.runtime.options import WorkerOptions
from corps.workers.funcs import Functions, functions_of, room_in


def plain(x: int) -> int:
    return x


def test_functions_have_their_own_names_or_those_that_are_given() -> None:
    given = functions_of((plain, math.sqrt), {"double": functools.partial(pow, 2), "same": lambda x: x})
    assert list(given) == ["plain", "sqrt", "double", "same"]


def test_a_module_stands_for_its_public_functions() -> None:
    found = functions_of((statistics,), {})
    assert {"mean", "median", "stdev"} <= found.keys()
    assert not {"NormalDist", "StatisticsError", "_sum", "Decimal"} & found.keys()


def test_a_module_without_a_list_of_names_gives_what_it_defines_itself() -> None:
    module = types.ModuleType("planted")
    exec(
        "from math import sqrt\ndef own(): ...\ndef _hidden(): ...\nclass Kind: ...\nnumber = 1", vars(module)
    )
    assert list(functions_of((module,), {})) == ["own"]


@pytest.mark.parametrize(
    ("given", "named", "says"),
    [
        ((3,), {}, "3 cannot be called"),
        ((), {"three": 3}, "3 cannot be called"),
        ((lambda: 1,), {}, "has no name of its own"),
        ((functools.partial(plain, 1),), {}, "has no name of its own"),
        ((plain, plain), {}, "two functions have the name 'plain'"),
        ((plain,), {"plain": math.sqrt}, "two functions have the name 'plain'"),
        ((), {"_hidden": plain}, "begins with an underscore"),
        ((), {"exit": plain}, "every worker has a method 'exit'"),
        ((), {"my_name": plain}, "every worker has a method 'my_name'"),
        ((corps.Conc,), {}, "use corps.create"),
        ((types.ModuleType("empty"),), {}, "'empty' has no public functions"),
        ((), {}, "wants functions"),
    ],
)
def test_what_cannot_be_a_function_is_refused_and_named(given: Any, named: Any, says: str) -> None:
    with pytest.raises(DefinitionError, match=says):
        functions_of(given, named)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"at_once": 0}, "at_once is 0"),
        ({"at_once": True}, "at_once is True"),
        ({"keep_state": lambda: 1}, "no meaning in Funcs"),
        ({"interleave": True}, "no meaning in Funcs"),
        ({"my_tag": lambda: 1}, "every worker has a method 'my_tag'"),
        ({"exit": lambda: 1}, "every Name has a method 'exit'"),
        ({"start": lambda what: 1}, r"the runtime calls start\(\)"),
        ({"cleanup": lambda what: 1}, "the runtime calls cleanup"),
    ],
)
def test_a_class_that_cannot_be_funcs_is_refused(body: dict[str, Any], says: str) -> None:
    with pytest.raises(DefinitionError, match=says):
        type("Tools", (corps.Funcs,), body)


def test_the_functions_of_a_class_are_called_without_self_and_may_have_the_names_of_steps() -> None:
    class Tools(corps.Funcs):
        @staticmethod
        def kept(x: int) -> int:
            return x

        root = math.sqrt

        def process(request: int) -> int:  # type: ignore[misc, override]  # noqa: N805
            return request

        def main() -> str:  # type: ignore[misc, override]
            return "main"

    assert (Tools.kept(1), Tools.root(4), Tools.process(3), Tools.main()) == (1, 2, 3, "main")
    interface = Record(Tools, (), {}).interface
    assert {"kept", "root", "process", "main"} <= interface.methods
    assert not interface.has_main
    assert not interface.has_steps


def test_at_once_is_that_of_the_options_of_the_class_or_of_the_env() -> None:
    class Tools(corps.Funcs):
        at_once = 3

    assert room_in(Record(Tools, (), {}).interface, 16) == 3
    assert room_in(Record(Tools, (), {}, WorkerOptions(at_once=5)).interface, 16) == 5
    assert room_in(Record(Functions, ({"plain": plain},), {}).interface, 16) == 16
    alone = Record(Tools, (), {}, WorkerOptions(at_once=1)).interface
    assert (alone.is_free, alone.interleave, alone.is_shared) == (False, 1, False)


def test_the_interface_is_that_of_the_worker() -> None:
    interface = Record(Functions, ({"plain": plain},), {}).interface
    assert interface.known_methods == "plain"
    assert interface.short_name == "Funcs"


@pytest.mark.parametrize("at_once", [0, -1, True, 1.5, "2"])
def test_the_option_at_once_is_a_number_from_1(at_once: Any) -> None:
    with pytest.raises(ConfigError, match="at_once"):
        corps.options(at_once=at_once)


def test_the_option_at_once_is_for_funcs() -> None:
    with corps.env(), pytest.raises(ConfigError, match=r"no subclass of corps\.Funcs"):
        corps.options(at_once=2).create(corps.Conc)
