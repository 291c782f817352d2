"""What an import of corps loads: nothing but what is used. Each in an interpreter of its own."""

import json
import subprocess
import sys
from typing import Final

import pytest

import corps

HEAVY: Final = (
    *("asyncio", "cloudpickle", "click", "concurrent.futures", "ctypes", "dataclasses", "dill", "inspect"),
    *("logging", "msgpack", "numpy", "pydantic", "re", "rich", "socket", "sqlite3", "ssl", "subprocess"),
    *("tempfile", "threading", "typing", "uvloop", "zmq"),
)
"""What takes longer to import than ``import corps`` may."""

ENGINE: Final = ("corps.runtime", "corps.workers", "corps.peers", "corps.packing", "corps.transport")


def loaded_by(code: str) -> list[str]:
    """Run code in a fresh interpreter; return what it has loaded."""
    program = (
        f"import sys, json\nbefore = set(sys.modules)\n{code}\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    modules: list[str] = json.loads(done.stdout.splitlines()[-1])
    return modules


def test_the_import_loads_nothing_that_takes_long() -> None:
    loaded = loaded_by("import corps")
    assert [name for name in loaded if name.partition(".")[0] == "corps"] == ["corps"]
    assert set(loaded).isdisjoint(HEAVY)


def test_all_names_can_be_imported_at_once() -> None:
    loaded = loaded_by("from corps import *\nassert Conc.__module__ == boot.__module__ == 'corps'")
    assert {"corps.launch.boot", "corps.settings"} <= set(loaded)


@pytest.mark.parametrize("file", sorted(vars(corps)["_FILES"]))
def test_a_public_thing_is_of_corps_before_it_was_asked_for_there(file: str) -> None:
    names = vars(corps)["_FILES"][file].split()
    loaded_by(
        f"import corps.{file} as file\n"
        f"assert {{vars(file)[name].__module__ for name in {names}}} == {{'corps'}}\n"
        f"assert not set({names}) & set(vars(sys.modules['corps']))"
    )


@pytest.mark.parametrize("words", ["--help", "--version", "call --help", "keys --help"])
def test_the_command_loads_the_engine_only_to_use_it(words: str) -> None:
    loaded = loaded_by(
        f"from corps.cli.main import main\ntry:\n    main({words.split()})\nexcept SystemExit:\n    print()"
    )
    assert "click" in loaded
    assert set(loaded).isdisjoint([*ENGINE, "asyncio", "pydantic", "zmq"])


@pytest.mark.parametrize("name", ["Conc", "Corps", "create", "Name", "Future", "WorkerGone", "Restart"])
def test_what_classes_of_workers_are_written_with_loads_neither_links_nor_settings(name: str) -> None:
    loaded = loaded_by(f"from corps import {name}")
    assert set(loaded).isdisjoint(["corps.launch", "corps.transport.zeromq", "pydantic", "zmq"])


def test_a_boot_starts_the_template_before_it_imports_what_it_needs_itself() -> None:
    loaded = loaded_by("from corps import boot")
    assert "corps.launch.first_process" in loaded
    assert set(loaded).isdisjoint(["corps.launch.building", "corps.managers.assembly", "pydantic", "zmq"])


class Importing(corps.Corps):
    """Says what the process of its Env has imported."""

    def loaded(self) -> list[str]:
        return sorted(sys.modules)


@pytest.mark.parametrize("transport", ["unix", "ipc"])
def test_envs_have_all_that_they_need_from_their_template(transport: str) -> None:
    with corps.boot(Importing, envs=1, config={"transport": transport}) as app:
        loaded = app.loaded().ret
    assert {"asyncio", "cloudpickle", "corps.services.logs.sending"} <= set(loaded)
    assert ("zmq" in loaded) == (transport == "ipc")
    assert "pydantic" not in loaded
