"""Credentials for a command: from a file or an environment variable, because all users see its arguments."""

import os
from typing import Final

from corps.errors import ConfigError, NotFound
from corps.federation.private_dir import read_private_file
from corps.security.authenticators import MOST

_LONGEST: Final = 4 * MOST + 2  # bytes, with the end of the line


def credentials_from(file: str | None, variable: str | None) -> str | None:
    """Return the credentials that a command is to present; None for none.

    Args:
        file: The path of a file that this user alone may open; the end of its line does not count.
        variable: The name of an environment variable.

    Raises:
        ConfigError: Both are given, or there is no such variable, or the file is no text.
        NotFound: There is no such file.
        UnsafeFile: Other users may open the file, or it is no regular one.
        Damaged: It is too large.
    """
    if file is not None and variable is not None:
        raise ConfigError("--credentials-file and --credentials-env are given: one of them is enough")
    if variable is not None:
        text = os.environ.get(variable)
        if text is None:
            raise ConfigError(f"there is no environment variable {variable}, which --credentials-env names")
        return text
    if file is None:
        return None
    try:
        return read_private_file(file, _LONGEST).decode().rstrip("\r\n")
    except FileNotFoundError:
        raise NotFound(f"there is no file {file} with credentials") from None
    except UnicodeDecodeError:  # its text would show what is in the file
        raise ConfigError(f"the file {file} is no text in UTF-8") from None
