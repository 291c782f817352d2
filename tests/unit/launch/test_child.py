from queue import SimpleQueue
from typing import Any

import pytest

from corps.launch import child
from corps.membership.orders import Failed
from corps.runtime.this_process import Loading, this_process


class FakeOrders(SimpleQueue[Failed]):
    send = SimpleQueue.put


def test_a_boot_after_which_the_loading_goes_on_fails_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_STOPS_WITHIN", 0.001)
    orders: Any = FakeOrders()
    this_process.loadings.append(loading := Loading("app.py", everywhere=False))
    try:
        child._give_up_soon(orders, "app.py, line 5")
        failed = orders.get(timeout=10)
    finally:
        this_process.loadings.remove(loading)
    assert failed.kind == "LoadError"
    assert failed.text.startswith("app.py, line 5: corps.boot was called while")
    assert 'if __name__ == "__main__":' in failed.text
