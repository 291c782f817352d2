"""Claims about what an Env is told of the settings."""

from dataclasses import asdict

import pytest

from corps.config import LoadedSettings, all_settings, describe
from corps.managers.assembly import env_options
from corps.packing.data import decode_data, encode_data
from corps.runtime.options import EnvOptions
from corps.settings import Beat, Settings, Tcp, Threads, Window

KEYS = dict.fromkeys(all_settings(), "")


def test_the_options_of_an_env_say_what_the_settings_say() -> None:
    settings = Settings(
        threads=Threads(min=2, max=3, idle=4.0),
        window=Window(requests=5, bytes=6),
        tcp=Tcp(host="localhost", ports="5000-5010"),
        beat=Beat(every=0.5, suspect=2.0, dead=8.0),
        transport="tcp",
        mailbox=7,
        log_level="ERROR",
    )
    options = asdict(env_options(settings))
    assert options.pop("tcp_ports") == (5000, 5010)
    assert options.pop("log_now") == ()
    assert options.pop("border_secret") == b""  # each boot makes one, and it stands in no setting
    said = {key.replace(".", "_"): value for key, value, _ in describe(LoadedSettings(settings, KEYS))}
    assert options == {name: said[name] for name in options}  # each has the name of its setting


def test_an_env_that_is_never_given_up_need_not_beat() -> None:
    assert env_options(Settings(beat=Beat(dead=None))).beat_every is None


@pytest.mark.parametrize(("ports", "ends"), [("0", (0, 0)), ("5000", (5000, 5000)), ("1-65535", (1, 65535))])
def test_a_range_of_ports_is_its_ends(ports: str, ends: tuple[int, int]) -> None:
    assert env_options(Settings(tcp=Tcp(ports=ports))).tcp_ports == ends


def test_the_options_of_an_env_cross_to_its_process_as_plain_data() -> None:
    options = env_options(Settings(send_timeout=None))
    assert EnvOptions(**decode_data(encode_data(asdict(options)))) == options
