"""Whichever core runs asks, answers and reads over a UNIX socket as the Python code does, which defines it.

The same events happen to an Env here and to one in a process that runs on the Python code. All that can be
seen is compared after each: bytes that are sent, outcomes, windows, journals, numbers, refusals.
"""

import pickle
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from corps.messages.requests import Kind
from tests.unit.core_side import CONC, ENV, PEER, Event, traced, twin

NONE = st.just(())
LENGTH = 209  # bytes of the stream that is cut at every one
ARGS: st.SearchStrategy[tuple[Any, ...]] = st.sampled_from(
    [
        *[(), (1,), ("two", 2.5), ([1, [2]], {"a": None}), (b"x" * 900,), (b"x" * 900,), (b"y" * 2500,)],
        *[("é",), (2**80,), ({1, 2},), ("z" * 5000,), (b"w" * 70_000,)],
    ]
)
KEYWORDS = st.sampled_from([{}, {}, {}, {"k": 1}])
METHOD = st.sampled_from(
    ["echo", "echo", "echo", "boom", "large", "odd", "missing", "unknown", "é", "m" * 300]
)
BODY = st.tuples(ARGS, KEYWORDS).map(lambda args: pickle.dumps(args, 5))


def mostly(usual: Any, *unusual: Any) -> st.SearchStrategy[Any]:
    """Return one value in nineteen cases of twenty, and one of the others else."""
    return st.sampled_from([usual] * 19 * len(unusual) + [*unusual])


# Messages of the peer, as `HandSide` makes them when they come.
REQUEST = st.tuples(
    st.just("request"),
    st.sampled_from(["new"] * 15 + ["told"] * 7 + ["again"]),
    mostly(int(Kind.CALL), int(Kind.GET)),
    mostly(CONC, 3, 90_000),
    METHOD,
    st.sampled_from([None, (PEER, 5)] * 20 + [(ENV, 5)]),
    mostly(None, 1000.0),
    mostly(1, 0, 9),
    BODY | BODY | BODY | BODY | st.sampled_from([pickle.dumps([1], 5), b"", b"\x80\x05\xff"]),
)
VALUE = st.tuples(
    st.just("outcome"),
    st.integers(0, 9),
    st.just(0),
    mostly(1, 9),
    ARGS.map(lambda args: pickle.dumps(args, 5)),
)
FAILURE = st.tuples(
    st.just("outcome"), st.integers(0, 9), st.sampled_from([1, 2]), st.just(1), st.just(pickle.dumps("wrong"))
)
BUFFERED = st.tuples(
    st.just("outcome"), st.integers(0, 9), st.just(0), st.just(1), st.just(b"N."), st.just(b"b")
)
CANCEL = st.tuples(st.just("cancel"), st.integers(0, 9))
CREDIT = st.tuples(st.just("credit"), mostly(0, 1))
MESSAGE: st.SearchStrategy[Event] = st.one_of(*[REQUEST] * 6, *[VALUE] * 5, FAILURE, BUFFERED, CANCEL, CREDIT)
ODD = st.lists(st.binary(max_size=30), max_size=3).map(lambda frames: ("frames", *frames))
CUTS = NONE | st.lists(st.integers(0, 9000), max_size=3)
DAMAGE = st.tuples(st.tuples(st.integers(0, 500), st.integers(0, 4), st.binary(max_size=4)))

ASK = st.tuples(st.just("ask"), METHOD, ARGS, KEYWORDS, st.sampled_from([-1, 5]), mostly(True, False, False))
COME = st.tuples(st.just("come"), st.lists(MESSAGE, min_size=1, max_size=4), CUTS, NONE)
END: st.SearchStrategy[Event] = st.one_of(
    st.tuples(st.just("come"), st.lists(MESSAGE | ODD, min_size=1, max_size=3), CUTS, DAMAGE | NONE),
    st.tuples(st.just("hang_up"), st.sampled_from(["inbound", "outbound"])),
    st.just(("die",)),
)
EVENT: st.SearchStrategy[Event] = st.one_of(
    *[ASK] * 4,
    *[COME] * 5,
    *[st.just(("run",))] * 3,
    *[st.just(("receive",))] * 2,
    st.just(("ring",)),
    st.tuples(st.just("withdraw"), st.integers(0, 9)),
)
LIFE = st.tuples(
    st.lists(EVENT, min_size=8, max_size=25), st.lists(END, max_size=1), st.lists(EVENT, max_size=4)
).map(lambda parts: [event for part in parts for event in part])


def test_an_env_sends_and_answers_as_the_python_code_does() -> None:
    with twin() as other:

        @settings(max_examples=200, deadline=None)
        @given(LIFE)
        def is_equal(events: list[Event]) -> None:
            for mine, its in zip(traced(events), other.traced(events), strict=True):
                assert mine == its

        is_equal()


def test_messages_before_what_is_none_are_taken() -> None:
    """Was a defect: it depended on where a read ended, and natively they were taken always."""
    request = ("request", "new", int(Kind.CALL), CONC, "echo", None, None, 1, pickle.dumps(((1,), {}), 5))
    nonsense = (-1, 0, b"\xff" * 8)  # behind them
    (_, _, refused), (_, _, seen) = traced([("come", [request, request], (), (nonsense,)), ("run",)])
    assert refused[8] == [[("admitted", 1), ("frames", 1)], []]
    assert seen[0] == ["echo (1,) {}"] * 2


def test_a_stream_is_cut_at_every_byte_as_the_python_code_cuts_it() -> None:
    """Two requests, an answer, and what is none of both: cut once, at each place."""
    request = ("request", "new", int(Kind.CALL), CONC, "echo", (PEER, 5), None, 1)
    messages: list[Event] = [
        (*request, pickle.dumps(((1, "two"), {}), 5)),
        ("outcome", 0, 0, 1, pickle.dumps([2.5], 5)),
        ("credit", 0),
        (*request, pickle.dumps(((b"three",), {}), 5)),
    ]
    asked: Event = ("ask", "echo", (1,), {}, 5, True)
    with twin() as other:
        for place in range(LENGTH + 1):
            events = [asked, ("come", messages, (place,), ()), ("run",), ("receive",)]
            trace = traced(events)
            assert trace == other.traced(events)
            *_, (_, sent, (ran, (outcome,), *_)) = trace
            assert (ran, outcome) == (["echo (1, 'two') {}", "echo (b'three',) {}"], "[2.5]")
            assert sent != b""
