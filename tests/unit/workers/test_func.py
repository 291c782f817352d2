"""What `corps.func` makes of a function, and what all Envs call it."""

import asyncio
import functools
import inspect
import math
import pickle
import subprocess
import sys
from types import SimpleNamespace
from typing import Any, cast

import cloudpickle
import pytest

import corps
from corps.errors import ContextError, DefinitionError
from corps.runtime.this_process import this_process
from corps.workers.func import Func

ENV: Any = SimpleNamespace(class_key=lambda name: name.replace("__main__", "app"))


@corps.func
def plain(x: int, y: int = 2) -> int:
    """Add."""
    return x + y


@corps.func(at_once=2)
async def soft(x: int) -> int:
    return x


def variants() -> tuple[Any, Any]:
    def one() -> str:
        return "one"

    def other() -> str:
        return "other"

    other.__qualname__ = one.__qualname__
    return one, other


def test_the_function_is_called_as_ever_and_shows_what_it_was() -> None:
    assert plain(1) == 3
    assert asyncio.run(soft(1)) == 1
    assert (plain.__name__, plain.__doc__, plain.__module__) == ("plain", "Add.", __name__)
    assert str(inspect.signature(plain)) == "(x: int, y: int = 2) -> int"
    assert repr(plain) == f"<func {__name__}.plain>"


def test_it_is_bound_as_a_function_is_bound_in_a_class() -> None:
    class Box:
        @corps.func
        def width(self, scale: int) -> int:
            return 3 * scale

    assert Box().width(2) == 6
    assert isinstance(Box.width, Func)


def test_what_wraps_it_does_not_pass_its_worker_on_as_its_own() -> None:
    @functools.wraps(plain)
    def outer(x: int) -> int:
        return plain(x) + 1

    assert outer(1) == 4
    assert not hasattr(outer, "ask")


def test_what_its_module_has_is_packed_by_its_name_and_all_else_as_code() -> None:
    assert pickle.loads(pickle.dumps(plain)) is plain
    local = corps.func(lambda x: 2 * x)
    copy: Any = pickle.loads(cloudpickle.dumps(local))
    assert copy(4) == 8
    assert copy.key_in(ENV) == local.key_in(ENV)


def test_a_function_at_the_top_of_a_module_has_a_key_of_its_name_and_code() -> None:
    key = plain.key_in(ENV)
    assert key.startswith(f"{__name__}:plain:")
    script = (
        f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import plain, ENV; print(plain.key_in(ENV))"
    )
    again = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert again.stdout.strip() == key


def test_the_program_itself_has_the_name_that_others_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "typed", None, raising=False)
    keys = []
    for function in variants():
        function.__module__, function.__qualname__, function.__name__ = "__main__", "typed", "typed"
        made = corps.func(function)
        monkeypatch.setattr(sys.modules["__main__"], "typed", made)
        keys.append(made.key_in(ENV))
    assert keys[0] != keys[1]
    assert all(key.startswith("app:typed:") for key in keys)


def test_two_local_functions_of_one_name_are_not_the_same() -> None:
    def make(number: int) -> Any:
        @corps.func
        def give() -> int:
            return number

        return give

    assert make(1).key_in(ENV) != make(1).key_in(ENV)


def test_a_builtin_can_be_asked_too() -> None:
    assert corps.func(math.sqrt)(4) == 2
    assert corps.func(math.sqrt).key_in(ENV).startswith("math:sqrt")


@pytest.mark.parametrize("wrong", [3, int, functools.partial(pow, 2), "text"])
def test_what_is_no_function_is_refused(wrong: Any) -> None:
    with pytest.raises(DefinitionError, match="func is for functions"):
        corps.func(wrong)


@pytest.mark.parametrize("at_once", [0, True, "2", 1.0])
def test_at_once_is_a_number_from_1(at_once: Any) -> None:
    with pytest.raises(DefinitionError, match="from 1"):
        corps.func(at_once=cast("Any", at_once))


def test_outside_of_every_env_there_is_nobody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(this_process, "open_envs", list)  # whatever other tests leave open
    with pytest.raises(ContextError):
        plain.ask(1)
    with pytest.raises(ContextError):
        plain.send(1)
