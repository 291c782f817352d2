"""Claims about the file of durable timers."""

import sqlite3
import stat
from pathlib import Path

import pytest

from corps.errors import ConfigError, Damaged, NewerFormat, StorageError
from corps.services.timers.store import Row, TimerStore

NIGHTLY = Row("nightly", 1, 100.0, '{"at": 100.0}', '{"corps": true}', "nightly", 1, b"\0args")
DAY = 86400.0


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "timers.sqlite")


def test_what_was_put_is_there_when_the_file_is_opened_again(path: str) -> None:
    store = TimerStore(path, 0.0)
    store.put(NIGHTLY)
    store.put(NIGHTLY._replace(key="b", serial=2))
    store.close()
    again = TimerStore(path, 0.0)
    assert again.all() == [NIGHTLY, NIGHTLY._replace(key="b", serial=2)]
    again.close()


def test_a_key_is_there_once(path: str) -> None:
    store = TimerStore(path, 0.0)
    store.put(NIGHTLY)
    store.put(NIGHTLY._replace(serial=2))
    assert store.all() == [NIGHTLY._replace(serial=2)]
    store.remove("nightly")
    store.remove("nightly")
    assert store.all() == []
    store.close()


def test_a_timer_that_is_over_is_remembered_for_a_year(path: str) -> None:
    store = TimerStore(path, 0.0)
    store.put(NIGHTLY)
    store.advance("nightly", 200.0, 150.0)
    assert store.all() == [NIGHTLY._replace(due=200.0)]
    store.advance("nightly", None, 250.0)
    store.close()
    again = TimerStore(path, 366 * DAY)
    assert again.all() == [NIGHTLY._replace(due=None, over=250.0)]
    again.close()
    later = TimerStore(path, 500 * DAY)
    assert later.all() == []
    later.close()


def test_only_its_owner_may_read_it(path: str) -> None:
    store = TimerStore(path, 0.0)
    store.put(NIGHTLY)
    for each in Path(path).parent.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) & 0o077 == 0
    store.close()


def test_two_processes_cannot_have_it_open(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corps.services.timers.store._BUSY", 0.0)
    store = TimerStore(path, 0.0)
    with pytest.raises(ConfigError, match="another process has the file open"):
        TimerStore(path, 0.0)
    store.close()
    TimerStore(path, 0.0).close()


def test_a_path_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be opened"):
        TimerStore(str(tmp_path / "no" / "timers.sqlite"), 0.0)


def test_another_file_is_damaged(path: str) -> None:
    Path(path).write_bytes(b"no database, but long enough to look like something" * 100)
    with pytest.raises(Damaged, match="is no file of timers"):
        TimerStore(path, 0.0)


def test_the_file_of_a_newer_release_is_refused(path: str) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 2")
    db.close()
    with pytest.raises(NewerFormat, match="a newer release of corps"):
        TimerStore(path, 0.0)


def test_what_cannot_be_written_says_so(path: str) -> None:
    store = TimerStore(path, 0.0)
    store.close()
    with pytest.raises(StorageError, match="cannot be written"):
        store.put(NIGHTLY)
    with pytest.raises(StorageError, match="cannot be read"):
        store.all()
