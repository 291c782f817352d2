"""Claims about Corps that workers and scripts boot in processes of their own."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import corps
from corps.federation.registry import registry_of_user
from tests.integration.corps_of_workers import PART, House, are_gone, processes_of, write_part
from tests.integration.other_corps import ROOT


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Logs, and what parts write when they end, are files of the test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("WHERE_PARTS_END", str(tmp_path / "ended"))
    return tmp_path


@pytest.fixture
def house(folders: Path) -> Iterator[Any]:
    with corps.boot(House, envs=2) as house:
        yield house


# contained


def test_names_work_both_ways_between_a_contained_corps_and_its_creator(house: Any, folders: Path) -> None:
    path = write_part(folders / "a", "a door")
    builder = house.builder().ret
    part = builder.boot(str(path), 4, builder, contained=True).ret
    assert part.word().ret == ("a door", "part", 4)
    assert builder.call("word").ret == ("a door", "part", 4)
    assert part.call_back().ret == "heard of mine"
    piece = part.piece().ret
    assert piece.pid().ret != part.pids().ret[1]
    processes = processes_of(part)
    assert len(processes) == 4
    house.exit().result()
    assert are_gone(processes)
    assert (folders / "ended").read_text() == "4\n"


def test_parts_with_the_same_names_of_files_and_modules_do_not_collide(house: Any, folders: Path) -> None:
    builder = house.builder().ret
    paths = [write_part(folders / place, word) for place, word in (("a", "a door"), ("b", "a window"))]
    parts = [builder.boot(str(path), contained=True).ret for path in paths]
    assert [part.word().ret[:2] for part in parts] == [("a door", "part"), ("a window", "part")]
    assert builder.children().ret == 2


def test_a_contained_corps_is_reached_by_none_that_has_no_name_of_it(house: Any, folders: Path) -> None:
    part = house.builder().ret.boot(str(write_part(folders / "a", "a")), contained=True).ret
    (tag,) = [tag for tag in registry_of_user().tags() if tag.endswith(part._addr.corps[:8])]
    with corps.connect(tag) as stranger, pytest.raises(corps.NotPermitted):
        stranger.word().result()
    assert part.word().ret[0] == "a"


def test_a_contained_corps_that_ends_by_itself_is_no_failure(house: Any, folders: Path) -> None:
    builder = house.builder().ret
    part = builder.boot(str(write_part(folders / "a", "a")), contained=True).ret
    processes = processes_of(part)
    part.exit().result()
    assert are_gone(processes)
    while builder.children().ret:
        pass


def test_a_boot_that_fails_raises_its_own_error_where_it_was_wanted(house: Any, folders: Path) -> None:
    builder = house.builder().ret
    path = write_part(folders / "a", "a", PART.replace("self.number = number", "self.number = 1 / 0"))
    with pytest.raises(corps.CorpsStartError, match="ZeroDivisionError"):
        builder.boot(str(path), contained=True).result()
    with pytest.raises(corps.LoadError, match=r"none\.py"):
        builder.boot(str(folders / "none.py"), contained=True).result()
    with pytest.raises(corps.PackError, match="lock"), corps.env() as env:
        env.create(_Packer).boot(str(path)).result()
    assert builder.children().ret == 0


class _Packer(corps.Conc):
    def boot(self, path: str) -> None:
        import threading

        corps.options(contained=True).boot(path, threading.Lock())


def test_a_worker_of_an_env_that_is_alone_has_a_contained_corps_too(folders: Path) -> None:
    from tests.integration.corps_of_workers import Builder

    path = write_part(folders / "a", "a")
    with corps.env() as env:
        builder = env.create(Builder)
        part: Any = builder.boot(str(path), contained=True).ret
        assert builder.call("word").ret[0] == "a"
        processes = processes_of(part)
        builder.exit().result()
        assert are_gone(processes)


def test_a_coroutine_boots_without_blocking(folders: Path) -> None:
    path = write_part(folders / "a", "a")

    class Waits(corps.Conc):
        async def boot(self) -> str:
            part = await corps.options(contained=True).boot_nowait(str(path), envs=1)
            await asyncio.sleep(0)
            word: tuple[str, str, int] = await part.word()
            return word[0]

    with corps.env() as env:
        assert env.create(Waits).boot().ret == "a"


def test_options_that_boot_has_no_use_for_are_refused(house: Any, folders: Path) -> None:
    wrong: list[dict[str, Any]] = [
        {},
        {"external": True, "contained": True},
        {"contained": True, "managed": True},
        {"external": True},
        {"contained": True, "env": 1},
        {"contained": True, "mailbox": 3},
    ]
    for how in wrong:
        with pytest.raises(corps.ConfigError):
            corps.options(**how).boot("part.py")
    with pytest.raises(corps.ConfigError):
        corps.options(external=True, tag="x").boot("part.py", envs=0)


# contained, in the Envs of its creator


def test_a_contained_corps_without_envs_lives_in_those_of_its_creator(house: Any, folders: Path) -> None:
    builder = house.builder().ret
    parts = [
        builder.boot_here(str(write_part(folders / place, word)), n, builder).ret
        for n, (place, word) in enumerate((("a", "a door"), ("b", "a window")))
    ]
    assert [part.word().ret[::2] for part in parts] == [("a door", 0), ("a window", 1)]
    assert parts[0].pids().ret[1] == builder.pid().ret
    assert parts[1].call_back().ret == "heard of mine"
    assert builder.children().ret == 2
    pieces = [parts[0].piece().ret for _ in range(2)]
    assert len({piece.pid().ret for piece in pieces}) == 2  # in both Envs of the creator
    builder.exit().result()
    assert sorted((folders / "ended").read_text().split()) == ["0", "1"]
    with pytest.raises(corps.WorkerGone):
        parts[0].word().result()


def test_its_workers_have_the_modules_of_its_folder_in_other_envs_too(house: Any, folders: Path) -> None:
    part = house.builder().ret.boot_here(str(write_part(folders / "a", "a door"))).ret
    assert [part.piece().ret.word().ret for _ in range(2)] == ["a door", "a door"]


def test_it_is_restarted_as_any_child(house: Any, folders: Path) -> None:
    builder = house.builder().ret
    restart = corps.Restart(backoff=(0.01, 0.02))
    part = builder.boot_here(str(write_part(folders / "a", "a door")), 6, restart=restart).ret
    with pytest.raises(corps.Fail):
        part.fail().result()
    assert part.word().ret[::2] == ("a door", 6)


def test_a_file_without_a_corps_is_said(house: Any, folders: Path) -> None:
    builder = house.builder().ret
    with pytest.raises(corps.LoadError, match="ZeroDivisionError"):
        builder.boot_here(str(write_part(folders / "a", "a", "1 / 0"))).result()
    with pytest.raises(corps.LoadError, match="defines no subclass"):
        builder.boot_here(str(write_part(folders / "b", "b", "import helper"))).result()
    with pytest.raises(corps.ConfigError, match="config"):
        corps.options(contained=True).boot("part.py", envs=0, config={"envs": 1})


# external


def test_a_worker_boots_a_corps_with_a_life_of_its_own(house: Any, folders: Path) -> None:
    path = write_part(folders / "a", "a")
    builder = house.builder().ret
    part = builder.boot(str(path), 5, tag="own-life", external=True).ret
    assert part.word().ret == ("a", "part", 5)
    with pytest.raises(corps.NameTaken, match="own-life"):
        builder.boot(str(path), tag="own-life", external=True).result()
    assert builder.children().ret == 0
    processes = processes_of(part)
    house.exit().result()
    with corps.connect("own-life") as again:
        assert again.word().ret == ("a", "part", 5)
        again.exit().result()
    assert are_gone(processes)


def test_a_boot_that_fails_shows_the_end_of_its_log(folders: Path) -> None:
    source = PART.replace("self.number = number", "print('step one', flush=True); 1 / 0")
    path = write_part(folders / "a", "a", source)
    with pytest.raises(corps.CorpsStartError) as caught:
        corps.options(tag="fails", external=True).boot(path, envs=1)
    assert "ZeroDivisionError" in str(caught.value)
    assert f"The end of its log, {folders / 'state' / 'corps' / 'fails.log'}:\nstep one" in str(caught.value)
    assert "step one" in caught.value.output
    assert "fails" not in registry_of_user().tags()


def test_a_script_without_an_env_boots_one(folders: Path) -> None:
    path = write_part(folders / "a", "a")
    program = f"""
import corps
part = corps.options(tag="of-script", external=True).boot({str(path)!r}, 6, envs=1)
print(part.word().ret)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (done.stdout, done.stderr) == ("('a', 'part', 6)\n", "")
    with corps.connect("of-script") as part:
        processes = processes_of(part)
        part.exit().result()
    assert are_gone(processes)


def test_a_script_without_a_guard_boots_the_class_that_it_defines_once(folders: Path) -> None:
    script = folders / "script.py"
    script.write_text("""
import corps

class Part(corps.Corps):
    def word(self):
        return "of a script"

print("begins", flush=True)
part = corps.options(tag="no-guard", external=True).boot(Part, envs=1)
print(part.word().ret)
part.exit().result()
""")
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert (done.stdout, done.stderr) == ("begins\nof a script\n", "")


@pytest.mark.parametrize("name", ["shop", "my-shop"])
def test_a_worker_boots_a_class_of_its_own_application(folders: Path, name: str) -> None:
    app = folders / f"{name}.py"
    app.write_text("""
import corps

class Part(corps.Corps):
    def __init__(self, word):
        self._word = word

    def word(self):
        return self._word

class Shop(corps.Corps):
    def part_word(self):
        return corps.options(contained=True).boot(Part, "a class", envs=1).word().ret
""")
    with corps.boot(f"{app}:Shop", envs=1) as shop:
        assert shop.part_word().ret == "a class"


def test_a_managed_corps_ends_with_the_worker_that_has_booted_it(house: Any, folders: Path) -> None:
    builder = house.builder().ret
    path = write_part(folders / "a", "a")
    part = builder.boot(str(path), 7, tag="managed", external=True, managed=True).ret
    with corps.connect("managed") as other:
        assert other.word().ret == ("a", "part", 7)
    processes = processes_of(part)
    builder.exit().result()
    assert are_gone(processes)
    assert (folders / "ended").read_text() == "7\n"
    assert "managed" not in registry_of_user().tags()


# finding


def test_a_worker_finds_a_corps_of_the_host_by_its_tag(house: Any, folders: Path) -> None:
    builder = house.builder().ret
    path = write_part(folders / "a", "a")
    part = builder.boot(str(path), 8, tag="found", external=True, managed=True).ret
    assert builder.find("found").ret == part
    assert builder.find("found").ret.word().ret == ("a", "part", 8)
    assert corps.find("found", where="ext").word().ret == ("a", "part", 8)
    with pytest.raises(corps.NotFound, match="did you mean found"):
        corps.find("foundd", where="ext")
    (entry,) = [each for each in registry_of_user().all_of_user() if each.tag == "found"]
    assert entry.record is not None
    pid = entry.record.pid
    facts: dict[str, Any] = {"class_name": entry.record.class_name, "host": entry.record.host, "pid": ...}
    assert corps.find("found", where="ext", match=lambda its: its["pid"] == pid, **facts) == part
    assert corps.find_all(where="ext", **facts) == [part]
    assert corps.find_all("found", where="ext", host="elsewhere") == []
    with pytest.raises(corps.NotFound, match="has the tag 'found' and host='elsewhere'"):
        corps.find("found", where="ext", host="elsewhere")
    with pytest.raises(corps.NotFound, match=r"none has come within 0\.3 s"):
        corps.find(House, where="ext", pid=1, timeout=0.3)


def test_a_search_waits_for_a_corps_of_the_host(house: Any, folders: Path) -> None:
    builder = house.builder().ret
    path = write_part(folders / "b", "b")
    later = corps.afind("comes", where="ext", timeout=60.0)
    gone = corps.afind("comes-never", where="ext", timeout=60.0)
    assert not later.done()
    part = builder.boot(str(path), 8, tag="comes", external=True, managed=True).ret
    assert later.result(60.0) == part
    assert gone.cancel()


def test_a_search_hears_of_what_match_raises(house: Any, folders: Path) -> None:
    path = write_part(folders / "c", "c")

    def fails(its: object) -> bool:
        raise ZeroDivisionError

    later = corps.afind("fails", where="ext", match=fails, timeout=60.0)
    part = house.builder().ret.boot(str(path), 8, tag="fails", external=True, managed=True).ret
    with pytest.raises(ZeroDivisionError):
        later.result(60.0)
    assert part.word().ret == ("c", "part", 8)


def test_an_env_without_links_finds_no_corps_of_the_host() -> None:
    with corps.env() as env, pytest.raises(corps.ContextError, match=r"corps\.connect"):
        env.find("found", where="ext")


def test_the_name_of_a_front_for_others_is_stored_and_used_by_another_program(
    house: Any, folders: Path
) -> None:
    assert house.ext_name(str(folders / "name")).ret == house
    assert corps.load(folders / "name") == house
    path = write_part(folders / "a", "a")
    part = house.builder().ret.boot(str(path), contained=True).ret
    assert part.word().ret[0] == "a"
    program = f"""
import corps
from pathlib import Path
registered = [path for path in Path({registry_of_user().path!r}).glob("part.*.json")]
with corps.connect(registered[0]):
    print(corps.load({str(folders / "name")!r}).builder().ret.children().ret)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_an_env_that_is_alone_has_no_front_for_others() -> None:
    class Asks(corps.Conc):
        def ask(self) -> Any:
            return self.my_ext_name()

    with corps.env() as env, pytest.raises(corps.ContextError):
        env.create(Asks).ask().result()
