"""Claims about processes that give no answer."""

from typing import Any

from corps.membership.places import kill_silent


def test_that_a_process_is_killed_is_known_before_its_end() -> None:
    """Was a defect: its end was taken for a loss of the front if it was seen first, and raised CorpsLost."""
    killed: set[int] = set()
    known: list[bool] = []

    class Stopped:
        env_id = -1

        def is_stopped(self) -> bool:
            return True

        def kill(self) -> None:
            known.append(-1 in killed)

    class Silent:
        process = Stopped()

    nothing: Any = None
    place: Any = Silent()
    kill_silent(nothing, [place], 1.0, killed)
    assert known == [True]
