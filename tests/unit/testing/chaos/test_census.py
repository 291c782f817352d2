import os

from corps.testing.chaos.census import Household, look, marking, orphans


def test_this_process_is_seen_as_it_is() -> None:
    (me,) = [seen for seen in look() if seen.pid == os.getpid()]
    assert (me.parent, me.session) == (os.getppid(), os.getsid(0))
    assert me.state in "RS"


def test_who_has_booted_nothing_has_no_envs_and_leaves_nothing() -> None:
    household = Household()
    assert household.envs() == {}
    with marking() as mark:
        assert household.left(mark) == []


def test_the_mark_is_there_for_a_while_only() -> None:
    before = dict(os.environ)
    with marking() as outer:
        with marking() as inner:
            assert inner != outer
            assert os.environ["CHAOS_MARK"] == inner
        assert os.environ["CHAOS_MARK"] == outer
    assert dict(os.environ) == before


def test_each_process_that_is_left_is_a_violation() -> None:
    (me,) = [seen for seen in look() if seen.pid == os.getpid()]
    (violation,) = orphans([me])
    assert violation.text.startswith(f"process {me.pid} (")
