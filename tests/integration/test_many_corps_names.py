"""Claims about Names between three Corps: they work wherever they come, and are the local ones at home."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import corps
from tests.integration.other_corps import ROOT, OtherCorps, other_corps

TOWN = """
import corps

class House(corps.Conc):
    def __init__(self, number):
        self.number = number
        self.letters = []

    def take(self, letter):
        self.letters.append(letter)
        return f"{self.number}: {letter}"

    def rooms(self, n):
        yield from range(n)

class Town(corps.Corps):
    def __init__(self):
        self._houses = [corps.options(env=1).create(House, n) for n in range(2)]
        self._known = {}

    def house(self, n):
        return self._houses[n]

    def houses(self):
        return {n: [house] for n, house in enumerate(self._houses)}

    def is_mine(self, n, name):
        mine = self._houses[n]
        return name == mine and name in {mine} and type(name._addr) is type(mine._addr)

    def know(self, name, what):
        self._known[name] = what

    def known(self):
        return list(self._known)

    def write(self, name, letter):
        return name.take(letter).ret

    def rooms_of(self, name, n):
        return name.rooms(n).ret

    def write_from_env(self, name, letter):
        return corps.options(env=1).create(Writer).write(name, letter).ret

class Writer(corps.Conc):
    def write(self, name, letter):
        return name.take(letter).ret
"""


@pytest.fixture(scope="module")
def towns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OtherCorps, OtherCorps]]:
    folder = tmp_path_factory.mktemp("towns")
    with other_corps(folder, TOWN, name="north") as north, other_corps(folder, TOWN, name="south") as south:
        yield north, south


@pytest.fixture
def both(towns: tuple[OtherCorps, OtherCorps]) -> Iterator[tuple[Any, Any]]:
    with corps.connect("north") as north:  # and the same Env for the other one
        yield north, corps.connect("south")


def test_a_name_passes_on_to_a_third_corps_and_back_home(both: tuple[Any, Any]) -> None:
    north, south = both
    house = north.house(1).ret
    assert south.write(house, "a letter").ret == "1: a letter"
    south.know(house, "a house in the north").result()
    (back,) = south.known().ret
    assert back == house
    assert hash(back) == hash(house)
    assert back.take("again").ret == "1: again"
    assert north.is_mine(1, back).ret
    assert not north.is_mine(0, back).ret


def test_names_inside_of_other_things_travel(both: tuple[Any, Any]) -> None:
    north, south = both
    houses = north.houses().ret
    assert [south.write(house, "hi").ret for (house,) in houses.values()] == ["0: hi", "1: hi"]


def test_a_name_goes_on_between_the_envs_of_a_corps_that_is_not_its_own(both: tuple[Any, Any]) -> None:
    north, south = both
    assert south.write_from_env(north.house(0).ret, "inside").ret == "0: inside"


def test_an_iterator_passes_through_a_corps_that_is_not_its_own(both: tuple[Any, Any]) -> None:
    north, south = both
    assert list(south.rooms_of(north.house(0).ret, 50).ret) == list(range(50))


def test_the_name_of_a_corps_object_travels_like_every_other_one(both: tuple[Any, Any]) -> None:
    north, south = both
    south.know(north, "the town itself").result()
    assert north in south.known().ret


def test_a_name_that_was_stored_is_loaded_by_another_program(both: tuple[Any, Any], tmp_path: Path) -> None:
    north, _ = both
    path = tmp_path / "house"
    corps.store(north.house(0).ret, path)
    program = f"""
        import corps
        with corps.connect("south"):
            print(corps.load({str(path)!r}).take("stored").ret)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("0: stored\n", "")
    assert corps.load(path) == north.house(0).ret


def test_a_name_of_any_of_several_workers_stays_in_its_corps(both: tuple[Any, Any]) -> None:
    north, _ = both

    class Worker(corps.Conc):
        def work(self) -> None: ...

    group = corps.options().replicate(1, Worker)
    with pytest.raises(corps.PackError, match="any of several"):
        north.know(group.any, "them")


def test_a_tag_that_nobody_has_is_said_with_those_there_are(both: tuple[Any, Any]) -> None:
    with pytest.raises(corps.NotFound, match="did you mean north"):
        corps.connect("norht")
