"""Where a run takes place, and with which versions of what."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import zmq

from corps import core

OURS: Final = ("corps", "pyzmq", "msgpack", "cloudpickle", "dill", "uvloop", "numpy")


def machine(peers: list[str]) -> dict[str, Any]:
    """Describe this machine.

    Args:
        peers: The distributions whose versions matter too, if they are installed.

    Returns:
        Plain data.
    """
    installed = {name: found for name in [*OURS, *sorted(peers)] if (found := installed_version(name))}
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "core": core.name,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {**installed, "libzmq": zmq.zmq_version()},
    }


def installed_version(package: str) -> str | None:
    """The version of a distribution, or None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
