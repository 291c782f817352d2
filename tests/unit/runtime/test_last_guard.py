"""Claims about the last guard around a request, whichever thread runs its worker."""

from contextlib import suppress

import pytest

import corps
from corps.messages.requests import Request
from corps.runtime.cells.cell import Cell


class Counter(corps.Conc):
    def add(self) -> int:
        return 1


class Asker(corps.Conc):
    def ask(self, other: "corps.Name[Counter]", lends: bool) -> str:
        """Return what the other gives, or the type of the error."""
        future = other.add()
        with suppress(Exception):  # a wait with a time limit runs no worker itself
            return f"{future.ret if lends else future.result(20)}"
        return type(future.exception(20)).__name__


@pytest.mark.parametrize("lends", [True, False])
def test_a_defect_of_the_runtime_is_an_internal_error_and_the_worker_goes_on(
    monkeypatch: pytest.MonkeyPatch, lends: bool
) -> None:
    handle, broken = Cell._handle, []

    def may_break(cell: Cell, request: Request) -> bool:
        if cell.addr in broken:
            raise RuntimeError("unforeseen")
        return handle(cell, request)

    monkeypatch.setattr(Cell, "_handle", may_break)  # before a cell is made: the native core looks then
    threads = {"min": 1, "max": 1} if lends else {}  # so that no other thread takes what the asker waits for
    with corps.env(config={"threads": threads}) as env:
        counter, asker = env.create(Counter), env.create(Asker)
        assert counter.add().result(20) == 1
        broken.append(counter._addr)
        assert asker.ask(counter, lends).result(20) == "InternalError"
        broken.clear()
        assert asker.ask(counter, lends).result(20) == "1"
