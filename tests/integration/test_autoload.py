"""Claims about components: workers that a Corps starts before the Corps object, and ends after it."""

import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import corps

LIMIT = 30.0


class Part(corps.Conc):
    """Writes down when it starts and ends, and whom it finds then."""

    def __init__(self, path: str, sees: Sequence[str] = ()) -> None:
        self.path = path
        found = [tag for tag in sees if corps.find_all(tag)]
        self.write("starts", *found)

    def write(self, *words: str) -> None:
        with open(self.path, "a") as file:
            file.write(" ".join([self.my_tag(), *words]) + "\n")

    def pid(self) -> int:
        return os.getpid()

    def fall(self) -> None:
        raise corps.Fail("it fell")

    def cleanup(self) -> None:
        self.write("ends")


class Store(Part):
    pass


class Broken(corps.Conc):
    def __init__(self) -> None:
        raise ValueError("bad luck")


class Probe(corps.Conc):
    def pid(self) -> int:
        return os.getpid()

    def pid_of(self, tag: str) -> Any:
        return corps.call(corps.find(tag), Part.pid)


class App(corps.Corps):
    def __init__(self, path: str) -> None:
        self.path = path
        self.write("starts", *(tag for tag in ("metrics", "store") if corps.find_all(tag)))

    def write(self, *words: str) -> None:
        with open(self.path, "a") as file:
            file.write(" ".join(["app", *words]) + "\n")

    def cleanup(self) -> None:
        self.write("ends")


def component(cls: type[Any], name: str, **more: Any) -> dict[str, Any]:
    return {"use": f"{__name__}:{cls.__qualname__}", "name": name, **more}


def both(path: Path) -> list[dict[str, Any]]:
    """A component of the Corps, and one of each Env that it needs and that stands behind it."""
    sees = {"path": str(path), "sees": ["metrics"]}
    return [
        component(Store, "store", where="corps", needs=["metrics"], arguments=sees),
        component(Part, "metrics", arguments={"path": str(path)}),
    ]


def config(*components: Any, **more: Any) -> dict[str, Any]:
    return {"autoload.components": list(components), **more}


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_components_start_before_the_corps_object_and_end_after_it_in_the_order_of_needs(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log"
    with corps.boot(App, str(path), envs=2, config=config(*both(path))):
        pass
    of_each = ["metrics starts"] * 3  # the front and two Envs
    assert lines(path) == [
        *of_each,
        "store starts metrics",
        "app starts metrics store",
        "app ends",
        "store ends",
        *(["metrics ends"] * 3),
    ]


def test_they_do_so_in_one_env(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with corps.env(config=config(*both(path))) as env:
        assert corps.call(env.find("store"), Part.pid).ret == os.getpid()
    assert lines(path) == ["metrics starts", "store starts metrics", "store ends", "metrics ends"]


def test_each_env_finds_its_own_also_after_its_process_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with corps.boot(App, str(path), envs=2, config=config(*both(path))) as app:
        for _ in range(2):
            probe = corps.options(env=2).create(Probe)
            assert probe.pid_of("metrics").ret == probe.pid().ret
            ended = corps.watch(probe)
            os.kill(probe.pid().ret, signal.SIGKILL)
            assert ended.result(LIMIT).reason == "killed"
        assert corps.options(env=2).create(Probe).pid_of("metrics").ret not in {os.getpid()}
        added = app.add_env().result(LIMIT)
        probe = corps.options(env=added).create(Probe)
        assert probe.pid_of("metrics").ret == probe.pid().ret


def test_a_component_that_fails_is_started_again_and_keeps_its_place_in_the_dir(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with corps.boot(App, str(path), envs=1, config=config(*both(path))) as app:
        store = app.find("store")
        ended = corps.watch(store)
        assert isinstance(corps.call(store, Part.fall).failure(), corps.Fail)
        assert ended.result(LIMIT).reason == "error"
        assert app.find("store") == store
        assert corps.call(store, Part.pid).result(LIMIT)
    assert lines(path).count("store starts metrics") == 2


def test_a_component_that_ends_of_itself_ends_no_corps(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with corps.boot(App, str(path), envs=1, config=config(*both(path))) as app:
        app.find("store").exit().result(LIMIT)
        assert app.find_all("store") == []
        assert corps.options(env=1).create(Probe).pid().ret


@pytest.mark.parametrize("where", ["env", "corps"])
def test_a_required_component_that_fails_undoes_the_boot(tmp_path: Path, where: str) -> None:
    path = tmp_path / "log"
    components = *both(path), component(Broken, "broken", where=where)
    with pytest.raises(corps.ComponentError, match=r"'broken' .*ValueError: bad luck") as caught:
        corps.boot(App, str(path), envs=1, config=config(*components))
    assert caught.value.component == "broken"
    started = ["metrics starts"] * 2
    ended = ["metrics ends"] * 2
    assert lines(path) == [*started, "store starts metrics", "store ends", *ended]


def test_a_required_component_that_fails_undoes_an_env(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with pytest.raises(corps.ComponentError, match="'broken'"):
        corps.env(config=config(*both(path), component(Broken, "broken")))
    assert lines(path) == ["metrics starts", "store starts metrics", "store ends", "metrics ends"]


def test_an_optional_component_that_fails_is_logged_and_so_is_what_needs_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = component(Broken, "broken", required=False)
    needy = component(Probe, "needy", required=False, needs=["broken"], where="corps")
    with caplog.at_level(logging.ERROR), corps.env(config=config(broken, needy)) as env:
        assert env.find_all("needy") == env.find_all("broken") == []
    assert "'broken'" in caplog.text
    assert "it needs broken, which did not start; it is not required" in caplog.text


@pytest.mark.parametrize(
    ("use", "text"),
    [
        ("no_such_module:Part", "No module named 'no_such_module'"),
        (f"{__name__}:Missing", "is no subclass of corps.Conc"),
        (f"{__name__}:LIMIT", "is no subclass of corps.Conc"),
    ],
)
def test_what_is_no_class_of_workers_is_named(use: str, text: str) -> None:
    with pytest.raises(corps.ComponentError, match=text) as caught:
        corps.env(config={"autoload.components": [use]})
    assert use in str(caught.value)


def test_a_circle_of_needs_is_a_config_error(tmp_path: Path) -> None:
    circle = component(Probe, "one", needs=["two"]), component(Probe, "two", needs=["one"])
    with pytest.raises(corps.ConfigError, match="one -> two -> one"):
        corps.boot(App, str(tmp_path / "log"), envs=1, config=config(*circle))


def test_an_installed_package_can_offer_components(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "offers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[corps.autoload]\nprobe = {__name__}:Probe\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with corps.env() as env:
        assert env.find_all("probe") == []
    with corps.env(config={"autoload.entry_points": True}) as env:
        assert corps.call(env.find("probe"), Probe.pid).ret == os.getpid()
