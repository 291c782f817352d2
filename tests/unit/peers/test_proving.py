"""Claims about Envs that present credentials: for whom they ask, and what waits until that is known."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from corps.addresses import BORDER
from corps.errors import BrokenError, EnvLost, NotAuthenticated, Overloaded
from corps.messages.callers import OWN, Caller
from corps.messages.contacts import Contact, ExtAddr
from corps.messages.outcomes import Value
from corps.messages.requests import CALL, DROP, EXIT, GET, PINNED, PULL, SET, WATCH, Kind, Request
from corps.packing.codecs import DATA, PICKLE
from corps.packing.data import decode_data, encode_data
from corps.packing.declared import PLAIN
from corps.packing.packer import Packer
from corps.peers.asking import Loss
from corps.peers.proving import AUTHENTICATE, Proving
from corps.peers.terms import weights_of
from corps.security.authenticators import MOST
from corps.security.credentials import Credentials, Verdict
from corps.security.key_ring import fingerprint
from corps.security.permissions import Permissions, rule
from corps.wire.frames import REFUSED, RETURNED, CancelHeader, OutcomeHeader, RequestHeader
from tests.unit.peers.test_foreign import BOBS_KEY, OWN_KEY, RIGHT, THERE, VISITOR, Border
from tests.unit.peers.test_other_owners import Index
from tests.unit.transport.sides import CountedPromise
from tests.unit.wire.writing import written

TOKEN = "the secret of alice, which is long enough"
ALICES = Credentials(TOKEN)
TARGET = ExtAddr("visitor's", 2, 7, RIGHT, Contact(THERE, THERE))


class HandGuard:
    """Settles each check when the test says so."""

    def __init__(self, *, wants_owner: bool) -> None:
        self._wants_owner = wants_owner
        self.checks: list[tuple[str, Callable[[Verdict], object]]] = []
        self.refusals: list[tuple[str, str]] = []
        self.kept: dict[Proving, Credentials] = {}
        self.is_full = False

    @property
    def wants_owner(self) -> bool:
        return self._wants_owner

    def check(self, credentials: Credentials, then: Callable[[Verdict], object]) -> None:
        if self.is_full:
            raise Overloaded("full", retry_after=1.0)
        self.checks.append((credentials.reveal(), then))

    def refused(self, label: str, reason: str, caller: Caller) -> None:
        self.refusals.append((caller.identity, reason))

    def keep(self, proving: Proving, credentials: Credentials) -> None:
        self.kept[proving] = credentials

    def forget(self, proving: Proving) -> None:
        self.kept.pop(proving, None)

    def settle(self, verdict: Verdict) -> None:
        _, then = self.checks.pop(0)
        then(verdict)


class Visited:
    """An Env with an Index and a guard, and a visitor with a key of the same owner, or of Bob's."""

    def __init__(
        self, *, is_own: bool, wants_owner: bool = False, permissions: Permissions | None = None
    ) -> None:
        self.guard = HandGuard(wants_owner=wants_owner)
        self.border = Border()
        self.side = self.border.side
        self.side.interfaces = {7: Index._corps_interface}
        self.border.foreign._terms = replace(
            self.border.foreign._terms, guard=self.guard, permissions=permissions or Permissions()
        )
        self.key = OWN_KEY if is_own else BOBS_KEY
        self.codec = PICKLE if is_own else DATA
        visitor = self.border.visit(VISITOR._replace(public_key=self.key), self.key)
        assert visitor is not None
        self.visitor = visitor
        self.number = 0

    def present(self, body: bytes | None = None, *, codec: int = DATA) -> None:
        self.number += 1
        body = PLAIN.pack_arguments((TOKEN,), {}) if body is None else body
        header = RequestHeader(self.number, CALL, BORDER, AUTHENTICATE, None, None, codec, None)
        self.border.receive(self.visitor, written(header), body)

    def ask(self, kind: Kind = CALL, method: str = "search") -> None:
        self.number += 1
        optional = {"capability": RIGHT}
        header = RequestHeader(self.number, kind, 7, method, None, None, self.codec, optional)
        args: Any = ((4, 1, 1, 1), {}) if kind is DROP else (("needle",), {})
        body = Packer().pack(args).body if self.codec == PICKLE else encode_data([["needle"], {}])
        self.border.receive(self.visitor, written(header), body)

    def answers(self) -> list[tuple[int, str]]:
        """The status and the text of what was answered since the last look."""
        return [
            (header.status, bytes(frames[1]).decode("utf-8", "replace"))
            for header, frames in self.border.sent()
            if isinstance(header, OutcomeHeader)
        ]

    def refusal(self) -> str:
        ((status, text),) = self.answers()
        assert status == REFUSED
        return text

    def callers(self) -> list[Caller | None]:
        found: list[Caller | None] = [request.caller for request in self.side.delivered]
        self.side.delivered.clear()
        return found

    @property
    def counts(self) -> dict[str, int]:
        return dict(self.side.peers.audit.counts)


@pytest.fixture
def bob() -> Visited:
    return Visited(is_own=False)


# --- what an Env that is asked makes of them ---


@pytest.mark.parametrize(("is_own", "wants_owner"), [(False, False), (True, True)])
def test_without_credentials_nothing_is_answered(is_own: bool, wants_owner: bool) -> None:
    visited = Visited(is_own=is_own, wants_owner=wants_owner)
    visited.ask()
    assert visited.callers() == []
    text = visited.refusal()
    assert "NotAuthenticated" in text
    assert "corps.connect(..., credentials=...)" in text
    assert visited.counts == {"credentials": 1}


def test_the_owner_needs_none_where_the_settings_do_not_say_so() -> None:
    visited = Visited(is_own=True)
    visited.ask()
    assert visited.callers() == [Caller(OWN, "visitor's", fingerprint(OWN_KEY), True)]


@pytest.mark.parametrize("is_own", [False, True])
def test_the_owner_alone_gets_facts_for_a_list_of_corps_without_credentials(is_own: bool) -> None:
    visited = Visited(is_own=is_own, wants_owner=True)
    for number, method in enumerate(("describe", "where_is", "set_log_level"), 1):
        header = RequestHeader(number, CALL, BORDER, method, None, None, visited.codec, None)
        body = Packer().pack(((), {})).body if is_own else encode_data([[], {}])
        visited.border.receive(visited.visitor, written(header), body)
    assert [request.method for request in visited.side.delivered] == (
        ["describe", "where_is"] if is_own else []
    )


@pytest.mark.parametrize("is_own", [False, True])
def test_with_credentials_it_asks_as_that_user(is_own: bool) -> None:
    visited = Visited(is_own=is_own, wants_owner=True)
    visited.present()
    assert visited.answers() == []
    assert visited.guard.checks[0][0] == TOKEN
    visited.guard.settle(Verdict("alice"))
    ((status, _),) = visited.answers()
    assert status == RETURNED
    visited.ask()
    assert visited.callers() == [Caller("alice", "visitor's", fingerprint(visited.key), False)]
    assert next(iter(visited.guard.kept.values())).reveal() == TOKEN
    assert visited.guard.refusals == []


@pytest.mark.parametrize("is_own", [False, True])
def test_the_rules_judge_the_user_and_not_the_owner_of_the_key(is_own: bool) -> None:
    rules = Permissions([rule("Index", identity="alice", methods=["search"])])
    visited = Visited(is_own=is_own, permissions=rules)
    visited.present()
    visited.guard.settle(Verdict("alice"))
    visited.border.sent()
    for method in ("hits", "hidden", "my_name"):
        visited.ask(method=method)
        assert "NotPermitted" in visited.refusal()
    for kind in (GET, SET, WATCH, PINNED, EXIT):
        visited.ask(kind, "exit" if kind is EXIT else "search")
        assert "NotPermitted" in visited.refusal()
    visited.ask()
    assert len(visited.callers()) == 1


def test_a_user_with_the_key_of_the_owner_steps_generators_and_gives_them_up() -> None:
    visited = Visited(is_own=True)
    visited.present()
    visited.guard.settle(Verdict("alice"))
    visited.ask(PULL)
    visited.ask(DROP)
    assert [request.kind for request in visited.side.delivered] == [PULL, DROP]


@pytest.mark.parametrize("is_own", [False, True])
def test_wrong_credentials_are_refused_once_and_counted_once(is_own: bool) -> None:
    visited = Visited(is_own=is_own)
    visited.present()
    visited.guard.settle(Verdict(reason="the token is not that of any user"))
    assert "the credentials do not count: the token is not that of any user" in visited.refusal()
    visited.ask()
    assert "NotAuthenticated" in visited.refusal()
    assert visited.callers() == []
    assert visited.guard.refusals == [("own" if is_own else "bob", "the token is not that of any user")]
    assert visited.counts == {}
    visited.present()
    visited.guard.settle(Verdict("alice"))
    visited.ask()
    assert len(visited.callers()) == 1


@pytest.mark.parametrize("is_own", [False, True])
def test_nothing_is_answered_while_they_are_checked_and_one_check_runs_at_a_time(is_own: bool) -> None:
    visited = Visited(is_own=is_own)
    visited.present()
    visited.ask()
    assert "they are being checked still" in visited.refusal()
    visited.present()
    assert "Overloaded" in visited.refusal()
    assert len(visited.guard.checks) == 1


def test_other_credentials_take_the_place_of_the_former_ones(bob: Visited) -> None:
    bob.present()
    bob.guard.settle(Verdict("alice"))
    bob.present()
    bob.ask()  # the former ones count until the check is over
    bob.guard.settle(Verdict("carol"))
    bob.ask()
    assert [caller and caller.identity for caller in bob.callers()] == ["alice", "carol"]
    bob.present()
    bob.guard.settle(Verdict(reason="no"))
    bob.ask()
    assert bob.callers() == []
    assert bob.guard.kept == {}


def test_credentials_that_are_revoked_let_nothing_more_pass_but_what_gives_up_generators() -> None:
    visited = Visited(is_own=True)
    visited.present()
    visited.guard.settle(Verdict("alice"))
    visited.border.sent()
    (proving,) = visited.guard.kept
    proving.judged(Verdict(reason="the token does not count: ExpiredSignatureError"))
    visited.ask()
    assert "ExpiredSignatureError" in visited.refusal()
    visited.ask(DROP)
    assert [request.kind for request in visited.side.delivered] == [DROP]


@pytest.mark.parametrize(
    ("body", "codec", "why"),
    [
        (Packer().pack(((TOKEN,), {})).body, PICKLE, "plain data"),
        (b"\xff\xff\xff", DATA, "no data"),
        (encode_data(TOKEN), DATA, "not one text"),
        (encode_data([[TOKEN, TOKEN], {}]), DATA, "not one text"),
        (encode_data([[], {}]), DATA, "not one text"),
        (encode_data([[7], {}]), DATA, "of the type int"),
        (encode_data([[""], {}]), DATA, "empty"),
        (encode_data([["x" * (MOST + 1)], {}]), DATA, "are the most"),
        (encode_data([["x" * 1_000_000], {}]), DATA, "not so large"),
    ],
)
@pytest.mark.parametrize("is_own", [False, True])
def test_what_cannot_be_credentials_is_refused_before_any_check(
    is_own: bool, body: bytes, codec: int, why: str
) -> None:
    visited = Visited(is_own=is_own)
    visited.present(body, codec=codec)
    assert visited.guard.checks == []
    text = visited.refusal()
    assert "NotAuthenticated" in text
    assert why in text
    assert TOKEN not in text
    assert len(visited.guard.refusals) == 1


def test_where_too_many_are_checked_another_try_may_do(bob: Visited) -> None:
    bob.guard.is_full = True
    bob.present()
    assert "Overloaded" in bob.refusal()
    bob.guard.is_full = False
    bob.present()
    bob.guard.settle(Verdict("alice"))
    bob.ask()
    assert len(bob.callers()) == 1


def test_without_a_guard_they_make_no_difference() -> None:
    visited = Visited(is_own=True)
    peer = visited.border.foreign.find(VISITOR.incarnation)
    assert peer is not None
    peer.answering.proving._guard = None
    visited.present()
    visited.ask()
    assert [caller and caller.identity for caller in visited.callers()] == [OWN]


def test_what_a_peer_has_presented_goes_with_it(bob: Visited) -> None:
    bob.present()
    bob.guard.settle(Verdict("alice"))
    bob.present()
    peer = bob.border.foreign.find(VISITOR.incarnation)
    assert peer is not None
    bob.border.foreign.lose(peer, Loss("it is gone"))
    assert bob.guard.kept == {}
    bob.guard.settle(Verdict("alice"))  # of the check that was under way
    assert bob.guard.kept == {}


def test_the_owner_of_the_key_stays_the_one_that_the_peer_is_known_by(bob: Visited) -> None:
    bob.present()
    bob.guard.settle(Verdict("alice"))
    hello = VISITOR._replace(public_key=BOBS_KEY)
    assert bob.border.visit(hello, BOBS_KEY) is bob.visitor
    with pytest.raises(BrokenError, match="another owner"):
        bob.border.foreign.reach(replace(THERE, public_key=OWN_KEY))


def test_the_weight_is_that_of_the_user(bob: Visited) -> None:
    peer = bob.border.foreign.find(VISITOR.incarnation)
    assert peer is not None
    bob.border.foreign.lose(peer, Loss("it is gone"))
    terms = replace(bob.border.foreign._terms, weights=weights_of(["bob=3", "alice=100"]))
    bob.border.foreign._terms = terms
    visitor = bob.border.visit(VISITOR._replace(public_key=BOBS_KEY), BOBS_KEY)
    assert visitor is not None
    bob.visitor = visitor
    peer = bob.border.foreign.find(VISITOR.incarnation)
    assert peer is not None
    assert peer.answering.weight == 3
    for user, weight in (("alice", 100), ("carol", 1)):
        bob.present()
        bob.guard.settle(Verdict(user))
        assert peer.answering.weight == weight


# --- what an Env does that presents them ---


class Presenting:
    """An Env that has credentials for the Corps of the visitor."""

    def __init__(self) -> None:
        self.border = Border()
        self.credentials: Credentials | None = ALICES
        self.border.foreign._credentials = lambda corps, owner: (
            self.credentials if (corps, owner) == ("visitor's", OWN) else None
        )

    def ask(self) -> CountedPromise:
        promise = CountedPromise()
        self.border.foreign.reach(THERE).asking.send(Request(CALL, TARGET, "method", (), {}, promise))
        return promise

    def sent(self) -> list[Any]:
        return [(header.method, header.number) for header, _ in self.border.sent() if _is_request(header)]

    def answer(self, number: int, status: int = RETURNED) -> None:
        visitor = self.border.foreign.find(THERE.incarnation)
        assert visitor is not None
        body = Packer().pack(None).body
        self.border.receive(visitor.member, written(OutcomeHeader(number, status, PICKLE)), body)


def _is_request(header: object) -> bool:
    return isinstance(header, RequestHeader)


@pytest.mark.parametrize("status", [RETURNED, REFUSED])
def test_credentials_go_first_and_requests_wait_until_they_are_taken_or_refused(status: int) -> None:
    me = Presenting()
    promises = [me.ask(), me.ask()]
    ((header, frames),) = [each for each in me.border.sent() if _is_request(each[0])]
    assert (header.conc, header.method, header.codec) == (BORDER, AUTHENTICATE, DATA)
    assert decode_data(bytes(frames[1])) == [[TOKEN], {}]
    me.answer(header.number, status)
    (first, second) = me.sent()
    assert [first[0], second[0]] == ["method", "method"]
    assert first[1] < second[1]
    assert [promise.outcomes for promise in promises] == [[], []]
    me.ask()
    assert len(me.sent()) == 1  # nothing waits any more


def test_a_cancellation_stays_behind_its_request() -> None:
    me = Presenting()
    peer = me.border.foreign.reach(THERE)
    request = Request(CALL, TARGET, "method", (), {}, CountedPromise())
    peer.asking.send(request)
    peer.asking.withdraw(request)
    (number,) = [number for _, number in me.sent()]
    me.answer(number)
    assert [type(header) for header, _ in me.border.sent()] == [RequestHeader, CancelHeader]


def test_a_peer_that_is_expected_gets_them_first_too() -> None:
    me = Presenting()
    peer = me.border.foreign.expect("visitor's", 2)
    peer.asking.send(Request(CALL, TARGET, "method", (), {}, CountedPromise()))
    me.border.foreign.arrive(peer, THERE)
    assert [method for method, _ in me.sent()] == [AUTHENTICATE]


def test_a_visitor_gets_them_too_and_others_do_not() -> None:
    me = Presenting()
    assert me.border.visit(VISITOR) is not None
    assert [method for method, _ in me.sent()] == [AUTHENTICATE]
    assert me.border.visit(VISITOR._replace(corps="another", incarnation="w" * 32)) is not None
    assert (
        me.border.visit(VISITOR._replace(incarnation="x" * 32, env=3, public_key=BOBS_KEY), BOBS_KEY)
        is not None
    )
    assert me.sent() == []


def test_after_a_cut_they_are_presented_again() -> None:
    me = Presenting()
    me.ask()
    ((_, number),) = me.sent()
    me.answer(number)
    peer = me.border.foreign.find(THERE.incarnation)
    assert peer is not None
    me.border.foreign.lose(peer, Loss("its connection broke"))
    me.sent()
    me.ask()
    assert [method for method, _ in me.sent()] == [AUTHENTICATE]


def test_what_waits_for_them_fails_with_its_peer() -> None:
    me = Presenting()
    promise = me.ask()
    peer = me.border.foreign.find(THERE.incarnation)
    assert peer is not None
    me.border.foreign.lose(peer, Loss("its connection broke"))
    assert isinstance(promise.error(), EnvLost)
    assert [method for method, _ in me.sent()] == [AUTHENTICATE]


def test_outcomes_do_not_wait_for_them() -> None:
    """Else two that present credentials to each other would wait for each other."""
    me = Presenting()
    visitor = me.border.visit(VISITOR)
    assert visitor is not None
    header = RequestHeader(5, CALL, 7, "method", None, None, PICKLE, {"capability": RIGHT})
    me.border.receive(visitor, written(header), Packer().pack(((), {})).body)
    me.border.side.delivered[0].promise.settle(Value(1))
    assert [type(header) for header, _ in me.border.sent()] == [RequestHeader, OutcomeHeader]


def test_new_ones_are_presented_to_all_that_are_known() -> None:
    me = Presenting()
    me.credentials = None
    me.ask()
    assert [method for method, _ in me.sent()] == ["method"]
    me.credentials = ALICES
    me.border.foreign.present("visitor's", OWN)
    assert [method for method, _ in me.sent()] == [AUTHENTICATE]
    me.ask()
    assert me.sent() == []


def test_no_request_stays_behind_where_they_are_withdrawn_meanwhile() -> None:
    me = Presenting()
    found = [ALICES, None]
    me.border.foreign._credentials = lambda corps, owner: found.pop(0) if found else None
    me.ask()
    assert [method for method, _ in me.sent()] == ["method"]


def test_an_error_shows_nothing_of_them() -> None:
    with pytest.raises(NotAuthenticated) as raised:
        Credentials(TOKEN + "\n")
    assert TOKEN not in str(raised.value)
