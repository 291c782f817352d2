"""Settings: defaults < file < environment < arguments, and what is said about a wrong one."""

import json
import os
import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corps.config import LoadedSettings, all_settings, describe, load_settings
from corps.errors import ConfigError
from corps.settings import EnvSettings, Settings, Tcp, Threads

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"

SaveFile = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> SaveFile:
    def write(text: str, name: str = "corps.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


def load(config: Any = None, environ: Mapping[str, str] | None = None, **overrides: Any) -> LoadedSettings:
    return load_settings(config, environ=environ or {}, overrides=overrides)


def refusal(config: Any = None, environ: Mapping[str, str] | None = None, **overrides: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(config, environ, **overrides)
    return str(caught.value)


# Where a value comes from


def test_without_any_source_every_value_is_its_default() -> None:
    settings, sources = load()
    assert settings == Settings()
    assert set(sources.values()) == {"default"}


def test_there_is_an_env_for_each_core_on_which_the_process_may_run() -> None:
    before = os.sched_getaffinity(0)
    assert load()[0].envs == len(before)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert load()[0].envs == 1
    finally:
        os.sched_setaffinity(0, before)


def test_each_source_is_stronger_than_the_one_before(tmp_path: Path, save: SaveFile) -> None:
    file = save("envs = 2\nmailbox = 2\ngrace = 2\nexit_timeout = 2\n")
    settings, sources = load_settings(
        {"grace": 4.0, "exit_timeout": 4.0},
        directory=tmp_path,
        environ={"CORPS_MAILBOX": "3", "CORPS_GRACE": "3", "CORPS_EXIT_TIMEOUT": "3"},
        overrides={"exit_timeout": 5.0},
    )
    assert (settings.envs, settings.mailbox, settings.grace, settings.exit_timeout) == (2, 3, 4.0, 5.0)
    assert sources["envs"] == f"file {file}"
    assert sources["mailbox"] == "environment CORPS_MAILBOX"
    assert sources["grace"] == "argument grace"
    assert sources["exit_timeout"] == "argument exit_timeout"
    assert sources["tag"] == "default"


def test_a_group_can_be_filled_from_several_sources(save: SaveFile) -> None:
    file = save("[threads]\nmin = 2\nidle = 1.5\n")
    settings, sources = load(file, {"CORPS_THREADS__MAX": "8"}, threads={"idle": 3.0})
    assert settings.threads == Threads(min=2, max=8, idle=3.0)
    assert sources["threads.min"] == f"file {file}"
    assert sources["threads.max"] == "environment CORPS_THREADS__MAX"
    assert sources["threads.idle"] == "argument threads.idle"


def test_every_setting_has_a_source_and_a_row_in_the_description() -> None:
    loaded = load(threads={"max": 8})
    rows = describe(loaded)
    assert [key for key, _, _ in rows] == list(loaded.sources) == list(all_settings())
    assert ("threads.max", 8, "argument threads.max") in rows
    assert ("tcp.host", "127.0.0.1", "default") in rows


def test_arguments_may_be_dotted_nested_models_or_settings() -> None:
    expected = Settings(threads=Threads(max=8))
    assert load({"threads.max": 8}).settings == expected
    assert load({"threads": {"max": 8}}).settings == expected
    assert load({"threads": Threads(max=8)}).settings == expected
    assert load(expected).settings == expected


def test_of_a_settings_object_only_what_was_given_to_it_counts() -> None:
    settings, sources = load(Settings(envs=3), {"CORPS_MAILBOX": "7", "CORPS_ENVS": "5"})
    assert (settings.envs, settings.mailbox) == (3, 7)
    assert sources["envs"] == "argument envs"


def test_a_weaker_value_that_was_replaced_is_not_judged(save: SaveFile) -> None:
    assert load(save("envs = -1"), envs=2).settings.envs == 2


# Files


def test_corps_toml_is_preferred_to_pyproject_toml(tmp_path: Path, save: SaveFile) -> None:
    save("[tool.corps]\nenvs = 3\nmailbox = 3\n", "pyproject.toml")
    assert load_settings(directory=tmp_path, environ={}).settings.envs == 3
    save("envs = 2\n")
    settings = load_settings(directory=tmp_path, environ={}).settings
    assert (settings.envs, settings.mailbox) == (2, Settings().mailbox)


def test_a_pyproject_without_our_table_is_passed_over(tmp_path: Path, save: SaveFile) -> None:
    save("[tool.other]\nenvs = 3\n", "pyproject.toml")
    assert set(load_settings(directory=tmp_path, environ={}).sources.values()) == {"default"}


def test_an_explicit_file_replaces_the_search(tmp_path: Path, save: SaveFile) -> None:
    save("envs = 2\n")
    other = save("mailbox = 4\n", "other.toml")
    settings, sources = load_settings(str(other), directory=tmp_path, environ={})
    assert settings.mailbox == 4
    assert sources["envs"] == "default"


def test_a_relative_path_is_shown_in_full(
    tmp_path: Path, save: SaveFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = save("envs = 2\n")
    monkeypatch.chdir(tmp_path)
    assert load("corps.toml").sources["envs"] == f"file {file}"


def test_no_directory_looks_nowhere(tmp_path: Path, save: SaveFile, monkeypatch: pytest.MonkeyPatch) -> None:
    save("envs = 2\n")
    monkeypatch.chdir(tmp_path)
    assert load().sources["envs"] == "default"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.toml") == f"there is no configuration file {tmp_path / 'gone.toml'}"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path).startswith(f"cannot read file {tmp_path}: ")


def test_a_file_that_is_no_toml_is_named_with_the_line(save: SaveFile) -> None:
    file = save("envs = 2\nmailbox =\n")
    message = refusal(file)
    assert str(file) in message
    assert "line 2" in message


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "corps.toml"
    file.write_bytes(b"tag = '\xff'\n")
    assert refusal(file).startswith(f"file {file} is not a text in UTF-8")


def test_an_explicit_pyproject_must_have_our_table(save: SaveFile) -> None:
    for text in ("[project]\nname = 'x'\n", "[tool]\ncorps = 3\n", "tool = 3\n"):
        file = save(text, "pyproject.toml")
        assert refusal(file) == f"file {file} has no table [tool.corps]"


def test_a_path_to_the_table_of_a_pyproject_is_read(save: SaveFile) -> None:
    file = save("[tool.corps.tcp]\nports = 5000\n", "pyproject.toml")
    assert load(file).settings.tcp.ports == "5000"


# Unknown keys


def test_an_unknown_key_in_a_file_names_the_file_and_a_near_key(save: SaveFile) -> None:
    file = save("[threads]\nmaximum = 3\n")
    assert refusal(file) == (
        f"threads.maximum (file {file}): no such setting; did you mean threads.max? "
        "Valid: threads.min, threads.max, threads.idle"
    )


def test_an_unknown_variable_is_refused_with_a_near_variable() -> None:
    message = refusal(environ={"CORPS_THREAD__MAX": "3"})
    assert message.startswith(
        "CORPS_THREAD__MAX (environment): no such setting; did you mean CORPS_THREADS__MAX? Valid: CORPS_ENVS"
    )


@pytest.mark.parametrize("variable", ["CORPS_envs", "CORPS_THREADS", "CORPS_THREADS_MAX", "CORPS_"])
def test_a_variable_is_spelled_exactly(variable: str) -> None:
    assert refusal(environ={variable: "3"}).startswith(f"{variable} (environment): no such setting")


def test_variables_that_are_not_ours_are_left_alone() -> None:
    environ = {"CORPSE": "1", "HOME": "/", "XCORPS_ENVS": "x", "corps_envs": "1", "WRITE_TABLES": "1"}
    assert set(load(environ=environ).sources.values()) == {"default"}


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("env", "envs"), ("max_threads", "threads.max"), ("host", "tcp.host"), ("thread", "threads")],
)
def test_the_suggestion_finds_what_was_probably_meant(wrong: str, meant: str) -> None:
    message = refusal({wrong: 3})
    assert message.startswith(f"{wrong} (argument {wrong}): no such setting; did you mean {meant}? Valid: ")
    assert message.endswith(", ".join(all_settings()))


def test_without_a_near_key_nothing_is_suggested() -> None:
    assert refusal(zzz=1).startswith("zzz (argument zzz): no such setting. Valid: envs, tag, ")


def test_a_value_for_a_whole_group_is_refused() -> None:
    assert refusal(threads=8) == (
        "threads = 8 (argument threads): is a group of settings: threads.min, threads.max, threads.idle"
    )


def test_all_problems_are_told_at_once(save: SaveFile) -> None:
    message = refusal(save("envs = 0\nenvz = 1\n"), {"CORPS_MAILBOX": "many"}, grace=-1.0)
    assert [re.split(r"[ =]", line)[0] for line in message.splitlines()] == [
        "envz",
        "envs",
        "mailbox",
        "grace",
    ]


# Bad values


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("envs", 0, "must be a whole number from 1 to 1024"),
        ("envs", 1025, "must be a whole number from 1 to 1024"),
        ("envs", "2", "must be a whole number from 1 to 1024"),
        ("envs", True, "must be a whole number from 1 to 1024"),
        ("envs", 2.0, "must be a whole number from 1 to 1024"),
        ("envs", None, "must be a whole number from 1 to 1024"),
        ("envs", {"min": 1}, "must be a whole number from 1 to 1024"),
        ("tag", "a b", "must be at most 64 letters, digits, dots, underscores and hyphens"),
        ("tag", "a\n", "must be at most 64 letters, digits, dots, underscores and hyphens"),
        ("threads.min", 33, None),
        ("threads.max", 0, "must be a whole number from 1 to 10000"),
        ("threads.idle", -0.1, "must be a number not less than 0"),
        ("mailbox", 0, "must be a whole number not less than 1"),
        ("window.requests", 0, "must be a whole number not less than 1"),
        ("window.bytes", "64M", "must be a whole number not less than 1"),
        ("send_timeout", -1, 'must be a number not less than 0 or "none"'),
        ("send_timeout", float("inf"), 'must be a number not less than 0 or "none"'),
        ("codec", "json", 'must be "pickle" or "dill"'),
        ("out_of_band", -1, "must be a whole number not less than 0"),
        ("transport", "udp", 'must be "unix" or "ipc" or "tcp"'),
        ("tcp.allow_wildcard", 1, "must be true or false"),
        ("tcp.host", "", "must be a host name, an address, or the name of an interface"),
        ("tcp.host", "tcp://x", "must be a host name, an address, or the name of an interface"),
        ("tcp.ports", "all", 'must be "0", a port such as "5000", or a range such as "5000-5010"'),
        ("tcp.ports", "0-10", 'must be "0", a port such as "5000", or a range such as "5000-5010"'),
        ("tcp.ports", "65536", "must name ports from 1 to 65535"),
        ("tcp.ports", "5000-65536", "must name ports from 1 to 65535"),
        ("tcp.ports", "5010-5000", "is a range that ends before it begins: 5010 is more than 5000"),
        ("max_message", 1023, "must be a whole number from 1024 to 1099511627776"),
        ("handshake_timeout", 0, "must be a number greater than 0"),
        ("boot_timeout", float("nan"), "must be a number greater than 0"),
        ("exit_timeout", "5", "must be a number not less than 0"),
        ("grace", -1, "must be a number not less than 0"),
        ("deadlock_probe", 0, "must be a number greater than 0"),
        ("shared_memory.bytes", 1, "must be a whole number not less than 1048576"),
        ("shared_memory.kept", -1, "must be a whole number not less than 0"),
        ("spin", 1, "must be a number from 0 to 0.01"),
        ("switch_interval", 0, "must be a number from 1e-05 to 1"),
        ("log_level", "LOUD", "must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    ],
)
def test_a_bad_value_is_refused_with_what_is_allowed(key: str, value: Any, allowed: str | None) -> None:
    if allowed is None:
        assert refusal({key: value}) == (
            "threads.max = 32 (default): must not be less than threads.min, which is 33"
        )
    else:
        assert refusal({key: value}) == f"{key} = {value!r} (argument {key}): {allowed}"


@pytest.mark.parametrize(
    "host", ["*", "0.0.0.0", "::", "[::]", "0", "0x0", "0.0", "0:0::0", "::ffff:0.0.0.0"]
)
def test_a_wildcard_host_is_refused_unless_allowed(host: str) -> None:
    assert refusal({"tcp.host": host}) == (
        f"tcp.host = {host!r} (argument tcp.host): would listen on every interface of the machine; "
        "name one address, or set tcp.allow_wildcard to true"
    )
    assert load({"tcp.host": host, "tcp.allow_wildcard": True}).settings.tcp.host == host


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "::1", "[::1]", "localhost", "10.0.0.7", "eth0", "fe80::1%eth0"]
)
def test_one_address_is_allowed(host: str) -> None:
    assert load({"tcp.host": host}).settings.tcp.host == host


@pytest.mark.parametrize(
    ("ports", "expected"),
    [("0", range(1)), ("5000", range(5000, 5001)), (5000, range(5000, 5001)), ("1-65535", range(1, 65536))],
)
def test_ports_are_a_range(ports: str | int, expected: range) -> None:
    assert load({"tcp.ports": ports}).settings.tcp.port_range() == expected


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"beat.every": 1.5}, "must not be less than three times beat.every, which is 1.5"),
        ({"beat.suspect": 2.0}, "must not be less than three times beat.every, which is 1.0"),
        ({"beat.suspect": 10.0}, "must be more than beat.suspect, which is 10.0"),
        ({"beat.dead": 3.0}, "must be more than beat.suspect, which is 3.0"),
    ],
)
def test_nobody_is_dead_before_he_is_suspect_nor_suspect_at_once(
    values: dict[str, float], complaint: str
) -> None:
    assert complaint in refusal(values)


@pytest.mark.parametrize("dead", [None, "none"])
def test_the_beat_can_be_switched_off(dead: str | None) -> None:
    assert load({"beat.dead": dead, "beat.suspect": 100.0}).settings.beat.dead is None


# What single Envs have


def test_a_file_has_a_table_for_each_env_of_which_it_says_something(save: SaveFile) -> None:
    own = '[envs.2]\nenv = { DEVICES = 1 }\nnice = 5\ncpus = [0, 1]\nlabels = ["gpu"]\n'
    loaded = load(save(f"[envs]\ncount = 3\n{own}[envs.front]\nnice = 1\n"))
    assert loaded.settings.envs == 3
    expected = EnvSettings(env={"DEVICES": "1"}, nice=5, cpus=(0, 1), labels=("gpu",))
    assert loaded.settings.per_env == {"2": expected, "front": EnvSettings(nice=1)}
    assert load(save("envs = 3\n" + own.replace("envs.2", "per_env.2"))).settings.per_env == {"2": expected}


def test_tables_are_described_as_plain_data() -> None:
    component = {"use": "m:C", "needs": ["a"]}
    loaded = load({"per_env": {"2": {"labels": ["gpu"]}}, "autoload": {"components": [component, "n:D"]}})
    rows = {key: value for key, value, _ in describe(loaded)}
    assert json.loads(json.dumps(rows))["per_env"] == {
        "2": {"env": {}, "nice": None, "cpus": [], "labels": ["gpu"]}
    }
    assert [each["use"] for each in rows["autoload.components"]] == ["m:C", "n:D"]


def test_the_number_of_envs_can_come_from_elsewhere(save: SaveFile) -> None:
    settings = load(save("[envs.2]\nnice = 5\n"), envs=4).settings
    assert (settings.envs, list(settings.per_env)) == (4, ["2"])


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"2": {"nice": 30}}, "per_env.2.nice = 30 "),
        ({"2": {"nise": 3}}, "per_env.2.nise = 3 "),
        ({"2": {"cpus": [-1]}}, "per_env.2.cpus.0 = -1 "),
        ({"2": {"labels": "gpu"}}, "per_env.2.labels = 'gpu' "),
        ({"2": {"env": {"A": True}}}, "per_env.2.env.A = True "),
        ({"2": {"env": {"A=B": "1"}}}, "an environment variable that cannot be: 'A=B' = '1'"),
        ({"0": {}}, "has a table for '0': wants ids"),
        ({"1025": {}}, "has a table for '1025': wants ids"),
        ({"back": {}}, "has a table for 'back': wants ids"),
    ],
)
def test_a_bad_table_of_an_env_is_refused_with_its_place(table: Any, complaint: str) -> None:
    assert complaint in refusal({"per_env": table})


# What an environment variable means


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("CORPS_ENVS", " 4 ", "envs", 4),
        ("CORPS_WINDOW__BYTES", "1_000_000", "window.bytes", 1_000_000),
        ("CORPS_GRACE", "1", "grace", 1.0),
        ("CORPS_SEND_TIMEOUT", "2.5", "send_timeout", 2.5),
        ("CORPS_SEND_TIMEOUT", "None", "send_timeout", None),
        ("CORPS_TCP__ALLOW_WILDCARD", "yes", "tcp.allow_wildcard", True),
        ("CORPS_TCP__ALLOW_WILDCARD", "FALSE", "tcp.allow_wildcard", False),
        ("CORPS_TCP__PORTS", "5000-5010", "tcp.ports", "5000-5010"),
        ("CORPS_CODEC", "dill", "codec", "dill"),
        ("CORPS_LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("CORPS_TAG", "", "tag", ""),
    ],
)
def test_a_variable_is_read_by_the_type_of_its_setting(
    variable: str, text: str, key: str, value: object
) -> None:
    assert (key, value, f"environment {variable}") in describe(load(environ={variable: text}))


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("CORPS_ENVS", ""),
        ("CORPS_ENVS", "many"),
        ("CORPS_ENVS", "2.5"),
        ("CORPS_GRACE", "soon"),
        ("CORPS_GRACE", "inf"),
        ("CORPS_SEND_TIMEOUT", ""),
        ("CORPS_TCP__ALLOW_WILDCARD", "maybe"),
        ("CORPS_CODEC", "PICKLE"),
    ],
)
def test_a_variable_that_cannot_be_read_is_refused_by_its_name(variable: str, text: str) -> None:
    assert f"(environment {variable}): must be " in refusal(environ={variable: text})


def test_a_file_says_none_as_a_word(save: SaveFile) -> None:
    assert load(save('send_timeout = "none"\n')).settings.send_timeout is None


@given(st.dictionaries(st.sampled_from([s.variable for s in all_settings().values()]), st.text()))
def test_no_environment_gets_past_the_error_tree(environ: dict[str, str]) -> None:
    try:
        sources = load(environ=environ).sources
    except ConfigError as error:
        message = str(error)
    else:
        from_variables = {key for key, source in sources.items() if source != "default"}
        assert from_variables == {key for key, each in all_settings().items() if each.variable in environ}
        return
    assert all("(environment CORPS_" in line or "(default)" in line for line in message.splitlines())


# The values themselves


def test_settings_travel_as_a_dump_of_plain_values() -> None:
    settings = load({"threads.max": 8, "tcp.ports": "5000-5010", "send_timeout": None}).settings
    dump = pickle.loads(pickle.dumps(settings.model_dump()))
    assert Settings(**dump) == settings
    assert load(Settings(**dump), {"CORPS_ENVS": "1"}).settings == settings


def test_settings_cannot_be_changed() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.envs = 3
    with pytest.raises(ValidationError):
        settings.tcp.ports = "5"


def test_settings_made_directly_are_judged_too() -> None:
    with pytest.raises(ValidationError):
        Settings(envs=0)
    with pytest.raises(ValidationError):
        Tcp(host="*")


def test_loading_twice_gives_the_same_and_keeps_nothing() -> None:
    assert load({"envs": 3}).settings.envs == 3
    assert load().sources["envs"] == "default"


# The reference


def default_in_words(key: str) -> str:
    if all_settings()[key].field.default_factory is not None:
        return {
            "envs": "one for each core that the process may use",
            "per_env": "none",
            "shared_memory.bytes": "a quarter of the machine's memory",
        }[key]
    value = {row: value for row, value, _ in describe(load())}[key]
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def reference_page() -> str:
    groups: dict[str, list[str]] = {
        "": [],
        "threads": [],
        "env_restart": [],
        "beat": [],
        "window": [],
        "shared_memory": [],
        "tcp": [],
        "listen": [],
        "autoload": [],
        "log": [],
        "audit": [],
        "permissions": [],
        "authentication": [],
        "timers": [],
    }
    for key, setting in all_settings().items():
        rows = groups[key.rpartition(".")[0]]
        allowed = setting.allowed().replace("|", "\\|")
        doc = setting.field.description
        assert doc, f"{key} has no description"
        rows.append(f"| `{key}` | {default_in_words(key)} | {allowed} | {doc} | `{setting.variable}` |")
    head = ["| key | default | allowed | meaning | variable |", "|---|---|---|---|---|"]
    text = [
        "# Settings",
        "",
        "<!-- Made from the code. WRITE_TABLES=1 pytest tests/unit/test_config.py writes it anew. -->",
        "",
        "A value is taken from the strongest source that has one: arguments, then environment variables,",
        "then a file, then the default. `corps config` shows every value with its source.",
        "",
        "- **Arguments** are what `boot` and the command line are given, nested or with dotted keys.",
        "- **Environment variables** begin with `CORPS_`; two underscores stand for the dot of a group.",
        "- **The file** is the one that you name, or the first `corps.toml`, or `pyproject.toml` with a",
        "  table `[tool.corps]`, that is found: beside the application, then in the folders above it, up to",
        "  the root of the project. Only one file counts ([Configuration](../guides/configuration.md)).",
        "",
        "A key that nobody knows is an error in all of them, and so is a value that is not allowed.",
        'Durations are seconds, sizes are bytes. Where `None` is allowed, files and variables say `"none"`.',
        "",
        "```toml",
        "# corps.toml",
        "envs = 4",
        "",
        "[threads]",
        "max = 16",
        "```",
        "",
        "## General",
        "",
        *head,
        *groups.pop(""),
    ]
    for name, rows in groups.items():
        doc = (Settings.model_fields[name].annotation or Settings).__doc__
        text += ["", f"## `{name}`", "", f"{doc}", "", *head, *rows]
    return "\n".join(text) + "\n"


def test_the_reference_page_lists_every_setting_as_it_is() -> None:
    page = reference_page()
    if os.environ.get("WRITE_TABLES"):
        REFERENCE.write_text(page, "utf-8")
    assert REFERENCE.read_text("utf-8") == page, "run with WRITE_TABLES=1 to write the page anew"


def test_a_corps_listens_where_it_is_said_and_nowhere_by_default() -> None:
    assert Settings().listen.hosts == ()
    assert load({"listen": {"hosts": "127.0.0.1, ::1", "port": 7000}})[0].listen.hosts == ("127.0.0.1", "::1")


@pytest.mark.parametrize(
    ("listen", "says"),
    [
        ({"hosts": ["0.0.0.0"]}, "allow_wildcard"),
        ({"hosts": ["*"], "allow_wildcard": True}, "listen.advertise"),
        ({"hosts": ["127.1"]}, "IPv4"),
        ({"hosts": ["::1"], "ports": "7010-7000"}, "before it begins"),
        ({"hosts": ["::1"], "advertise": "a.example:7000"}, "port"),
        ({"hosts": ["::1"], "silence": 0}, "silence"),
    ],
)
def test_what_cannot_be_listened_at_is_refused(listen: dict[str, Any], says: str) -> None:
    assert says in refusal({"listen": listen})
