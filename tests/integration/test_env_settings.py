"""Claims about what the settings give to single Envs: variables, priority, cores and labels."""

import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

import pytest

import corps

LIMIT: Final = 30.0
VARIABLE: Final = "CORPS_TEST_DEVICES"[6:]  # one of corps would be a setting
AT_IMPORT: Final = os.environ.get(VARIABLE)
"""What the variable was when the application was loaded."""

CORE: Final = min(os.sched_getaffinity(0))


class Probe(corps.Conc):
    def facts(self) -> tuple[str | None, str | None, int, set[int]]:
        niceness = os.getpriority(os.PRIO_PROCESS, 0)  # of this thread
        return AT_IMPORT, os.environ.get(VARIABLE), niceness, os.sched_getaffinity(0)

    def command(self) -> bytes:
        with open("/proc/self/cmdline", "rb") as file:
            return file.read()

    def pid(self) -> int:
        return os.getpid()

    def make(self, label: str) -> corps.Name["Probe"]:
        return corps.options(label=label).create(Probe)


class App(corps.Corps):
    def make(self, label: str) -> corps.Name[Probe]:
        return corps.options(label=label).create(Probe)


CONFIG: Final[dict[str, Any]] = {
    "per_env": {
        "2": {"env": {VARIABLE: "1"}, "nice": 5, "cpus": [CORE], "labels": ["gpu", "big"]},
        "3": {"labels": ["late", "gpu"]},
    }
}


def env_of(name: corps.Name[Any]) -> int:
    return name._addr.env


def check(app: corps.BootedName[App]) -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    one, two = (corps.options(env=env).create(Probe) for env in (1, 2))
    assert one.facts().ret == (None, None, ours, os.sched_getaffinity(0))
    for _ in range(2):  # the second process of the Env, too
        assert two.facts().ret == ("1", "1", 5, {CORE})
        ended = corps.watch(two)
        os.kill(two.pid().ret, signal.SIGKILL)
        assert ended.result(LIMIT).reason == "killed"
        two = corps.options(env=2).create(Probe)


def test_an_env_has_what_the_settings_say_before_the_application_is_loaded() -> None:
    with corps.boot(App, envs=2, config=CONFIG) as app:
        check(app)


def test_it_has_so_where_envs_are_interpreters_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A thread in the template, as a debugger or an agent starts one, means that nothing can be forked.
    agent = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    (tmp_path / "sitecustomize.py").write_text(agent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    with corps.boot(App, envs=2, config=CONFIG) as app:
        assert b'"env_id": 2' in corps.options(env=2).create(Probe).command().ret
        check(app)


def test_workers_are_placed_by_label_from_everywhere() -> None:
    with corps.boot(App, envs=2, config=CONFIG) as app:
        assert corps.envs("gpu") == app.envs("big") == [2]
        assert env_of(corps.options(label="gpu").create(Probe)) == 2
        assert env_of(app.options(label="big").create(Probe)) == 2
        assert env_of(app.make("gpu").ret) == 2
        assert env_of(corps.options(env=1).create(Probe).make("gpu").ret) == 2
        assert [env_of(each) for each in corps.options(label="gpu").create_per_env(2, Probe)] == [2, 2]
        assert [env_of(each) for each in corps.options(label="gpu").create_many(2, Probe)] == [2, 2]
        group = corps.options(label="gpu").replicate(1, Probe)
        assert [env_of(each) for each in group.names()] == [2]
        with pytest.raises(corps.NoSuchEnv, match=r"the label 'late' \(env2: big, gpu\)") as caught:
            corps.options(label="late").create(Probe)
        assert caught.value.label == "late"
        assert app.add_env().result(LIMIT) == 3
        assert env_of(corps.options(label="late").create(Probe)) == 3
        assert sorted(corps.envs("gpu")) == [2, 3]
        app.remove_env(2).result(LIMIT)
        assert env_of(corps.options(label="gpu").create(Probe)) == 3


def test_an_env_that_is_alone_has_all_labels() -> None:
    with corps.env(config=CONFIG) as env:
        assert env_of(env.options(label="late").create(Probe)) == 0
        with pytest.raises(corps.NoSuchEnv, match="env0: big, gpu, late"):
            env.options(label="none").create(Probe)
    with corps.env() as env, pytest.raises(corps.NoSuchEnv, match="none has any"):
        env.options(label="gpu").create_per_env(1, Probe)


@pytest.mark.parametrize("label", ["", 1, b"gpu"])
def test_what_is_no_label_is_refused(label: Any) -> None:
    with pytest.raises(corps.ConfigError, match="wants a label"):
        corps.options(label=label)


def test_a_label_and_an_env_exclude_each_other() -> None:
    with pytest.raises(corps.ConfigError, match="and then no env"):
        corps.options(label="gpu", env=2)


@pytest.mark.parametrize(("wrong", "text"), [({"cpus": [100_000]}, "cpus"), ({"nice": -20}, "nice")])
def test_what_the_system_does_not_allow_fails_the_boot(wrong: dict[str, Any], text: str) -> None:
    if "nice" in wrong and os.geteuid() == 0:
        pytest.skip("root may do it")
    with pytest.raises(corps.EnvStartError, match=f"env1 cannot have per_env.1.{text}"):
        corps.boot(App, envs=1, config={"per_env": {"1": wrong}})
