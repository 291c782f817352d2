"""Claims about many clients of one Env: none is held up by another, memory is bounded, signs of life come."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import corps
from corps.federation.registry import read_connection_file
from corps.launch.connecting import connected, start_client
from corps.peers.fair_asking import FairAsking
from corps.security.authenticators import new_token, token_hash
from corps.security.credentials import Credentials
from tests.integration.other_corps import ROOT, OtherCorps, other_corps

SHOP = """
import os
import threading

import corps
from corps.runtime.context import acting

DOOR = threading.Event()
HELD = threading.Event()

class Served(corps.Conc):
    def __init__(self):
        self.order = []

    def hold(self):
        HELD.set()
        DOOR.wait()

    def work(self, who, payload=b""):
        self.order.append(who)
        return who

    def seen(self):
        return self.order

class Neighbour(corps.Conc):
    def ping(self):
        return os.getpid()

    def until_held(self):
        HELD.wait()

    def open_door(self):
        DOOR.set()

    def clients(self):
        here = acting()
        return here.env.border._foreign.reception.statistics()

class Shop(corps.Corps):
    def __init__(self):
        options = corps.options(env=1)
        self._workers = options.create(Served), options.create(Neighbour)
        self._strict = {
            how: corps.options(env=1, mailbox=5, when_full=how).create(Served)
            for how in ("raise", "drop_oldest")
        }

    def strict(self, how):
        return self._strict[how]

    def workers(self):
        return self._workers
"""

GREEDY = """
import sys
import corps

if __name__ == "__main__":
    record, number, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with corps.connect(record) as shop:
        served, neighbour = shop.workers().ret
        served.work("greedy").ret
        answers = []
        for each in range(number):
            if each == 8:
                print("sends", flush=True)
            answers.append(served.work("greedy", bytes(size)))
        neighbour.ping().result()
        print("sent", flush=True)
        assert {answer.ret for answer in answers} == {"greedy"}
        print(len(answers), flush=True)
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[OtherCorps]:
    small = {"foreign_requests": 1000, "foreign_bytes": 2**20}
    with other_corps(tmp_path, SHOP, window=small, working_every=0.1) as other:
        yield other


@contextmanager
def greedy(folder: Path, shop: OtherCorps, number: int, size: int) -> Iterator["subprocess.Popen[str]"]:
    script = folder / "greedy.py"
    script.write_text(textwrap.dedent(GREEDY))
    with subprocess.Popen(
        [sys.executable, str(script), str(shop.record), str(number), str(size)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_client_that_has_sent_many_holds_up_another_one_by_a_few(shop: OtherCorps, tmp_path: Path) -> None:
    with corps.connect(shop.record) as app:
        served, neighbour = app.workers().ret
        held = served.hold()
        with greedy(tmp_path, shop, 300, 0) as process:
            # Its first call waits for the one that is held.
            neighbour.open_door().result()
            held.result()
            assert line_of(process) == "sends"
            assert line_of(process) == "sent"
            assert line_of(process) == "300"
        assert Counter(served.seen().ret) == {"greedy": 301}


def test_clients_have_their_turns(shop: OtherCorps) -> None:
    with corps.connect(shop.record) as app, second_client(app) as other_served:
        served, neighbour = app.workers().ret
        held = served.hold()
        many = [served.work("greedy") for _ in range(200)]
        neighbour.ping().result()  # by the same way: all of them have come
        few = [other_served.work("other") for _ in range(20)]
        other_served.work.send("sent")
        pause = threading.Event()
        while neighbour.clients().ret["requests"] < 222:
            pause.wait(0.01)
        neighbour.open_door().result()
        assert held.ret is None
        assert [each.ret for each in (*many, *few)] == ["greedy"] * 200 + ["other"] * 20
        order = served.seen().ret
        assert order.count("greedy") == 200
        assert order.count("other") == 20
        last = len(order) - order[::-1].index("sent")
        assert last <= 50  # of 221; one by one, and a few that had come before


def test_the_newest_of_two_clients_take_the_places_of_their_oldest(shop: OtherCorps) -> None:
    with corps.connect(shop.record) as app:
        served, (_, neighbour) = app.strict("drop_oldest").ret, app.workers().ret
        client = start_client()
        try:
            other_served: Any = corps.Name(served._addr, served._interface, client._env)
            held = served.hold()
            neighbour.until_held().result()
            ours = [served.work(f"ours {each}") for each in range(20)]
            for future in ours[2:17]:  # the first two lie in the mailbox
                with pytest.raises(corps.Overloaded, match="a newer one has come") as caught:
                    future.result()
                assert caught.value.executed == "no"
            theirs = [other_served.work(f"theirs {each}") for each in range(20)]
            corps.wait_all(theirs[:19])
            neighbour.open_door().result()
            assert held.ret is None
            done = [each.ret for each in (*ours, *theirs) if each.failure() is None]
        finally:
            client.close()
        assert done == ["ours 0", "ours 1", "ours 18", "ours 19", "theirs 19"]
        assert sorted(served.seen().ret) == done


def test_a_name_drops_the_oldest_of_what_it_sent_over_a_border(shop: OtherCorps) -> None:
    with corps.connect(shop.record) as app:
        served, neighbour = app.workers().ret
        held = served.hold()
        neighbour.until_held().result()
        kept = [served.work(each) for each in range(10)]
        newest = served.options(when_full="drop_oldest")
        sent = [newest.work(each) for each in range(10, 1000)]
        assert corps.wait_any(sent).failure() is not None
        neighbour.open_door().result()
        assert held.ret is None
        assert [each.ret for each in (*kept, sent[-1])] == [*range(10), 999]
        failed = [each for each in sent if each.failure() is not None]
        assert failed == sent[: len(failed)]
        assert all(isinstance(each.failure(), corps.Overloaded) for each in failed)
        assert served.seen().ret == [*range(10), *range(10 + len(failed), 1000)]


def test_a_worker_refuses_what_finds_no_room_over_a_border(shop: OtherCorps) -> None:
    with corps.connect(shop.record) as app:
        served, (_, neighbour) = app.strict("raise").ret, app.workers().ret
        held = served.hold()
        neighbour.until_held().result()
        sent = [served.work(each) for each in range(12)]
        with pytest.raises(corps.Overloaded, match="full with 5"):
            sent[-1].result()
        neighbour.open_door().result()
        assert held.ret is None
        assert [each.ret for each in sent if each.failure() is None] == list(range(5))
        assert served.seen().ret == list(range(5))


def test_a_user_of_more_weight_is_served_more_often(tmp_path: Path) -> None:
    tokens = {user: new_token() for user in ("alice", "carol")}
    file = tmp_path / "tokens"
    file.touch(0o600)
    file.write_text("".join(f'{user} = "{token_hash(token)}"\n' for user, token in tokens.items()))
    source = SHOP.replace("    def __init__(self)", "    public = True\n\n    def __init__(self)").replace(
        "class Neighbour(corps.Conc):", "class Neighbour(corps.Conc):\n    public = True\n"
    )
    window, authentication = {"weights": ["alice=4"]}, {"tokens": str(file)}
    with ExitStack() as ends:
        other = ends.enter_context(
            other_corps(tmp_path, source, window=window, authentication=authentication)
        )
        record = read_connection_file(str(other.record))
        alice, carol = (connected(record, None, None, Credentials(token)) for token in tokens.values())
        ends.callback(alice.disconnect)
        ends.callback(carol.disconnect)
        (of_alice, neighbour), (of_carol, _) = alice.workers().ret, carol.workers().ret
        held = of_alice.hold()
        many = [of_alice.work("alice") for _ in range(100)] + [of_carol.work("carol") for _ in range(100)]
        pause = threading.Event()
        while neighbour.clients().ret["requests"] < 201:
            pause.wait(0.01)
        neighbour.open_door().result()
        held.result()
        assert Counter(each.ret for each in many) == {"alice": 100, "carol": 100}
        order = of_alice.seen().ret
    before = order[: len(order) - order[::-1].index("alice")]
    assert before.count("alice") == 100
    assert 20 <= before.count("carol") <= 30  # a quarter


@contextmanager
def second_client(app: Any) -> Iterator[Any]:
    """Another Env of this process, which is another client, and the worker as it sees it."""
    served, _ = app.workers().ret
    client = start_client()
    try:
        yield corps.Name(served._addr, served._interface, client._env)
    finally:
        client.close()


def test_what_waits_for_a_slow_worker_is_bounded_and_its_neighbours_go_on(
    shop: OtherCorps, tmp_path: Path
) -> None:
    most = 0
    with corps.connect(shop.record) as app:
        served, neighbour = app.workers().ret
        with greedy(tmp_path, shop, 60, 2**16) as one, greedy(tmp_path, shop, 60, 2**16) as other:
            assert [line_of(each) for each in (one, other)] == ["sends"] * 2
            held = served.hold()
            for _ in range(200):
                neighbour.ping().result()
                most = max(most, neighbour.clients().ret["bytes"])
            neighbour.open_door().result()
            held.result()
            assert [line_of(each) for each in (one, other)] == ["sent"] * 2
            assert [line_of(each) for each in (one, other)] == ["60"] * 2
        assert served.seen().ret == ["greedy"] * 122
    assert most <= 2**20 + 3 * (2**16 + 2**17)


def test_an_env_gives_signs_of_life_while_it_works_and_none_when_it_is_stopped(shop: OtherCorps) -> None:
    with corps.connect(shop.record) as app:
        served, neighbour = app.workers().ret
        pid = neighbour.ping().ret
        held = served.hold()
        peers = served._env.peers._peers.values()
        pause = threading.Event()
        while not any(peer.asking._sign[1] == 0.1 for peer in peers if isinstance(peer.asking, FairAsking)):
            assert held.alive
            pause.wait(0.01)
        os.kill(pid, signal.SIGSTOP)
        try:
            while held.alive:
                pause.wait(0.01)
        finally:
            os.kill(pid, signal.SIGCONT)
        while not held.alive:
            pause.wait(0.01)
        neighbour.open_door().result()
        assert held.ret is None
        assert held.alive
