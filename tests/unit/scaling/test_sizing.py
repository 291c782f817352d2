"""When a pool grows and shrinks: the decisions, under a clock that the test turns."""

from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from corps.scaling.scale import Scale
from corps.scaling.sizing import (
    LINGER,
    MOVES,
    Seen,
    Sizing,
    decide,
    first_to_leave,
    kind_of,
    look_every,
    may_end,
    start_failed,
    start_succeeded,
)

SCALE = Scale(min=1, max=4, target_queue=10, up_after=2, down_after=30, cooldown=5)


@dataclass
class Pool:
    """A pool whose instances are up, and gone, as soon as it is decided."""

    scale: Scale
    up: int
    now: float = 0.0
    sizing: Sizing = field(default_factory=Sizing)
    steps: list[tuple[float, int]] = field(default_factory=list)

    def look(self, load: int, *, starting: int = 0) -> int:
        self.sizing, step = decide(self.scale, self.sizing, Seen(self.now, self.up, starting, load))
        if step:
            self.steps.append((self.now, step))
        self.up += step
        return step

    def go_on(self, seconds: float, load: int) -> None:
        until = self.now + seconds
        while self.now < until:
            self.look(load)
            self.now += look_every(self.scale)


def test_each_kind_of_moment_has_its_move() -> None:
    assert kind_of(SCALE, Seen(0, 0, 0, 99)) == "short"
    assert kind_of(SCALE, Seen(0, 2, 0, 21)) == "high"
    assert kind_of(SCALE, Seen(0, 2, 1, 21)) == "calm"  # the one that starts will take its share
    assert kind_of(SCALE, Seen(0, 4, 0, 99)) == "calm"  # there may be no more
    assert kind_of(SCALE, Seen(0, 2, 0, 11)) == "calm"  # one alone would have too much
    assert kind_of(SCALE, Seen(0, 2, 0, 10)) == "low"
    assert kind_of(SCALE, Seen(0, 1, 0, 0)) == "calm"
    assert kind_of(SCALE, Seen(0, 1, 1, 0)) == "calm"  # the only one that gets requests does not leave
    assert set(MOVES) == {"short", "high", "calm", "low"}


def test_it_grows_after_a_time_of_high_load_and_rests_after_each_step() -> None:
    pool = Pool(SCALE, up=1)
    pool.go_on(20, load=100)
    assert [step for _, step in pool.steps] == [1, 1, 1]
    times = [at for at, _ in pool.steps]
    assert times[0] == SCALE.up_after
    assert all(later - earlier >= SCALE.cooldown for earlier, later in pairwise(times))


def test_a_moment_between_begins_the_time_anew() -> None:
    pool = Pool(SCALE, up=1)
    for _ in range(5):
        pool.go_on(1.5, load=100)
        pool.go_on(0.5, load=5)
    assert pool.steps == []


def test_it_shrinks_when_one_fewer_would_have_done_for_long() -> None:
    pool = Pool(SCALE, up=3)
    pool.go_on(29, load=5)
    assert pool.steps == []
    pool.go_on(80, load=5)
    assert [step for _, step in pool.steps] == [-1, -1]


def test_what_is_short_is_begun_at_once_whatever_the_time() -> None:
    pool = Pool(Scale(min=3, max=4), up=1)
    pool.sizing = Sizing(rests_until=100)
    assert pool.look(0) == 2


def test_a_start_that_fails_is_tried_again_after_a_time_that_grows() -> None:
    sizing, pauses = Sizing(), []
    for _ in range(20):
        sizing = start_failed(sizing, 10.0)
        pauses.append(sizing.retry_at - 10.0)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[1], pauses[-1]) == (0.5, 1.0, 60.0)
    assert decide(SCALE, sizing, Seen(69.9, 0, 0, 0))[1] == 0
    assert decide(SCALE, sizing, Seen(70.0, 0, 0, 0))[1] == 1
    assert decide(SCALE, start_succeeded(sizing), Seen(10.0, 0, 0, 0))[1] == 1


def test_the_youngest_of_the_least_busy_leaves() -> None:
    assert first_to_leave([3, 1, 1, 2]) == 2
    assert first_to_leave([0]) == 0


def test_one_that_leaves_ends_when_nothing_is_under_way_or_its_time_is_over() -> None:
    assert not may_end(SCALE, 0.0, 0, LINGER / 2)  # a request may be on its way to it
    assert may_end(SCALE, 0.0, 0, LINGER)
    assert not may_end(SCALE, 0.0, 1, LINGER)
    assert not may_end(SCALE, 0.0, None, LINGER)  # an Env has not said what it has under way
    assert may_end(SCALE, 0.0, 1, SCALE.drain)


SCALES = st.builds(
    lambda least, more, target, up, down, rest: Scale(least, least + more, target, up, down, rest),
    st.integers(1, 4),
    st.integers(0, 6),
    st.integers(1, 20),
    st.sampled_from([0.0, 0.5, 2.0]),
    st.sampled_from([0.0, 1.0, 30.0]),
    st.sampled_from([0.0, 1.0, 5.0]),
)


@given(SCALES, st.lists(st.tuples(st.floats(0.01, 20), st.integers(0, 200), st.booleans()), max_size=60))
def test_the_number_stays_within_its_limits_and_steps_keep_their_distance(
    scale: Scale, looks: list[tuple[float, int, bool]]
) -> None:
    pool = Pool(scale, up=scale.min)
    last = None
    for seconds, load, dies in looks:
        pool.now += seconds
        died = dies and pool.up > 0
        pool.up -= died
        was_short = pool.up < scale.min
        step = pool.look(load)
        assert scale.min <= pool.up <= scale.max
        if was_short:
            assert pool.up == scale.min
        elif step:
            assert abs(step) == 1
            assert last is None or pool.now - last >= scale.cooldown
            last = pool.now


@given(SCALES, st.integers(0, 200), st.integers(0, 10))
def test_under_a_steady_load_the_number_settles_without_turning_back(
    scale: Scale, load: int, more: int
) -> None:
    pool = Pool(scale, up=min(scale.max, scale.min + more))
    pool.go_on((scale.max - scale.min + 1) * (scale.up_after + scale.down_after + scale.cooldown + 1), load)
    signs = {step > 0 for _, step in pool.steps}
    assert len(signs) <= 1
    assert pool.up == scale.max or load <= scale.target_queue * pool.up
    assert pool.up == scale.min or load > scale.target_queue * (pool.up - 1)
