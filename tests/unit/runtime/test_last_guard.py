"""Claims about the last guard around a request, whoever runs its worker."""

from contextlib import suppress

import pytest

import corps
from corps.messages.requests import Request
from corps.runtime.cells.cell import Cell


class Counter(corps.Conc):
    def add(self) -> int:
        return 1


class Asker(corps.Conc):
    def ask(self, other: "corps.Name[Counter]") -> str:
        future = other.add()
        with suppress(Exception):
            return f"{future.ret}"
        return type(future.exception(20)).__name__


@pytest.mark.parametrize("lends", [True, False])
def test_a_defect_of_the_runtime_is_an_internal_error_and_the_worker_goes_on(
    monkeypatch: pytest.MonkeyPatch, lends: bool
) -> None:
    with corps.env() as env:
        counter, asker = env.create(Counter), env.create(Asker)
        assert counter.add().result(20) == 1
        handle, submit = Cell._handle, env._env.pool.submit

        def broken(cell: Cell, request: Request) -> bool:
            if cell.addr == counter._addr:
                raise RuntimeError("unforeseen")
            return handle(cell, request)

        def submit_others(cell: Cell) -> None:
            if cell.addr != counter._addr:  # it is left to whoever waits
                submit(cell)

        with monkeypatch.context() as patched:
            patched.setattr(Cell, "_handle", broken)
            if lends:
                patched.setattr(env._env.pool, "submit", submit_others)
            else:
                patched.setattr(Cell, "help", lambda *_: None)
            assert asker.ask(counter).result(20) == "InternalError"
        assert asker.ask(counter).result(20) == "1"
