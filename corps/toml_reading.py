"""TOML files of anybody: read, or refused within a second, whatever they contain.

The parser of the standard library takes as many steps as a nested key has parts, squared, and one level of
its own stack for each bracket. So this file refuses what no configuration needs before it parses.

Pure, except that it reads the file. Thread-safe.
"""

import re
from pathlib import Path
from typing import Any, Final

from corps.errors import ConfigError

MAX_BYTES: Final = 128 * 1024
"""Bytes of a configuration file at most. Large ones of real projects have a fifth of it."""
MAX_PARTS: Final = 16  # parts of a dotted key at most

# Possessive, and only at the beginning of a part: the number of its steps grows with the text, not faster.
_PART: Final = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+"""
_LONG_KEY: Final = re.compile(rf"(?<![\w-])(?:{_PART}){{{MAX_PARTS}}}", re.ASCII)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file; a ConfigError says why it cannot be."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(f"there is no configuration file {path.absolute()}") from error
    except OSError as error:
        raise ConfigError(f"cannot read file {path.absolute()}: {error.strerror}") from error
    return parse_toml(data, str(path.absolute()))


def parse_toml(data: bytes, where: str) -> dict[str, Any]:
    """Take what stands in the file `where` apart; a ConfigError says why it cannot be."""
    try:
        return _parsed(data)
    except UnicodeDecodeError as error:
        raise ConfigError(f"file {where} is not a text in UTF-8: {error}") from error
    except RecursionError:
        raise ConfigError(f"file {where} is nested too deeply for a configuration") from None
    # TOMLDecodeError is one; a number of too many digits is another.
    except ValueError as error:
        raise ConfigError(f"file {where} is not valid TOML: {error}") from error


def _parsed(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes, which no configuration needs")
    text = data.decode("utf-8")
    long_key = _LONG_KEY.search(text)
    if long_key is not None:
        line = text.count("\n", 0, long_key.start()) + 1
        raise ValueError(
            f"a key with more than {MAX_PARTS} parts, which no configuration needs (line {line})"
        )
    import tomllib  # 4 ms that `import corps` need not spend

    return tomllib.loads(text)
