"""Claims about Envs of other owners: what they may ask, and that no byte of theirs is ever unpickled."""

import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

import pytest

import corps
from corps.addresses import BORDER, FOREIGN, ConcAddr
from corps.errors import (
    BrokenError,
    DefinitionError,
    EnvLost,
    NotPermitted,
    Overloaded,
    PackError,
    RemoteError,
    UnpackError,
)
from corps.federation.service import BorderService
from corps.messages.callers import OWN, Caller
from corps.messages.contacts import Contact, ExtAddr
from corps.messages.members import Member
from corps.messages.outcomes import Refused, Value
from corps.messages.requests import (
    ANEXT,
    CALL,
    DROP,
    EXIT,
    GET,
    NEXT,
    PINNED,
    PULL,
    SET,
    WATCH,
    Kind,
    Request,
)
from corps.messages.streams import SENDER, WHOLE, Held, Streaming
from corps.packing.codecs import DATA, DILL, PICKLE
from corps.packing.data import decode_data, encode_data
from corps.packing.identities import Identities
from corps.packing.packer import Packer
from corps.peers.answering import contents_of
from corps.peers.asking import Loss
from corps.peers.foreign import ForeignPeer, ForeignPeers
from corps.peers.limits import Limits
from corps.peers.terms import Terms
from corps.security.audit import Details
from corps.security.capabilities import capability_of
from corps.security.key_ring import KeyVerdict, fingerprint
from corps.security.permissions import Permissions, declare_rule, rule
from corps.wire.fair_share import Room
from corps.wire.frames import (
    RAISED,
    REFUSED,
    RETURNED,
    STREAMED,
    CancelHeader,
    DefineHeader,
    Hello,
    OutcomeHeader,
    RequestHeader,
    read_header,
)
from tests.unit.transport.sides import CORPS, CountedPromise, Side
from tests.unit.wire.writing import written

SECRET = bytes(range(32))
KEY = "k" * 40
OWN_KEY = "o" * 40
BOB = Hello("bob's", 2, "b" * 32, "tcp://bob", KEY)
THERE = Member(2, "b" * 32, "tcp://bob", KEY, corps="bob's")
RIGHT = capability_of(SECRET, 1, 7)


@dataclass
class Hit:
    page: str
    score: float


class Index(corps.Conc):
    @corps.public
    def search(self, query: str, most: int = 10) -> list[Hit]:
        return []

    @corps.public
    def hits(self, query: str) -> Iterator[Hit]:
        yield Hit(query, 1.0)

    @corps.public
    def broken(self, lock: "os.DirEntry[str]") -> None: ...

    def hidden(self) -> None: ...


def judge(key: str) -> KeyVerdict:
    """Whose the keys of these tests are."""
    return KeyVerdict("bob" if key == KEY else OWN)


class Border:
    """An Env of an external Corps with an Index in it, and Bob, who has come to it."""

    def __init__(self, permissions: Permissions | None = None, interface: Any = Index) -> None:
        self.side = Side(1, 3)
        self.side.interfaces = {7: interface._corps_interface, BORDER: BorderService._corps_interface}
        self.came: list[ForeignPeer] = []
        self.lost: list[Loss] = []
        terms = Terms(SECRET, judge, permissions or Permissions())
        self.foreign = ForeignPeers(
            self.side.peers,
            self.side,
            self.side.transport,
            Packer(identities=Identities(RLock())),
            Limits((100, 1_000_000), 0.0, None),
            terms,
            self.came.append,
            lambda _, loss: self.lost.append(loss),
            room=Room(100, 1_000_000),
            pause=5.0,
        )
        self.side.peers.on_foreign_loss = lambda peer, loss: self.foreign.lose(peer, loss)  # type: ignore[arg-type]
        self.number = 0
        member = self.visit(BOB)
        assert member is not None
        self.bob = member

    def visit(self, hello: Hello) -> Member | None:
        assert self.side.transport.on_visitor is not None
        return self.side.transport.on_visitor(hello, hello.public_key)

    def receive(self, *frames: bytes) -> None:
        assert self.side.transport.on_message is not None
        self.side.transport.on_message(self.bob.env, frames)

    def ask(
        self,
        method: str = "search",
        body: bytes | None = None,
        kind: Kind = CALL,
        conc: int = 7,
        capability: bytes | None = RIGHT,
        codec: int = DATA,
        wants_answer: bool = True,
        more: tuple[bytes, ...] = (),
    ) -> int:
        """Have Bob send a request; return its number."""
        self.number += 1
        optional = None if capability is None else {"capability": capability}
        number = self.number if wants_answer else 0
        header = RequestHeader(number, kind, conc, method, (2, 9), 5.0, codec, optional)
        body = encode_data([["needle"], {}]) if body is None else body
        self.receive(written(header), body, *more)
        return number

    def sent(self) -> list[tuple[Any, list[bytes]]]:
        """What was sent to Bob since the last look."""
        outbox = self.side.transport.outbox
        found = [(read_header(frames), list(frames)) for frames in outbox]
        outbox.clear()
        return found

    def answer(self) -> tuple[int, Any]:
        """The one answer that was sent to Bob: its status, and what it holds."""
        ((header, frames),) = self.sent()
        assert isinstance(header, OutcomeHeader)
        assert header.codec == DATA
        (body,) = frames[1:]
        return header.status, decode_data(body)

    def delivered(self) -> Request:
        (request,) = self.side.delivered
        return request


@pytest.fixture
def border() -> Border:
    return Border()


class Canary:
    """Its pickle touches a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[bytes]:
    bird = tmp_path / "bird"
    yield pickle.dumps(Canary(bird))
    if bird.exists():  # no assert: with -O it would not look
        pytest.fail("bytes of another owner were unpickled")


# --- what another owner asks ---


def test_a_public_method_gets_its_arguments_as_they_are_declared(border: Border) -> None:
    border.ask()
    request = border.delivered()
    assert request.caller == Caller("bob", "bob's", fingerprint(KEY), False)
    assert request.sender == ConcAddr("bob's", 2, 9)
    assert request.deadline is not None
    request.open()
    assert (request.args, request.kwargs) == (("needle",), {})
    request.answer([Hit("a.html", 0.5)])
    assert border.answer() == (RETURNED, [{"page": "a.html", "score": 0.5}])


@pytest.mark.parametrize("method", ["hidden", "my_name", "__init__", "_private", "", "search.x", "exit"])
def test_nothing_else_is_reached(border: Border, method: str) -> None:
    border.ask(method)
    assert border.side.delivered == []
    status, (is_raised, kind, text, executed, _) = border.answer()
    assert (status, is_raised, kind, executed) == (REFUSED, False, "NotPermitted", "no")
    assert "no public method" in text
    assert "hidden" not in text or method == "hidden"  # it does not list what there is
    assert border.side.peers.audit.counts["permission"] == 1


@pytest.mark.parametrize("kind", [GET, SET, WATCH, PINNED, EXIT])
def test_only_calls_are_taken(border: Border, kind: Kind) -> None:
    border.ask(kind=kind)
    border.ask("kill", kind=kind)
    border.ask("exit:shutdown", kind=kind)
    assert border.side.delivered == []
    assert [decode_data(frames[1])[1] for _, frames in border.sent()] == ["NotPermitted"] * 3


def test_a_rule_can_let_another_owner_end_a_worker() -> None:
    border = Border(Permissions([rule("Index", identity="bob", verbs=["exit"])]))
    border.ask("exit:shutdown", kind=EXIT)
    assert border.side.delivered == []
    border.ask("exit", encode_data([]), kind=EXIT)
    request = border.delivered()
    request.settle(Value(None))
    assert decode_data(border.sent()[-1][1][1]) is None


def test_a_capability_is_needed_as_before(border: Border) -> None:
    for shown in (None, bytes(16), capability_of(SECRET, 1, 8)):
        border.ask(capability=shown)
    assert border.side.delivered == []
    assert border.side.peers.audit.counts["capability"] == 3


@pytest.mark.parametrize("codec", [PICKLE, DILL, 99])
@pytest.mark.parametrize("kind", [CALL, PULL, DROP, EXIT, GET, SET, PINNED, WATCH])
def test_bytes_of_a_pickle_are_never_unpickled(border: Border, canary: bytes, codec: int, kind: Kind) -> None:
    border.ask(body=canary, codec=codec, kind=kind)
    assert border.side.delivered == []
    _, (_, name, _, executed, _) = border.answer()
    assert (name, executed) in {("UnpackError", "no"), ("NotPermitted", "no")}


def test_a_pickle_that_says_that_it_is_data_is_never_unpickled(border: Border, canary: bytes) -> None:
    border.ask(body=canary)
    request = border.delivered()
    assert request.packed is not None
    with pytest.raises(UnpackError):
        request.open()
    with pytest.raises(UnpackError):
        contents_of(request.packed)()


def test_a_pickle_in_a_field_of_bytes_stays_bytes(border: Border, canary: bytes) -> None:
    border.ask(body=encode_data([[canary], {}]))
    with pytest.raises(UnpackError, match="str is declared"):
        border.delivered().open()


def test_buffers_and_code_of_another_owner_are_not_taken(border: Border, canary: bytes) -> None:
    border.ask(more=(canary,))
    assert border.answer()[1][1] == "UnpackError"
    border.receive(written(DefineHeader(1, PICKLE)), canary)
    assert border.side.peers.audit.counts == {"codec": 1, "protocol": 1}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (encode_data([[5], {}]), "query"),
        (encode_data([["a", "b"], {}]), "most"),
        (encode_data([["a"], {"other": 1}]), ""),
        (encode_data([["a"], {"self": 1}]), ""),
        (encode_data([["a", 1, 2], {}]), ""),
        (encode_data({"query": "a"}), ""),
        (encode_data(None), ""),
        (b"", ""),
        (b"\xdd\xff\xff\xff\xff", ""),
        (b"\x91" * 30_000, ""),
    ],
)
def test_arguments_that_do_not_fit_are_an_error_of_the_caller(border: Border, body: bytes, path: str) -> None:
    border.ask(body=body)
    request = border.delivered()
    with pytest.raises(UnpackError) as caught:
        request.open()
    assert caught.value.path == path
    caught.value.__dict__["executed"] = "no"  # as the performer says
    request.settle(Refused(caught.value))
    status, (_, kind, _, executed, _) = border.answer()
    assert (status, kind, executed) == (REFUSED, "UnpackError", "no")


def test_dead_letters_of_another_owner_are_read_as_data_too(border: Border, canary: bytes) -> None:
    border.ask()
    border.side.interfaces.clear()  # the worker has ended
    request = border.delivered()
    assert request.packed is not None
    assert contents_of(request.packed)() == (("needle",), {})


def test_over_its_rate_a_caller_is_overloaded_and_knows_when_to_try_again() -> None:
    border = Border(Permissions([rule("Index", identity="bob", rate=2)]))
    for _ in range(3):
        border.ask()
    assert len(border.side.delivered) == 2
    status, (_, kind, _, executed, retry_after) = border.answer()
    assert (status, kind, executed) == (REFUSED, "Overloaded", "no")
    assert 0 < retry_after <= 0.5
    assert border.side.peers.audit.counts["rate"] == 1


def test_the_audit_knows_whose_request_was_refused(border: Border) -> None:
    seen: list[tuple[str, str, Details]] = []
    border.side.peers.audit.watch = lambda *what: seen.append(what)
    border.ask("hidden")
    border.receive(written(DefineHeader(1, PICKLE)), b"")
    border.visit(BOB._replace(public_key=OWN_KEY))
    assert [(kind, details) for kind, _, details in seen] == [
        ("permission", Details("bob", fingerprint(KEY))),
        ("protocol", Details("bob", fingerprint(KEY))),
        ("key", Details("own", fingerprint(OWN_KEY))),
    ]
    assert "env2 of the Corps bob's" in seen[0][1]


def test_rules_name_methods_and_sizes() -> None:
    border = Border(Permissions([rule("Index", identity="bob", methods=["hits"], bytes=100)]))
    border.ask("search")
    border.ask("hits", encode_data([["x" * 200], {}]))
    assert border.side.delivered == []
    assert [decode_data(frames[1])[1] for _, frames in border.sent()] == ["NotPermitted", "NotPermitted"]
    border.ask("hits")
    assert border.delivered().method == "hits"


def test_a_class_brings_rules_with_it() -> None:
    class Ruled(Index):
        pass

    declare_rule(Ruled, rule("Ruled", identity="alice"))
    border = Border(interface=Ruled)
    border.ask()
    assert border.answer()[1][1] == "NotPermitted"
    declare_rule(Ruled, rule("Ruled", identity="bob"))
    border.ask()
    assert border.delivered().method == "search"


def test_the_owner_asks_for_everything_as_before(border: Border) -> None:
    own = border.visit(Hello("mine", 2, "m" * 32, "tcp://mine", OWN_KEY))
    assert own is not None
    header = RequestHeader(1, CALL, 7, "hidden", None, None, PICKLE, {"capability": RIGHT})
    assert border.side.transport.on_message is not None
    border.side.transport.on_message(own.env, (written(header), Packer().pack(((), {})).body))
    request = border.delivered()
    assert request.caller == Caller(OWN, "mine", fingerprint(OWN_KEY), True)


def test_a_worker_that_may_come_back_is_worth_another_try(border: Border) -> None:
    border.side.interfaces.clear()
    border.side.coming.add(7)
    border.ask()
    _, (_, kind, _, _, retry_after) = border.answer()
    assert (kind, retry_after) == ("Overloaded", 1.0)
    border.side.coming.clear()
    border.ask()
    assert border.answer()[1][1] == "WorkerGone"
    assert border.side.peers.audit.counts == {}  # that is nobody's fault


def test_what_a_method_declares_badly_is_not_said_to_others(
    border: Border, caplog: pytest.LogCaptureFixture
) -> None:
    border.ask("broken")
    _, (_, kind, text, _, _) = border.answer()
    assert kind == "RequestError"
    assert "DirEntry" not in text
    assert "DirEntry" in caplog.text


def test_the_service_of_the_border_answers_where_envs_are_and_no_more(border: Border) -> None:
    border.ask("where_is", encode_data([[2, ""], {}]), conc=BORDER, capability=None)
    assert border.delivered().method == "where_is"
    border.ask("describe", conc=BORDER, capability=None)
    assert border.answer()[1][1] == "NotPermitted"


def test_the_room_of_a_message_that_was_refused_goes_back(border: Border) -> None:
    for _ in range(25):
        border.ask("hidden", wants_answer=False)
    border.side.alarms.ring_all()
    assert sum(header.requests for header, _ in border.sent()) == 25


def test_a_number_that_is_in_use_changes_nothing(border: Border) -> None:
    number = border.ask()
    border.number -= 1
    assert border.ask("hits") == number
    assert border.side.peers.audit.counts["protocol"] == 1
    border.delivered().answer([Hit("a", 1.0)])
    assert border.answer() == (RETURNED, [{"page": "a", "score": 1.0}])


def test_a_request_can_be_cancelled(border: Border) -> None:
    number = border.ask()
    border.receive(written(CancelHeader(number)))
    assert border.answer()[1][1] == "Cancelled"


def test_errors_cross_as_texts_of_a_closed_list(border: Border) -> None:
    class Secret(KeyError):
        key = "s3cret"

    border.ask()
    border.delivered().fail(Secret("needle \udcff"))
    status, error = border.answer()
    assert (status, error) == (RAISED, [True, "KeyError", "needle \\udcff", "yes", None])


@pytest.mark.parametrize("value", [None, "x", [Hit("a", "b")], [("a", 1.0)], object(), [Hit], Index])  # type: ignore[arg-type]
def test_a_result_that_does_not_fit_is_an_error_and_not_silence(border: Border, value: Any) -> None:
    border.ask()
    border.delivered().answer(value)
    status, (_, kind, _, executed, _) = border.answer()
    assert (status, kind, executed) == (REFUSED, "PackError", "yes")


# --- generators ---


HERE = ConcAddr(CORPS, 1, 7)


class Stream(Streaming):
    """An iterator that its worker has just made for Bob."""

    is_async = False

    def __init__(self, worker: ConcAddr = HERE, share: int = WHOLE) -> None:
        self.facts = Held(worker, 12, share, FOREIGN)

    def part(self) -> "Stream":
        return self

    def held(self) -> Held:
        return self.facts

    def hand_over(self) -> Held | None:
        return self.facts if self.facts.share == WHOLE else None

    def limit(self, seconds: float | None, prefetch: int | None) -> None: ...


class AsyncStream(Stream):
    is_async = True


def given(border: Border, stream: Stream) -> Any:
    """Have Bob call a generator method, which gives a stream."""
    border.ask("hits")
    border.delivered().answer(stream)
    border.side.delivered.clear()
    return border.answer()


@pytest.mark.parametrize(("stream", "step"), [(Stream(), NEXT), (AsyncStream(), ANEXT)])
def test_items_are_pulled_as_they_are_declared(border: Border, stream: Stream, step: str) -> None:
    assert given(border, stream) == (STREAMED, [12, stream.is_async])
    border.ask("whatever", encode_data([12, 10**6]), PULL)
    request = border.delivered()
    request.open()
    assert (request.method, request.args) == (step, (12, 64))  # how, and how far ahead, is not for Bob to say
    request.answer((True, Hit("a", 1.0)))
    assert border.answer() == (RETURNED, [True, {"page": "a", "score": 1.0}])
    border.ask(body=encode_data([12]), kind=PULL)
    border.side.delivered[-1].open()
    assert border.side.delivered[-1].args == (12, None)
    border.side.delivered[-1].answer((False, "done"))
    assert border.answer() == (RETURNED, [False, "done"])
    border.ask(body=encode_data([12]), kind=PULL)  # of a second reader, which was on its way
    assert len(border.side.delivered) == 3


@pytest.mark.parametrize("body", [[13], [-1], ["x"], [12, "x"], [True], 12, {}, [[12]], [], [12, -5]])
def test_a_generator_that_was_not_given_cannot_be_pulled(border: Border, body: Any) -> None:
    given(border, Stream())
    border.ask(body=encode_data(body), kind=PULL)
    assert border.side.delivered == []
    assert border.answer()[1][1] == "NotPermitted"


def test_a_generator_is_given_up_once_and_as_a_whole(border: Border) -> None:
    border.ask(body=encode_data([12]), kind=DROP, capability=None)  # of somebody else, so far
    assert border.side.delivered == []
    assert border.answer() == (RETURNED, None)
    given(border, Stream())
    border.ask(body=encode_data([12]), kind=DROP, capability=None, wants_answer=False)
    request = border.delivered()
    request.open()
    assert request.args == (12, WHOLE, border.bob.env, -1)
    border.ask(body=encode_data([12]), kind=PULL)
    assert border.answer()[1][1] == "NotPermitted"


@pytest.mark.parametrize("stream", [Stream(ConcAddr(CORPS, 1, 8)), Stream(share=5)])
def test_an_iterator_that_others_have_too_is_not_passed_on(border: Border, stream: Stream) -> None:
    status, (_, kind, _, _, _) = given(border, stream)
    assert (status, kind) == (REFUSED, "PackError")


def test_a_peer_has_a_thousand_generators_at_most(border: Border) -> None:
    for number in range(1000):
        stream = Stream()
        stream.facts = stream.facts._replace(number=number)
        assert given(border, stream)[0] == STREAMED
    status, (_, kind, _, _, _) = given(border, Stream())
    assert (status, kind) == (REFUSED, "Overloaded")
    assert [held.number for held in border.side.forsaken] == [12]
    border.ask(body=encode_data([5]), kind=PULL)
    border.delivered().answer((False, None))
    border.side.delivered.clear()
    border.sent()
    stream = Stream()
    stream.facts = stream.facts._replace(number=2000)
    assert given(border, stream)[0] == STREAMED


# --- asking another owner ---

NAMED = ExtAddr("bob's", 2, 7, bytes(range(16)), Contact(THERE, THERE))
TYPED = NAMED.known_as(Index._corps_interface)


def ask_bob(
    border: Border,
    *args: Any,
    target: ExtAddr = TYPED,
    method: str = "search",
    kind: Kind = CALL,
    **kwargs: Any,
) -> tuple[CountedPromise, int, Any]:
    """Ask a worker of Bob's; return the promise, the number of the request, and its body as plain data."""
    promise = CountedPromise()
    border.foreign.reach(THERE).asking.send(Request(kind, target, method, args, kwargs, promise))
    ((header, frames),) = border.sent()
    assert isinstance(header, RequestHeader)
    assert header.codec == DATA
    (body,) = frames[1:]
    return promise, header.number, decode_data(body)


def reply(border: Border, number: int, status: int, value: Any, codec: int = DATA) -> None:
    body = value if type(value) is bytes else encode_data(value)
    border.receive(written(OutcomeHeader(number, status, codec)), body)


def test_arguments_and_results_travel_as_the_class_declares_them_that_is_loaded_here(border: Border) -> None:
    promise, number, body = ask_bob(border, "needle", most=3)
    assert body == [["needle"], {"most": 3}]
    reply(border, number, RETURNED, [{"page": "a", "score": 1.0}])
    assert promise.value() == [Hit("a", 1.0)]


def test_without_the_class_plain_data_goes_and_comes(border: Border) -> None:
    promise, number, body = ask_bob(border, (1, b"x"), target=NAMED, method="anything", key=None)
    assert body == [[(1, b"x")], {"key": None}]
    reply(border, number, RETURNED, [{"page": "a", "score": 1.0}])
    assert promise.value() == [{"page": "a", "score": 1.0}]


@pytest.mark.parametrize("wrong", [5, None, Hit("a", 1.0), print])
def test_what_does_not_fit_fails_before_it_is_sent(border: Border, wrong: Any) -> None:
    with pytest.raises(PackError):
        ask_bob(border, wrong)
    with pytest.raises(PackError):
        ask_bob(border, object(), target=NAMED)
    with pytest.raises(DefinitionError):
        ask_bob(border, method="broken")
    assert border.sent() == []
    assert border.foreign.reach(THERE).asking.count() == 0


@pytest.mark.parametrize("kind", [GET, SET, WATCH, PINNED])
def test_only_calls_are_sent(border: Border, kind: Kind) -> None:
    with pytest.raises(NotPermitted, match="calls of methods alone"):
        ask_bob(border, kind=kind)


@pytest.mark.parametrize("codec", [PICKLE, DILL, 99])
@pytest.mark.parametrize("status", [RETURNED, RAISED, REFUSED, STREAMED])
def test_answers_of_another_owner_are_never_unpickled(
    border: Border, canary: bytes, status: int, codec: int
) -> None:
    for said in (codec, DATA):
        promise, number, _ = ask_bob(border, "needle")
        reply(border, number, status, canary, said)
        assert isinstance(promise.error(), UnpackError)
    promise, number, _ = ask_bob(border, "needle")
    border.receive(written(OutcomeHeader(number, status, PICKLE)), encode_data(None), canary, canary)
    assert isinstance(promise.error(), UnpackError)


@pytest.mark.parametrize("value", [None, "x", [1], [{"page": 1, "score": 1.0}], [{"page": "a"}], {}])
def test_a_result_that_does_not_fit_is_an_error_here(border: Border, value: Any) -> None:
    promise, number, _ = ask_bob(border, "needle")
    reply(border, number, RETURNED, value)
    error = promise.error()
    assert isinstance(error, UnpackError)
    assert vars(error)["executed"] == "yes"


def test_errors_arrive_as_types_of_the_closed_list(border: Border) -> None:
    promise, number, _ = ask_bob(border, "needle")
    reply(border, number, RAISED, [True, "os.system", "rm", "yes", None])
    error = promise.error()
    assert isinstance(error, RemoteError)
    assert (error.type_name, type(error.origin)) == ("builtins.Exception", Exception)
    promise, number, _ = ask_bob(border, "needle")
    reply(border, number, REFUSED, [False, "Overloaded", "later", "no", 2.5])
    overloaded = promise.error()
    assert isinstance(overloaded, Overloaded)
    assert (overloaded.retry_after, overloaded.executed) == (2.5, "no")
    promise, number, _ = ask_bob(border, "needle")
    reply(border, number, REFUSED, [False, "Cancelled", "by you", "no", None])
    assert promise.outcomes[0].is_cancelled


@pytest.mark.parametrize("value", [None, [], [1], "x", [True, "KeyError", 5, "yes", None], [1, 2, 3, 4, 5]])
def test_an_error_that_is_none_is_an_error_too(border: Border, value: Any) -> None:
    promise, number, _ = ask_bob(border, "needle")
    reply(border, number, REFUSED, value)
    assert isinstance(promise.error(), UnpackError)


def test_an_iterator_of_another_owner_pulls_items_as_they_are_declared(border: Border) -> None:
    promise, number, _ = ask_bob(border, "needle", method="hits")
    reply(border, number, STREAMED, [12, True])
    worker, generator, is_async = promise.value()
    assert (worker, generator, is_async) == (TYPED, 12, True)
    assert worker.stream_of == "hits"
    promise, number, body = ask_bob(border, 12, None, target=worker, method=ANEXT, kind=PULL)
    assert body == [12]
    reply(border, number, RETURNED, [True, {"page": "a", "score": 1.0}])
    assert promise.value() == (True, Hit("a", 1.0))
    promise, number, body = ask_bob(border, 12, 5, target=worker, method=ANEXT, kind=PULL)
    assert body == [12, 5]
    reply(border, number, RETURNED, [True, 5])
    assert isinstance(promise.error(), UnpackError)
    *_, body = ask_bob(border, 12, WHOLE, SENDER, -1, target=worker, method="close", kind=DROP)
    assert body == [12]


def test_an_iterator_that_nobody_looks_at_is_given_up(border: Border) -> None:
    promise, number, _ = ask_bob(border, "needle", method="hits")
    reply(border, number, STREAMED, [12, False])
    del promise
    assert border.side.forsaken == [Held(TYPED, 12, WHOLE, SENDER)]


@pytest.mark.parametrize("value", [None, [1], [True, 1], ["x", False], [12, False, 1], [12, 0]])
def test_an_iterator_that_is_none_is_an_error(border: Border, value: Any) -> None:
    promise, number, _ = ask_bob(border, "needle", method="hits")
    reply(border, number, STREAMED, value)
    assert isinstance(promise.error(), UnpackError)
    assert border.side.forsaken == []


# --- whose an Env is ---


def test_an_env_of_another_owner_takes_the_place_of_none_of_ours(border: Border) -> None:
    mine = border.foreign.expect("mine", 4)
    said = border.visit(Hello("mine", 4, "x" * 32, "tcp://bob", KEY))  # Bob says that he is that Env
    assert said is not None
    assert said.env != mine.member.env
    assert border.came[-1].caller.identity == "bob"
    border.foreign.arrive(mine, Member(4, "y" * 32, "tcp://bob", KEY, corps="mine"))
    assert [loss.reason for loss in border.lost] == ["its key is of 'bob', and not of 'own'"]


def test_nobody_is_taken_for_an_env_with_another_key(border: Border) -> None:
    assert border.visit(Hello("bob's", 2, "b" * 32, "tcp://else", OWN_KEY)) is None
    with pytest.raises(BrokenError, match="another owner has an Env that says"):
        border.foreign.reach(Member(2, "b" * 32, "tcp://else", OWN_KEY, corps="bob's"))


def test_a_link_that_breaks_fails_what_is_under_way(border: Border) -> None:
    promise, _, _ = ask_bob(border, "needle")
    border.ask()
    assert border.side.transport.on_broken is not None
    border.side.transport.on_broken(border.bob, None)
    assert isinstance(promise.error(), EnvLost)
    assert border.side.forgotten == [border.bob.env]
