"""Claims about Corps that listen over tcp: who reaches them there, and what works as on one host."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import corps
from tests.forks import Forks
from tests.integration.elsewhere import Listening, User

INDEX = """
import os
import corps

class Shelf(corps.Conc):
    def __init__(self):
        self.books = []

    def put(self, book):
        self.books.append(book)
        return len(self.books)

    def pid(self):
        return os.getpid()

class Index(corps.Corps):
    def __init__(self):
        self._shelf = corps.options(env=1).create(Shelf)

    def search(self, word):
        return f"{word}!"

    def shelf(self):
        return self._shelf

    def pid(self):
        return os.getpid()

    def count(self, n):
        yield from range(n)

    def size(self, data):
        return len(data)

    def fill(self, name, book):
        return name.put(book).result()
"""


@pytest.fixture
def ann(tmp_path: Path, forks: Forks) -> User:
    return User(tmp_path, "ann", forks=forks)


@pytest.fixture
def index(ann: User) -> Iterator[Listening]:
    with ann.corps(INDEX, "index", "--listen", "127.0.0.1", "--listen", "::1") as listening:
        yield listening


def test_a_corps_says_where_it_listens_and_makes_the_first_key(ann: User, index: Listening) -> None:
    assert [address.rpartition(":")[0] for address in index.addresses] == ["tcp://127.0.0.1", "tcp://[::1]"]
    assert any("made the first key of this user" in line for line in index.said)
    assert len(ann.ring.read().own) == 1


def test_a_script_elsewhere_calls_a_corps_over_ipv4_and_ipv6(ann: User, index: Listening) -> None:
    for address in index.addresses:
        said = ann.run(
            f"""
            class Mine(corps.Conc):
                def put(self, book):
                    return f"{{book}} is mine"

            if __name__ == "__main__":
                with corps.connect("{address}") as app:
                    shelf = app.shelf().ret
                    print(app.search("word").ret, shelf.put(1).ret >= 1, list(app.count(3).ret))
                    print(app.size(bytes(5_000_000)).ret, shelf.pid().ret != app.pid().ret)
                    print(app.fill(corps.create(Mine), "it").ret)
            """
        )
        assert said == "word! True [0, 1, 2]\n5000000 True\nit is mine\n", said


def test_two_corps_call_each_other_over_tcp(ann: User, index: Listening) -> None:
    other = """
    import corps
    import corps.federation.border as border
    border.is_far = lambda member, judge: bool(member.outside)

    class Shelf(corps.Conc):
        def put(self, book):
            return f"{book} is there"

    class Other(corps.Corps):
        def ask(self, address):
            with corps.connect(address) as index:
                shelf = corps.options(env=1).create(Shelf)
                return index.search("from there").ret, index.fill(shelf, "it").ret
    """
    with ann.corps(other, "other", "--listen", "127.0.0.1") as there:
        said = ann.run(f"print(corps.connect({there.addresses[0]!r}).ask({index.addresses[0]!r}).ret)")
        assert said == "('from there!', 'it is there')\n", said


def test_the_command_calls_a_corps_by_its_address(ann: User, index: Listening) -> None:
    said = ann.run(
        f"""
        import sys
        from corps.cli.main import main
        main(["call", {index.addresses[0]!r}, "search", '"word"'])
        """
    )
    assert said == '"word!"\n', said


def test_names_of_a_corps_elsewhere_can_be_stored(ann: User, index: Listening) -> None:
    said = ann.run(
        f"""
        with corps.connect({index.addresses[0]!r}) as app:
            corps.store(app.shelf().ret, "shelf")
        """
    )
    assert said == "", said
    said = ann.run(
        """
        from corps.launch.connecting import start_client
        with start_client():
            print(corps.load("shelf").put(1).ret)
        """
    )
    assert said == "1\n", said


def test_an_address_at_which_nothing_listens_is_unreachable(ann: User) -> None:
    said = ann.run(
        """
        try:
            corps.connect("tcp://127.0.0.1:1")
        except corps.Unreachable as error:
            print(error.executed, error)
        """
    )
    assert "no nothing answers at tcp://127.0.0.1:1" in said
    assert "Connection refused" in said


def test_an_address_that_is_none_is_refused(ann: User) -> None:
    for address in ("tcp://127.0.0.1", "tcp://::1:7000", "tcp://0.0.0.0:7000", "tcp://h:0"):
        with pytest.raises(corps.ConfigError, match="the address"):
            corps.connect(address)


def test_the_boot_says_why_it_cannot_listen(ann: User, index: Listening) -> None:
    port = index.addresses[0].rpartition(":")[2]
    with (
        pytest.raises(AssertionError, match=f"port {port} is taken"),
        ann.corps(INDEX, "second", "--listen", f"127.0.0.1:{port}"),
    ):
        pass


def listeners_of(pids: set[int]) -> list[str]:
    """Return the TCP sockets of some processes that listen, as the kernel shows them."""
    sockets = set()
    for pid in pids:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                sockets.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
            except FileNotFoundError:  # closed meanwhile
                continue
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.append(line)
    return found


APP = """
import os
import corps

class App(corps.Corps):
    def pid(self):
        return os.getpid()
"""


@pytest.mark.parametrize("external", [False, True])
def test_a_corps_opens_no_port_by_itself(tmp_path: Path, external: bool) -> None:
    (tmp_path / "app.py").write_text(APP)
    tag = "no-port" if external else ""
    with corps.boot(str(tmp_path / "app.py"), envs=1, external=external, tag=tag) as app:
        me = os.getpid()
        children = Path(f"/proc/{me}/task/{me}/children").read_text()  # the template, and this test's others
        pids = {me, app.pid().ret, *map(int, children.split())}
        assert listeners_of(pids) == []


def test_a_corps_that_is_not_external_does_not_listen(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with pytest.raises(corps.ConfigError, match="not external"):
        corps.boot(str(tmp_path / "app.py"), envs=1, config={"listen": {"hosts": ["127.0.0.1"]}})


def test_an_env_that_is_killed_is_found_again_by_its_names(ann: User) -> None:
    source = INDEX.replace(
        "class Shelf(corps.Conc):", "class Shelf(corps.Conc):\n    restart = corps.Restart('permanent')\n"
    )
    with ann.corps(source, "index", "--listen", "127.0.0.1", "--set", "listen.silence=1") as index:
        said = ann.run(
            """
            import os, signal, sys, time
            os.environ["CORPS_LISTEN__SILENCE"] = "1"
            with corps.connect(sys.argv[1]) as app:
                shelf = app.shelf().ret
                before = shelf.pid().ret
                os.kill(before, signal.SIGKILL)
                until = time.monotonic() + 40
                after = before
                while after == before and time.monotonic() < until:
                    try:
                        after = shelf.pid().ret
                    except corps.EnvLost:
                        time.sleep(0.05)
                print("back" if after != before else "gone", app.search("word").ret)
            """,
            index.addresses[0],
        )
    assert said == "back word!\n", said
