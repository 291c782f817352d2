"""Claims about how the end of a process for want of memory is told from others."""

from pathlib import Path

import pytest

from corps.launchers.local import memory_kills
from corps.launchers.local.memory_kills import MemoryKills


def test_each_new_kill_is_seen_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vmstat = tmp_path / "vmstat"
    monkeypatch.setattr(memory_kills, "_VMSTAT", vmstat)
    vmstat.write_text("nr_free_pages 7\noom_kill 3\n")
    kills = MemoryKills()
    assert not kills.is_new()
    vmstat.write_text("nr_free_pages 7\noom_kill 4\n")
    assert kills.is_new()
    assert not kills.is_new()


@pytest.mark.parametrize("text", [None, "", "nr_free_pages 7\n", "oom_kill many\n"])
def test_a_kernel_that_does_not_count_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    vmstat = tmp_path / "vmstat"
    monkeypatch.setattr(memory_kills, "_VMSTAT", vmstat)
    if text is not None:
        vmstat.write_text(text)
    assert not MemoryKills().is_new()
