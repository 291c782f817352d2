"""Claims about who is taken to hang: nobody before his time, and everybody after it."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from corps.supervision.vitals import Judge, Verdict

EVERY, SUSPECT, DEAD = 1.0, 3.0, 10.0


class Watch:
    """A judge of one, with a clock that the test sets."""

    def __init__(self) -> None:
        self.judge: Judge[str] = Judge(EVERY, SUSPECT, DEAD)
        self.judge.add("it")
        self.at = 100.0
        self.counts: tuple[int, ...] = (0, 0)

    def look(self, after: float = EVERY, signs: Iterable[int] = ()) -> list[Verdict[str]]:
        self.at += after
        self.counts = tuple(count + (kind in signs) for kind, count in enumerate(self.counts))
        return self.judge.look(self.at, {"it": self.counts})

    def states(self, looks: int, signs: Iterable[int] = ()) -> list[tuple[int, str]]:
        """The changes, each with the number of the look that found it, from 1."""
        return [(n, each.state) for n in range(1, looks + 1) for each in self.look(signs=signs)]


def test_one_that_gives_all_signs_is_never_judged() -> None:
    assert Watch().states(100, signs=(0, 1)) == []


def test_one_that_gives_none_is_suspect_and_then_dead() -> None:
    watch = Watch()
    watch.look()
    assert watch.states(100) == [(3, "suspect"), (10, "dead")]


def test_one_kind_of_sign_is_not_enough() -> None:
    for kind in (0, 1):
        watch = Watch()
        watch.look()
        assert watch.states(100, signs=(kind,)) == [(3, "suspect"), (10, "dead")]


def test_a_sign_makes_a_suspect_well_and_the_silence_begins_anew() -> None:
    watch = Watch()
    watch.look()
    assert watch.states(9) == [(3, "suspect")]
    assert watch.look(signs=(0, 1)) == [Verdict("it", "well", (9.0, 9.0))]
    assert watch.states(100) == [(3, "suspect"), (10, "dead")]


def test_a_verdict_says_which_kind_is_silent() -> None:
    watch = Watch()
    watch.look()
    for _ in range(2):
        assert watch.look(signs=(1,)) == []
    assert watch.look(signs=(1,)) == [Verdict("it", "suspect", (3.0, 0.0))]


def test_a_late_look_judges_nobody() -> None:
    watch = Watch()
    watch.look()
    watch.states(5)
    assert watch.look(after=1000.0) == []
    assert watch.states(100) == [(5, "dead")]


def test_what_went_before_one_was_watched_does_not_count() -> None:
    watch = Watch()
    watch.judge.remove("it")
    for _ in range(20):
        watch.judge.look(watch.at, {})
        watch.at += EVERY
    watch.judge.add("it")
    watch.look()
    assert watch.states(100) == [(3, "suspect"), (10, "dead")]


def test_one_that_is_watched_no_more_is_not_judged() -> None:
    watch = Watch()
    watch.look()
    watch.judge.remove("it")
    watch.judge.remove("it")
    assert watch.judge.look(1000.0, {}) == []


def test_each_is_judged_by_its_own_signs() -> None:
    judge: Judge[int] = Judge(EVERY, SUSPECT, DEAD)
    judge.add(1)
    judge.add(2)
    found = [each for at in range(20) for each in judge.look(float(at), {1: (at,), 2: (0,)})]
    assert [(each.of, each.state) for each in found] == [(2, "suspect"), (2, "dead")]


# What holds for every course of events

steps = st.lists(st.tuples(st.floats(0.0, 5.0), st.sets(st.sampled_from([0, 1]))), max_size=80)


@given(steps)
def test_nobody_is_judged_before_so_much_silence_was_seen(steps: list[tuple[float, set[int]]]) -> None:
    watch = Watch()
    watch.look()
    # By kind: what a healthy looker has seen of its silence, and the time since its last sign.
    seen, real = [0.0, 0.0], [0.0, 0.0]
    state = "well"
    for after, signs in steps:
        for kind in (0, 1):
            seen[kind] = 0.0 if kind in signs else seen[kind] + (after if after <= 2 * EVERY else 0.0)
            real[kind] = 0.0 if kind in signs else real[kind] + after
        for verdict in watch.look(after, signs):
            assert verdict.state != state
            if verdict.state == "dead":
                assert state == "suspect"
            if verdict.state != "well":
                limit = {"suspect": SUSPECT, "dead": DEAD}[verdict.state]
                assert max(seen) >= limit
                assert max(real) >= limit
            state = verdict.state
            if state == "dead":
                return
        assert (state == "well") == (max(seen) < SUSPECT)


@given(steps, st.lists(st.floats(0.5, 2.0), min_size=40, max_size=40), st.sampled_from([0, 1]))
def test_one_that_falls_silent_is_always_found(
    before: list[tuple[float, set[int]]], looks: list[float], silent: int
) -> None:
    watch = Watch()
    watch.look()
    states = ["well"]
    for after, signs in before:
        states += [each.state for each in watch.look(after, signs)]
    for after in looks:  # twenty seconds at least, with no look that is late
        states += [each.state for each in watch.look(after, {1 - silent})]
    assert states[-1] == "dead"
    assert states.count("dead") == 1
