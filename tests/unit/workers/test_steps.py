"""Claims about which methods of a class are steps and hooks, and which are the author's own."""

from collections.abc import Callable
from typing import Any

import pytest

import corps
from corps.errors import DefinitionError
from corps.workers.conc import Conc


class OtherRequest:
    pass


def shaped(**body: Any) -> type[Conc]:
    return type("Shop", (Conc,), body)


def own(name: str, function: Any) -> bool:
    interface = shaped(**{name: function})._corps_interface
    return name in interface.methods and not interface.has_steps and not interface.has_main


def annotated(self: Any, request: OtherRequest) -> None: ...


def annotated_in_text(self: Any, request: "OtherRequest") -> None: ...


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("process", lambda self, order: order),
        ("process", lambda self, request, priority=1: priority),
        ("process", annotated),
        ("process", annotated_in_text),
        ("process", lambda self, *args: args),
        ("before", lambda self, date: date),
        ("before", staticmethod(lambda date: date)),
        ("after", lambda self, date: date),
        ("after", lambda self, request: request),
        ("reply", classmethod(lambda cls, text: text)),
        ("main", lambda self, argv: argv),
        ("receive", lambda self, parcel: parcel),
        ("handle", lambda self, event: event),
        ("handle", lambda self, request: request),
        ("is_ending", lambda self: True),
    ],
)
def test_a_method_that_is_only_named_like_a_step_is_the_authors_own(
    name: str, function: Callable[..., Any]
) -> None:
    assert own(name, function)


@pytest.mark.parametrize("name", ["process", "main", "handle"])
def test_data_of_a_class_may_be_named_like_a_step(name: str) -> None:
    interface = shaped(**{name: 5})._corps_interface
    assert name not in interface.methods | interface.reserved
    assert not interface.has_steps
    assert not interface.has_main


def test_a_step_is_recognised_by_the_names_of_its_parameters() -> None:
    class Stepping(Conc):
        def before(self, request: "corps.Request") -> None: ...

        def process(self, request: corps.Request) -> Any:
            return super().process(request)

        def after(self, _request: Any, _outcome: Any) -> None: ...

    assert Stepping._corps_steps == {"before", "process", "after"}
    assert Stepping._corps_interface.has_steps
    assert {"before", "process", "after"} <= Stepping._corps_interface.reserved


def test_a_step_that_passes_on_whatever_it_gets_is_one() -> None:
    class Passing(Conc):
        def process(self, *args: Any, **kwargs: Any) -> Any:
            return super().process(*args, **kwargs)

    assert Passing._corps_steps == {"process"}


def test_what_a_loop_calls_is_taken_only_beside_a_loop() -> None:
    class Serving(Conc):
        def main(self) -> None:
            while (request := self.receive()) is not None:
                self.handle(request)

        def receive(self, timeout: float | None = None) -> "corps.Request | None":
            return super().receive(timeout)

    assert Serving._corps_steps == {"main", "receive"}
    assert "receive" in Serving._corps_interface.reserved


def test_a_subclass_may_give_a_step_back() -> None:
    class Stepping(Conc):
        def before(self, request: corps.Request) -> None: ...

    class Shop(Stepping):
        def before(self, date: int) -> int:  # type: ignore[override]  # that is what is tested
            return date

    assert Shop._corps_steps == frozenset()
    assert "before" in Shop._corps_interface.methods


def test_a_process_that_runs_nothing_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"Shop.process\(request\) is a step.*its parameter otherwise"):
        shaped(process=lambda self, request: request)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("cleanup", lambda self, older_than: older_than),
        ("cleanup", None),
        ("on_ended", lambda self: None),
        ("keep_state", lambda self, state: state),
        ("before_restart", lambda self: None),
        ("after_restart", property(lambda self: 1)),
    ],
)
def test_a_hook_that_cannot_be_called_as_one_is_refused(name: str, wrong: Any) -> None:
    with pytest.raises(DefinitionError, match=rf"Shop\.{name} is .* the runtime calls {name}\(self"):
        shaped(**{name: wrong})


@pytest.mark.parametrize("hook", [lambda self, *args: None, lambda self, what=None: None])
def test_a_hook_may_take_more_than_it_gets(hook: Any) -> None:
    assert "cleanup" in shaped(cleanup=hook)._corps_interface.reserved


@pytest.mark.parametrize("name", ["before", "main", "keep_state", "on_ended"])
def test_a_step_and_most_hooks_are_not_async(name: str) -> None:
    async def request_step(self: Any, request: Any) -> None: ...

    async def bare(self: Any) -> None: ...

    with pytest.raises(DefinitionError, match="cannot be async"):
        shaped(**{name: request_step if name in ("before", "on_ended") else bare})


def test_a_hook_that_nothing_waits_behind_may_be_async() -> None:
    async def bare(self: Any) -> None: ...

    async def told(self: Any, error: Any) -> None: ...

    assert "cleanup" in shaped(cleanup=bare, before_restart=told)._corps_interface.reserved


def test_start_is_a_hook_if_it_is_async_and_says_that_it_takes_and_gives_nothing() -> None:
    async def bare(self: Any) -> None: ...

    async def unsaid(self: Any): ...  # type: ignore[no-untyped-def]

    async def taking(self: Any, what: Any = None) -> None: ...

    async def giving(self: Any) -> bool:
        return True

    def plain(self: Any) -> None: ...

    cls = shaped(start=bare)
    assert cls._corps_starts
    assert "start" in cls._corps_interface.reserved
    for own in (unsaid, taking, giving, plain):
        cls = shaped(start=own)
        assert not cls._corps_starts
        assert "start" in cls._corps_interface.methods
