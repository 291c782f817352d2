"""What a program has said on its stderr, as far as a slow machine has no part in it."""

import re
from typing import Final

_SLOW: Final = re.compile(r"^.*the end waits for .*\n", re.MULTILINE)


def said_by(stderr: str) -> str:
    """Without the line that an end of more than a second is worth to the runtime."""
    return _SLOW.sub("", stderr)
