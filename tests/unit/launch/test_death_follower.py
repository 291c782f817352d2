"""Claims about the thread that passes on the ends of processes."""

import logging
from queue import SimpleQueue
from typing import Any

import pytest

from corps.addresses import FRONT
from corps.errors import CorpsLost
from corps.launch.corps_end import CorpsEnd
from corps.launch.death_follower import DeathFollower
from corps.launchers.launcher import Exit
from corps.messages.endings import Failure
from corps.messages.outcomes import Value


class Membership:
    """Raises for Env 1, and knows no process of Env 9."""

    def __init__(self) -> None:
        self.ended: list[int] = []

    def failure_of(self, ended: Exit) -> Failure | None:
        return None if ended.env_id == 9 else Failure("killed", "killed by the test")

    def env_ended(self, ended: Exit, failure: Failure) -> None:
        if ended.env_id == 1:
            raise ValueError("planted")
        self.ended.append(ended.env_id)


def follow(*env_ids: int, comes_back: bool = False, killed: bool = False, expected: bool = False) -> Any:
    end, membership = CorpsEnd(), Membership()
    exits: SimpleQueue[Exit | None] = SimpleQueue()
    deaths = DeathFollower(exits, membership, end, comes_back=comes_back)  # type: ignore[arg-type]
    if killed:
        deaths.killed = {FRONT}
    if expected:
        deaths.expect_ends()
    for env_id in env_ids:
        exits.put(Exit(env_id, f"pid {env_id}", None, 9))
    deaths.start()
    deaths.finish(30.0)
    assert not deaths._thread.is_alive()
    return end, membership


def test_each_end_is_passed_on_also_after_one_that_could_not_be(caplog: pytest.LogCaptureFixture) -> None:
    end, membership = follow(3, 1, 9, 2)
    assert membership.ended == [3, 2]
    assert not end.is_wanted.is_set()
    assert "the end of env1 was not passed on" in caplog.text
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "env3 is lost: killed by the test",
        "env2 is lost: killed by the test",
    ]


def test_the_death_of_the_front_ends_the_corps() -> None:
    end, membership = follow(FRONT)
    assert membership.ended == [FRONT]
    end.be_over(end.outcome(Value(None)))
    with pytest.raises(CorpsLost, match="killed by the test; it comes back if its class"):
        end.ask().result()


@pytest.mark.parametrize("why_not", ["comes_back", "killed", "expected"])
def test_but_not_if_it_comes_back_or_is_to_end(why_not: str, caplog: pytest.LogCaptureFixture) -> None:
    end, membership = follow(FRONT, **{why_not: True})
    assert membership.ended == [FRONT]
    assert not end.has_failed
    assert ("is lost" in caplog.text) == (why_not != "expected")
