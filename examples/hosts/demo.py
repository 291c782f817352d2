"""Runs examples/grep.py over three hosts of a network that it makes: make demo-hosts. It needs root and sshd.

Each host is a network namespace with a server of ssh, one with IPv4, one with IPv6. They see the same files,
as over a file system of the network, so that all of them can search.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # for what the tests make hosts with

from tests.lines.namespaces import Hosts  # noqa: E402
from tests.lines.ssh import ssh_on, why_no_ssh  # noqa: E402

HOSTS = """
[defaults]
python = "{python}"
key = "{key}"
known_hosts = "{known_hosts}"

[[host]]
name = "a"
launcher = "local"

[[host]]
name = "b"
address = "{b}"

[[host]]
name = "c"
address = "[{c}]"
"""


def main(words: list[str]) -> int:
    """Search with these words for examples/grep.py; return its exit status."""
    if problem := why_no_ssh():
        print(f"there are no hosts to run on: {problem}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name, Hosts(3, ipv6=True) as hosts:
        folder = Path(name)
        with ssh_on(hosts, (2, 3), folder) as ssh:
            table = folder / "hosts.toml"
            places = {"b": hosts.address(2), "c": hosts.address_v6(3)}
            files = {"key": ssh.key, "known_hosts": ssh.known_hosts}
            table.write_text(HOSTS.format(python=sys.executable, **places, **files))
            corps = sys.executable, "-m", "corps", "run", "--hosts", str(table)
            command = hosts.command(1, *corps, str(ROOT / "examples" / "grep.py"), "--", *words)
            return subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
