import functools
import importlib.util
import os
import pickle
import stat
import sys
import tracemalloc
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corps.errors import ConfigError, Damaged, NewerFormat, PackError, UnpackError, Untrusted
from corps.packing import durable_format
from corps.packing.codecs import PICKLE
from corps.packing.storage import load, store
from tests.unit.packing.kinds import (
    Colour,
    Holder,
    NameStandIn,
    NeedsKeywords,
    Order,
    Permission,
    Point,
    add,
    make_adder,
    make_local_class,
    restore_name,
)
from tests.unit.packing.stored import load_bytes, store_bytes, take_apart
from tests.unit.packing.test_data import DATA_VALUES, same

_HERE = Holder.__module__


@pytest.mark.parametrize("codec", ["pickle", "data"])
@given(value=DATA_VALUES)
def test_data_comes_back_the_same(codec: str, value: Any) -> None:
    assert same(load_bytes(store_bytes(value, codec=codec)), value)


@pytest.mark.parametrize(
    "value",
    [
        Point(1, Order(2, [Colour.RED])),
        [add, Holder, Holder.Inner, Holder.method, len, dict.get, type(None), type(...), NotImplemented, ...],
        Permission.READ | Permission.WRITE,
        [np.float64(1.5), np.add, np.dtype("int32"), range(3), 1j, Path("x"), frozenset({1})],
    ],
)
def test_objects_come_back_equal_by_the_manifest_alone(value: object) -> None:
    assert load_bytes(store_bytes(value)) == value


def test_arrays_exceptions_iterators_and_bound_methods_are_stored() -> None:
    array, error, numbers, method = load_bytes(
        store_bytes([np.arange(5), NeedsKeywords(code=1, reason="x"), iter([1]), Holder(x=1).method])
    )
    assert array.tolist() == [0, 1, 2, 3, 4]
    assert error.code == 1
    assert list(numbers) == [1]
    assert method() == "called"


def test_a_file_is_replaced_as_a_whole_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "state"
    store([1], path)
    store([2], str(path))
    assert load(path) == [2]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["state"]


def test_a_failed_store_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state"
    store([1], path)
    with pytest.raises(PackError):
        store([lambda: 1], path)

    def fail(*_args: object, **_options: object) -> None:
        raise OSError("disk full")

    for step in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, step, fail)
            with pytest.raises(OSError, match="disk full"):
                store([2], path)
        assert load(path) == [1]
        assert os.listdir(tmp_path) == ["state"]


@pytest.mark.parametrize(("before", "steps"), [(False, ["link"]), (True, ["link", "replace"])])
def test_the_content_is_synced_before_it_has_a_name_and_the_directory_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool, steps: list[str]
) -> None:
    seen: list[str] = []
    fsync = os.fsync

    def noting_fsync(descriptor: int) -> None:
        seen.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def noting(step: str, function: Any) -> Any:
        def note(*args: Any, **options: Any) -> None:
            seen.append(step)
            function(*args, **options)

        return note

    path = tmp_path / "state"
    if before:
        store(0, path)
    monkeypatch.setattr(os, "fsync", noting_fsync)
    for step in ("link", "replace"):
        monkeypatch.setattr(os, step, noting(step, getattr(os, step)))
    store(1, path)
    assert seen == ["file", *steps, "directory"]
    assert load(path) == 1


@pytest.mark.parametrize(
    "thing",
    [
        lambda: 1,
        make_adder(1),
        make_local_class(),
        make_local_class()(),
        generator := (number for number in [1]),
        open,
    ],
)
def test_code_by_value_is_not_stored(thing: object) -> None:
    if thing is open:  # A function of the interpreter, for contrast.
        assert load_bytes(store_bytes(thing)) is open
        return
    with pytest.raises(PackError) as caught:
        store_bytes({"x": [thing]})
    assert caught.value.path.startswith("value['x'][0]")
    if thing is not generator:
        assert "define it at the top level of an importable module" in str(caught.value)


def test_things_of_main_are_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    program = ModuleType("__main__")
    exec("class Thing: pass", program.__dict__)
    monkeypatch.setitem(sys.modules, "__main__", program)
    with pytest.raises(PackError, match="part of __main__"):
        store_bytes(program.Thing())


def test_a_lambda_is_blamed_itself_and_not_what_it_refers_to() -> None:
    inner = make_adder(1)
    with pytest.raises(PackError) as caught:
        store_bytes([lambda: inner])
    assert caught.value.path == "value[0]"


def test_the_codec_that_packs_code_is_no_codec_for_storage() -> None:
    with pytest.raises(ConfigError, match="dill"):
        store_bytes(1, codec="dill")
    with pytest.raises(ConfigError):
        store_bytes(1, codec="json")


def test_the_manifest_lists_all_names_and_is_read_without_unpickling(tmp_path: Path) -> None:
    path = tmp_path / "state"
    store({"order": Order(1), "function": add, "builtin": len}, path)
    manifest = take_apart(path.read_bytes())[0]
    assert manifest.names == ("builtins:len", f"{_HERE}:Order", f"{_HERE}:add")
    assert manifest.codec == "pickle"
    assert manifest.format_version == durable_format.FORMAT_VERSION
    assert manifest.python_version == sys.version.split()[0].rstrip("+")
    assert manifest.corps_version
    store((1, 2), path, codec="data")
    assert take_apart(path.read_bytes())[0][1:2] == ("data",)
    assert take_apart(path.read_bytes())[0].names == ()


def test_a_body_outside_of_its_manifest_is_untrusted() -> None:
    forged = b"".join(durable_format.build(PICKLE, {"builtins:len"}, [b"cos\nsystem\n(S'exit 1'\ntR."]))
    with pytest.raises(Untrusted, match="os:system"):
        load_bytes(forged)
    with pytest.raises(Untrusted, match="os:system"):
        load_bytes(forged, allow=lambda _module, _name: True)


def test_allow_is_asked_about_the_whole_manifest_before_anything_runs() -> None:
    data = store_bytes([add, Order(1)])
    with pytest.raises(Untrusted, match="Order"):
        load_bytes(data, allow=lambda _module, name: name == "add")
    assert load_bytes(data, allow=lambda module, _name: module == _HERE)[1] == Order(1)


def test_a_class_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = store_bytes(Order(1))
    monkeypatch.delattr(sys.modules[_HERE], "Order")
    with pytest.raises(UnpackError, match=f"{_HERE}:Order"):
        load_bytes(data)
    moved = ModuleType("moved")
    monkeypatch.setattr(moved, "Order", Point, raising=False)
    with pytest.raises(UnpackError, match="Order"):
        load_bytes(data, resolve_module=lambda _name: ModuleType("empty"))


def test_stored_names_are_bound_by_the_reader() -> None:
    key = (_HERE, restore_name.__qualname__)
    name = load_bytes(
        store_bytes([NameStandIn("a")]), rebind={key: lambda address: NameStandIn(address, "mine")}
    )
    assert name[0].router == "mine"


def test_a_newer_format_is_told_from_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(durable_format, "FORMAT_VERSION", 2)
        newer = store_bytes(1)
    with pytest.raises(NewerFormat, match="format 2"):
        load_bytes(newer)


_STORED = store_bytes({"order": Order(1, ["text", 2.5]), "more": [add] * 3})


@settings(deadline=None)
@given(st.integers(0, len(_STORED) - 1), st.integers(1, 255))
def test_a_changed_byte_anywhere_is_damage(position: int, change: int) -> None:
    changed = bytearray(_STORED)
    changed[position] ^= change
    with pytest.raises(Damaged):
        load_bytes(bytes(changed))


def test_a_cut_or_a_flipped_bit_at_every_position_is_damage() -> None:
    for position in range(len(_STORED)):
        flipped = bytearray(_STORED)
        flipped[position] ^= 1 << position % 8
        for data in (_STORED[:position], bytes(flipped)):
            with pytest.raises(Damaged):
                load_bytes(data)
    with pytest.raises(Damaged):
        load_bytes(_STORED + b"\x00")


@pytest.mark.parametrize("data", [b"", b"text", pickle.dumps([1]), bytes(1000)])
def test_what_corps_did_not_write_is_damage(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(Damaged):
        load(path)
    with pytest.raises(Damaged):
        take_apart(path.read_bytes())[0]


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        store(1, tmp_path / "nowhere" / "state")


def test_a_large_array_is_not_copied_on_its_way_to_the_file(tmp_path: Path) -> None:
    size = 20_000_000
    array = np.zeros(size, dtype=np.uint8)
    tracemalloc.start()
    try:
        store({"array": array, "bytes": bytes(10)}, tmp_path / "state")
        storing = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        loaded = load(tmp_path / "state")
        loading = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert storing < size // 5
    assert loading < size * 12 // 10
    assert loaded["array"].nbytes == size
    assert loaded["array"].flags.writeable


def test_a_stored_form_is_read_from_a_pipe_and_no_device_is_read_to_its_end(tmp_path: Path) -> None:
    store([1], tmp_path / "state")
    reader, writer = os.pipe()
    os.write(writer, (tmp_path / "state").read_bytes())
    os.close(writer)
    try:
        assert load(f"/dev/fd/{reader}") == [1]
    finally:
        os.close(reader)
    with pytest.raises(Damaged):
        load("/dev/zero")


class Single:
    def __reduce__(self) -> str:
        return "SINGLE"


SINGLE = Single()


@functools.lru_cache
def cached() -> int:
    return 1


def test_what_reduces_to_a_name_is_stored_if_others_can_load_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_bytes(store_bytes([SINGLE, cached])) == [SINGLE, cached]
    for thing, name in ((Single, "SINGLE"), (cached, "cached")):
        monkeypatch.setattr(thing, "__module__", "__main__")
        monkeypatch.setattr(sys.modules["__main__"], name, globals()[name], raising=False)
        with pytest.raises(PackError, match="no other process can import"):
            store_bytes(globals()[name])


def test_what_is_of_a_file_is_stored_wherever_the_file_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "my-app.py").write_text("class Thing:\n    x = 1\n")
    found = importlib.util.spec_from_file_location("app_of_this_test", tmp_path / "my-app.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    with pytest.raises(PackError):
        store_bytes(module.Thing())  # it is nowhere
    monkeypatch.setitem(sys.modules, "app_of_this_test", module)
    assert type(load_bytes(store_bytes(module.Thing()))) is module.Thing
