import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from corps.errors import BootError
from corps.launch import may_boot
from corps.launch.loading import StopLoading
from corps.launch.may_boot import check_before, check_source, line_of, mark_descendants
from corps.launch.pool_main import APPLICATIONS, ApplicationFinder, applications
from corps.launch.sources import Source
from corps.runtime.this_process import ThisProcess

FILE = "/somewhere/app.py"


@pytest.fixture(autouse=True)
def process(monkeypatch: pytest.MonkeyPatch) -> ThisProcess:
    process = ThisProcess()
    monkeypatch.setattr(may_boot, "this_process", process)
    monkeypatch.delenv(APPLICATIONS, raising=False)
    return process


@pytest.fixture
def descends_from_a_worker(process: ThisProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(APPLICATIONS, "")
    mark_descendants(Source("app", FILE, file=FILE))
    mark_descendants(Source("other", file="/somewhere/other.py"))


def check() -> None:
    check_before(sys._getframe(1))


def imported(name: str, file: str, then: Callable[[], object]) -> None:
    exec(compile("then()", file, "exec"), {"__name__": name, "then": then})


def in_a_thread(then: Callable[[], object]) -> list[BaseException]:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            then()
        except BaseException as error:
            raised.append(error)

    thread = Thread(target=run)
    thread.start()
    thread.join()
    return raised


def test_an_ordinary_process_may_boot_in_functions_in_modules_and_in_threads() -> None:
    check()
    imported("service", FILE, check)
    assert in_a_thread(check) == []


def test_no_thread_of_an_env_may_boot(process: ThisProcess) -> None:
    process.env_id = 1
    with pytest.raises(BootError, match=r"test_may_boot\.py, line \d+: a worker, or a thread in its process"):
        check()
    assert [type(error) for error in in_a_thread(check)] == [BootError]


def test_the_main_module_of_a_child_process_may_not_boot_while_it_is_imported() -> None:
    with pytest.raises(BootError, match=r"/somewhere/app\.py is being imported in a child process"):
        imported("__mp_main__", FILE, check)
    refused: list[BaseException] = []
    imported("__mp_main__", FILE, lambda: refused.extend(in_a_thread(check)))
    assert [type(error) for error in refused] == [BootError]


def test_a_module_that_the_main_module_imports_may_boot_in_a_child_process() -> None:
    imported("__mp_main__", FILE, lambda: imported("service", "/somewhere/service.py", check))


@pytest.mark.usefixtures("descends_from_a_worker")
def test_what_a_worker_has_started_may_boot_others_but_not_while_it_imports_the_application() -> None:
    assert applications() == {"app": FILE, "other": "/somewhere/other.py"}
    check()
    imported("service", "/somewhere/service.py", check)
    imported("__main__", FILE, check)  # it was started as a program of its own
    with pytest.raises(BootError, match="again and again"):
        imported("app", FILE, check)


@pytest.mark.usefixtures("descends_from_a_worker")
def test_where_the_application_is_kept_the_boot_ends_its_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [ApplicationFinder({}), *sys.meta_path])
    with pytest.raises(StopLoading):
        imported("app", FILE, check)


@pytest.mark.usefixtures("descends_from_a_worker")
def test_a_child_of_multiprocessing_may_not_boot_the_application_of_its_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import multiprocessing.process

    source, frame = Source("app", FILE, file=FILE), sys._getframe()
    check_source(source, frame)
    monkeypatch.setattr(multiprocessing.process, "parent_process", lambda: "the worker")
    check_source(Source("third", file="/somewhere/third.py"), frame)
    with pytest.raises(BootError, match=r"/somewhere/app\.py is the application of the worker"):
        check_source(source, frame)


def test_a_frozen_program_that_a_worker_has_started_again_may_not_boot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    check()
    monkeypatch.setenv(APPLICATIONS, "")
    mark_descendants(Source(""))
    with pytest.raises(BootError, match="was started again by one of its own workers"):
        check()


def test_the_place_of_a_boot_is_in_the_code_of_an_author() -> None:
    def ask() -> str:
        return line_of(sys._getframe())

    assert line_of(None) == "?"
    of_library = {"__name__": "asyncio.events", "ask": ask}
    exec(compile("def call(): return frame()", "events.py", "exec"), of_library)
    of_library["frame"] = lambda: line_of(sys._getframe(1))
    assert of_library["call"]().startswith(str(Path(__file__)))  # type: ignore[operator]


def test_the_finder_of_pools_finds_and_keeps_applications_alone(tmp_path: Path) -> None:
    file = tmp_path / "tool"
    file.write_text("class StopLoading(BaseException): pass\nVALUE = 1\nraise StopLoading\n")
    finder = ApplicationFinder({"unit_tool": str(file)})
    assert finder.find_spec("os", None) is None
    import importlib.util

    spec = finder.find_spec("unit_tool", None)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.VALUE == 1
