"""Claims about what `corps run --listen` takes."""

import pytest

from corps.cli.listening import listening_settings
from corps.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ([], {}),
        (["127.0.0.1"], {"listen.hosts": "127.0.0.1"}),
        (["tcp://[::1]:7000"], {"listen.hosts": "::1", "listen.port": "7000"}),
        (["127.0.0.1:7000", "::1"], {"listen.hosts": "127.0.0.1,::1", "listen.port": "7000"}),
        (["a.example:7000", "tcp://[::1]:7000"], {"listen.hosts": "a.example,::1", "listen.port": "7000"}),
    ],
)
def test_addresses_become_settings(given: list[str], settings: dict[str, str]) -> None:
    assert listening_settings(given) == settings


@pytest.mark.parametrize("given", ["", "127.1", "h:0", "h:70000", "[::1", "a b", "tcp://"])
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="--listen"):
        listening_settings([given])


def test_the_front_has_one_port() -> None:
    with pytest.raises(ConfigError, match="7000, 7001"):
        listening_settings(["127.0.0.1:7000", "[::1]:7001"])
