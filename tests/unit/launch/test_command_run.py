import asyncio
import inspect
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from corps.launch.command_run import ExitStatus, let_run_exit
from corps.workers.corps import Corps


def test_what_run_gives_to_sys_exit_is_its_result() -> None:
    class Plain(Corps):
        def run(self, code: int) -> int:
            if code:
                sys.exit(code)
            return 5

    class Soft(Corps):
        async def run(self) -> None:
            sys.exit("text")

    plain: Any = object.__new__(Plain)
    let_run_exit(Plain)
    assert plain.run(0) == 5
    assert plain.run(3) == ExitStatus(3)
    assert list(inspect.signature(Plain.run).parameters) == ["self", "code"]
    let_run_exit(Soft)
    assert inspect.iscoroutinefunction(Soft.run)
    assert asyncio.run(Soft.run(object.__new__(Soft))) == ExitStatus("text")


def test_a_generator_and_what_is_not_there_stay_as_they_are() -> None:
    class Many(Corps):
        def run(self) -> Iterator[int]:
            yield 1

    class Without(Corps):
        pass

    run = Many.run
    let_run_exit(Many)
    let_run_exit(Without)
    assert Many.run is run
    assert not hasattr(Without, "run")


def test_other_exceptions_come_through() -> None:
    class App(Corps):
        def run(self) -> None:
            raise KeyError("mine")

    let_run_exit(App)
    with pytest.raises(KeyError):
        App.run(object.__new__(App))
