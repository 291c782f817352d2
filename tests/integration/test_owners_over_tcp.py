"""Claims about Corps of two users with key rings of their own, over tcp: what one may ask of the other."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from corps.security.key_ring import fingerprint
from tests.forks import Forks
from tests.integration.elsewhere import Listening, User

# What both sides have: the types, and what is public.
SHARED = """
import corps
from collections.abc import Iterator
from dataclasses import dataclass

@dataclass
class Hit:
    page: str
    score: float

class Reader(corps.Conc):
    @corps.public
    def take(self, hit: Hit) -> str:
        return f"{hit.page} for {corps.caller().identity}"

class Shelf(corps.Conc):
    @corps.public
    def put(self, book: str) -> int:
        return len(book)

    def burn(self) -> None: ...

class Index(corps.Corps):
    def __init__(self):
        self._shelf = corps.options(env=1).create(Shelf)

    @corps.public
    def search(self, word: str, most: int = 1) -> list[Hit]:
        return [Hit(f"{word}{number}", 0.5) for number in range(most)]

    @corps.public
    def who(self) -> list[str]:
        caller = corps.caller()
        return [caller.identity, caller.key, str(caller.is_own)]

    @corps.public
    def fails(self) -> None:
        raise KeyError("no such page")

    @corps.public
    def hits(self, most: int) -> Iterator[Hit]:
        for number in range(most):
            yield Hit(f"page {number}", 0.5)

    @corps.public
    def shelf(self) -> "corps.Name[Shelf]":
        return self._shelf

    @corps.public
    def tell(self, reader: "corps.Name[Reader]") -> "corps.Future[str]":
        return reader.take(Hit("news", 1.0))

    @corps.public
    def rare(self) -> None: ...

    def secret(self) -> str:
        return "s3cret"

corps.allow(Index, identity="bob", methods=["search", "who", "fails", "hits", "shelf", "tell"])
corps.allow(Index, identity="bob", methods=["rare"], rate=1)
"""


@pytest.fixture
def ann(tmp_path: Path, forks: Forks) -> User:
    return User(tmp_path, "ann", forks=forks)


@pytest.fixture
def bob(tmp_path: Path, ann: User, forks: Forks) -> User:
    user = User(tmp_path, "bob", forks=forks)
    (user.config.parent / "shared.py").write_text(SHARED)
    ann.allow(user)
    user.allow(ann)
    return user


@pytest.fixture
def address(ann: User, bob: User) -> Iterator[str]:
    (ann.config.parent / "audit").mkdir()
    settings = "[audit]\nfile = 'audit/refusals.jsonl'\n"
    (ann.config.parent / "corps.toml").write_text(settings)
    with ann.corps(SHARED, "index", "--listen", "127.0.0.1") as listening:
        yield with_user(listening)


def with_user(listening: Listening) -> str:
    """The address of a Corps of Ann's, as Bob names it."""
    return listening.addresses[0].replace("tcp://", "tcp://ann@")


def test_another_owner_calls_what_is_public_with_declared_types(bob: User, address: str) -> None:
    said = bob.run(
        f"""
        from shared import Hit, Index
        with corps.connect({address!r}, Index) as index:
            print(index.search("a", most=2).ret == [Hit("a0", 0.5), Hit("a1", 0.5)])
            print(list(index.hits(3).ret) == [Hit(f"page {{n}}", 0.5) for n in range(3)])
            print(index.who().ret)
            print(index.shelf().ret.put("four").ret)
        with corps.connect({address!r}) as index:
            print(index.search("a").ret)
        """
    )
    who = ["bob", fingerprint(bob.key().public), "False"]
    assert said == f"True\nTrue\n{who}\n4\n[{{'page': 'a0', 'score': 0.5}}]\n", said


def test_a_worker_of_the_caller_is_called_back_by_its_name(bob: User, address: str) -> None:
    said = bob.run(
        f"""
        from shared import Index, Reader
        if __name__ == "__main__":
            with corps.connect({address!r}, Index) as index:
                print(index.tell(corps.create(Reader)).ret)
        """
    )
    assert said == "news for ann\n", said


def test_everything_else_is_refused_and_written_down(ann: User, bob: User, address: str) -> None:
    said = bob.run(
        f"""
        from shared import Index
        def refused(call):
            try:
                return call()
            except corps.CorpsError as error:
                return type(error).__mro__[0].__name__, getattr(error, "retry_after", None) is not None
        with corps.connect({address!r}, Index) as index:
            print(refused(lambda: index.secret().ret), refused(lambda: index.exit().ret))
            print(refused(lambda: index.shelf().ret.burn().ret))
            print(refused(lambda: corps.gather(*(index.rare() for _ in range(20))).ret))
            try:
                index.fails().ret
            except KeyError as error:
                print(error, error.traceback == "")
        """
    )
    lines = said.splitlines()
    assert lines[1] == "('NotPermitted', False)", said
    assert lines[0] == "('NoSuchMethod', False) ('NotPermitted', False)", said  # it is not even named
    assert lines[2:] == ["('Overloaded', True)", "'no such page' True"], said
    folder = ann.config.parent / "audit"
    written = [json.loads(line) for file in folder.iterdir() for line in file.read_text().splitlines()]
    kinds = {(line["kind"], line["identity"], line["key"]) for line in written}
    key = fingerprint(bob.key().public)
    assert {("permission", "bob", key), ("rate", "bob", key)} <= kinds
    assert all(line["retry_after"] for line in written if line["kind"] == "rate")


def test_a_user_without_a_rule_or_a_key_may_call_nothing(
    tmp_path: Path, ann: User, bob: User, address: str, forks: Forks
) -> None:
    carol, eve = User(tmp_path, "carol", forks=forks), User(tmp_path, "eve", forks=forks)
    ann.allow(carol)
    for user in (carol, eve):
        user.key()
        user.allow(ann)
    script = f"""
        try:
            with corps.connect({address!r}) as index:
                print(index.search("a").ret)
        except (corps.NotPermitted, corps.Unreachable) as error:
            print(type(error).__name__, error.executed, "'carol'" in str(error))
        """
    said = carol.run(script)
    assert said == "NotPermitted no True\n", said
    said = eve.run(script)
    assert said == "Unreachable no False\n", said
