"""What is to be booted, and how, before anything of it runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corps.launch.sources import Source
from corps.supervision.restarts import Restart

if TYPE_CHECKING:
    from corps.host_file import HostFile
    from corps.launch.launch_settings import LaunchSettings


@dataclass(frozen=True, slots=True)
class CorpsPlan:
    """What is to be booted.

    `of_command` is None unless it is the program of a command. Then the front reads the stdin of this
    process, and these are texts for arguments of the constructor, by their names. A Corps that is contained
    in another one is listed on this host, and reached by none that has not got a Name of it.
    """

    source: Source
    # Called once, in the thread of the Corps, while the template imports.
    find_settings: "Callable[[], LaunchSettings]"
    executable: str | None = None  # the interpreter of its processes; None for that of this one
    of_command: Mapping[str, str] | None = None
    log_file: str = ""  # where the output of this process goes, if others are to be shown that
    is_contained: bool = False
    find_hosts: "Callable[[], HostFile] | None" = None  # its hosts, if there are several; called once
    restart: Restart | None = None  # of the Corps object; None for that of its class
