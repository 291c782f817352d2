"""Finds the value of each setting, and remembers its source.

A value comes from the strongest of four sources: arguments, then environment variables ``CORPS_*``, then a
file (``corps.toml``, or ``[tool.corps]`` of a ``pyproject.toml``), then the default in `settings`. An unknown
key is an error in each of them.

Pure, except that it may read one file: the environment is an argument, and nothing is kept. Thread-safe.
"""

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from corps.config_files import find_file, read_file
from corps.core import PURE
from corps.errors import ConfigError
from corps.settings import Settings
from corps.truth_words import FALSE_WORDS, TRUE_WORDS

__all__ = ["LoadedSettings", "Setting", "Settings", "all_settings", "describe", "load_settings"]

ENV_PREFIX: Final = "CORPS_"  # what every environment variable that is a setting begins with

_MOST_PROBLEMS: Final = 20


class LoadedSettings(NamedTuple):
    """Settings, and the source of each of them.

    `sources` has for every dotted key such as ``"threads.max"``: ``"default"``, ``"file /x/corps.toml"``,
    ``"environment CORPS_THREADS__MAX"`` or ``"argument threads.max"``.
    """

    settings: Settings
    sources: dict[str, str]


class Setting(NamedTuple):
    """One setting as the reference describes it."""

    key: str  # dotted, such as "threads.max"
    variable: str  # of the environment, such as "CORPS_THREADS__MAX"
    field: FieldInfo
    group: type[BaseModel]  # the model that holds the field

    def allowed(self) -> str:
        """Return in words what values it takes, such as ``"a whole number from 1 to 1024"``."""
        return _in_words(self.group.model_json_schema()["properties"][self.key.rpartition(".")[2]])


def all_settings() -> dict[str, Setting]:
    """Return every setting by its dotted key, in the order of the models."""
    return {setting.key: setting for setting in _walk(Settings, "")}


def load_settings(
    config: str | Path | Mapping[str, Any] | Settings | None = None,
    *,
    directory: Path | None = None,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
    texts: Mapping[str, str] | None = None,
) -> LoadedSettings:
    """Find the value of every setting: defaults, then file, then environment, then arguments.

    `config` is a file to read instead of looking for one, or settings as arguments, nested or with dotted
    keys. Of a `Settings` only those count that were given to its constructor. `directory` is where to look
    for ``corps.toml``, then ``pyproject.toml``; then in the folders above it, up to the root of the project;
    None looks nowhere. `overrides` are stronger than `config`; `texts` are like those of the environment, by
    dotted keys.

    A value that a stronger source replaces is not judged. A ConfigError names every problem at once, each
    with its source.
    """
    found = _Found()
    path = Path(config) if isinstance(config, str | Path) else find_file(directory)
    if path is not None:
        found.add(read_file(path), f"file {path.absolute()}")
    found.add_environment(environ)
    if isinstance(config, Settings):
        found.add(config.model_dump(exclude_unset=True), "argument", names_key=True)
    elif isinstance(config, Mapping):
        found.add(config, "argument", names_key=True)
    found.add_texts(texts or {})
    found.add(overrides or {}, "argument", names_key=True)
    return found.judged()


def describe(loaded: LoadedSettings) -> list[tuple[str, Any, str]]:
    """Return rows of dotted key, value as plain data, and source, in the order of the reference."""
    rows = []
    plain = loaded.settings.model_dump()
    for key, source in loaded.sources.items():
        value: Any = plain
        for part in key.split("."):
            value = value[part]
        rows.append((key, value, source))
    return rows


class _Found:
    """The values of the sources, weakest first, for one call of `load_settings`."""

    def __init__(self) -> None:
        self.known = all_settings()
        self.groups = {key.rpartition(".")[0] for key in self.known} - {""}
        self.values: dict[str, tuple[Any, str]] = {}
        self.problems: list[Callable[[], str]] = []

    def add(
        self, values: Mapping[str, Any], source: str, *, names_key: bool = False, prefix: str = ""
    ) -> None:
        """Take values, which replace earlier ones. `names_key` appends the key to the source."""
        for name, value in values.items():
            key = f"{prefix}{name}"
            where = f"{source} {key}" if names_key else source
            if key == "envs" and _has_tables(value):
                tables = {each: table for each, table in value.items() if each != "count"}
                count = {"envs": value["count"]} if "count" in value else {}
                self.add({**count, "per_env": tables}, source, names_key=names_key)
            elif key in self.known:
                self.values[key] = (value, where)
            elif key not in self.groups:
                self.problems.append(partial(self._unknown, key, where, prefix))
            elif isinstance(value, Mapping | BaseModel):
                inside = value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value
                self.add(inside, source, names_key=names_key, prefix=f"{key}.")
            else:
                self.problems.append(partial(self._no_group, key, value, where))

    def add_environment(self, environ: Mapping[str, str]) -> None:
        """Take the environment variables that are settings."""
        by_variable = {setting.variable: setting for setting in self.known.values()}
        for variable in sorted(environ):
            if not variable.startswith(ENV_PREFIX) or variable == PURE:
                continue
            if variable not in by_variable:
                self.problems.append(partial(self._unknown_variable, variable, by_variable))
                continue
            setting = by_variable[variable]
            value = _from_text(environ[variable], setting.field.annotation)
            self.values[setting.key] = (value, f"environment {variable}")

    def add_texts(self, texts: Mapping[str, str]) -> None:
        """Take values of a command line. A key that is no setting is reported like any other problem."""
        for key, text in texts.items():
            known = self.known.get(key)
            value = text if known is None else _from_text(text, known.field.annotation)
            self.add({key: value}, "argument", names_key=True)

    def _unknown(self, key: str, where: str, prefix: str) -> str:
        near = _nearest(key, [*self.known, *self.groups])
        valid = [k for k in self.known if k.startswith(prefix)]
        return f"{key:.80} ({where:.200}): no such setting{near} Valid: {', '.join(valid)}"

    def _no_group(self, key: str, value: Any, where: str) -> str:
        inside = ", ".join(k for k in self.known if k.startswith(f"{key}."))
        return f"{key} = {value!r:.80} ({where}): is a group of settings: {inside}"

    @staticmethod
    def _unknown_variable(variable: str, known: Collection[str]) -> str:
        near = _nearest(variable, known)
        return f"{variable:.80} (environment): no such setting{near} Valid: {', '.join(known)}"

    def judged(self) -> LoadedSettings:
        """Validate what was found, and return it."""
        sources = {key: self.values[key][1] if key in self.values else "default" for key in self.known}
        tree: dict[str, Any] = {}
        for key, (value, _) in self.values.items():
            group, _, name = key.rpartition(".")
            (tree.setdefault(group, {}) if group else tree)[name] = value
        try:
            settings = Settings.model_validate(tree)
        except ValidationError as error:
            lines = [*self._complaints(), *self._refused(error, sources)]
            raise ConfigError("\n".join(lines)) from None  # the lines say all that the cause says
        if self.problems:
            raise ConfigError("\n".join(self._complaints()))
        return LoadedSettings(settings, sources)

    def _complaints(self) -> list[str]:
        """Say what is wrong. Only the first problems get words, because words take time to find."""
        lines = [problem() for problem in self.problems[:_MOST_PROBLEMS]]
        more = len(self.problems) - len(lines)
        return [*lines, f"and {more} more"] if more else lines

    def _refused(self, error: ValidationError, sources: Mapping[str, str]) -> Iterator[str]:
        """Yield a line for each value that was refused: which, from where, and what is allowed."""
        seen = set()
        for detail in error.errors(include_url=False):
            # A location may go on below the key, to the branch of a union that was tried.
            key = next(k for k in self.known if tuple(k.split(".")) == detail["loc"][: k.count(".") + 1])
            inside = [str(part) for part in detail["loc"][key.count(".") + 1 :]]
            if inside and get_origin(self.known[key].field.annotation) in (dict, tuple):  # of tables
                yield (
                    f"{'.'.join([key, *inside])} = {detail['input']!r:.80} ({sources[key]}): "
                    f"{detail['msg']}; {key} wants {self.known[key].allowed()}"
                )
            elif key not in seen:
                seen.add(key)
                reason = detail.get("ctx", {}).get("error")
                claim = reason if isinstance(reason, ValueError) else f"must be {self.known[key].allowed()}"
                yield f"{key} = {detail['input']!r:.80} ({sources[key]}): {claim}"


def _has_tables(value: Any) -> bool:
    """Return whether this is ``[envs]`` with a table for each Env, as ``[envs.2]``, and not their number."""
    if not isinstance(value, Mapping) or not value:
        return False
    return all(each in ("count", "front") or (isinstance(each, str) and each.isdecimal()) for each in value)


def _walk(model: type[BaseModel], prefix: str) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        key = prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _walk(field.annotation, f"{key}.")
        else:
            yield Setting(key, ENV_PREFIX + key.replace(".", "__").upper(), field, model)


def _nearest(name: str, valid: Collection[str]) -> str:
    """Ask whether the nearest valid name was meant; or end the sentence."""

    def words(text: str) -> str:  # `max_threads` and `threads.max` are the same words
        return " ".join(sorted(re.split(r"[._]+", text.casefold())))

    candidates = {words(each): each for each in valid}
    near = difflib.get_close_matches(words(name), candidates, n=1)
    ends = [each for each in valid if re.split(r"\.|__", each)[-1].casefold() == name.casefold()]
    meant = ends[0] if ends else candidates[near[0]] if near else None
    return f"; did you mean {meant}?" if meant else "."


def _from_text(text: str, annotation: Any) -> Any:
    """Read the text of a variable. What cannot be read stays a text, which the model will refuse."""
    kinds = get_args(annotation) or (annotation,)
    word = text.strip().lower()
    try:
        if bool in kinds:
            return word in TRUE_WORDS if word in TRUE_WORDS | FALSE_WORDS else text
        if int in kinds:
            return int(word)
        return float(word) if float in kinds else text
    except ValueError:
        return text


def _in_words(schema: Mapping[str, Any]) -> str:
    """Return in words what a JSON schema allows, as far as the settings use one."""
    if "allowed" in schema:
        return str(schema["allowed"])
    if "anyOf" in schema:
        return " or ".join(_in_words(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f'"{value}"' for value in schema["enum"])
    word = {"boolean": "true or false", "null": '"none"', "integer": "a whole number", "number": "a number"}
    text = word[schema["type"]]
    if "maximum" in schema:
        return f"{text} from {schema['minimum']} to {schema['maximum']}"
    if "exclusiveMinimum" in schema:
        return f"{text} greater than {schema['exclusiveMinimum']}"
    return f"{text} not less than {schema['minimum']}" if "minimum" in schema else text
