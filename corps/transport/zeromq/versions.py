"""Which libzmq this process has, and what it can do."""

import zmq


def libzmq_version() -> tuple[int, ...]:
    """Return the version of the loaded libzmq."""
    return zmq.zmq_version_info()


def pyzmq_version() -> str:
    """Return the version of PyZMQ."""
    return str(zmq.pyzmq_version())


def has_curve() -> bool:
    """Return whether libzmq can encrypt."""
    return bool(zmq.has("curve"))
