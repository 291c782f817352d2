"""Claims about the end of a Corps: all that ask for it hear of it, and a kill misses no part."""

from threading import Barrier, Thread

import pytest

from corps.errors import CorpsLost, RestartLimit, SupervisionError
from corps.launch.corps_end import CorpsEnd
from corps.messages.endings import Failure
from corps.messages.outcomes import Raised, Value


def test_all_that_ask_hear_how_it_ended_before_and_after() -> None:
    end = CorpsEnd()
    before = [end.ask(), end.ask()]
    assert end.is_wanted.is_set()
    assert not any(each.done() for each in before)
    end.be_over(Raised.capture(ValueError("cleanup"), "app"))
    assert end.is_over.is_set()
    assert all("cleanup" in str(each.failure()) for each in before)
    assert end.ask().result() is None, "that of `cleanup` was heard already"


def test_the_first_reason_wins_and_every_later_end_says_it() -> None:
    end = CorpsEnd()
    end.limit_passed(Failure("error", "too often"))
    end.fail_at_once("a thread is missing")
    assert end.has_failed
    assert end.hurry.done()
    end.be_over(end.outcome(Value(None)))
    with pytest.raises(RestartLimit, match="too often"):
        end.ask().result()


def test_a_thread_of_the_corps_that_has_ended_ends_it_without_patience() -> None:
    end = CorpsEnd()
    end.thread_failed("corps-exits", MemoryError("planted"))
    assert end.hurry.done()
    assert end.is_wanted.is_set()
    end.be_over(end.outcome(Value(None)))
    with pytest.raises(SupervisionError, match=r"corps-exits has ended: .*planted"):
        end.ask().result()


def test_a_kill_goes_backwards_and_what_comes_too_late_is_killed_at_once() -> None:
    end = CorpsEnd()
    killed: list[str] = []
    end.at_kill(lambda: killed.append("host"))
    end.at_kill(lambda: killed.append("membership"))
    end.kill()
    assert killed == ["membership", "host"]
    assert end.hurry.done()
    assert end.is_wanted.is_set()
    end.at_kill(lambda: killed.append("late"))
    assert killed == ["membership", "host", "late"]


def test_what_is_lost_because_of_a_kill_is_not_why_the_corps_ends() -> None:
    end = CorpsEnd()
    end.kill()
    end.fail(CorpsLost("killed by SIGTERM"))
    assert not end.has_failed
    end.be_over(end.outcome(Value(None)))
    assert end.ask().result() is None


def test_a_part_that_is_made_while_the_corps_is_killed_never_survives() -> None:
    for _ in range(200):
        end, meet = CorpsEnd(), Barrier(2)
        killed: list[None] = []

        def make(end: CorpsEnd = end, meet: Barrier = meet, killed: list[None] = killed) -> None:
            meet.wait()
            end.at_kill(lambda: killed.append(None))

        maker = Thread(target=make)
        maker.start()
        meet.wait()
        end.kill()
        maker.join()
        assert killed
