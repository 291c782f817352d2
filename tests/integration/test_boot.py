"""Claims about `corps.boot`: what can be booted, and that a boot that fails says why and leaves nothing."""

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import corps
from corps.launch import first_process
from tests.quiet import said_by

ROOT = Path(__file__).parents[2]

APP = """
import corps

class Counter(corps.Conc):
    def __init__(self, start=0):
        self.value = start

    def add(self, n=1):
        self.value += n
        return self.value

    def where(self):
        return self.my_env()

class App(corps.Corps):
    def __init__(self, n=2):
        self.counters = corps.options(tag="counter").create_many(n, Counter, 10)

    def total(self):
        return sum(f.ret for f in [counter.add() for counter in self.counters])

    def places(self):
        return sorted({counter.where().ret for counter in self.counters})
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file of an application."""

    def to_file(text: str, name: str = "app.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    return to_file


def run_script(path: Path, *, cwd: Path | None = None, arguments: tuple[str, ...] = ()) -> str:
    """Run a program of its own, and give what it printed."""
    command = [sys.executable, *arguments] if arguments else [sys.executable, str(path)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=30,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert said_by(done.stderr) == ""
    return done.stdout


# What can be booted


def test_a_file_is_booted_over_several_envs(write: Write) -> None:
    with corps.boot(write(APP), 4, envs=2) as app:
        assert app.total().ret == 44
        assert app.places().ret == [1, 2]


def test_an_env_does_without_pydantic(write: Write) -> None:
    text = """
    import sys

    import corps

    class App(corps.Corps):
        def loaded(self):
            return [name for name in ("pydantic", "corps.config") if name in sys.modules]
    """
    with corps.boot(write(text), envs=1) as app:
        assert app.loaded().ret == []


def test_a_class_is_named_after_a_colon(write: Write) -> None:
    path = write(APP + "\nclass Other(App):\n    def total(self):\n        return -1\n")
    with corps.boot(f"{path}:Other", envs=1) as app:
        assert app.total().ret == -1


def test_a_module_of_a_package_is_booted_by_its_name(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("", "booted_package/__init__.py")
    write("START = 5", "booted_package/beside.py")
    write(
        """
        import corps
        from . import beside
        class App(corps.Corps):
            def start(self):
                return beside.START
        """,
        "booted_package/inner.py",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with corps.boot("booted_package.inner", envs=1) as app:
        assert app.start().ret == 5


def test_an_application_imports_what_lies_beside_it(write: Write) -> None:
    write("START = 6", "lying_beside.py")
    path = write(
        """
        import corps
        import lying_beside
        class App(corps.Corps):
            def start(self):
                import lying_beside as later
                return lying_beside.START + later.START
        """
    )
    with corps.boot(path, envs=1) as app:
        assert app.start().ret == 12


@pytest.mark.parametrize("name", ["email.py", "random.py", "corps.py", "with-hyphen.py"])
def test_the_name_of_a_file_may_be_taken(write: Write, name: str) -> None:
    path = write(APP + "\n    def later(self):\n        import email.utils, random\n        return 3\n", name)
    with corps.boot(path, envs=2) as app:
        assert app.total().ret == 22
        assert app.later().ret == 3


def test_two_corps_of_files_with_the_same_name_live_in_one_process(write: Write) -> None:
    text = """
        import corps
        class Mark:
            def __init__(self, text):
                self.text = text
        class App(corps.Corps):
            def give(self):
                return Mark({!r})
            def take(self, mark):
                return type(mark).__name__ + mark.text
    """
    first, second = write(text.format("one"), "one/app.py"), write(text.format("two"), "two/app.py")
    with corps.boot(first, envs=1) as one, corps.boot(second, envs=1) as two:
        marks = one.give().ret, two.give().ret
        assert [mark.text for mark in marks] == ["one", "two"]
        assert type(marks[0]) is not type(marks[1])
        assert one.take(marks[0]).ret == "Markone"
        assert two.take(marks[1]).ret == "Marktwo"
    sys.modules.pop("app", None)


def test_a_script_boots_its_own_classes_without_a_guard(write: Write) -> None:
    script = write(
        """
        import corps
        class Point:
            def __init__(self, x):
                self.x = x
        class App(corps.Corps):
            def __init__(self, point):
                self.point = point
            def moved(self, other):
                assert type(other) is Point and type(self.point) is Point
                return Point(self.point.x + other.x)
        def main():
            try:
                with corps.boot(App, Point(1), envs=2) as app:
                    got = app.moved(Point(2)).ret
                    assert type(got) is Point
                    print(got.x)
            except Exception as error:
                print("caught", error)
        main()
        """,
        "script.py",
    )
    assert run_script(script) == "3\n"


SELF_BOOT = """
import enum
import functools
import typing

import corps

class Lab(corps.Conc):
    def apply(self, function, *args):
        return function(*args)

class App(corps.Corps):
    def __init__(self):
        self.lab = corps.options(env=2).create(Lab)

    def get(self):
        return self.lab

def above(n):
    return n + 1

class Single:
    def __reduce__(self):
        return "SINGLE"

SINGLE = Single()

def check(lab):
    class Shade(enum.Enum):
        DARK = 1
        BLACK = 1

    assert lab.apply(below, 4).ret == 9
    assert lab.apply(above, 4).ret == 5
    assert lab.apply(lambda x: x, Below()).ret.__class__ is Below
    assert lab.apply(lambda x: x, Shade.BLACK).ret is Shade.DARK
    assert lab.apply(cached, 1).ret == 3
    assert lab.apply(lambda x: x is SINGLE, SINGLE).ret
    try:
        lab.apply(LATE)
    except corps.PackError as error:
        assert "packed as a name" in str(error)
    else:
        raise AssertionError

LATER = '''
def below(n):
    return above(n) + 4

class Below:
    pass

@functools.lru_cache
def cached(n):
    return n + 2

class Late:
    def __call__(self):
        pass

    def __reduce__(self):
        return "LATE"

LATE = Late()
'''
"""


@pytest.mark.parametrize(
    "end",
    [
        """
with corps.boot(App, envs=2) as app:
    exec(LATER)
    above = lambda n: n + 1
    check(app.get().ret)
""",
        """
if __name__ == "__main__":
    def above(n):
        return n + 1
    exec(LATER)
    with corps.boot(__file__, envs=2) as app:
        check(app.get().ret)
""",
    ],
)
def test_what_a_script_defines_where_the_envs_do_not_come_goes_by_value(write: Write, end: str) -> None:
    later = textwrap.dedent(SELF_BOOT.partition("LATER = '''")[2].partition("'''")[0])
    spaces = " " * 4
    text = SELF_BOOT.partition("LATER = ")[0] + end.replace(
        spaces + "exec(LATER)\n", textwrap.indent(later, spaces)
    )
    run_script(write(text))


def test_a_script_may_boot_inside_a_coroutine_and_inside_an_env(write: Write) -> None:
    script = write(
        """
        import asyncio, corps
        class App(corps.Corps):
            def answer(self):
                return 42
        async def main():
            with corps.env(), corps.boot(__file__, envs=1) as app:
                print(await app.answer())
        asyncio.run(main())
        """,
        "script.py",
    )
    assert run_script(script) == "42\n"


def test_a_module_run_with_m_keeps_its_package(write: Write, tmp_path: Path) -> None:
    write("", "run_package/__init__.py")
    write("VALUE = 8", "run_package/beside.py")
    script = write(
        """
        import corps
        from . import beside
        class App(corps.Corps):
            def value(self):
                return beside.VALUE
        with corps.boot(App, envs=1) as app:
            print(app.value().ret)
        """,
        "run_package/program.py",
    )
    assert run_script(script, cwd=tmp_path, arguments=("-m", "run_package.program")) == "8\n"


def test_classes_of_the_command_line_travel_by_value(write: Write) -> None:
    code = textwrap.dedent(
        """
        import corps
        class Point:
            x = 3
        class Helper(corps.Conc):
            def point(self): return Point()
        class App(corps.Corps):
            def __init__(self): self.helpers = corps.options().create_many(2, Helper)
            def points(self): return [helper.point().ret for helper in self.helpers]
        with corps.boot(App, envs=2) as app:
            points = app.points().ret
            print([type(point) is Point for point in points], points[0].x)
        """
    )
    assert run_script(Path(), arguments=("-c", code)) == "[True, True] 3\n"


def test_a_class_defined_in_a_function_travels_by_value() -> None:
    big = bytes(200_000)

    class Local(corps.Corps):
        data = big

        def size(self) -> int:
            return len(self.data)

    with corps.boot(Local, envs=1) as app:
        assert app.size().ret == len(big)


def test_a_corps_boots_in_a_directory_that_is_gone(write: Write, tmp_path: Path) -> None:
    app = write(APP)
    script = write(
        f"""
        import os, corps
        os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone")
        with corps.boot({str(app)!r}, envs=1) as app:
            print(app.total().ret)
        """,
        "script.py",
    )
    assert run_script(script, cwd=tmp_path) == "22\n"


def test_two_corps_live_in_one_process_and_end_apart(write: Write) -> None:
    path = write(APP)
    with corps.boot(path, envs=1) as first:
        with corps.boot(path, envs=1) as second:
            assert (first.total().ret, second.total().ret) == (22, 22)
        assert first.total().ret == 24
        with pytest.raises(corps.ClosedError):
            second.total().result(10)


def test_a_corps_is_booted_and_ended_in_another_thread(write: Write) -> None:
    path, got = write(APP), []

    def work() -> None:
        with corps.boot(path, envs=2) as app:
            got.append(app.total().ret)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert got == [22]


def test_a_boot_inside_a_worker_is_refused(write: Write) -> None:
    path = write(
        """
        import corps
        class App(corps.Corps):
            def boot(self):
                corps.boot(__file__)
        """
    )
    with corps.boot(path, envs=1) as app, pytest.raises(corps.RemoteError, match="cannot boot") as caught:
        app.boot().ret  # noqa: B018  # waits
    assert isinstance(caught.value, corps.BootError)


def test_the_logging_of_the_booting_process_is_left_alone(write: Write) -> None:
    script = write(
        f"""
        import logging, corps
        with corps.boot({str(write(APP))!r}, envs=1) as app:
            print(app.total().ret, logging.getLogger().handlers, logging.getLogger("corps").handlers)
        """,
        "script.py",
    )
    assert run_script(script) == "22 [] []\n"


@pytest.mark.parametrize(
    ("set_up", "shown"),
    [
        ("logging.basicConfig(level='INFO', format='MINE %(message)s')", "MINE loading\nMINE working\n"),
        ("", "TIME front WARNING app: loading\nTIME front WARNING app: working\n"),
    ],
)
def test_the_logging_that_an_application_sets_up_is_in_effect_in_its_envs(
    write: Write, capfd: pytest.CaptureFixture[str], set_up: str, shown: str
) -> None:
    level = "info" if set_up else "warning"
    path = write(
        f"""
        import corps, logging
        {set_up}
        log = logging.getLogger("app")
        log.{level}("loading")
        class App(corps.Corps):
            def work(self):
                log.{level}("working")
        """
    )
    with corps.boot(path, envs=1) as app:
        app.work().ret  # noqa: B018  # waits
    found = re.sub(r"[0-9-]+ [0-9:,]+ ", "TIME ", capfd.readouterr().err)
    assert found.replace("TIME env1 WARNING app: loading\n", "").replace("MINE loading\n", "", 1) == shown


TENANTS = """
from contextvars import ContextVar

tenant = ContextVar("tenant", default="nobody")
"""

TRAVELLING = """
import sys
from contextvars import ContextVar

import corps
{how}

class Server(corps.Conc):
    def serve(self):
        return tenant.get()

class App(corps.Corps):
    travels = (tenant,)

    def serve(self):
        return tenant.get(), corps.create(Server).serve().ret
"""


@pytest.mark.parametrize(
    "how", ["from tenants import tenant", "tenant = ContextVar('tenant', default='nobody')"]
)
def test_a_context_variable_travels_from_a_script_that_boots_itself(write: Write, how: str) -> None:
    write(TENANTS, "tenants.py")
    text = """
with corps.boot(App, envs=1) as app:
    near = corps.options(env="here").create(Server)
    tenant.set("alice")
    print(app.serve().ret, near.serve().ret)
"""
    told = run_script(write(TRAVELLING.format(how=how) + text, "shop.py"))
    assert told == "('alice', 'alice') alice\n"


def test_a_context_variable_travels_from_a_process_that_has_only_the_module_of_it(write: Write) -> None:
    write(TENANTS, "tenants.py")
    write(TRAVELLING.format(how="from tenants import tenant"), "shop.py")
    text = """
    import sys

    import corps

    if __name__ == "__main__":
        with corps.boot("shop.py", envs=1) as app:
            print(app.serve().ret)
            from tenants import tenant
            tenant.set("alice")
            print(app.serve().ret, "shop" in sys.modules)
    """
    path = write(text, "start.py")
    assert run_script(path, cwd=path.parent) == "('nobody', 'nobody')\n('alice', 'alice') False\n"


# What cannot be booted: the error says why, and nothing is left running (the leak check looks)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "defines no subclass"),
        ("import corps\nclass A(corps.Corps): pass\nclass B(corps.Corps): pass", r"several.*\(A, B\)"),
        ("def broken(:", "line 1: SyntaxError"),
        ("import corps\nprint('on the way')\n1 / 0", "ZeroDivisionError"),
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("import corps\nclass A(corps.Corps): travels = ('tenant',)", "must be a tuple of ContextVars"),
    ],
)
def test_what_cannot_be_loaded_is_a_load_error(write: Write, text: str, said: str) -> None:
    path = write(text)
    with pytest.raises(corps.LoadError, match=said) as caught:
        corps.boot(path, envs=2)
    assert str(path) in str(caught.value)
    assert "corps/launch" not in str(caught.value)
    if "on the way" in text:
        assert "on the way" in caught.value.output


@pytest.mark.parametrize(
    "source",
    ["nowhere.py", "no.such.module", "", 7, int, "app.py:Nothing", "/", "x\0.py", "~nobody_here/a.py"],
)
def test_what_is_no_application_is_a_load_error(
    write: Write, source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(APP)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(corps.LoadError):
        corps.boot(source, envs=1)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("os._exit(3)", "exit status 3"),
        ("sys.exit(4)", "exit status 4"),
        ("ctypes.string_at(0)", "SIGSEGV"),
        ("os.kill(os.getpid(), 9)", "SIGKILL"),
    ],
)
def test_a_process_that_dies_while_it_imports_is_a_start_error(write: Write, line: str, said: str) -> None:
    path = write(f"import corps, ctypes, os, sys\nprint('last words')\n{line}\n")
    with pytest.raises(corps.EnvStartError, match=said) as caught:
        corps.boot(path, envs=2)
    assert "last words" in caught.value.output


def test_an_import_that_hangs_ends_at_the_time_limit(write: Write) -> None:
    path = write("import threading\nprint('hangs')\nthreading.Event().wait()\n")
    with pytest.raises(corps.EnvStartError, match="boot_timeout") as caught:
        corps.boot(path, envs=2, config={"boot_timeout": 3.0})
    assert "hangs" in caught.value.output


def test_a_template_that_hangs_ends_at_the_time_limit(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Was a defect: half a minute, whatever the setting."""
    (tmp_path / "hangs_for_ever.py").write_text("import threading\nthreading.Event().wait()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(first_process, "_PRELOAD", ("hangs_for_ever",))
    path = write("import corps\nclass App(corps.Corps): pass\n")
    with pytest.raises(corps.EnvStartError, match=r"the template .* boot_timeout"):
        corps.boot(path, envs=1, config={"boot_timeout": 0.5})


def test_a_constructor_that_raises_is_the_cause_of_the_error(write: Write) -> None:
    path = write(
        """
        import corps
        class Mine(Exception):
            def __init__(self, *, code):
                super().__init__(f"code {code}")
                self.code = code
        class Child(corps.Conc):
            def cleanup(self):
                print("child ended")
        class App(corps.Corps):
            def __init__(self, error):
                print("before")
                corps.options(env=2).create(Child)
                raise Mine(code=7) if error == "mine" else KeyError(error)
        """
    )
    with pytest.raises(corps.CorpsStartError, match="KeyError") as caught:
        corps.boot(path, "x", envs=2)
    cause = caught.value.__cause__
    assert isinstance(cause, corps.RemoteError)
    assert isinstance(cause, KeyError)
    assert sorted(caught.value.output.split("\n")) == ["", "before", "child ended"]
    with pytest.raises(corps.CorpsStartError, match="code 7"):
        corps.boot(path, "mine", envs=2)
    sys.modules.pop("app", None)


def test_a_process_that_dies_in_the_constructor_is_a_start_error(write: Write) -> None:
    path = write(
        """
        import corps, os
        class App(corps.Corps):
            def __init__(self):
                print("last words")
                os._exit(5)
        """
    )
    with pytest.raises(corps.EnvStartError, match="exit status 5") as caught:
        corps.boot(path, envs=2)
    assert "last words" in caught.value.output


def test_an_argument_that_cannot_be_packed_is_told_as_such(write: Write) -> None:
    with pytest.raises(corps.PackError, match="lock") as caught:
        corps.boot(write(APP), {"key": threading.Lock()}, envs=1)
    assert not isinstance(caught.value, corps.RemoteError)


def test_an_argument_that_cannot_be_unpacked_is_a_boot_error(write: Write) -> None:
    with pytest.raises(corps.CorpsStartError, match="wrong side"):
        corps.boot(write(APP), _Refusing(), envs=1)


class _Refusing:
    def __reduce__(self) -> Any:
        return _refuse, (os.getpid(),)


def _refuse(pid: int) -> None:
    if os.getpid() != pid:
        raise ValueError("wrong side")


@pytest.mark.parametrize("taken", [1, 2])
def test_a_port_that_is_taken_is_a_start_error(write: Write, taken: int) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        if taken == 2:  # this process finds a port, its Env finds none
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port + 1))
                except OSError:
                    pytest.skip("the port beside is taken by somebody else")
            port = f"{port}-{port + 1}"
        config = {"transport": "tcp", "tcp.ports": str(port)}
        with pytest.raises(corps.EnvStartError, match="taken"):
            corps.boot(write(APP), envs=1, config=config)


def test_a_setting_that_is_unknown_is_an_error(write: Write) -> None:
    with pytest.raises(corps.ConfigError, match="boot_timeout"):
        corps.boot(write(APP), config={"boot_timeuot": 1})


def test_the_configuration_beside_the_application_counts(write: Write) -> None:
    write("envs = 1\n[threads]\nmax = 3\n", "corps.toml")
    with corps.boot(write(APP)) as app:
        assert app.places().ret == [1]


def test_what_workers_print_goes_to_stdout_from_the_boot_on(write: Write) -> None:
    """Was a defect: a request could overtake the order that ends the capturing of output."""
    script = write(
        """
        import os, signal, corps
        class Worker(corps.Conc):
            restart = corps.Restart()
            def __init__(self, name):
                self.name = name
            def say(self, text):
                print(self.name, text)
                return os.getpid()
        class App(corps.Corps):
            def __init__(self):
                print("a part of the start")
                self.workers = [corps.options(env=n).create(Worker, f"worker {n}") for n in (1, 2)]
            def run(self):
                print("front")
                pids = [worker.say("begins").ret for worker in self.workers]
                gone = corps.watch(self.workers[0])
                os.kill(pids[0], signal.SIGKILL)
                gone.result(20)
                self.workers[0].say("is back").ret
                print("front")
            def more(self, env):
                corps.options(env=env).create(Worker, f"worker {env}").say("is new").ret
        with corps.boot(App, envs=2, config={"log_level": "CRITICAL"}) as app:
            app.run().ret
            app.more(app.add_env().ret).ret
        """,
        "script.py",
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = ["front", "worker 1 begins", "worker 2 begins", "worker 1 is back", "front", "worker 3 is new"]
    assert done.stdout.splitlines() == said
    assert done.stderr.startswith("a part of the start\n")


def test_ctrl_c_in_a_boot_ends_it_at_once(write: Write, tmp_path: Path) -> None:
    flag = tmp_path / "constructing"
    path = write(
        f"""
        import corps, threading
        class App(corps.Corps):
            def __init__(self):
                with open({str(flag)!r}, "w") as file:
                    file.write("x")
                threading.Event().wait()
        """
    )
    os.mkfifo(flag)
    main = threading.get_ident()

    def interrupt() -> None:
        flag.read_text()  # until the constructor writes
        signal.pthread_kill(main, signal.SIGINT)

    helper = threading.Thread(target=interrupt)
    helper.start()
    with pytest.raises(KeyboardInterrupt):
        corps.boot(path, envs=2)
    helper.join()


def test_boots_in_several_threads_do_not_disturb_each_other(write: Write) -> None:
    path = write(APP)
    got: list[int] = []

    def work() -> None:
        with corps.boot(path, envs=1) as app:
            got.append(app.total().ret)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert got == [22, 22, 22]


def test_a_context_variable_that_no_module_has_cannot_travel(write: Write) -> None:
    text = """
    from contextvars import ContextVar

    import corps

    class App(corps.Corps):
        travels = (ContextVar("tenant"),)
    """
    with pytest.raises(corps.LoadError, match=r"App\.travels names .* 'tenant', which no module has"):
        corps.boot(write(text), envs=1)
