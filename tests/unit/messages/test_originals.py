"""Claims about the errors of callers: they are of the type that was raised, and hold all that it held."""

import asyncio
import concurrent.futures
import copy
import dataclasses
import gc
import json
import pickle
import subprocess
import weakref
from abc import ABC
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import pytest

from corps.errors import EnvLost, NoSuchMethod, Remote, RemoteError, remote_of
from corps.messages.originals import copy_of, original_of, remote_error
from corps.messages.outcomes import Raised

T = TypeVar("T")


class Keywords(Exception):
    def __init__(self, code: int, *, where: str) -> None:
        super().__init__(f"{code} at {where}")
        self.code, self.where = code, where


class WithNew(Exception):
    def __new__(cls, first: int, second: int) -> "WithNew":
        return super().__new__(cls, first, second)


class Slotted(Exception):
    __slots__ = ("__hidden", "code", "unset")

    def __init__(self, code: int) -> None:
        super().__init__("slotted")
        self.code = code
        self.__hidden = code + 1

    def hidden(self) -> int:
        return self.__hidden


@dataclasses.dataclass
class Data(Exception):
    code: int


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen(Exception):
    code: int


class Guarded(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} is not to be set")


class Abstract(Exception, ABC):
    pass


class Typed(Exception, Generic[T]):
    pass


class OfMessage(ExceptionGroup[Any]):
    code: int

    def __new__(cls, message: str, errors: list[Exception], code: int) -> "OfMessage":
        self = super().__new__(cls, message, errors)
        self.code = code
        return self


class NoSuper(Exception):
    def __init__(self, status: int) -> None:
        self.status = status

    def __repr__(self) -> str:
        return f"NoSuper({self.status})"


class SameNames(Exception):
    target = "of the class"

    def __init__(self) -> None:
        self.text, self.traceback, self.origin = "my text", "my traceback", "my origin"


class Registered(Exception):
    known: Final[list[type]] = []

    def __init_subclass__(cls) -> None:
        cls.known.append(cls)


class Meta(type):
    known: Final[list[type]] = []

    def __init__(cls, *args: Any) -> None:
        Meta.known.append(cls)


class OfMeta(Exception, metaclass=Meta):
    pass


class TwoBases(KeyError, OSError):
    def __init__(self, code: int, key: str) -> None:
        super().__init__(code, key)
        self.where = "at two"


class Group(ExceptionGroup[Any]):
    code: int

    def __new__(cls, errors: list[Exception], code: int) -> "Group":
        self = super().__new__(cls, "a group", errors)
        self.code = code
        return self

    def derive(self, errors: Any) -> "Group":
        return Group(errors, self.code)


def of_json() -> None:
    json.loads("{bad")


def of_command() -> None:
    subprocess.run(["false"], check=True)


def of_file() -> None:
    open("/nowhere/at/all")  # noqa: SIM115


def of_import() -> None:
    import no_such_module  # type: ignore[import-not-found]  # noqa: F401


def of_name() -> None:
    undefined  # type: ignore[name-defined]  # noqa: B018, F821


def of_attribute() -> None:
    (1).nope  # type: ignore[attr-defined]  # noqa: B018


def of_syntax() -> None:
    compile("a b", "f.py", "exec")


def of_unicode() -> None:
    b"\xff".decode()


def raised(error: BaseException) -> Any:
    """The error of a caller for an exception."""
    return Raised.capture(error, "a Counter").error


def caught(function: Any) -> BaseException:
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError


ORIGINALS: Final = [
    Keywords(7, where="here"),
    WithNew(1, 2),
    Slotted(9),
    Data(3),
    Frozen(4),
    Guarded("x"),
    Abstract("x"),
    Typed[int]("x"),
    NoSuper(404),
    Registered("x"),
    OfMeta("x"),
    TwoBases(2, "k"),
    KeyError("missing"),
    OSError(2, "no", "/a", None, "/b"),
    BlockingIOError(11, "again", 5),
    asyncio.IncompleteReadError(b"ab", 5),
    *map(
        caught,
        (of_json, of_command, of_file, of_import, of_name, of_attribute, of_syntax, of_unicode),
    ),
    MemoryError("x"),
    RecursionError("x"),
    TimeoutError("mine"),
    EnvLost("gone", reason="killed"),
    Exception("plain"),
]
FIELDS: Final = (
    *("args", "code", "where", "status", "msg", "doc", "pos", "lineno", "colno", "start", "end", "object"),
    *("returncode", "cmd", "partial", "expected", "errno", "strerror", "filename", "filename2", "text"),
    *("characters_written", "name", "obj", "path", "offset", "reason", "encoding"),
)


AGAIN: Final[tuple[Callable[[Any], Any], ...]] = (
    lambda error: error,
    copy.copy,
    lambda error: pickle.loads(pickle.dumps(error)),
)


def fields(error: BaseException) -> dict[str, Any]:
    return {name: getattr(error, name) for name in FIELDS if hasattr(error, name)}


@pytest.mark.parametrize("original", ORIGINALS, ids=lambda error: type(error).__name__)
def test_an_error_is_of_the_original_type_and_holds_what_that_holds(original: BaseException) -> None:
    for again in AGAIN:
        error = again(raised(original))
        assert isinstance(error, type(original))
        assert isinstance(error, RemoteError)
        assert str(error) == str(original)
        expected = fields(original)
        assert {name: value for name, value in fields(error).items() if name in expected} == expected
        assert type(error).__name__ in (type(original).__name__, "RemoteError")
        assert type(error.origin) is type(original)
        assert str(error.origin) == str(original)
        assert remote_of(error) is not None
        assert [note for note in error.__notes__ if "a Counter" in note] == error.__notes__


def test_a_group_keeps_what_its_constructor_took() -> None:
    original = OfMessage("several", [ValueError(1)], 4)
    for again in AGAIN:
        error = again(raised(original))
        assert isinstance(error, OfMessage)
        assert (repr(error.args), error.code) == (repr(original.args), 4)


def test_slots_with_private_names_are_kept() -> None:
    assert raised(Slotted(1)).hidden() == 2


def test_an_error_can_be_made_anew_with_another_text() -> None:
    assert type(raised(ValueError("x")))("longer").args == ("longer",)
    assert type(raised(Keywords(1, where="here")))(2, where="there").where == "there"


def test_an_attribute_of_the_original_hides_a_fact_of_the_same_name() -> None:
    error = raised(SameNames())
    assert (error.text, error.traceback, error.origin) == ("my text", "my traceback", "my origin")
    assert error.target == "of the class"
    assert error.executed == "yes"
    again = Raised.capture(error, "the next")
    assert again.remote.type_name.endswith("SameNames")
    assert again.remote.text == ""


def test_what_knows_all_classes_of_exceptions_does_not_hear_of_more() -> None:
    before = [*Registered.known], [*Meta.known]
    assert isinstance(raised(Registered()), Registered)
    assert isinstance(raised(OfMeta()), OfMeta)
    assert ([*Registered.known], [*Meta.known]) == before


def test_words_about_the_request_are_those_of_the_callers_own() -> None:
    error = raised(NoSuchMethod("nested", target="a further one"))
    assert isinstance(error, NoSuchMethod)
    assert (error.executed, error.target) == ("yes", "a Counter")
    assert raised(EnvLost("nested", executed="unknown")).executed == "yes"


def test_groups_are_split_and_caught_by_their_parts() -> None:
    group = ExceptionGroup("several", [ValueError("a"), ExceptionGroup("inner", [KeyError("k")])])
    error = raised(group)
    assert issubclass(type(error), ExceptionGroup)
    found: list[Any] = []
    try:
        raise error
    except* ValueError as some:
        found += some.exceptions
    except* KeyError as some:
        found += some.exceptions
    assert [repr(each) for each in found] == ["ValueError('a')", "ExceptionGroup('inner', [KeyError('k')])"]
    matched, rest = error.split(KeyError)
    assert (repr(rest), matched is None) == ("ExceptionGroup('several', [ValueError('a')])", False)
    assert rest.__notes__ == error.__notes__
    own = raised(Group([ValueError("a"), KeyError("k")], 7))
    assert own.code == 7
    assert own.subgroup(ValueError).code == 7
    assert isinstance(pickle.loads(pickle.dumps(error)), ExceptionGroup)


def test_causes_contexts_and_notes_are_kept_without_tracebacks() -> None:
    def chained() -> None:
        try:
            raise LookupError("first")
        except LookupError as error:
            error.add_note("of the first")
            raise ValueError("second") from error

    original = caught(chained)
    original.add_note("of the second")
    error = raised(original)
    assert repr(error.__cause__) == repr(error.__context__) == "LookupError('first')"
    assert error.__cause__ is error.__context__
    assert error.__cause__.__traceback__ is None
    assert error.__cause__.__notes__ == ["of the first"]
    assert error.__suppress_context__
    assert error.__notes__[0] == "of the second"
    assert original.__cause__ is not None
    assert original.__cause__.__traceback__ is not None


def test_a_circle_of_causes_is_copied_as_one() -> None:
    first, second = ValueError("a"), KeyError("b")
    first.__cause__, second.__cause__ = second, first
    error = copy_of(first)
    assert error.__cause__ is not second
    assert error.__cause__ is not None
    assert error.__cause__.__cause__ is error


def test_a_long_chain_of_contexts_is_cut() -> None:
    error: BaseException | None = ValueError("last")
    for number in range(10_000):
        outer = ValueError(number)
        outer.__context__ = error
        error = outer
    assert error is not None
    length, link = 0, copy_of(error).__context__
    while link is not None:
        length, link = length + 1, link.__context__
    assert 10 < length < 100


@pytest.mark.parametrize(
    "signal",
    [
        StopIteration(5),
        StopAsyncIteration("x"),
        asyncio.CancelledError("x"),
        concurrent.futures.CancelledError("x"),
        GeneratorExit("x"),
        KeyboardInterrupt("x"),
        SystemExit(3),
        BaseExceptionGroup("several", [KeyboardInterrupt()]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_means_something_to_the_caller_is_a_remote_error_alone(signal: BaseException) -> None:
    for again in AGAIN:
        error = again(raised(signal))
        assert type(signal).__name__ in str(error)
        assert type(error.origin) is type(signal)
        assert error.executed == "yes"
        if isinstance(signal, StopIteration):
            assert error.value == 5
        if isinstance(signal, SystemExit):
            assert error.code == 3
        assert type(error) is RemoteError


def test_an_error_that_went_through_two_workers_has_what_each_has_added() -> None:
    first = raised(Keywords(7, where="here"))

    def pass_on() -> None:
        first.add_note("by the second worker")
        first.code = 8
        raise first from LookupError("why")

    outcome = Raised.capture(caught(pass_on), "the second")
    assert type(outcome.remote.origin) is Keywords
    error: Any = outcome.error
    assert (error.code, error.where, error.target) == (8, "here", "the second")
    assert error.__notes__[0] == "by the second worker"
    assert len(error.__notes__) == 2
    assert "side of a Counter" in error.__notes__[1]
    assert repr(error.__cause__) == "LookupError('why')"
    assert first.target == "a Counter"


def test_a_validation_error_of_pydantic_is_one() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Model(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        number: int

    original: Any = caught(lambda: Model(number="none"))
    error = raised(original)
    assert isinstance(error, pydantic.ValidationError)
    assert error.errors() == original.errors()
    assert str(error) == str(original)
    assert error.title == original.title


def test_a_validation_error_goes_through_several_workers_and_is_copied_on_the_way() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Model(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        number: int

    original: Any = caught(lambda: Model(number="none"))
    second: Any = Raised.capture(raised(original), "the second").error
    third: Any = Raised.capture(second, "the third").error
    error: Any
    for error in (second, third, copy.copy(third), pickle.loads(pickle.dumps(third)), copy_of(third)):
        assert issubclass(type(error), RemoteError)
        assert isinstance(error, pydantic.ValidationError)
        assert error.errors() == original.errors()
    alone = original_of(third)
    assert type(alone) is pydantic.ValidationError
    assert str(alone) == str(original)


class Refusing(Exception):
    """As a class in C that cannot be made but by its library."""

    def __new__(cls, *args: Any) -> "Refusing":
        return super().__new__(cls, *args)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("no context")


def test_a_class_that_lies_about_itself_is_what_it_is() -> None:
    error = raised(Refusing("x"))
    assert type(error).__mro__[2] is Refusing


def test_where_no_class_can_be_made_of_both_the_error_is_a_copy_of_the_original(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(kind: type) -> type:
        raise TypeError(f"{kind} is final")

    monkeypatch.setattr("corps.messages.originals._class_of_both", refuse)
    original = Keywords(7, where="here")
    error = raised(original)
    assert error is not original
    assert type(error) is Keywords
    assert (vars(error)["code"], vars(error)["executed"], vars(error)["target"]) == (7, "yes", "a Counter")
    assert "a Counter" in error.__notes__[0]
    again = Raised.capture(error, "the next")
    assert type(again.remote.origin) is Keywords
    assert len(again.error.__notes__) == 1


def test_what_an_original_stands_for_is_it() -> None:
    original = original_of(remote_error(Remote("builtins.KeyError", origin=KeyError("k"))))
    assert (type(original), original.args if original else None) == (KeyError, ("k",))
    assert original_of(remote_error(Remote("a.B", "text"))) is None


def test_an_error_that_is_dropped_leaves_no_garbage() -> None:
    class Marked(Exception):
        pass

    def alive() -> weakref.ref[Any]:
        outcome = Raised.capture(caught(lambda: (_ for _ in ()).throw(Marked())), "a Counter")
        try:
            outcome.unwrap()
        except Marked as error:
            return weakref.ref(error)

    gc.disable()
    try:
        assert alive()() is None
    finally:
        gc.enable()
