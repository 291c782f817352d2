"""The benchmarks of the suite, in its own order: what messages cost, concurrency, parallel work."""

from collections.abc import Callable
from typing import Any, Final

from benchmarks.savina import (
    bank_transaction,
    big,
    bitonic_sort,
    chameneos,
    cigarette_smokers,
    concurrent_dictionary,
    counting,
    dining_philosophers,
    fibonacci,
    fork_join_create,
    fork_join_throughput,
    logistic_map,
    nqueens,
    ping_pong,
    producer_consumer,
    quick_sort,
    radix_sort,
    sieve,
    sleeping_barber,
    sorted_list,
    thread_ring,
    unbalanced_tree,
)
from benchmarks.savina.problem import Problem, Size, measured
from benchmarks.timing import Works

PROBLEMS: Final = tuple(
    Problem.described_by(module)
    for module in (
        ping_pong,
        counting,
        fork_join_throughput,
        fork_join_create,
        thread_ring,
        chameneos,
        big,
        concurrent_dictionary,
        sorted_list,
        producer_consumer,
        dining_philosophers,
        sleeping_barber,
        cigarette_smokers,
        logistic_map,
        bank_transaction,
        radix_sort,
        sieve,
        unbalanced_tree,
        quick_sort,
        nqueens,
        fibonacci,
        bitonic_sort,
    )
)


def works(play: Callable[[Problem, Size], Any], clear: Callable[[], Any], share: float) -> Works:
    """What a system does: all of the suite.

    Args:
        play: Runs the program of a system.
        clear: Ends what it has left.
        share: Of the full size; less than 1 means the small one.

    Returns:
        The works, by the titles of the benchmarks.
    """
    return {
        problem.title: measured(problem, play, clear, problem.full if share == 1 else problem.small)
        for problem in PROBLEMS
    }
