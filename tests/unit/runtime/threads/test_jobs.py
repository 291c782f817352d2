"""What destructors hand on is done by a thread, whatever it raises."""

import threading

import pytest

from corps.runtime.threads.jobs import Jobs


def test_what_was_put_is_done_in_order_by_one_thread_of_its_own() -> None:
    begun: list[str] = []
    done: list[tuple[int, str]] = []
    dropped = Jobs("test-dropped", lambda: begun.append(threading.current_thread().name))
    dropped.put(lambda: done.append((0, threading.current_thread().name)))
    assert done == [], "a destructor starts no thread"
    dropped.watch()
    dropped.watch()
    dropped.put(lambda: done.append((1, threading.current_thread().name)))
    dropped.put(lambda: done.append((2, threading.current_thread().name)))
    dropped.close()
    assert done == [(number, "test-dropped") for number in range(3)]
    assert begun == ["test-dropped"]


def test_what_it_does_may_raise_anything() -> None:
    dropped = Jobs("test-dropped", lambda: None)
    dropped.watch()
    done: list[int] = []

    def leave() -> None:
        raise SystemExit

    dropped.put(leave)
    dropped.put(lambda: done.append(1))
    dropped.close()
    assert done == [1]


def test_one_that_nobody_needed_has_no_thread_to_end() -> None:
    dropped = Jobs("test-dropped", lambda: None)
    dropped.close()
    dropped.watch()
    assert "test-dropped" not in {thread.name for thread in threading.enumerate()}


def test_where_the_system_gives_no_thread_the_one_that_waits_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    jobs = Jobs("test-jobs")
    done: list[str] = []
    jobs.put(lambda: done.append(threading.current_thread().name))
    with monkeypatch.context() as context:
        context.setattr(threading.Thread, "start", refuse)
        assert not jobs.watch()
        jobs.help()
    assert done == [threading.current_thread().name]
    assert jobs.watch()
    jobs.put(lambda: done.append(threading.current_thread().name))
    jobs.close()
    assert done[1:] == ["test-jobs"]


def test_a_job_may_close_it_and_is_not_waited_for() -> None:
    jobs = Jobs("test-jobs")
    jobs.watch()
    here: list[bool] = []

    def close() -> None:
        here.append(jobs.is_here)
        jobs.close()

    jobs.put(close)
    jobs.close()
    assert here == [True]
    assert not jobs.is_here
