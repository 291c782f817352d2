"""Claims about the dead letters of one Env: kept, counted, told, and little logged."""

import logging
import threading
from typing import Any

import pytest

import corps.runtime.letter_box as letter_box_module
from corps.addresses import ENV_MGR, ConcAddr
from corps.errors import EnvLost, WorkerGone
from corps.messages.dead_letters import DeadLetter
from corps.messages.outcomes import Outcome, Raised, Refused, Value
from corps.messages.promises import Sent
from corps.messages.requests import CALL, WATCH, Kind, Request
from corps.runtime.calls.futures import Future
from corps.runtime.letter_box import DeadLetterBox

CORPS = "0123456789abcdef"
SENDER, TARGET = ConcAddr(CORPS, 1, 5), ConcAddr(CORPS, 2, 6)


def box(size: int = 10) -> DeadLetterBox:
    return DeadLetterBox(1, 0, size)


def letters(of: DeadLetterBox) -> list[DeadLetter]:
    return of.since(-1, 0)[1].items


def request(promise: Any = None, *, kind: Kind = CALL, target: ConcAddr = TARGET) -> Request:
    return Request(kind, target, "add", ("secret",), {}, promise or Future(), SENDER)


class Ear:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def hear(self, letter: DeadLetter) -> None:
        self.heard.append(letter.reason)

    def end(self) -> None:
        self.heard.append("end")


def test_a_letter_says_who_wrote_to_whom_and_why_and_nothing_of_what_was_in_it() -> None:
    found = box()
    asked = request()
    assert found.settle(asked, Refused(WorkerGone("it has ended"), "ended"))
    (letter,) = letters(found)
    assert (letter.reason, letter.sender, letter.target) == ("ended", str(SENDER), str(TARGET))
    assert (letter.method, letter.env) == ("add", 1)
    assert "secret" not in repr(letter)


def test_what_reached_somebody_or_was_settled_before_is_no_letter() -> None:
    found = box()
    found.settle(request(), Value(1))
    found.settle(request(), Refused(WorkerGone("it says no")))
    settled = request()
    settled.answer(1)
    assert not found.settle(settled, Refused(WorkerGone("it has ended"), "ended"))
    assert found.counts() == {}


def test_what_the_runtime_asks_for_itself_is_no_letter() -> None:
    found = box()
    found.settle(request(kind=WATCH), Refused(WorkerGone("x"), "ended"))
    found.settle(request(target=ConcAddr(CORPS, 2, ENV_MGR)), Refused(WorkerGone("x"), "ended"))
    assert found.counts() == {}


def test_of_many_letters_the_last_are_kept_and_all_are_counted() -> None:
    found = box(3)
    for _ in range(5):
        found.note("expired", None, TARGET, "add")
    found.note("late", None, 7, "")
    found.lost_with(3, 40)
    assert [letter.reason for letter in letters(found)] == ["expired", "late", "lost"]
    assert [letter.target for letter in letters(found)][1:] == ["env7", "env3"]
    assert found.counts() == {"expired": 5, "late": 1, "lost": 40}


def test_without_room_for_any_they_are_counted_still() -> None:
    found = box(0)
    found.note("late", None, TARGET, "add")
    assert letters(found) == []
    assert found.counts() == {"late": 1}


def test_what_was_sent_without_wanting_an_answer_is_one_letter_whatever_refused_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = box()
    outcomes: dict[str, Outcome] = {
        "failed": Raised.capture(ValueError("no"), "a Counter"),
        "dropped": Refused(WorkerGone("it has ended"), "dropped"),
        "lost": Refused(EnvLost("env2 is lost")),
    }
    for outcome in outcomes.values():
        found.settle(request(Sent(found, SENDER, TARGET, "add")), outcome)
    assert [letter.reason for letter in letters(found)] == list(outcomes)
    assert found.counts() == dict.fromkeys(outcomes, 1)
    assert {record.levelno for record in caplog.records} == {logging.ERROR}
    assert f"'add' of {TARGET}, sent without wanting an answer, failed: ValueError: no" in caplog.text
    assert "\nValueError: no" in caplog.text  # its traceback


def test_one_line_a_second_and_reason_says_how_many_were_not_shown(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = [100.0]
    monkeypatch.setattr(letter_box_module, "now", lambda: time[0])
    caplog.set_level(logging.INFO, "corps.dead_letters")
    found = box()
    for _ in range(1000):
        found.note("expired", SENDER, TARGET, "add")
    found.note("late", None, TARGET, "add")
    assert len(caplog.records) == 2
    # One that nobody else hears of is not hidden by those that their callers know.
    found.unanswered(SENDER, TARGET, "add", Refused(WorkerGone("x"), "expired"))
    assert len(caplog.records) == 3
    time[0] += 1.0
    found.note("expired", SENDER, TARGET, "add")
    assert "(999 more like this were not shown)" in caplog.records[-1].getMessage()


def test_listeners_hear_until_they_do_not_want_to_or_the_env_closes() -> None:
    found, one, other, late = box(), Ear(), Ear(), Ear()
    forget = found.listen(one)
    found.listen(other)
    found.note("late", None, TARGET, "add")
    forget()
    found.note("expired", None, TARGET, "add")
    found.close()
    found.note("late", None, TARGET, "add")
    found.listen(late)
    assert one.heard == ["late"]
    assert other.heard == ["late", "expired", "end"]
    assert late.heard == ["end"]
    assert found.counts() == {"late": 2, "expired": 1}


def test_whoever_asks_with_the_number_of_another_process_gets_all_there_is() -> None:
    found = DeadLetterBox(1, 3, 10)
    found.note("late", None, TARGET, "add")
    generation, news = found.since(2, 1)
    assert (generation, len(news.items), news.missed) == (3, 1, 0)
    assert found.since(3, news.next)[1].items == []


def test_many_threads_lose_no_count() -> None:
    found, ear, start = box(4), Ear(), threading.Barrier(4)
    found.listen(ear)

    def note() -> None:
        start.wait()
        for _ in range(200):
            found.note("late", None, TARGET, "add")

    threads = [threading.Thread(target=note) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.counts() == {"late": 800}
    assert len(ear.heard) == 800
