"""Arguments and results between Corps of different owners: plain data, rebuilt by what a method declares.

Inside a Corps objects are pickled, and a pickle can name anything. Between owners the codec "data" carries
plain data only. What a method declares, in its type hints, says what becomes of it: dataclasses, pydantic
models, enums and times are made again on the other side. The bytes name no class. Both sides need the same
hints for that; without hints a value is plain data on both sides.

    method = declare(Index.search)
    body = method.pack_arguments(("needle",), {"most": 10})
    args, kwargs = method.unpack_arguments(body)
"""

import collections.abc
import concurrent.futures
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args, get_origin

from corps.errors import PackError, UnpackError
from corps.packing.bounds import BOUNDS, Bounds, check_bounds
from corps.packing.data import decode_data, encode_data
from corps.packing.declared_forms import Form, Misfit
from corps.packing.declared_hints import Forms, hints_of
from corps.packing.declared_holders import AnyData
from corps.packing.refusals import Refusal

_STREAMS: Final = frozenset(
    {
        collections.abc.Iterator,
        collections.abc.Generator,
        collections.abc.AsyncIterator,
        collections.abc.AsyncGenerator,
    }
)
_LATER: Final = frozenset({collections.abc.Awaitable, collections.abc.Coroutine})
_TOO_DEEP: Final = "something is nested too deeply, or contains itself"
_RESULT: Final = "result"  # how texts call what a method gives
_ITEM: Final = "item"  # of a generator


def declare(function: Any, forms: Forms | None = None, *, is_bound: bool = True) -> "DeclaredMethod":
    """Return how the arguments and the result of a method travel.

    Args:
        function: The function, as it stands in its class.
        forms: Where forms are kept that several methods of an interface have in common.
        is_bound: Whether its first parameter is the worker.

    Returns:
        What packs and unpacks them.

    Raises:
        DefinitionError: A hint names what cannot travel, or what is not there.
    """
    function = inspect.unwrap(getattr(function, "__func__", function))
    what = getattr(function, "__qualname__", repr(function))
    forms = forms or Forms()
    hints = hints_of(function, what)
    parameters = list(inspect.signature(function).parameters.values())[1 if is_bound else 0 :]
    of_parameters = [
        (each, forms.of(hints.get(each.name, Any), f"the parameter {each.name!r} of {what}"))
        for each in parameters
    ]
    result = forms.of(_result_hint(hints.get("return", Any)), f"the result of {what}")
    return DeclaredMethod(what, of_parameters, result)


def _result_hint(hint: Any) -> Any:
    """Return the hint of what travels: of each item of a stream, and of what a Future gives."""
    origin, args = get_origin(hint) or hint, get_args(hint)
    if origin in _STREAMS:
        return args[0] if args else Any
    if origin in _LATER:
        return args[-1] if args else Any
    if isinstance(origin, type) and issubclass(origin, concurrent.futures.Future):
        return args[0] if args else Any
    return hint


class DeclaredMethod:
    """How the arguments and the result of one method travel between owners. Immutable. Thread-safe."""

    def __init__(self, name: str, parameters: Sequence[tuple[inspect.Parameter, Form]], result: Form) -> None:
        """See `declare`."""
        self._name = name
        self._places: list[tuple[str, Form]] = []
        self._names: dict[str, Form] = {}
        self._more: tuple[str, Form] | None = None  # ``*args``
        self._more_names: Form | None = None  # ``**kwargs``
        for parameter, form in parameters:
            match parameter.kind:
                case parameter.VAR_POSITIONAL:
                    self._more = parameter.name, form
                case parameter.VAR_KEYWORD:
                    self._more_names = form
                case _:
                    if parameter.kind is not parameter.KEYWORD_ONLY:
                        self._places.append((parameter.name, form))
                    if parameter.kind is not parameter.POSITIONAL_ONLY:
                        self._names[parameter.name] = form
        self._result = result

    def pack_arguments(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], bounds: Bounds = BOUNDS
    ) -> bytes:
        """Turn the arguments of a call into bytes.

        Args:
            args: Those by place.
            kwargs: Those by name.
            bounds: What the other side takes.

        Returns:
            The bytes.

        Raises:
            PackError: One is not of its declared type, or they are too many, too large or too deep. Its
                `path` says where in which argument.
        """
        try:
            places = [_lower(*self._at(place), arg) for place, arg in enumerate(args)]
            names = {name: _lower(name, self._named(name), arg) for name, arg in kwargs.items()}
        except Misfit as misfit:
            raise self._pack_error(misfit.path(""), misfit.text) from misfit
        except RecursionError as error:
            raise self._pack_error("", _TOO_DEEP) from error
        return self._encode([places, names], "the arguments", bounds)

    def unpack_arguments(self, body: bytes, bounds: Bounds = BOUNDS) -> tuple[list[Any], dict[str, Any]]:
        """Turn bytes of anybody into the arguments of a call.

        Args:
            body: The bytes.
            bounds: What they may hold at most.

        Returns:
            The arguments by place, and those by name. The call says whether they are all that it needs.

        Raises:
            UnpackError: They are no arguments of this method. Its `path` says where in which argument.
        """
        plain = read_plain(body, bounds)
        if not _is_call(plain):
            raise self._unpack_error("", "the bytes are no arguments: a list and a dict by name have to come")
        try:
            places = [_lift(*self._at(place), arg) for place, arg in enumerate(plain[0])]
            names = {name: _lift(name, self._named(name), arg) for name, arg in plain[1].items()}
        except Misfit as misfit:
            raise self._unpack_error(misfit.path(""), misfit.text) from misfit
        except RecursionError as error:  # the calling thread is deep in something else
            raise self._unpack_error("", _TOO_DEEP) from error
        return places, names

    def pack_result(self, value: Any, bounds: Bounds = BOUNDS) -> bytes:
        """Turn a result into bytes, or one item of it if the method yields.

        Args:
            value: The result.
            bounds: What the other side takes.

        Returns:
            The bytes.

        Raises:
            PackError: It is not of the declared type, or too large or too deep. Its `path` says where.
        """
        return self._encode(self._lowered(self._result, value, _RESULT), _RESULT, bounds)

    def pack_item(self, more: bool, value: Any, bounds: Bounds = BOUNDS) -> bytes:
        """Turn what a step of a generator gives into bytes.

        Args:
            more: Whether it is an item, rather than what the generator returns at its end.
            value: The item, of the declared type; or what is returned, which has to be plain data.
            bounds: What the other side takes.

        Returns:
            The bytes.

        Raises:
            PackError: As `pack_result`.
        """
        what = _ITEM if more else _RESULT
        plain = self._lowered(self._result if more else _ANY, value, what)
        return self._encode([more, plain], what, bounds)

    def unpack_result(self, body: bytes, bounds: Bounds = BOUNDS) -> Any:
        """Turn bytes of anybody into a result, or one item of it if the method yields.

        Args:
            body: The bytes.
            bounds: What they may hold at most.

        Returns:
            The result.

        Raises:
            UnpackError: They are no result of this method. Its `path` says where.
        """
        return self._lifted(self._result, read_plain(body, bounds), _RESULT)

    def unpack_item(self, body: bytes, bounds: Bounds = BOUNDS) -> tuple[bool, Any]:
        """Undo `pack_item`.

        Args:
            body: The bytes of anybody.
            bounds: What they may hold at most.

        Returns:
            Whether it is an item; and the item, or what the generator returned.

        Raises:
            UnpackError: They are no item of this method. Its `path` says where.
        """
        plain = read_plain(body, bounds)
        if type(plain) is not list or len(plain) != 2 or type(plain[0]) is not bool:
            raise self._unpack_error(_ITEM, "the bytes are no step of a generator")
        more, inner = plain
        return more, self._lifted(self._result, inner, _ITEM) if more else inner

    def _lowered(self, form: Form, value: Any, what: str) -> Any:
        try:
            return form.lower(value)
        except Misfit as misfit:
            raise self._pack_error(misfit.path(what), misfit.text) from misfit
        except RecursionError as error:
            raise self._pack_error(what, _TOO_DEEP) from error

    def _lifted(self, form: Form, plain: Any, what: str) -> Any:
        try:
            return form.lift(plain)
        except Misfit as misfit:
            raise self._unpack_error(misfit.path(what), misfit.text) from misfit
        except RecursionError as error:  # the calling thread is deep in something else
            raise self._unpack_error(what, _TOO_DEEP) from error

    def _at(self, place: int) -> tuple[str, Form]:
        if place < len(self._places):
            return self._places[place]
        if self._more is None:
            raise Misfit(f"{self._name} takes {len(self._places)} arguments by place, and more are given")
        name, form = self._more
        return f"{name}[{place - len(self._places)}]", form

    def _named(self, name: Any) -> Form:
        form = self._names.get(name, self._more_names) if type(name) is str else None
        if form is None:
            raise Misfit(f"{self._name} takes no argument named {name!r:.80}")
        return form

    def _encode(self, plain: Any, what: str, bounds: Bounds) -> bytes:
        try:
            body = encode_data(plain)
            check_bounds(body, bounds)
        except RecursionError as error:
            raise self._pack_error(what, _TOO_DEEP) from error
        except (UnicodeEncodeError, Refusal, UnpackError) as error:
            raise self._pack_error(what, str(error)) from error
        return body

    def _pack_error(self, path: str, text: str) -> PackError:
        return PackError(f"cannot pack {path or 'the arguments'} for {self._name}: {text}", path=path)

    def _unpack_error(self, path: str, text: str) -> UnpackError:
        return UnpackError(f"{path or 'what came'} does not fit {self._name}: {text}", path=path)


_ANY: Final = AnyData()

PLAIN: Final = DeclaredMethod(
    "the method",
    [
        (inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL), _ANY),
        (inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD), _ANY),
    ],
    _ANY,
)
"""A method of which nothing is declared: plain data goes, and plain data comes."""


def read_plain(body: bytes, bounds: Bounds = BOUNDS) -> Any:
    """Turn bytes of anybody into plain data.

    Args:
        body: The bytes.
        bounds: What they may hold at most.

    Returns:
        The data.

    Raises:
        UnpackError: They are no data, or hold too much.
    """
    check_bounds(body, bounds)
    return decode_data(body)


def _is_call(plain: Any) -> bool:
    return type(plain) is list and list(map(type, plain)) == [list, dict]


def _lower(name: str, form: Form, value: Any) -> Any:
    try:
        return form.lower(value)
    except Misfit as misfit:
        misfit.steps.append(name)
        raise


def _lift(name: str, form: Form, plain: Any) -> Any:
    try:
        return form.lift(plain)
    except Misfit as misfit:
        misfit.steps.append(name)
        raise
