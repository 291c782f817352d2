"""`corps run --listen`: addresses that are typed, as settings."""

from collections.abc import Mapping, Sequence

from corps.endpoints import read_place
from corps.errors import ConfigError


def listening_settings(addresses: Sequence[str]) -> Mapping[str, str]:
    """Return the settings for what `--listen` was given, each as a text.

    Raises:
        ConfigError: One is no address, or two name different ports.
    """
    if not addresses:
        return {}
    hosts, ports = [], set()
    for text in addresses:
        try:
            host, port = read_place(text)
        except ValueError as error:
            raise ConfigError(f"--listen {text!r:.200} {error}") from error
        hosts.append(host)
        if port is not None:
            ports.add(port)
    if len(ports) > 1:
        named = ", ".join(map(str, sorted(ports)))
        raise ConfigError(f"--listen names the ports {named}: the front listens at one, on all hosts")
    found = {"listen.hosts": ",".join(hosts)}
    if ports:
        found["listen.port"] = str(ports.pop())
    return found
