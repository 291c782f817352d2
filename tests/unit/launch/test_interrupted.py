"""Claims about telling a Ctrl-C from other reasons to leave a block."""

import asyncio
import signal

import pytest

from corps.launch.interrupted import is_interrupt


async def _left_by(*, interrupt: bool) -> bool:
    try:
        if interrupt:
            signal.raise_signal(signal.SIGINT)
        else:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        await asyncio.Event().wait()
    except asyncio.CancelledError as error:
        return is_interrupt(type(error))
    raise AssertionError("was not cancelled")


def test_a_cancellation_by_the_first_ctrl_c_of_asyncio_run_counts() -> None:
    """Leans on `_interrupt_count` of asyncio.Runner: without it a third Ctrl-C is needed to end at once."""
    assert asyncio.run(_left_by(interrupt=True))


def test_another_cancellation_does_not_count() -> None:
    assert not asyncio.run(_left_by(interrupt=False))


def test_outside_of_asyncio_only_a_keyboard_interrupt_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_interrupt(KeyboardInterrupt)
    monkeypatch.setattr(signal, "getsignal", lambda number: None)  # another system's, or another version's
    assert not any(is_interrupt(kind) for kind in (None, ValueError, asyncio.CancelledError))
