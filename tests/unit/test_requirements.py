"""What is locked for working on corps is what pyproject.toml asks for, and names no machine."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# name==version, perhaps a marker, then one hash per line.
ENTRY = re.compile(r"^(?P<name>[a-z0-9.-]+)==(?P<version>\S+?)(?: ; (?P<marker>[^\\]+?))? \\$", re.MULTILINE)
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def group(name: str) -> Iterator[Requirement]:
    """What a group asks for, with the groups that it includes."""
    for each in PROJECT["dependency-groups"][name]:
        if isinstance(each, dict):
            yield from group(each["include-group"])
        else:
            yield Requirement(each)


def asked_for(lock: str) -> list[Requirement]:
    of_corps = map(Requirement, PROJECT["project"]["dependencies"])
    return [*of_corps, *group(lock)]


def locked(lock: str) -> Iterator[tuple[str, Version, Marker | None]]:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8")
    for entry in ENTRY.finditer(text):
        yield (
            entry["name"],
            Version(entry["version"]),
            Marker(entry["marker"]) if entry["marker"] else None,
        )


def chosen(lock: str, name: str, python: str) -> list[Version]:
    """Which versions of a package are installed under a Python; one, if the lock is right."""
    here = {"python_version": python, "python_full_version": f"{python}.9"}
    return [
        version
        for each, version, marker in locked(lock)
        if each == canonicalize_name(name) and (marker is None or marker.evaluate(here))
    ]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", ["dev", "bench", "fuzz"])
def test_every_requirement_has_one_locked_version_within_its_bounds(lock: str, python: str) -> None:
    here = {"python_version": python, "sys_platform": "linux"}
    for requirement in asked_for(lock):
        if requirement.marker is not None and not requirement.marker.evaluate(here):
            continue
        versions = chosen(lock, requirement.name, python)
        assert len(versions) == 1, f"{requirement}: {versions}; `make lock` chooses versions"
        assert requirement.specifier.contains(versions[0]), f"{requirement}: {versions}; run `make lock`"


@pytest.mark.parametrize("python", PYTHONS)
def test_what_both_locks_hold_is_the_same_in_both(python: str) -> None:
    for name in {name for name, _, _ in locked("dev")} & {name for name, _, _ in locked("bench")}:
        both = chosen("dev", name, python), chosen("bench", name, python)
        assert not all(both) or both[0] == both[1]  # one of them may leave it to other interpreters


@pytest.mark.parametrize("lock", ["dev", "bench", "fuzz"])
def test_a_lock_holds_versions_and_hashes_and_names_no_host_and_no_path(lock: str) -> None:
    lines: Iterable[str] = (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8").splitlines()
    others = [line for line in lines if not (ENTRY.match(line) or HASH.match(line))]
    assert others
    assert all(re.match(r"^ *#", line) for line in others)
    assert not any("://" in line or " /" in line for line in others)


def test_what_builds_corps_is_locked_too() -> None:
    build = {Requirement(each).name for each in PROJECT["build-system"]["requires"]}
    assert build <= {requirement.name for requirement in group("build")}
    assert all(chosen("dev", name, PYTHONS[0]) for name in build)


def test_every_bound_of_the_wheel_is_a_lowest_version_and_leaves_the_newest_open() -> None:
    extras = PROJECT["project"]["optional-dependencies"].values()
    for text in [*PROJECT["project"]["dependencies"], *(each for extra in extras for each in extra)]:
        assert [each.operator for each in Requirement(text).specifier] == [">="], text
