"""Claims about the verbs of operators over a border: the owner may do all, others what a rule names."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import corps
from tests.integration.elsewhere import Listening, User

SHOP = """
import corps

class Shop(corps.Corps):
    @corps.public
    def hello(self) -> str:
        return corps.caller().identity

corps.allow(Shop, identity="bob", verbs=["add_env", "remove_env", "log_level", "stacks"])
corps.allow(Shop, identity="carol")
"""

OPERATE = """
import sys
with corps.connect(sys.argv[1]) as app:
    print(app.hello().ret)
    operator = corps.operate(app)
    for ask in (
        operator.add_env,
        lambda: operator.remove_env(2),
        lambda: operator.log_level("DEBUG", "shop"),
        lambda: operator.stacks(1),
        lambda: operator.stacks(7),
    ):
        try:
            answer = ask().ret
        except corps.CorpsError as error:
            answer = type(error).__mro__[0].__name__, str(error)[:40]
        if isinstance(answer, dict):
            answer = [(env, "hread 0x" in text) for env, text in answer.items()]
        print(answer)
"""


@pytest.fixture
def ann(tmp_path: Path) -> User:
    return User(tmp_path, "ann")


@pytest.fixture
def shop(ann: User) -> Iterator[Listening]:
    audit = ann.config.parent / "audit"
    audit.mkdir()
    where = "--set", f"audit.file={audit / 'refusals.jsonl'}"
    with ann.corps(SHOP, "shop", "--listen", "127.0.0.1", *where) as listening:
        yield listening


def befriended(ann: User, folder: Path, name: str) -> User:
    user = User(folder, name)
    user.key()
    ann.allow(user)
    user.allow(ann)
    return user


def test_the_owner_operates_a_corps_from_outside(ann: User, shop: Listening) -> None:
    said = ann.run(OPERATE, shop.addresses[0]).splitlines()
    assert said[:5] == ["own", "2", "None", "None", "[(1, True)]"], said
    assert "ConfigError" in said[5]


def test_another_owner_does_what_a_rule_names(ann: User, tmp_path: Path, shop: Listening) -> None:
    bob = befriended(ann, tmp_path, "bob")
    said = bob.run(OPERATE, shop.addresses[0].replace("tcp://", "tcp://ann@")).splitlines()
    assert said[:5] == ["bob", "2", "None", "None", "[(1, True)]"], said


def test_another_owner_is_refused_with_one_audit_line_each(
    ann: User, tmp_path: Path, shop: Listening
) -> None:
    carol = befriended(ann, tmp_path, "carol")
    said = carol.run(OPERATE, shop.addresses[0].replace("tcp://", "tcp://ann@")).splitlines()
    assert said[0] == "carol"
    assert all("NotPermitted" in line for line in said[1:]), said
    folder = ann.config.parent / "audit"
    written = [json.loads(line) for file in folder.iterdir() for line in file.read_text().splitlines()]
    reasons = [line["reason"] for line in written if line["kind"] == "permission"]
    assert [sum(verb in reason for reason in reasons) for verb in ("add_env", "remove_env", "log_level")] == [
        1,
        1,
        1,
    ]
    assert sum("stacks" in reason for reason in reasons) == 2
    assert {line["identity"] for line in written} == {"carol"}


def test_only_another_corps_is_operated() -> None:
    class Plain(corps.Conc):
        pass

    with corps.env() as env, pytest.raises(corps.ConfigError, match=r"corps\.connect"):
        corps.operate(env.create(Plain))
