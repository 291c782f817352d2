"""What destructors hand on is done by a thread, whatever it raises."""

import threading

from corps.runtime.threads.dropped import Dropped


def test_what_was_put_is_done_in_order_by_one_thread_of_its_own() -> None:
    begun: list[str] = []
    done: list[tuple[int, str]] = []
    dropped = Dropped("test-dropped", lambda: begun.append(threading.current_thread().name))
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
    dropped = Dropped("test-dropped", lambda: None)
    dropped.watch()
    done: list[int] = []

    def leave() -> None:
        raise SystemExit

    dropped.put(leave)
    dropped.put(lambda: done.append(1))
    dropped.close()
    assert done == [1]


def test_one_that_nobody_needed_has_no_thread_to_end() -> None:
    dropped = Dropped("test-dropped", lambda: None)
    dropped.close()
    dropped.watch()
    assert "test-dropped" not in {thread.name for thread in threading.enumerate()}
