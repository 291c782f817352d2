"""Claims about workers whose end is asked for before their creator comes to construct them."""

from typing import Any

import pytest

import corps
from corps.messages.requests import EXIT, Request
from corps.runtime.calls.futures import Future
from corps.runtime.cells.cell import Cell
from corps.runtime.cells.constructing import construct_here
from corps.runtime.cells.records import Record
from corps.testing.memory_corps import memory_corps


class Worker(corps.Conc):
    def __init__(self, ran: list[str]) -> None:
        ran.append("constructor")


def _end(cell: Cell, how: str) -> Future[Any]:
    ended: Future[Any] = Future()
    cell.deliver(Request(EXIT, cell.addr, how, (), {}, ended))
    return ended


@pytest.mark.parametrize("how", ["exit", "kill"])
def test_a_worker_that_has_ended_is_not_constructed(how: str) -> None:
    """Was a defect: its constructor ran, and its Name stood for a worker that was not there."""
    ran: list[str] = []
    with memory_corps(1) as (one,):
        record = Record(Worker, (ran,), {})
        cell = one.env.lives.new_cell(record)
        _end(cell, how).result(30)
        with pytest.raises(corps.WorkerGone) as caught:
            construct_here(cell, record, is_ours=True).result(30)
    assert caught.value.executed == "no"
    assert ran == []


def test_a_worker_whose_end_waits_for_a_thread_is_constructed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    waiting: list[Cell] = []
    with memory_corps(1) as (one,):
        record = Record(Worker, (ran,), {})
        cell = one.env.lives.new_cell(record)
        with monkeypatch.context() as patch:
            patch.setattr(one.env.pool, "submit", waiting.append)
            ended = _end(cell, "exit")
            construct_here(cell, record, is_ours=True).result(30)
        assert (ran, waiting, ended.done()) == (["constructor"], [cell], False)
        cell.run()
        assert ended.result(30) is None
