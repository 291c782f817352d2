"""The programs of the Savina suite come to the right answers with corps; how fast is not judged here."""

import ast
from pathlib import Path

import pytest

import benchmarks.savina
import corps
from benchmarks.savina.corps_place import App, Conductor
from benchmarks.savina.problem import Problem, WrongAnswer, measured
from benchmarks.savina.suite import PROBLEMS
from benchmarks.timing import Effort

FOLDER = Path(benchmarks.savina.__file__).parent
SYSTEMS = {"corps": 0, "pykka": 0, "xoscar": 1, "thespian": 1}
"""How many parameters beside the size a program of each system has: the place of its actors."""

each_problem = pytest.mark.parametrize("problem", PROBLEMS, ids=[problem.folder for problem in PROBLEMS])


@each_problem
def test_a_program_is_right_in_one_env(problem: Problem) -> None:
    with corps.env() as env:
        answer = env.create(Conductor).conduct(problem.folder, problem.small).ret
    problem.check(problem.small, answer)


def test_the_programs_are_right_over_two_envs() -> None:
    with corps.boot(App, envs=2):
        for problem in PROBLEMS:
            conductor = corps.create(Conductor)
            problem.check(problem.small, conductor.conduct(problem.folder, problem.small).ret)
            conductor.exit().result()


def test_a_wrong_answer_does_not_count() -> None:
    problem = Problem("sums", "sums", {"n": 3}, {"n": 1}, sum_below)
    measure = measured(problem, lambda problem, size: 7, lambda: None, problem.full)
    with pytest.raises(WrongAnswer, match="gave 7, not 3"):
        measure(Effort(1, 1))
    assert len(measured(problem, lambda problem, size: 3, lambda: None, problem.full)(Effort(2, 1))) == 2


def sum_below(n: int) -> int:
    return sum(range(n))


@each_problem
def test_every_system_has_a_program_that_takes_the_same_size(problem: Problem) -> None:
    assert problem.small.keys() == problem.full.keys()
    for system, others in SYSTEMS.items():
        tree = ast.parse((FOLDER / problem.folder / f"on_{system}.py").read_text("utf-8"))
        (run,) = (
            node
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == "run"
        )
        assert [argument.arg for argument in run.args.args[others:]] == list(problem.full)


def test_every_folder_of_a_program_is_in_the_suite() -> None:
    folders = {path.parent.name for path in FOLDER.glob("*/on_corps.py")}
    assert folders == {problem.folder for problem in PROBLEMS}
