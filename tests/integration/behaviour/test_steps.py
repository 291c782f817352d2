"""Claims about the steps that a request passes through, and about classes with a loop of their own."""

from typing import Any, ClassVar

import pytest

import corps
from corps.messages.outcomes import Value
from tests.integration.behaviour.paths import Way
from tests.integration.behaviour.workers import Counter


class Stepping(Counter):
    """Notes which steps it takes."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[str] = []

    def before(self, request: corps.Request) -> None:
        self.steps.append(f"before {request.method}")

    def process(self, request: corps.Request) -> Any:
        self.steps.append(f"process {request.method}")
        return super().process(request)

    def after(self, request: corps.Request, outcome: corps.Outcome) -> None:
        self.steps.append(f"after {request.method} {'failed' if outcome.failed else 'fine'}")

    def reply(self, request: corps.Request, outcome: corps.Outcome) -> None:
        self.steps.append(f"reply {request.method}")
        super().reply(request, outcome)

    async def add_softly(self) -> int:
        return self.add()

    def items(self) -> Any:
        yield from range(3)


class Changing(Counter):
    """Changes arguments and outcomes."""

    def before(self, request: corps.Request) -> None:
        if request.method == "add":
            request.args = (request.args[0] * 10,)
        if request.method == "forbidden":
            raise PermissionError("not this one")

    def forbidden(self) -> str:
        return "done after all"

    def after(self, request: corps.Request, outcome: corps.Outcome) -> corps.Outcome | None:
        if outcome.failed and request.method == "twice":
            return Value("replaced")
        if request.method == "both":
            raise RuntimeError("after is broken")
        return None

    def reply(self, request: corps.Request, outcome: corps.Outcome) -> None:
        if request.method == "named":
            request.answer("answered otherwise")
        elif request.method == "same":
            request.fail(ValueError("failed on purpose"))
        elif request.method != "keywords":  # that one is not answered here at all
            super().reply(request, outcome)


class Serving(corps.Conc):
    """A loop of its own, that takes what it wants in its own order and answers when it likes."""

    def __init__(self) -> None:
        self.rounds = 0

    def main(self) -> None:
        while True:
            request = self.receive(timeout=0.01)
            self.rounds += 1
            if request is not None:
                self.handle(request)
            elif self.is_ending():
                return

    def count(self) -> int:
        return self.rounds

    async def softly(self, n: int) -> int:
        return n

    def fail(self) -> None:
        raise LookupError("in its own loop")

    def items(self) -> Any:
        yield from range(3)

    def ask(self, other: corps.Name[Counter]) -> int:
        return int(other.add().ret)


class Late(corps.Conc):
    """Answers in the reverse order of asking, three at a time."""

    def main(self) -> None:
        held: list[corps.Request] = []
        while (request := self.receive()) is not None:
            held.append(request)
            if len(held) == 3:
                while held:
                    held.pop().answer(len(held))

    def ask(self) -> int:
        raise AssertionError("never called: main answers itself")


class Leaving(corps.Conc):
    """Its loop ends after one request, or breaks."""

    cleaned: ClassVar[list[str]] = []

    def __init__(self, witness: corps.Name[Counter], breaks: bool) -> None:
        self._witness = witness
        self._breaks = breaks

    def main(self) -> None:
        request = self.receive()
        assert request is not None
        self.handle(request)
        left = self.receive()
        assert left is not None
        if self._breaks:
            raise RuntimeError("the loop is broken")

    def cleanup(self) -> None:
        self._witness.add().result()

    def hello(self) -> str:
        return "hello"


def test_every_request_passes_the_steps_in_order(way: Way) -> None:
    stepping = way.create(Stepping)
    assert stepping.add(2).ret == 2
    assert stepping.add_softly().ret == 3
    assert stepping.value.ret == 3
    assert stepping.add("x").exception() is not None
    assert list(stepping.items().ret) == [0, 1, 2]
    stepping.frozen_seen = True
    taken = stepping.steps.ret
    expected = []
    for method, how in [
        ("add", "fine"), ("add_softly", "fine"), ("value", "fine"), ("add", "failed"), ("items", "fine"),
        ("frozen_seen", "fine"),
    ]:  # fmt: skip
        expected += [f"before {method}", f"process {method}", f"after {method} {how}", f"reply {method}"]
    assert taken[: len(expected)] == expected


def test_before_changes_arguments(way: Way) -> None:
    assert way.create(Changing).add(2).ret == 20


def test_what_before_raises_is_the_outcome_and_the_method_is_not_called(way: Way) -> None:
    with pytest.raises(PermissionError, match="not this one"):
        way.create(Changing).forbidden().result()


def test_after_replaces_an_outcome(way: Way) -> None:
    changing = way.create(Changing)
    assert changing.twice(2).ret == 4
    assert changing.twice().ret == "replaced"


def test_what_after_raises_is_the_outcome(way: Way) -> None:
    with pytest.raises(RuntimeError, match="after is broken"):
        way.create(Changing).both().result()


def test_reply_answers_or_fails_in_its_own_way(way: Way) -> None:
    changing = way.create(Changing)
    assert changing.named(1).ret == "answered otherwise"
    with pytest.raises(ValueError, match="on purpose"):
        changing.same(1).result()


def test_a_reply_that_does_not_answer_leaves_nobody_waiting(way: Way) -> None:
    assert way.create(Changing).keywords(a=1).ret == {"a": 1}


def test_a_loop_of_ones_own_handles_requests(way: Way) -> None:
    serving, counter = way.create(Serving), way.create_far(Counter)
    assert serving.count().ret > 0
    assert serving.softly(4).ret == 4
    assert list(serving.items().ret) == [0, 1, 2]
    assert serving.ask(counter).ret == 1
    with pytest.raises(LookupError, match="own loop"):
        serving.fail().result()
    with pytest.raises(corps.NoSuchMethod):
        serving.nothing()


def test_a_loop_of_ones_own_goes_on_when_nothing_comes(way: Way) -> None:
    serving = way.create(Serving)
    before = serving.count().ret
    while serving.count().ret < before + 5:
        assert serving.rounds.ret > before


def test_a_loop_that_waits_for_a_while_only_learns_that_it_is_to_end(way: Way) -> None:
    serving = way.create(Serving)
    assert serving.exit().ret is None
    with pytest.raises(corps.WorkerGone):
        serving.count().result()


def test_a_loop_of_ones_own_ends_when_it_is_asked(way: Way) -> None:
    late = way.create(Late)
    futures = [late.ask() for _ in range(3)]
    assert [future.ret for future in futures] == [0, 1, 2]
    held = [late.ask(), late.ask()]
    late.exit().result()
    for future in held:
        with pytest.raises(corps.WorkerGone):
            future.result()


@pytest.mark.parametrize("breaks", [False, True])
def test_what_a_loop_has_received_and_not_answered_fails_when_it_ends(way: Way, breaks: bool) -> None:
    witness = way.create(Counter)
    leaving = way.create(Leaving, witness, breaks)
    assert leaving.hello().ret == "hello"
    left = leaving.hello()
    with pytest.raises(corps.WorkerGone) as caught:
        left.result()
    assert caught.value.executed == "unknown"
    leaving.exit().result()
    assert witness.value.ret == 1
    with pytest.raises(corps.WorkerGone) as gone:
        leaving.hello().result()
    assert gone.value.executed == "no"


def test_a_worker_that_waits_in_its_own_loop_does_not_keep_a_pool_thread(way: Way) -> None:
    servers = [way.create(Late) for _ in range(40)]
    futures = [server.ask() for server in servers for _ in range(3)]
    assert {future.ret for future in futures} == {0, 1, 2}
