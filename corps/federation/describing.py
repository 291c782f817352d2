"""What an external Corps says of itself, in its connection record."""

import getpass
import os
import socket
from typing import Any

from corps.addresses import FRONT
from corps.clock import wall_time
from corps.federation.records import ConnectionRecord
from corps.messages.contacts import ExtAddr
from corps.runtime.env import Env
from corps.workers.names import Name


def record_of(env: Env, name: Name[Any], tag: str, started: str = "", log_file: str = "") -> ConnectionRecord:
    """Return the record of an external Corps, as an Env of it knows it.

    Args:
        env: That of the booting process, or the front.
        name: Of the Corps object, which lives in the front.
        tag: That of the Corps.
        started: See `ConnectionRecord.started`.
        log_file: The path of the file with what its processes print; empty for none.

    Returns:
        The record. Its addresses are those of the front now.
    """
    addr = env.address_abroad(name._addr)
    assert isinstance(addr, ExtAddr)
    assert addr.env == FRONT
    front = addr.contact.front
    return ConnectionRecord(
        corps=env.corps_id,
        tag=tag,
        class_name=name._interface.class_name,
        pid=os.getpid(),
        started=started,
        since=wall_time(),
        user=user_name(),
        host=socket.gethostname(),
        log_file=log_file,
        addresses=(front.endpoint, *front.outside),
        front=front,
        conc=addr.conc,
        interface=name._interface,
        capability=addr.capability,
    )


def user_name() -> str:
    """Return the name of this user, or its id where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # it has no name
        return str(os.getuid())
