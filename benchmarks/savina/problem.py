"""What a benchmark of the suite is, and how a run of it is timed and judged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from types import ModuleType
from typing import Any

from benchmarks.timing import Effort, Measure

Size = Mapping[str, int]
"""How much a program has to do: the arguments of its `run`, and of `expected`."""


class WrongAnswer(Exception):
    """A program has not come to the right answer, so its time does not count."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A benchmark of the suite.

    Attributes:
        title: Its name.
        folder: The package that describes it, below `benchmarks.savina`; a program for each system is in it.
        full: The size that is measured.
        small: A size that shows that it works.
        expected: Computes the right answer, without any actor.
    """

    title: str
    folder: str
    full: Size
    small: Size
    expected: Callable[..., Any]

    @classmethod
    def described_by(cls, module: ModuleType) -> "Problem":
        """Read the description.

        Args:
            module: The package of the benchmark.

        Returns:
            The problem.
        """
        folder = module.__name__.rpartition(".")[2]
        return cls(module.TITLE, folder, module.FULL, module.SMALL, module.expected)

    def check(self, size: Size, answer: Any) -> None:
        """Judge the answer of a program.

        Args:
            size: What it had to do.
            answer: What it gave.

        Raises:
            WrongAnswer: It is not the right one.
        """
        wanted = self.expected(**size)
        if answer != wanted:
            raise WrongAnswer(f"{self.title} with {dict(size)}: gave {answer!r:.80}, not {wanted!r:.80}")


def measured(
    problem: Problem, play: Callable[[Problem, Size], Any], clear: Callable[[], Any], size: Size
) -> Measure:
    """Time whole runs of a program: from its begin, with the creation of its actors, to its answer.

    Args:
        problem: Which.
        play: Runs the program of a system.
        clear: Ends what it has left; not timed.
        size: How much it has to do.

    Returns:
        The measure.
    """

    def measure(effort: Effort) -> list[float]:
        samples: list[float] = []
        for _ in range(effort.operations):
            begin = perf_counter()
            answer = play(problem, size)
            samples.append(perf_counter() - begin)
            clear()
            problem.check(size, answer)
        return samples

    return measure
