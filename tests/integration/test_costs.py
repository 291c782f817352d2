"""Claims about what a worker takes that nobody uses."""

import gc
import tracemalloc

import corps


class Counter(corps.Conc):
    def __init__(self) -> None:
        self.value = 0


def test_an_idle_worker_takes_less_than_1500_bytes() -> None:
    count = 500
    with corps.env() as env:
        first = [env.create(Counter) for _ in range(10)]  # what is shared by all
        gc.collect()
        tracemalloc.start()
        try:
            names = [env.create(Counter) for _ in range(count)]
            gc.collect()
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(first) + len(names) == count + 10
    assert taken / count < 1500
