"""Claims about the registry: one living Corps has a tag, and whatever lies in its directory is judged."""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.errors import ConfigError, CorpsError, Damaged, NameTaken, NewerFormat, NotFound, UnsafeFile
from corps.federation.claims import MAX_SIZE, Claim, private_tag
from corps.federation.registry import Registry, read_connection_file, registry_of_user
from corps.process_stat import place_of_ids
from tests.unit.federation.places import claim_of, registry_in
from tests.unit.federation.test_records import RECORD

GONE = "1@" + place_of_ids()


def test_a_tag_is_found_from_its_claim_to_its_withdrawal(tmp_path: Path) -> None:
    registry = registry_in(tmp_path)
    registry.claim(claim_of())
    assert registry.entry("index").state == "starting"
    with pytest.raises(NotFound, match="is starting, and cannot be reached yet"):
        registry.find("index")
    registry.publish(RECORD)
    assert registry.find("index") == RECORD
    assert read_connection_file(registry.file_of("index")) == RECORD
    (entry,) = registry.all_of_user()
    assert (entry.tag, entry.state, entry.record) == ("index", "running", RECORD)
    assert entry.claim is not None
    assert entry.claim.class_name == "index:Index"
    registry.reach("index", "c0ffee", "ending")
    assert registry.entry("index").state == "ending"
    registry.withdraw("index", "c0ffee")
    assert os.listdir(registry.path) == []
    with pytest.raises(NotFound, match="there are: none"):
        registry.find("index")


def test_a_tag_of_a_living_corps_is_taken_and_its_holder_named(tmp_path: Path) -> None:
    registry = registry_in(tmp_path)
    registry.claim(claim_of())
    with pytest.raises(NameTaken, match=rf"'index'.*index\.py \(starting, process {os.getpid()}\)"):
        registry.claim(claim_of(corps="other"))
    registry.claim(claim_of("other"))


def test_what_a_dead_corps_left_is_replaced_without_asking(tmp_path: Path) -> None:
    registry = registry_in(tmp_path)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    registry.claim(claim_of(pid=child.pid))
    registry.publish(RECORD)
    assert registry.entry("index").state == "running"
    child.kill()
    child.communicate()
    assert registry.entry("index").state == "stale"
    with pytest.raises(NotFound, match="has died"):
        registry.find("index")
    registry.claim(claim_of(corps="next"))
    assert registry.entry("index").record is None
    registry.withdraw("index", "c0ffee")  # of the dead one: it comes too late to matter
    assert registry.entry("index").state == "starting"


def test_what_dead_contained_corps_left_goes_with_the_next_claim(tmp_path: Path) -> None:
    registry = registry_in(tmp_path)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    kept, mine = private_tag("my part", "c0ffee00c0ffee00"), private_tag("part", "0123456789abcdef")
    assert (kept, mine) == ("my-part.c0ffee00", "part.01234567")
    registry.claim(claim_of(kept, "c0ffee00c0ffee00", pid=child.pid))
    registry.publish(replace(RECORD, tag=kept, corps="c0ffee00c0ffee00"))
    registry.claim(claim_of("index", "dead", pid=child.pid))
    registry.claim(claim_of(mine, "0123456789abcdef"))
    registry.claim(claim_of("looks.c0ffee00", "dead", pid=child.pid))
    assert registry.entry(kept).state == "running"
    child.kill()
    child.communicate()
    registry.claim(claim_of("other", "next"))
    assert [entry.tag for entry in registry.all_of_user()] == ["index", "looks.c0ffee00", "other", mine]
    assert not os.path.exists(registry.file_of(kept))


def test_a_later_process_with_the_same_id_is_not_the_holder(tmp_path: Path) -> None:
    registry = registry_in(tmp_path)
    registry.claim(claim_of(started=GONE))
    assert registry.entry("index").state == "stale"
    registry.claim(claim_of(corps="next"))


def test_the_state_of_a_process_that_cannot_be_seen_is_not_called_stale() -> None:
    boot, _, namespace = place_of_ids().partition("/")
    elsewhere = claim_of(started=f"5@{boot}/{int(namespace) + 1}")
    assert (elsewhere.state, elsewhere.is_near) == ("starting", False)
    before = claim_of(started=f"5@another boot/{int(namespace) + 1}")
    assert before.state == "stale"


def test_a_corps_changes_its_own_entry_only(tmp_path: Path) -> None:
    registry = registry_in(tmp_path)
    registry.claim(claim_of(corps="other"))
    with pytest.raises(NotFound, match="not that of the Corps c0ffee"):
        registry.publish(RECORD)
    with pytest.raises(NotFound):
        registry.reach("index", "c0ffee", "ending")
    registry.withdraw("index", "c0ffee")
    assert registry.entry("index").claim == claim_of(corps="other")


def test_a_directory_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    registry = registry_in(tmp_path)
    assert registry.all_of_user() == []
    with pytest.raises(NotFound):
        registry.find("index")
    with pytest.raises(FileNotFoundError):
        registry.withdraw("index", "c0ffee")
    assert not os.path.exists(registry.path)


def test_near_misses_and_the_tags_that_there_are_stand_in_the_error(tmp_path: Path) -> None:
    registry = registry_in(tmp_path)
    registry.claim(claim_of("index"))
    registry.claim(claim_of("crawler"))
    registry.claim(claim_of("dead", started=GONE))
    with pytest.raises(NotFound, match="did you mean index"):
        registry.find("indx")
    with pytest.raises(NotFound, match=r"there are: crawler, index$"):
        registry.find("q")


@pytest.mark.parametrize("tag", ["", "a/b", "../x", "a b", "x" * 65, "ä", "a\n", "\0"])
def test_what_cannot_be_a_tag_is_never_a_path(tmp_path: Path, tag: str) -> None:
    registry = registry_in(tmp_path)
    for use in (registry.find, registry.entry, registry.file_of, lambda tag: registry.claim(claim_of(tag))):
        with pytest.raises(ConfigError, match="cannot be the tag"):
            use(tag)


@pytest.mark.parametrize("tag", [".", "..", "a.json", ".claim", "x.claim.json", "-", "a" * 64])
def test_odd_tags_are_tags(tmp_path: Path, tag: str) -> None:
    registry = registry_in(tmp_path)
    registry.claim(claim_of(tag))
    registry.publish(replace(RECORD, tag=tag))
    assert registry.find(tag).tag == tag
    assert [entry.tag for entry in registry.all_of_user()] == [tag]
    registry.withdraw(tag, "c0ffee")
    assert os.listdir(registry.path) == []


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", Damaged),
        (b"junk", Damaged),
        (b"\xff\xfe", Damaged),
        (b"[1]", Damaged),
        (b"[" * 20_000, Damaged),
        (b'{"format": 1}', Damaged),
        (b'{"format": 99}', NewerFormat),
        (b" " * (MAX_SIZE + 1), Damaged),
        (claim_of().to_json().replace(b'"starting"', b'"dancing"'), Damaged),
        (claim_of().to_json().replace(b'"pid": ', b'"pid": -'), Damaged),
        (claim_of().to_json().replace(b'"pid": ', b'"pid": 1e'), Damaged),
    ],
    ids=[
        "empty",
        "no-json",
        "no-utf8",
        "a-list",
        "deep",
        "no-fields",
        "newer",
        "too-long",
        "an-odd-state",
        "a-pid-below-0",
        "a-pid-that-is-no-int",
    ],
)
def test_junk_is_a_typed_error_that_hides_no_other_entry(
    tmp_path: Path, content: bytes, error: type[CorpsError]
) -> None:
    registry = registry_in(tmp_path)
    registry.claim(claim_of("good"))
    path = Path(registry.path) / "index.claim"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(error, match=r"index\.claim"):
        registry.find("index")
    with pytest.raises(error, match=r"index\.claim"):
        registry.claim(claim_of())
    good, bad = registry.all_of_user()
    assert (good.tag, good.state, good.problem) == ("good", "starting", None)
    assert (bad.tag, bad.state, type(bad.problem)) == ("index", None, error)


def test_hostile_files_are_typed_errors_too(tmp_path: Path) -> None:
    registry = registry_in(tmp_path)
    registry.claim(claim_of())
    secret = tmp_path / "secret"
    secret.write_bytes(claim_of("link").to_json())
    secret.chmod(0o600)
    here = Path(registry.path)
    (here / "link.claim").symlink_to(secret)
    os.mkfifo(here / "pipe.claim", 0o600)
    (here / "open.claim").write_bytes(claim_of("open").to_json())
    (here / "open.claim").chmod(0o640)
    (here / "index.json").symlink_to("/dev/zero")
    entries = {entry.tag: entry.problem for entry in registry.all_of_user()}
    assert {tag: type(problem) for tag, problem in entries.items()} == dict.fromkeys(
        ("index", "link", "open", "pipe"), UnsafeFile
    )
    for tag in entries:
        with pytest.raises(UnsafeFile, match="is not used"):
            registry.find(tag)
    with pytest.raises(UnsafeFile):
        read_connection_file(str(here / "index.json"))
    with pytest.raises(NotFound, match="there is no connection file"):
        read_connection_file(str(here / "none.json"))


def test_two_users_have_two_registries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert registry_of_user().path == str(tmp_path / "corps")
    tmp_path.chmod(0o755)  # as if it were another user's, whose environment this one has
    mine = registry_of_user().path
    assert os.path.basename(mine) == f"corps-{os.getuid()}"
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert os.path.basename(registry_of_user().path) == "corps-12345"


def test_of_many_that_claim_a_tag_at_once_one_gets_it(tmp_path: Path) -> None:
    registry = registry_in(tmp_path)
    registry.claim(claim_of(corps="dead", started=GONE))  # all find it stale
    start = threading.Barrier(8)
    won: list[str] = []

    def compete(name: str) -> None:
        start.wait()
        try:
            registry.claim(claim_of(corps=name))
        except NameTaken:
            return
        won.append(name)

    threads = [threading.Thread(target=compete, args=(f"corps{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = won
    claim = registry.entry("index").claim
    assert claim is not None
    assert claim.corps == winner


def test_who_looks_while_entries_come_and_go_sees_whole_ones(tmp_path: Path) -> None:
    registry = registry_in(tmp_path)
    is_over = threading.Event()

    def come_and_go() -> None:
        while not is_over.is_set():
            registry.claim(claim_of())
            registry.publish(RECORD)
            registry.reach("index", "c0ffee", "ending")
            registry.withdraw("index", "c0ffee")

    changing = threading.Thread(target=come_and_go)
    changing.start()
    try:
        for _ in range(200):
            for entry in registry.all_of_user():
                assert entry.problem is None
                assert entry.state in {"starting", "running", "ending"}
            try:
                assert registry.find("index") == RECORD
            except NotFound:
                pass
    finally:
        is_over.set()
        changing.join()


@given(st.binary(max_size=300))
def test_whatever_a_claim_holds_is_read_or_damage(content: bytes) -> None:
    try:
        Claim.from_json(content, "x")
    except (Damaged, NewerFormat):
        pass


def test_a_registry_says_where_its_files_are(tmp_path: Path) -> None:
    assert Registry(str(tmp_path)).file_of("index") == f"{tmp_path}/index.json"
