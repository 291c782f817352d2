"""Claims about what an Env is told of the settings."""

from dataclasses import asdict

import pytest

from corps.managers.assembly import env_options
from corps.packing.data import decode_data, encode_data
from corps.runtime.options import EnvOptions
from corps.settings import Settings, Tcp, Threads, Window


def test_the_options_of_an_env_say_what_the_settings_say() -> None:
    settings = Settings(
        threads=Threads(min=2, max=3, idle=4.0),
        window=Window(requests=5, bytes=6),
        tcp=Tcp(host="localhost", ports="5000-5010"),
        transport="tcp",
        mailbox=7,
        log_level="ERROR",
    )
    options = env_options(settings)
    assert (options.threads_min, options.threads_max, options.threads_idle) == (2, 3, 4.0)
    assert (options.window_requests, options.window_bytes) == (5, 6)
    assert (options.transport, options.tcp_host, options.tcp_ports) == ("tcp", "localhost", (5000, 5010))
    # The others have the same names on both sides.
    shared = Settings.model_fields.keys() & asdict(options).keys()
    assert {name: getattr(options, name) for name in shared} == {
        name: getattr(settings, name) for name in shared
    }


@pytest.mark.parametrize(("ports", "ends"), [("0", (0, 0)), ("5000", (5000, 5000)), ("1-65535", (1, 65535))])
def test_a_range_of_ports_is_its_ends(ports: str, ends: tuple[int, int]) -> None:
    assert env_options(Settings(tcp=Tcp(ports=ports))).tcp_ports == ends


def test_the_options_of_an_env_cross_to_its_process_as_plain_data() -> None:
    options = env_options(Settings(send_timeout=None))
    assert EnvOptions(**decode_data(encode_data(asdict(options)))) == options
