"""The parameters of a method that is called with words of a command line, and what the words stand for.

An Env describes the method as plain data, because only Envs have loaded the application. The command reads
the words by that description.
"""

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from corps.handlers import came_from_a_handler
from corps.truth_words import FALSE_WORDS, TRUE_WORDS

# Kinds of parameters; the last of each takes all that are left.
_BY_PLACE: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)
_BY_NAME: Final = (
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
    inspect.Parameter.VAR_KEYWORD,
)


def _truth(word: str) -> bool:
    known = word.lower()
    if known not in TRUE_WORDS | FALSE_WORDS:
        raise ValueError
    return known in TRUE_WORDS


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "int": int,
    "float": float,
    "Path": Path,
    "bool": _truth,
    "str": str,
}
_IN_WORDS: Final[Mapping[str, str]] = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
}


class Parameter(NamedTuple):
    """One parameter. One that `is_repeated` takes all words, or all names, that are left."""

    name: str
    kind: str  # what a word is read as: a key of `_READERS`
    is_optional: bool
    is_repeated: bool

    def __str__(self) -> str:
        shown = self.name.upper()
        if self.is_repeated:
            return f"[{shown}]..."
        return f"[{shown}]" if self.is_optional else shown


def parameters_of(method: Callable[..., Any]) -> list[Parameter]:
    """Return the parameters that words can be given for."""
    return _described(method, _BY_PLACE)


def keywords_of(method: Callable[..., Any]) -> list[Parameter]:
    """Return the parameters that can be given by name."""
    return [] if method is object.__init__ else _described(method, _BY_NAME)


def _described(method: Callable[..., Any], kinds: Sequence[Any]) -> list[Parameter]:
    """Return the parameters of some kinds; the first of a method is its worker."""
    hints = _hints_of(method)
    _, *rest = inspect.signature(method).parameters.values()
    return [
        Parameter(
            each.name,
            _kind_of(hints.get(each.name)),
            is_optional=each.default is not inspect.Parameter.empty,
            is_repeated=each.kind is kinds[-1],
        )
        for each in rest
        if each.kind in kinds
    ]


def _hints_of(method: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(method)
    except Exception as error:  # annotations may name what exists for type checkers only
        if came_from_a_handler(error):
            raise
        return {}


def _kind_of(hint: Any) -> str:
    """Name the first known type of a union, or the type itself."""
    for option in typing.get_args(hint) or (hint,):
        name = getattr(option, "__name__", "")
        if name in _READERS and option in (int, float, bool, str, Path):
            return str(name)
    return "str"


def read_words(parameters: Sequence[Parameter], words: Sequence[str]) -> list[Any]:
    """Return the arguments that words stand for, or raise a ValueError that says why not."""
    single = [each for each in parameters if not each.is_repeated]
    rest = next((each for each in parameters if each.is_repeated), None)
    missing = [each for each in single[len(words) :] if not each.is_optional]
    if missing:
        raise ValueError(f"{' '.join(map(str, missing))} is missing; run takes: {_usage(parameters)}")
    if len(words) > len(single) and rest is None:
        raise ValueError(f"{words[len(single)]!r} is one too many; run takes: {_usage(parameters)}")
    paired = zip([*single, *[rest] * (len(words) - len(single))], words, strict=False)
    return [_read(each, word) for each, word in paired if each is not None]


def read_assignments(parameters: Sequence[Parameter], words: Mapping[str, str]) -> dict[str, Any]:
    """Return the keyword arguments that assignments stand for, or raise a ValueError that says why not."""
    known = {each.name: each for each in parameters if not each.is_repeated}
    others = next((each for each in parameters if each.is_repeated), None)
    usage = " ".join(f"{each.name}=..." for each in parameters) or "no arguments"
    missing = [each.name for each in known.values() if not each.is_optional and each.name not in words]
    if missing:
        raise ValueError(f"{', '.join(missing)} is missing; it takes: {usage}")
    values = {}
    for name, word in words.items():
        parameter = known.get(name, others)
        if parameter is None:
            raise ValueError(f"{name} is no argument of it; it takes: {usage}")
        values[name] = _read(parameter._replace(name=name), word)
    return values


def _usage(parameters: Sequence[Parameter]) -> str:
    return " ".join(map(str, parameters)) or "no arguments"


def _read(parameter: Parameter, word: str) -> Any:
    try:
        return _READERS[parameter.kind](word)
    except ValueError:
        wanted = _IN_WORDS.get(parameter.kind, parameter.kind)
        raise ValueError(f"{parameter.name.upper()} wants {wanted}, not {word!r}") from None
