"""What tests of the registry start from."""

import os
from pathlib import Path

from corps.federation.claims import Claim
from corps.federation.registry import Registry
from corps.process_stat import name_of_process


def registry_in(directory: Path) -> Registry:
    return Registry(str(directory / "corps"))


def claim_of(tag: str = "index", corps: str = "c0ffee", *, pid: int = 0, started: str | None = None) -> Claim:
    """A claim of this process, unless another one is given."""
    pid = pid or os.getpid()
    return Claim(
        tag=tag,
        corps=corps,
        class_name="",
        pid=pid,
        template=pid,
        started=name_of_process(pid) if started is None else started,
        since=1.5,
        user="ann",
        host="rue",
        source="index.py",
    )
