"""Claims about outcomes on the wire: something that can be sent always goes back, and is what it was."""

import weakref
from threading import Lock
from typing import Any

import pytest

from corps.addresses import ConcAddr
from corps.errors import (
    Cancelled,
    CorpsError,
    DeadlockError,
    InternalError,
    NoSuchMethod,
    PackError,
    RemoteError,
    UnpackError,
    WorkerGone,
)
from corps.messages.outcomes import Outcome, Raised, Refused, Value
from corps.messages.streams import Held
from corps.packing.packer import Packer
from corps.peers.outcome_codec import OutcomeCodec
from corps.wire.frames import RAISED, REFUSED, RETURNED
from tests.unit.messages.test_originals import ORIGINALS, fields


@pytest.fixture
def codec() -> OutcomeCodec:
    return OutcomeCodec(Packer(), Streams())


class Streams:
    """Is told of iterators that came."""

    corps_id = "0123456789abcdef"

    def address_abroad(self, addr: ConcAddr) -> ConcAddr:
        return addr

    def __init__(self) -> None:
        self.forsaken: list[Held] = []

    def expect_garbage(self) -> None:
        pass

    def forsake(self, held: Held) -> None:
        self.forsaken.append(held)


def there_and_back(codec: OutcomeCodec, outcome: Outcome) -> Outcome:
    status, packed = codec.pack(outcome)
    received = codec.receive(status, packed.codec, [packed.body, *packed.buffers])
    opened = received.opened()
    assert received.failed == opened.failed
    return opened


def error_of(outcome: Outcome) -> BaseException:
    with pytest.raises(CorpsError) as caught:
        outcome.unwrap()
    return caught.value


def test_a_value_comes_back(codec: OutcomeCodec) -> None:
    assert there_and_back(codec, Value({"a": [1, (2,)]})).unwrap() == {"a": [1, (2,)]}


def test_a_value_that_cannot_be_packed_is_an_error_that_says_it_ran(codec: OutcomeCodec) -> None:
    error: Any = error_of(there_and_back(codec, Value(Lock())))
    assert error.executed == "yes"
    assert error.path == "result"


def test_an_exception_comes_back_as_its_type(codec: OutcomeCodec) -> None:
    error: Any = error_of(there_and_back(codec, Raised.capture(KeyError("k"), "target")))
    assert error.type_name == "builtins.KeyError"
    assert isinstance(error, KeyError)


@pytest.mark.parametrize("kind", ["pickle", "dill"])
@pytest.mark.parametrize("original", ORIGINALS, ids=lambda error: type(error).__name__)
def test_an_exception_comes_back_with_all_that_it_holds(kind: str, original: BaseException) -> None:
    codec = OutcomeCodec(Packer(codec=kind), Streams())
    error = error_of(there_and_back(codec, Raised.capture(original, "target")))
    expected = fields(original)
    assert {name: value for name, value in fields(error).items() if name in expected} == expected
    assert str(error) == str(original)
    assert isinstance(error, type(original))


class Unpackable(Exception):
    def __reduce__(self) -> Any:
        raise SystemExit("planted")


def test_an_exception_that_refuses_to_be_packed_comes_back_as_its_type(codec: OutcomeCodec) -> None:
    error: Any = error_of(there_and_back(codec, Raised.capture(Unpackable("text"), None)))
    assert error.text == "text"
    assert isinstance(error, Unpackable)


class WithLock(ValueError):
    def __init__(self) -> None:
        super().__init__("I hold a lock", Lock())
        self.lock = Lock()
        self.number = 7


def test_what_of_an_exception_cannot_be_packed_costs_that_alone(codec: OutcomeCodec) -> None:
    group = ExceptionGroup("several", [WithLock(), KeyError("k")])
    group.__cause__ = WithLock()
    back: Any = error_of(there_and_back(codec, Raised.capture(group, "target")))
    assert isinstance(back, ExceptionGroup)
    found: Any
    for found in (back.exceptions[0], back.__cause__):
        assert found.number == 7
        assert "lock" in found.lock
        assert "args[1], lock" in found.__notes__[0]
        assert type(found) is WithLock
    assert back.exceptions[1].args == ("k",)


class Gone:
    pass


def test_a_proxy_of_nothing_in_an_exception_costs_that_alone(codec: OutcomeCodec) -> None:
    original = ValueError("v")
    original.of = weakref.proxy(Gone())  # type: ignore[attr-defined]
    back = error_of(there_and_back(codec, Raised.capture(original, "there")))
    assert isinstance(back, ValueError)
    assert "came as text or not at all: of" in back.__notes__[0]


def test_an_exception_with_large_memory_comes_back_as_it_was() -> None:
    codec = OutcomeCodec(Packer(out_of_band=100), Streams())
    numpy = pytest.importorskip("numpy")
    error: Any = error_of(there_and_back(codec, Raised.capture(ValueError(numpy.zeros(1000)), None)))
    assert error.args[0].shape == (1000,)


def test_an_exception_comes_back_as_the_builtin_type_below_where_its_own_cannot_be_had() -> None:
    class Local(KeyError):
        def __str__(self) -> str:
            return "a local text"

    codec = OutcomeCodec(Packer(codec="data"), Streams())
    error: Any = error_of(there_and_back(codec, Raised.capture(Local("k"), "target")))
    assert (error.args, str(error)) == (("k",), "a local text")
    assert error.type_name.endswith("Local")
    assert isinstance(error, KeyError)
    missing: Any = error_of(there_and_back(codec, Raised.capture(FileNotFoundError(2, "no", "/x"), "target")))
    assert isinstance(missing, FileNotFoundError)
    assert str(missing) == "[Errno 2] no: '/x'"


@pytest.mark.parametrize(
    "facts", [["print", []], ["SystemExit", []], ["object", [1]], ["__import__", ["os"]]]
)
def test_only_builtin_exceptions_stand_in_for_others(codec: OutcomeCodec, facts: list[Any]) -> None:
    packed = Packer(codec="data").pack(["a.B", "text", "", None, 0, *facts])
    assert type(error_of(codec.open(RAISED, packed.codec, [packed.body]))) is RemoteError


class SaysNothing(Exception):
    def __str__(self) -> str:
        raise SystemExit("planted")

    __repr__ = __str__
    __cause__ = __notes__ = property(__str__)


def test_an_exception_whose_methods_end_programs_comes_back(codec: OutcomeCodec) -> None:
    error: Any = error_of(there_and_back(codec, Raised.capture(SaysNothing("x"), "target")))
    assert isinstance(error, SaysNothing)
    assert str(error) == "<str() of it raised SystemExit>"
    assert error.__cause__ is None
    assert len(error.__notes__) == 1


class Reduced:
    def __init__(self, reduced: Any) -> None:
        self._reduced = reduced

    def __reduce__(self) -> Any:
        if isinstance(self._reduced, BaseException):
            raise self._reduced
        return self._reduced


@pytest.mark.parametrize("kind", ["pickle", "dill", "data"])
@pytest.mark.parametrize(
    "reduced",
    [(Reduced,), (Reduced, 5), (None, None, None), SystemExit("x"), KeyboardInterrupt(), GeneratorExit()],
)
def test_whatever_packing_a_value_raises_there_is_an_answer(kind: str, reduced: Any) -> None:
    codec = OutcomeCodec(Packer(codec=kind), Streams())
    error: Any = error_of(there_and_back(codec, Value([Reduced(reduced)])))
    assert error.executed == "yes"
    if isinstance(reduced, BaseException) and kind != "data":
        assert type(error.__cause__) is type(reduced)
    assert isinstance(error, PackError | InternalError)


def test_an_error_of_unpacking_has_its_cause_with_it(codec: OutcomeCodec) -> None:
    error = UnpackError("the bytes cannot be unpacked")
    error.__cause__ = KeyError("k")
    for there in (codec, OutcomeCodec(Packer(codec="data"), Streams())):
        assert repr(error_of(there_and_back(there, Refused(error))).__cause__) == "KeyError('k')"


def test_an_exception_whose_text_is_no_unicode_comes_back(codec: OutcomeCodec) -> None:
    name = b"file-\xff".decode("utf-8", "surrogateescape")
    error: Any = error_of(there_and_back(codec, Raised.capture(OSError(name), name)))
    assert error.text == "file-\\udcff"


class Text(str):
    __slots__ = ()


class TellsMore(Exception):
    def __str__(self) -> str:
        return Text("text of a class of its own")


def test_an_exception_whose_text_is_of_a_class_of_its_own_comes_back(codec: OutcomeCodec) -> None:
    assert "of its own" in str(error_of(there_and_back(codec, Raised.capture(TellsMore(), None))))


@pytest.mark.parametrize(
    "error",
    [
        WorkerGone("gone", executed="no", target="t"),
        DeadlockError("cycle", cycle=("a", "b"), target="t"),
        NoSuchMethod("half \udc80 pair", target="half \udc80 pair", odd=Text("x"), left_out=object()),
    ],
)
def test_an_error_of_corps_comes_back_with_its_fields(codec: OutcomeCodec, error: CorpsError) -> None:
    back = error_of(there_and_back(codec, Refused(error)))
    assert type(back) is type(error)
    assert vars(back).keys() <= vars(error).keys()
    assert vars(back)["target"] in {"t", "half \\udc80 pair"}


@pytest.mark.parametrize("name", ["ValueError", "Any", "system", "__builtins__", "concurrent"])
def test_only_errors_of_corps_can_be_named(codec: OutcomeCodec, name: str) -> None:
    packed = Packer(codec="data").pack([name, "message", {}])
    assert isinstance(error_of(codec.open(REFUSED, packed.codec, [packed.body])), InternalError)


@pytest.mark.parametrize("status", [RETURNED, RAISED, REFUSED])
@pytest.mark.parametrize(
    "facts",
    [None, 1, [], ["WorkerGone"], ["WorkerGone", "m", {"message": 1}], ["WorkerGone", "m", {1: 2}], {}],
)
def test_damaged_facts_are_an_unpack_error(codec: OutcomeCodec, status: int, facts: object) -> None:
    packed = Packer(codec="data").pack(facts)
    outcome = codec.open(status, packed.codec, [packed.body])
    if status == RETURNED:
        assert outcome.unwrap() == facts
    else:
        assert isinstance(error_of(outcome), UnpackError)


@pytest.mark.parametrize("error", [Cancelled("by its caller"), WorkerGone("gone")])
def test_whether_a_request_was_cancelled_is_known_before_it_is_unpacked(
    codec: OutcomeCodec, error: CorpsError
) -> None:
    status, packed = codec.pack(Refused(error))
    received = codec.receive(status, packed.codec, [packed.body, *packed.buffers])
    assert received.is_cancelled == received.opened().is_cancelled == isinstance(error, Cancelled)
    assert not codec.receive(REFUSED, packed.codec, [b"damaged"]).is_cancelled
    raised = codec.pack(Raised.capture(Cancelled("of another request"), None))
    assert not codec.receive(raised[0], raised[1].codec, [raised[1].body, *raised[1].buffers]).is_cancelled


def test_nothing_is_unpacked_before_somebody_wants_it(codec: OutcomeCodec) -> None:
    received = codec.receive(RETURNED, 99, [b"no codec has this tag"])
    assert not received.failed
    assert isinstance(error_of(received.opened()), UnpackError)
