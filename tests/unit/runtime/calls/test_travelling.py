"""Claims about the context variables that travel: which, from where, and for how long."""

import sys
from contextvars import ContextVar, copy_context
from types import ModuleType
from typing import Any

import pytest

import corps
from corps.addresses import ENV_MGR, ConcAddr
from corps.messages.promises import Unheard
from corps.messages.requests import CALL, CREATE, EXIT, GET, PINNED, PULL, SET, Kind, Request
from corps.runtime.calls.errands import _is_light
from corps.runtime.calls.travelling import Travels, fault_of, leave, places_of

TENANT: ContextVar[str] = ContextVar("tenant", default="nobody")
TRACE: ContextVar[Any] = ContextVar("trace")


def request_of(kind: Kind = CALL, conc: int = 7) -> Request:
    return Request(kind, ConcAddr("c", 1, conc), "method", (1,), {}, Unheard("a test"))


def carried(travels: Travels, request: Request) -> dict[str, Any] | None:
    travels.take_along(request)
    return request.travelling


def test_what_is_set_is_taken_along_and_nothing_else() -> None:
    travels = Travels((TENANT, TRACE))
    assert copy_context().run(carried, travels, request_of()) is None
    context = copy_context()
    context.run(TENANT.set, "alice")
    assert context.run(carried, travels, request_of()) == {"tenant": "alice"}


@pytest.mark.parametrize(
    ("kind", "conc", "goes"),
    [
        *((kind, 7, True) for kind in (CALL, GET, SET, PINNED)),
        *((kind, 7, False) for kind in (CREATE, PULL, EXIT)),
        (CALL, ENV_MGR, False),
    ],
)
def test_it_goes_with_requests_for_code_of_authors(kind: Kind, conc: int, *, goes: bool) -> None:
    context = copy_context()
    context.run(TENANT.set, "alice")
    assert (context.run(carried, Travels((TENANT,)), request_of(kind, conc)) is not None) is goes


def test_what_has_arrived_is_gone_when_it_leaves() -> None:
    travels = Travels((TENANT, TRACE))
    token = TENANT.set("the worker's")
    try:
        arrived = travels.arrive({"tenant": "alice", "trace": 7, "unknown": 8})
        assert (TENANT.get(), TRACE.get()) == ("alice", 7)
        TENANT.set("the method's")
        leave(arrived)
        assert (TENANT.get(), TRACE.get(None)) == ("the worker's", None)
    finally:
        TENANT.reset(token)


def test_a_variable_is_found_once_its_module_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    travels = Travels(places={"late": ["corps_test_nowhere:late", "corps_test_late:late"]})
    assert carried(travels, request_of()) is None
    module: Any = ModuleType("corps_test_late")
    monkeypatch.setitem(sys.modules, "corps_test_late", module)
    module.late = "no variable"
    assert carried(travels, request_of()) is None
    module.late = ContextVar("late", default=0)
    leave_it = travels.arrive({"late": 3})
    assert module.late.get() == 3
    assert carried(travels, request_of()) == {"late": 3}
    leave(leave_it)


def test_the_places_of_a_variable_are_those_where_modules_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("corps_test_other")
    monkeypatch.setitem(sys.modules, "corps_test_other", module)
    module.imported = TENANT
    assert sorted(places_of(TENANT)) == sorted([f"{__name__}:TENANT", "corps_test_other:imported"])
    assert places_of(ContextVar("local")) == []


@pytest.mark.parametrize(
    ("travels", "fault"),
    [
        ((), ""),
        ((TENANT, TRACE), ""),
        ([TENANT], "tuple of ContextVars"),
        (TENANT, "tuple of ContextVars"),
        (("tenant",), "tuple of ContextVars"),
        ((TENANT, ContextVar("tenant")), "a name of its own"),
    ],
)
def test_what_cannot_travel_is_refused_at_once(travels: Any, fault: str) -> None:
    assert fault in fault_of(travels)
    assert bool(fault) is bool(fault_of(travels))
    if not fault:
        type("App", (corps.Corps,), {"travels": travels})
        return
    with pytest.raises(corps.DefinitionError, match=rf"App\.travels is .*{fault}"):
        type("App", (corps.Corps,), {"travels": travels})
    with pytest.raises(corps.ConfigError, match=fault):
        corps.env(travels=travels)


def test_a_request_is_as_heavy_as_what_travels_with_it() -> None:
    request = request_of()
    request.travelling = {"tenant": "alice"}
    assert _is_light(request)
    request.travelling = {"tenant": object()}
    assert not _is_light(request)
