"""Claims about leases: the processes of a host have ended before it is lost, however late words come."""

from hypothesis import given
from hypothesis import strategies as st

from corps.launchers.remote.lease import HeldLease, HostSilence, lease_of

LOST_AFTER = 10.0


def test_a_lease_lasts_from_the_moment_at_which_it_was_asked_for() -> None:
    lease = HeldLease(8.0, at=0.0)
    number = lease.ask(5.0)
    lease.granted(number)
    assert not lease.is_over(12.9)
    assert lease.is_over(13.0)


def test_a_grant_that_was_never_asked_for_or_comes_again_counts_for_nothing() -> None:
    lease = HeldLease(8.0, at=0.0)
    lease.granted(99)
    lease.granted(lease.ask(1.0))
    lease.granted(1)
    assert lease.is_over(9.0)


def test_a_silent_host_is_suspect_once_until_it_is_heard() -> None:
    silence = HostSilence(3.0, LOST_AFTER, at=0.0)
    assert not silence.is_newly_suspect(2.9)
    assert silence.is_newly_suspect(3.0)
    assert not silence.is_newly_suspect(4.0)
    assert silence.heard(5.0)
    assert not silence.heard(5.5)
    assert silence.left(10.0) == 5.5


@given(st.lists(st.tuples(st.floats(0.1, 2), st.floats(0, 30), st.floats(0, 30)), max_size=20))
def test_a_host_ends_its_envs_before_it_is_lost(words: list[tuple[float, float, float]]) -> None:
    """Each word: the pause before the parent asks, and how long that, and the grant, are on their way."""
    lease, silence = HeldLease(lease_of(LOST_AFTER), at=0.0), HostSilence(3.0, LOST_AFTER, at=0.0)
    events: list[tuple[float, str, int]] = []
    at = 0.0
    for pause, there, back in words:
        at += pause
        number = lease.ask(at)
        events += [(at + there, "heard", number), (at + there + back, "granted", number)]
    lost_at = LOST_AFTER
    ended_at = lease_of(LOST_AFTER)
    granted: set[int] = set()
    for when, what, number in sorted(events):
        if what == "heard" and when < lost_at:
            silence.heard(when)
            lost_at = when + silence.left(when)
            granted.add(number)
        elif what == "granted" and number in granted and when < ended_at:
            lease.granted(number)
            ended_at = next(t for t in _grid(when) if lease.is_over(t))
    assert ended_at < lost_at


def _grid(start: float) -> list[float]:
    return [start + step / 100 for step in range(2000)]
