"""Claims about what of a class may be called from afar."""

import functools
import sys
from typing import Any, ClassVar

import pytest

import corps
from corps.errors import DefinitionError
from corps.workers.conc import Conc
from corps.workers.corps import Corps
from corps.workers.idempotence import retries_of

OFFERED = {
    "my_name",
    "my_self",
    "my_mgr",
    "my_corps",
    "my_tag",
    "my_class",
    "my_host",
    "my_children",
    "my_dir",
    "my_ext_name",
}


class Mixin:
    def mixed_in(self) -> None: ...


class Worker(Mixin, Conc):
    data = 3
    inner = dict
    partly = functools.partial(print, "x")
    shortened = lambda self: None  # noqa: E731

    def plain(self) -> None: ...

    def _private(self) -> None: ...

    async def softly(self) -> None: ...

    @staticmethod
    def static() -> None: ...

    @classmethod
    def of_class(cls) -> None: ...

    @property
    def computed(self) -> int:
        return 1

    @functools.cache  # noqa: B019
    def cached(self) -> None: ...

    @functools.wraps(softly)
    async def wrapped(self) -> None: ...

    @functools.wraps(softly)
    def around(self) -> Any:  # a plain method, whatever it wraps: it runs alone
        return self.softly()

    @functools.singledispatchmethod
    def by_type(self, what: Any) -> str:
        return f"something else: {what}"

    partial: Any = functools.partialmethod(by_type, 1)
    softly_once = functools.partialmethod(softly)

    @functools.cached_property
    def once(self) -> int:
        return 1


def test_public_functions_are_methods_and_nothing_else_is() -> None:
    assert Worker._corps_interface.methods - OFFERED == {
        "plain", "softly", "static", "of_class", "cached", "wrapped", "mixed_in", "shortened", "by_type",
        "softly_once", "partial", "around",
    }  # fmt: skip
    assert Worker._corps_interface.async_methods == {"softly", "wrapped", "softly_once"}


def test_attributes_that_run_code_when_they_are_read_are_known() -> None:
    assert Worker._corps_interface.computed == {"computed", "once"}


def test_what_the_library_defines_is_the_workers_own_but_for_my() -> None:
    interface = Conc._corps_interface
    assert interface.methods == OFFERED
    assert {"main", "receive", "handle", "before", "process", "after", "reply", "cleanup", "my_env"} <= (
        interface.reserved
    )
    assert Corps._corps_interface.methods == {*OFFERED, "add_env", "remove_env"}


def test_what_a_corps_declares_is_a_name_like_others_in_a_conc() -> None:
    class Train(Conc):
        def travels(self) -> str:
            return "far"

    assert "travels" in Train._corps_interface.methods
    assert "travels" in type("App", (Corps,), {})._corps_interface.reserved  # type: ignore[attr-defined]


def test_steps_and_a_main_of_its_own_are_noticed_where_they_are_overridden() -> None:
    class Stepping(Conc):
        def after(self, request: Any, outcome: Any) -> None: ...

    class Serving(Stepping):
        def main(self) -> None: ...

    assert not Worker._corps_interface.has_steps
    assert (Stepping._corps_interface.has_steps, Stepping._corps_interface.has_main) == (True, False)
    assert (Serving._corps_interface.has_steps, Serving._corps_interface.has_main) == (True, True)
    assert "after" not in Stepping._corps_interface.methods


@pytest.mark.parametrize(("given", "kept"), [(True, sys.maxsize), (False, 1), (1, 1), (7, 7)])
def test_interleaving_is_a_number(given: bool | int, kept: int) -> None:
    class Some(Conc):
        interleave: ClassVar[bool | int] = given

    assert Some._corps_interface.interleave == kept


@pytest.mark.parametrize("name", ["options", "exit"])
def test_what_every_name_has_cannot_be_a_method(name: str) -> None:
    with pytest.raises(DefinitionError, match=name):
        type("Wrong", (Conc,), {name: lambda self: None})


def test_idempotent_decorates_with_and_without_parentheses() -> None:
    class Twice(corps.Conc):
        @corps.idempotent
        def plain(self) -> None: ...

        @corps.idempotent(retries=5)
        def often(self) -> None: ...

    assert (retries_of(Twice.plain), retries_of(Twice.often)) == (3, 5)


@pytest.mark.parametrize("wrong", [5, property(), type("C", (), {})])
def test_idempotent_is_for_methods(wrong: Any) -> None:
    with pytest.raises(corps.DefinitionError, match="is for methods of a class"):
        corps.idempotent()(wrong)


def test_watch_wants_a_name() -> None:
    with pytest.raises(TypeError, match=r"corps.watch\(5\): wants the Name of a worker"):
        corps.watch(5)  # type: ignore[arg-type]  # that is what is tested


@pytest.mark.parametrize(
    "wrong", [{"mailbox": "x"}, {"mailbox": 0}, {"deadline": "x"}, {"deadline": 0}, {"deadline": True}]
)
def test_options_that_make_no_sense_are_refused(wrong: Any) -> None:
    with pytest.raises(corps.ConfigError, match="wants"):
        corps.options(**wrong)
