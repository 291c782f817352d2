"""Claims about searches for Corps of the host: what is meant, and how long one waits."""

from collections.abc import Callable, Iterator
from functools import partial
from threading import Event
from typing import Any

import pytest

import corps
from corps.errors import ClosedError, ContextError, NotFound
from corps.runtime.env import Env
from corps.services.dirs.entries import Query
from corps.services.dirs.ext_finding import find_all_ext, find_ext
from corps.workers.ext_side import ExtEntry, ExtSide
from corps.workers.names import Name

LIMIT = 60.0


class Echo(corps.Conc):
    def echo(self, text: str) -> str:
        return text


class Host(ExtSide):
    """The Corps of a host that a test makes up."""

    def __init__(self, name: Name[Any]) -> None:
        self.name = name
        self.here: list[ExtEntry] = []
        self.looked = Event()

    def up(self, tag: str, reach: Callable[[], Name[Any]] | None = None, **facts: Any) -> None:
        self.here.append(ExtEntry(tag, f"{tag}:App", facts, reach or (lambda: self.name)))

    def find(self, tag: str) -> Name[Any]:
        self.looked.set()
        for entry in self.here:
            if entry.tag == tag:
                return entry.reach()
        raise NotFound(f"no Corps has the tag {tag!r}")

    def entries(self) -> list[ExtEntry]:
        self.looked.set()
        return list(self.here)


@pytest.fixture
def env() -> Iterator[Env]:
    with corps.env() as local:
        yield local._env


@pytest.fixture
def host(env: Env) -> Host:
    found = Host(corps.create(Echo))
    env.parts._found[ExtSide] = found
    return found


def gone() -> Name[Any]:
    raise NotFound("it has ended")


def test_what_fits_is_meant_and_one_that_has_ended_meanwhile_is_left_out(env: Env, host: Host) -> None:
    host.up("a", pid=1)
    host.up("b", gone, pid=1)
    host.up("c", pid=2)
    assert find_all_ext(env, Query()) == [host.name] * 2
    assert find_all_ext(env, Query(properties={"pid": 1})) == [host.name]
    assert find_all_ext(env, Query(cls="c:App")) == [host.name]
    assert find_all_ext(env, Query(match=lambda facts: facts["pid"] == 3)) == []
    assert find_ext(env, Query("c"), None).ret == host.name
    with pytest.raises(NotFound, match="has pid=3"):
        find_ext(env, Query(properties={"pid": 3}), None).result()


@pytest.mark.parametrize("query", [Query("late"), Query("late", properties={"pid": 1})])
def test_a_search_ends_when_the_corps_is_there(env: Env, host: Host, query: Query) -> None:
    found = find_ext(env, query, LIMIT)
    assert host.looked.wait(LIMIT)
    assert not found.done()
    host.up("late", pid=1)
    assert found.result(LIMIT) == host.name


def test_a_search_ends_with_its_time_and_says_so(env: Env, host: Host) -> None:
    with pytest.raises(NotFound, match=r"no Corps has the tag 'x'; and none has come within 0\.05 s"):
        find_ext(env, Query("x"), 0.05).result(LIMIT)


def test_a_search_hears_of_what_goes_wrong_while_it_waits(env: Env, host: Host) -> None:
    found = find_ext(env, Query("x"), LIMIT)
    host.up("x", partial(_fail, ContextError("it cannot be reached from here")))
    with pytest.raises(ContextError, match="cannot be reached"):
        found.result(LIMIT)


def _fail(error: Exception) -> Name[Any]:
    raise error


def test_a_search_ends_when_nobody_wants_it_and_when_its_env_closes(host: Host, env: Env) -> None:
    given_up = find_ext(env, Query("x"), LIMIT)
    assert given_up.cancel()
    waiting = find_ext(env, Query("x"), LIMIT)
    env.close(0.0)
    with pytest.raises(ClosedError):
        waiting.result(LIMIT)
