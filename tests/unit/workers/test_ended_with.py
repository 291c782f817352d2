"""Claims about what ends with a worker."""

from corps.addresses import ConcAddr
from corps.workers.ended_with import EndedWith

ONE, OTHER = (ConcAddr("c" * 16, 1, number) for number in (1, 2))


def made() -> tuple[EndedWith, list[str]]:
    import corps

    said: list[str] = []
    with corps.env() as env:
        return EndedWith(env._env), said


def test_all_that_is_to_end_with_a_worker_ends_once() -> None:
    ended_with, said = made()
    for worker, word in ((ONE, "a"), (ONE, "b"), (OTHER, "c")):
        ended_with.add(worker, lambda word=word: said.append(word))  # type: ignore[misc]  # its default
    ended_with.worker_ended(ONE, returns=False)
    ended_with.worker_ended(ONE, returns=True)
    assert said == ["a", "b"]
    ended_with.close()
    ended_with.close()
    assert said == ["a", "b", "c"]


def test_what_was_taken_back_does_not_end() -> None:
    ended_with, said = made()
    ended_with.remove(ended_with.add(ONE, lambda: said.append("a")))
    ended_with.worker_ended(ONE, returns=False)
    ended_with.close()
    assert said == []


def test_the_end_of_a_worker_without_any_is_nothing() -> None:
    ended_with, said = made()
    ended_with.worker_ended(ONE, returns=False)
    assert said == []
