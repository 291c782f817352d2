"""Claims about what the links find to have reached nobody."""

from corps.clock import now
from corps.errors import EnvLost
from corps.messages.dead_letters import DeadLetter
from corps.messages.outcomes import Value
from tests.unit.transport.sides import Side, carry, pair


def letters(side: Side) -> list[DeadLetter]:
    return side.letters.since(-1, 0)[1].items


def reasons(side: Side) -> list[str]:
    return [letter.reason for letter in letters(side)]


def test_a_request_that_is_answered_leaves_no_letter() -> None:
    one, two = pair()
    kept = one.ask(1)
    carry(one, two)
    two.delivered[0].answer(2)
    carry(one, two)
    assert kept.value() == 2
    assert reasons(one) == reasons(two) == []


def test_what_is_sent_to_an_env_that_is_lost() -> None:
    one, _ = pair()
    one.peers.lose(2, "planted")
    kept = one.ask(1)
    one.tell(1)
    assert isinstance(kept.error(), EnvLost)
    (letter,) = letters(one)
    assert (letter.reason, letter.method, letter.env) == ("lost", "method", 1)


def test_what_wanted_no_answer_and_goes_with_an_env_is_counted() -> None:
    one, _ = pair()
    for _ in range(3):
        one.tell(1)
    one.peers.lose(2, "planted", has_died=True)
    assert one.letters.counts() == {"lost": 3}
    assert [(letter.target, letter.method) for letter in letters(one)] == [("env2", "")]


def test_what_comes_from_an_env_that_is_lost() -> None:
    one, two = pair()
    kept = two.ask(1)
    carry(one, two)
    two.ask(2)
    one.delivered[0].answer("too late")  # lies on the line while the other one is declared lost
    one.peers.lose(2, "planted")
    two.peers.lose(1, "planted")
    carry(one, two)
    assert isinstance(kept.error(), EnvLost)
    assert len(one.delivered) == 1
    assert reasons(one) == ["fenced"]
    assert letters(one)[0].method == "method"
    assert reasons(two) == ["fenced"]


def test_an_answer_that_was_under_way_when_its_caller_gave_up() -> None:
    one, two = pair()
    asked = one.request(1)
    one.peers.send(asked)
    carry(one, two)
    two.delivered[0].answer(2)  # on the line
    assert asked.route is not None
    asked.route.withdraw(asked)
    carry(one, two)
    assert reasons(one) == ["late"]
    assert reasons(two) == []


def test_that_a_request_was_taken_back_in_time_is_no_letter_of_the_caller() -> None:
    one, two = pair()
    asked = one.request(1)
    one.peers.send(asked)
    carry(one, two)
    assert asked.route is not None
    asked.route.withdraw(asked)
    carry(one, two)
    assert two.delivered[0].is_given_up
    assert reasons(one) == reasons(two) == []


def test_one_that_is_taken_back_since_its_time_is_over_has_expired() -> None:
    one, two = pair()
    asked = one.request(1, deadline=now() + 1000)
    one.peers.send(asked)
    carry(one, two)
    two.delivered[0].deadline = now()
    assert asked.route is not None
    asked.route.withdraw(asked)
    carry(one, two)
    assert reasons(two) == ["expired"]


def test_an_error_says_how_long_its_request_took_but_not_one_of_the_other_side() -> None:
    one, two = pair()
    asked = one.request(1)
    asked.sent = now() - 5
    one.peers.send(asked)
    carry(one, two)
    there = two.delivered[0]
    assert there.sent is None
    there.fail(ValueError("no"))
    carry(one, two)
    error = asked.promise.error()  # type: ignore[attr-defined]
    assert error.elapsed >= 5
    assert error.incarnation == 1  # of the one that holds it there
    assert not there.settle(Value(1))
