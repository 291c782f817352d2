"""Claims about what a worker's code sees of the thread that happens to run it, and leaves behind there."""

import contextvars
import decimal
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

import corps
from tests.integration.behaviour.paths import Way

_tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


class Keeper(corps.Conc):
    """Sets a context variable, in every kind of code that a worker has."""

    def __init__(self, tenant: str | None = None) -> None:
        if tenant is not None:
            _tenant.set(tenant)

    def serve(self, tenant: str) -> None:
        _tenant.set(tenant)

    async def serve_softly(self, tenant: str) -> str:
        _tenant.set(tenant)
        return _tenant.get()

    def tenant(self) -> str:
        return _tenant.get()

    async def tenant_softly(self) -> str:
        return _tenant.get()

    def ask(self, other: corps.Name["Keeper"]) -> tuple[str, str]:
        return other.tenant().ret, _tenant.get()

    def have_served(self, other: corps.Name["Keeper"], tenant: str) -> str:
        other.serve(tenant).result()
        return _tenant.get()

    def make(self, tenant: str) -> tuple[str, str]:
        child = corps.options(env="here").create(Keeper, tenant)
        return child.tenant().ret, _tenant.get()

    def items(self) -> Iterator[str]:
        token = _tenant.set("generator")
        yield _tenant.get()
        yield _tenant.get()
        _tenant.reset(token)
        yield _tenant.get()

    async def items_softly(self) -> AsyncIterator[str]:
        token = _tenant.set("generator")
        yield _tenant.get()
        yield _tenant.get()
        _tenant.reset(token)
        yield _tenant.get()


class Price(corps.Conc):
    def rough(self) -> None:
        decimal.getcontext().prec = 3

    def third(self) -> decimal.Decimal:
        return decimal.Decimal(1) / 3


class Fragile(corps.Conc):
    """Looks at the exception that is being handled where its code runs."""

    def __init__(self) -> None:
        self.at_birth = repr(sys.exception())

    def handled(self) -> str:
        return repr(sys.exception())

    def again(self) -> None:
        raise  # noqa: PLE0704 - which must be the worker's own

    def fail(self) -> None:
        raise KeyError("mine")


class Careless(corps.Conc):
    def while_handling(self, other: corps.Name[Fragile]) -> str:
        try:
            raise ValueError("the caller's")
        except ValueError:
            return self._deeper(other)

    def _deeper(self, other: corps.Name[Fragile]) -> str:
        handled: str = other.handled().ret
        return handled


def test_what_a_worker_sets_is_not_seen_by_its_caller_nor_by_another_worker(way: Way) -> None:
    one, other = way.create(Keeper), way.create(Keeper)
    one.serve("alice").result()
    assert _tenant.get() == "nobody"
    assert other.tenant().ret == "nobody"
    assert other.have_served(one, "bob").ret == "nobody"


def test_what_its_caller_has_set_is_not_seen_by_a_worker(way: Way) -> None:
    keeper, other = way.create(Keeper), way.create(Keeper)
    token = _tenant.set("alice")
    try:
        assert keeper.tenant().ret == "nobody"
        assert keeper.tenant_softly().ret == "nobody"
        assert way.create(Keeper).tenant().ret == "nobody"
        assert list(keeper.items().ret) == ["generator", "generator", "nobody"]
    finally:
        _tenant.reset(token)
    keeper.serve("bob").result()
    assert keeper.ask(other).ret == ("nobody", "bob")
    assert keeper.make("carol").ret == ("carol", "bob")


def test_a_worker_keeps_what_its_own_plain_code_has_set(way: Way) -> None:
    keeper = way.create(Keeper, "made")
    assert keeper.tenant().ret == keeper.tenant_softly().ret == "made"
    keeper.serve("alice").result()
    assert keeper.tenant().result(timeout=20) == "alice"


def test_what_a_coroutine_sets_ends_with_it(way: Way) -> None:
    keeper = way.create(Keeper)
    assert keeper.serve_softly("alice").ret == "alice"
    assert keeper.tenant_softly().ret == keeper.tenant().ret == "nobody"


@pytest.mark.parametrize("method", ["items", "items_softly"])
def test_the_steps_of_a_generator_share_a_context(way: Way, method: str) -> None:
    keeper = way.create(Keeper)
    assert list(getattr(keeper, method)().ret) == ["generator", "generator", "nobody"]


def test_a_precision_of_decimal_is_that_of_one_worker(way: Way) -> None:
    one, other = way.create(Price), way.create(Price)
    other.third().result()
    one.rough().result()
    assert one.third().ret == decimal.Decimal("0.333")
    assert other.third().ret == decimal.Decimal(1) / 3


def test_the_exception_that_a_caller_handles_is_not_seen_by_the_worker(way: Way) -> None:
    fragile, careless = way.create(Fragile), way.create(Careless)
    assert careless.while_handling(fragile).ret == "None"
    try:
        raise ValueError("the caller's")
    except ValueError:
        assert fragile.handled().ret == "None"
        assert way.create(Fragile).at_birth.ret == "None"
        with pytest.raises(RuntimeError, match="No active exception"):
            fragile.again().result()
        error = fragile.fail().exception()
    assert isinstance(error, KeyError)
    assert error.__context__ is None
