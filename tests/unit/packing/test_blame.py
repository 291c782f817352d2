import functools
import io
import socket
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corps.errors import PackError
from corps.packing.packer import Packer
from tests.unit.packing.kinds import (
    FutureStandIn,
    Guarded,
    Holder,
    NeedsKeywords,
    Order,
    Point,
    RaisesWhenReduced,
    Slotted,
    generate,
)
from tests.unit.packing.lines import with_globals
from tests.unit.packing.stored import store_bytes

_LOCK = threading.Lock()


def _closure(handle: Any) -> Callable[[], Any]:
    return lambda: handle


def _defaults(handle: Any) -> Callable[..., Any]:
    def function(first: Any = handle, *, second: Any = None) -> Any:
        return first, second

    return function


def _uses_a_global() -> Callable[[], Any]:
    return lambda: [_LOCK for _ in range(1)]


def _names_an_attribute_as_a_global() -> Any:
    return with_globals("def f(): return thing.lock, bad", thing=1, lock=_LOCK, bad=[_LOCK])


def _failing() -> NeedsKeywords:
    error = NeedsKeywords(code=1, reason="no")
    error.args = ("text", _LOCK)
    return error


def _guarded() -> Guarded:
    guarded = Guarded()
    guarded.payload = [_LOCK]
    return guarded


def _cycle() -> dict[str, Any]:
    ring: dict[str, Any] = {"name": "ring"}
    ring["self"] = [ring]
    ring["lock"] = _LOCK
    return ring


@pytest.mark.parametrize("codec", ["pickle", "dill"])
@pytest.mark.parametrize(
    ("value", "path"),
    [
        (_LOCK, "args"),
        (({"lock": Holder(handle=_LOCK)},), "args[0]['lock'].handle"),
        ([1, (2, {3: deque([_LOCK])})], "args[1][1][3][0]"),
        (Point(1, _LOCK), "args.y"),
        (Order(1, [_LOCK]), "args.lines[0]"),
        (Slotted(_LOCK), "args.handle"),
        (OrderedDict(a=_LOCK), "args['a']"),
        ({Holder: 1, _LOCK: 2}, "args.<key <lock>>"),
        ({_LOCK}, "args.<element <lock>>"),
        (_closure([_LOCK]), "args.<closure handle>[0]"),
        (_defaults(_LOCK), "args.<default 0>"),
        (_uses_a_global(), "args.<global _LOCK>"),
        (_names_an_attribute_as_a_global(), "args.<global bad>[0]"),
        (functools.partial(print, end=_LOCK), "args.keywords['end']"),
        (Holder(handle=_LOCK).method, "args.__self__.handle"),
        (_failing(), "args.args[1]"),
        (_guarded(), "args.payload[0]"),
        (_cycle(), "args['lock']"),
        (threading.Event(), "args._cond._lock"),
        ({"k" * 100: _LOCK}, f"args['{'k' * 56}...]"),
        ([*range(20_000), _LOCK], "args[20000]"),
    ],
)
def test_the_path_leads_to_the_culprit(value: object, path: str, codec: str) -> None:
    with pytest.raises(PackError) as caught:
        Packer(codec=codec).pack(value, what="args")
    assert caught.value.path == path
    assert f"cannot pack {path}, of type _thread.lock: a lock works inside one process only" in str(
        caught.value
    )


def test_a_lock_that_is_left_out_when_packing_is_not_blamed() -> None:
    Packer().pack(Guarded())


@pytest.mark.parametrize("codec", ["pickle", "dill"])
@pytest.mark.parametrize("by_value", [False, True])
def test_what_belongs_to_a_process_is_refused_with_advice(tmp_path: Path, codec: str, by_value: bool) -> None:
    path = tmp_path / "file"
    path.write_text("text")

    async def coroutine() -> None: ...

    waiting = coroutine()
    with (
        path.open() as text,
        path.open("rb") as binary,
        path.open("wb", buffering=0) as raw,
        socket.socket() as sock,
    ):
        cases: list[tuple[object, str]] = [
            (generate(), "then gets a remote iterator"),
            (text, "pass the path"),
            (binary, "pass the path"),
            (raw, "pass the path"),
            (threading.Lock(), "let one worker own"),
            (threading.RLock(), "let one worker own"),
            (sock, "pass the address"),
            (waiting, "await it first"),
            (weakref.ref(Holder), "pass the object itself"),
            (threading.local(), "make it where it is used"),
        ]
        for thing, advice in cases:
            value = [thing, lambda: None] if by_value else [thing]
            with pytest.raises(PackError, match=advice) as caught:
                Packer(codec=codec).pack(value)
            assert caught.value.path == "value[0]"
    waiting.close()


def test_memory_files_are_data() -> None:
    packer = Packer()
    assert packer.unpack(packer.pack(io.BytesIO(b"memory"))).read() == b"memory"
    assert packer.unpack(packer.pack(io.StringIO("memory"))).read() == "memory"


@pytest.mark.parametrize("codec", ["pickle", "dill"])
def test_an_object_that_refuses_keeps_its_words(codec: str) -> None:
    for value in ({"f": [FutureStandIn()]}, {"f": [FutureStandIn()], "g": lambda: 1}):
        with pytest.raises(PackError, match="pass its result instead") as caught:
            Packer(codec=codec).pack(value, what="args")
        assert caught.value.path == "args['f'][0]"
        assert isinstance(caught.value.__cause__, PackError)
    with pytest.raises(PackError, match="pass its result instead"):
        store_bytes({"f": [FutureStandIn()]})


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit("broken"), TypeError("broken")])
def test_a_reducer_that_raises_is_named_with_what_it_raised(error: BaseException) -> None:
    with pytest.raises(PackError, match=rf"RaisesWhenReduced: {type(error).__name__}: broken") as caught:
        Packer().pack({"x": RaisesWhenReduced(error)})
    assert caught.value.path == "value['x']"
    assert caught.value.__cause__ is error


def test_a_keyboard_interrupt_while_packing_is_meant_for_the_process() -> None:
    with pytest.raises(KeyboardInterrupt):
        Packer().pack(RaisesWhenReduced(KeyboardInterrupt()))


def _nest(depth: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    return nested


@pytest.mark.parametrize("codec", ["pickle", "dill", "data"])
def test_absurd_nesting_is_a_pack_error(codec: str) -> None:
    with pytest.raises(PackError, match="nested too deeply"):
        Packer(codec=codec).pack(_nest(100_000))
    if codec == "pickle":
        with pytest.raises(PackError, match="nested too deeply"):
            Packer().pack([lambda: 1, _nest(100_000)])
        with pytest.raises(PackError, match="nested too deeply"):
            store_bytes(_nest(100_000))


def test_data_is_blamed_at_the_first_thing_that_is_not_data() -> None:
    packer = Packer(codec="data")
    with pytest.raises(PackError, match="'data' carries only") as caught:
        packer.pack({"a": [1, ({2}, Holder(x=1))]})
    assert caught.value.path == "value['a'][1][1]"
    with pytest.raises(PackError, match="surrogates not allowed") as caught:
        packer.pack({"a": ["fine", "\ud800"]})
    assert caught.value.path == "value['a'][1]"


def test_a_search_beyond_its_bounds_still_names_a_place_on_the_way() -> None:
    many = [Holder(number=index) for index in range(6_000)]
    with pytest.raises(PackError) as caught:
        Packer().pack({"many": [*many, _LOCK]})
    assert caught.value.path == "value['many']"
