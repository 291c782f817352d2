"""Claims about what a caller gets when a request fails, over every path."""

import asyncio
import concurrent.futures
import gc
import os
import pickle
import threading
import weakref
from typing import Any

import pytest

import corps
import corps.errors
from tests.integration.behaviour.paths import Way
from tests.integration.behaviour.workers import Counter, Holder


class WithKeywords(Exception):
    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code


class WithLock(ValueError):
    def __init__(self) -> None:
        super().__init__("I hold a lock")
        self.lock = threading.Lock()


class Mute(LookupError):
    def __str__(self) -> str:
        raise RuntimeError("nothing to say")


class Unmixable(Exception):
    __slots__ = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        raise TypeError("no subclasses, please")


class Failing(corps.Conc):
    def __init__(self) -> None:
        self.alive = True

    def fail(self, kind: str) -> None:
        class Local(ValueError):
            pass

        raises: dict[str, Any] = {
            "key": lambda: os.environ["MISSING"],
            "keywords": lambda: _raise(WithKeywords("it broke", code=7)),
            "lock": lambda: _raise(WithLock()),
            "mute": lambda: _raise(Mute("x")),
            "unmixable": lambda: _raise(Unmixable("x")),
            "local": lambda: _raise(Local("from inside")),
            "os": lambda: open("/nowhere/at/all"),  # noqa: SIM115
            "import": lambda: __import__("no_such_module"),
            "unicode": lambda: b"\xff".decode(),
            "group": lambda: _raise(ExceptionGroup("several", [ValueError(1), KeyError(2)])),
            "chained": lambda: _chained(),
            "stop": lambda: next(iter(())),
            "exit": lambda: _raise(SystemExit(3)),
            "interrupt": lambda: _raise(KeyboardInterrupt()),
            "base": lambda: _raise(BaseException("very basic")),
            "stop_async": lambda: _raise(StopAsyncIteration("x")),
            "cancelled": lambda: _raise(asyncio.CancelledError("by itself")),
            "cancelled_future": lambda: _raise(concurrent.futures.CancelledError("by itself")),
            "attribute": lambda: (1).nope,  # type: ignore[attr-defined]
            "corps": lambda: _raise(corps.Overloaded("of my own making")),
        }
        raises[kind]()

    async def fail_softly(self, kind: str) -> None:
        self.fail(kind)

    def fail_further(self, other: corps.Name["Failing"], kind: str) -> None:
        other.fail(kind).result()

    def unpackable(self) -> Any:
        return threading.Lock()


def _raise(error: BaseException) -> None:
    raise error


def _chained() -> None:
    try:
        raise ValueError("the cause")
    except ValueError as error:
        raise LookupError("the consequence") from error


@pytest.mark.parametrize(
    ("kind", "builtin", "text"),
    [
        ("key", KeyError, "MISSING"),
        ("keywords", WithKeywords, r"it broke \(7\)"),
        ("os", FileNotFoundError, "nowhere"),
        ("unicode", UnicodeDecodeError, "invalid start byte"),
        ("chained", LookupError, "the consequence"),
    ],
)
def test_an_error_is_caught_by_its_own_type(way: Way, kind: str, builtin: type[Exception], text: str) -> None:
    failing = way.create(Failing)
    with pytest.raises(builtin, match=text) as caught:
        failing.fail(kind).result()
    error = caught.value
    assert isinstance(error, corps.RemoteError)
    assert error.executed == "yes"
    assert str(failing._addr) in str(error.target)
    assert error.type_name.endswith(builtin.__name__)
    assert isinstance(error.origin, builtin)
    assert failing.alive.ret


def test_the_attributes_of_an_error_travel(way: Way) -> None:
    failing = way.create(Failing)
    with pytest.raises(WithKeywords) as caught:
        failing.fail("keywords").result()
    assert caught.value.code == 7
    with pytest.raises(OSError, match="nowhere") as missing:
        failing.fail("os").result()
    assert missing.value.filename == "/nowhere/at/all"
    assert missing.value.errno == 2
    with pytest.raises(ModuleNotFoundError) as module:
        failing.fail("import").result()
    assert module.value.name == "no_such_module"


def test_an_error_shows_the_traceback_of_the_other_side(way: Way) -> None:
    error = way.create(Failing).fail("chained").exception()
    assert isinstance(error, corps.RemoteError)
    assert "the cause" in error.traceback
    assert "in _chained" in error.traceback
    assert "corps/runtime" not in error.traceback
    assert any("in _chained" in note for note in error.__notes__)


def test_an_exception_group_is_one(way: Way) -> None:
    found: list[BaseException] = []
    try:
        way.create(Failing).fail("group").result()
    except* ValueError as group:
        found += group.exceptions
    except* KeyError as group:
        found += group.exceptions
    assert [repr(error) for error in found] == ["ValueError(1)", "KeyError(2)"]


def test_an_error_is_what_was_raised(way: Way) -> None:
    error: Any = way.create(Failing).fail("key").exception()
    assert (error.args, str(error)) == (("MISSING",), "'MISSING'")
    chained = way.create(Failing).fail("chained").exception()
    assert chained is not None
    assert repr(chained.__cause__) == repr(chained.__context__) == "ValueError('the cause')"
    missing: Any = way.create(Failing).fail("attribute").exception()
    assert (missing.name, missing.obj) == ("nope", 1)


@pytest.mark.parametrize("kind", ["stop", "stop_async", "cancelled", "cancelled_future"])
@pytest.mark.parametrize("method", ["fail", "fail_softly"])
def test_what_would_mean_something_to_the_caller_is_a_remote_error_alone(
    way: Way, kind: str, method: str
) -> None:
    failing = way.create(Failing)
    future = getattr(failing, method)(kind)
    if method == "fail_softly" and kind == "stop":
        assert isinstance(future.exception(), RuntimeError)  # as Python has it, for coroutines
        return
    error = future.exception()
    assert type(error) is corps.RemoteError
    assert error.executed == "yes"
    assert not future.cancelled()

    async def wrapped() -> BaseException | None:
        try:
            await asyncio.wrap_future(future)
        except BaseException as found:
            return found
        return None

    assert type(asyncio.run(wrapped())) is corps.RemoteError
    assert failing.alive.ret


def test_an_exception_that_cannot_be_packed_comes_as_its_type(way: Way) -> None:
    with pytest.raises(WithLock, match="I hold a lock") as caught:
        way.create(Failing).fail("lock").result()
    assert isinstance(caught.value, corps.RemoteError)
    if not way.is_local:
        assert "lock" in caught.value.__notes__[0]


def test_an_exception_that_cannot_say_what_it_is_gets_through(way: Way) -> None:
    with pytest.raises(LookupError) as caught:
        way.create(Failing).fail("mute").result()
    assert isinstance(caught.value, corps.RemoteError)
    assert "RuntimeError" in str(caught.value)


def test_an_exception_type_that_wants_no_subclasses_is_no_hindrance(way: Way) -> None:
    with pytest.raises(Unmixable, match=r"^x") as caught:
        way.create(Failing).fail("unmixable").result()
    assert isinstance(caught.value, corps.RemoteError)


def test_an_exception_type_made_inside_a_method_gets_through(way: Way) -> None:
    with pytest.raises(ValueError, match="from inside") as caught:
        way.create(Failing).fail("local").result()
    assert isinstance(caught.value, corps.RemoteError)


def test_an_error_of_corps_that_a_method_raises_is_remote(way: Way) -> None:
    with pytest.raises(corps.Overloaded, match="of my own making") as caught:
        way.create(Failing).fail("corps").result()
    assert isinstance(caught.value, corps.RemoteError)
    assert caught.value.executed == "yes"


def test_an_error_that_came_through_two_workers_keeps_its_type_and_both_tracebacks(way: Way) -> None:
    front, back = way.create(Failing), way.create_far(Failing)
    with pytest.raises(WithKeywords) as caught:
        front.fail_further(back, "keywords").result()
    error = caught.value
    assert isinstance(error, corps.RemoteError)
    assert error.code == 7
    assert error.type_name.endswith("WithKeywords")
    assert "in fail_further" in error.traceback
    assert "in fail\n" in error.traceback
    assert str(front._addr) in str(error.target)


@pytest.mark.parametrize("kind", ["exit", "interrupt", "base"])
@pytest.mark.parametrize("method", ["fail", "fail_softly"])
def test_an_exception_that_ends_programs_ends_the_worker_alone(way: Way, kind: str, method: str) -> None:
    failing, other = way.create(Failing), way.create(Counter)
    future = getattr(failing, method)(kind)
    with pytest.raises(corps.RemoteError) as caught:
        future.result(timeout=20)
    assert type(caught.value) is corps.RemoteError
    assert caught.value.executed == "yes"
    assert "in fail" in caught.value.traceback
    if kind == "exit":
        assert vars(caught.value)["code"] == 3
    failing.exit().result()
    with pytest.raises(corps.WorkerGone) as gone:
        _ = failing.alive.ret
    assert gone.value.executed == "no"
    assert other.add().ret == 1


def test_a_result_that_cannot_be_packed_is_an_error_and_never_silence(way: Way) -> None:
    future = way.create(Failing).unpackable()
    if way.is_local:
        assert future.ret is not None
        return
    with pytest.raises(corps.PackError, match="lock") as caught:
        future.result()
    assert caught.value.__dict__["executed"] == "yes"


@pytest.mark.parametrize("method", ["fail", "fail_softly"])
def test_the_arguments_of_a_request_that_failed_are_not_kept(way: Way, method: str) -> None:
    class Kind(str):
        """A str that can be watched."""

    failing = way.create(Failing)
    gc.disable()  # nothing may hang in a circle
    try:
        kind = Kind("chained")
        kept = weakref.ref(kind)
        future = getattr(failing, method)(kind)
        error = future.exception()
        with pytest.raises(LookupError):
            future.result()
        del kind
        for _ in range(2):  # what the loop does after an answer, it has done before the next one
            assert failing.fail_softly("key").exception() is not None
        assert kept() is None
        assert error is not None
    finally:
        gc.enable()


def test_arguments_that_cannot_be_packed_raise_at_the_call(way: Way) -> None:
    counter = way.create(Counter)
    if way.is_local:
        return
    with pytest.raises(corps.PackError, match="lock") as caught:
        counter.same({"a": [threading.Lock()]})
    assert "['a'][0]" in caught.value.path
    with pytest.raises(corps.PackError):
        counter.same.send(threading.Lock())
    assert counter.add().ret == 1


def test_the_same_error_is_given_to_everybody(way: Way) -> None:
    future = way.create(Failing).fail("key")
    first = future.exception()
    assert future.exception() is first
    with pytest.raises(KeyError) as caught:
        future.result()
    assert caught.value is not first  # what one adds to it does not come to another one
    assert (caught.value.args, vars(caught.value).keys()) == (first.args, vars(first).keys())


def test_an_error_crosses_a_second_worker_as_a_value(way: Way) -> None:
    error = way.create(Failing).fail("keywords").exception()
    again = way.create_far(Holder).note(error).ret
    assert isinstance(again, WithKeywords)
    assert isinstance(again, corps.RemoteError)
    assert (again.code, str(again), again.traceback) == (7, str(error), error.traceback)


KINDS = [kind for kind in vars(corps.errors).values() if isinstance(kind, type)]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if issubclass(kind, corps.CorpsError)])
def test_every_error_of_corps_survives_packing_with_its_fields(kind: type[corps.CorpsError]) -> None:
    error = kind("what happened", executed="yes", target="somebody", path="args[0]", output="bytes")
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(error, protocol))
        if kind is not corps.RemoteError:  # made again from its own fields
            assert vars(again) == vars(error)
            assert str(again) == "what happened"
        assert type(again) is kind
