"""The life of a process that boots a Corps for another one: `main` is its entry point.

It ends the Corps in order when its parent says so. A Corps that is kept ends too when the process of its Mgr
has ended, however that was: a descriptor of that process says so, because a process that the Mgr has forked
may hold a copy of the socket. One with a life of its own takes no notice of its parent once it is up.
"""

import os
import select
import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from corps.errors import BrokenError, ClosedError, CorpsError, RestartLimit
from corps.federation.describing import record_of
from corps.federation.processes import HeldProcess, hold
from corps.launch.apart.order import BootOrder, Failed, Over, Told, Up, hear, tell
from corps.launch.found_settings import find_executable
from corps.launch.launch_settings import LaunchSettings, launch_settings
from corps.launch.plan import CorpsPlan
from corps.launch.running import RunningCorps
from corps.launch.serving import log_to_stderr, serve, stopping_signals
from corps.launch.sources import Source
from corps.launch.starting_corps import start_corps
from corps.launchers.local.channel import Channel
from corps.packing.packer import Packed, Packer
from corps.runtime.cells.records import Sealed
from corps.runtime.threads.watched_thread import WatchedThread

if TYPE_CHECKING:
    pass

ENTRY: Final = f"{__name__}:main"

_FAILED: Final = 1


def main(channel_fd: int, *, detaches: bool) -> int:
    """Boot the Corps that the parent orders, be its booting process, and return the exit status.

    `detaches`: the parent does not wait for the end of this process, so it becomes a child of no process that
    could.
    """
    if detaches and os.fork():
        os._exit(0)
    # The signal that ends the Corps, which the parent may ignore or hold back.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    ends = socket.socket(fileno=channel_fd)
    channel = Channel(ends)
    try:
        return _boot(channel, ends.fileno())
    finally:
        channel.close()


def _boot(channel: Channel, fd: int) -> int:
    order = hear(channel)
    if not isinstance(order, BootOrder):
        return _FAILED
    if order.kind != "contained":
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    mgr = hold(*order.parent) if order.is_kept else None
    if order.is_kept and mgr is None:  # it has gone already
        return _FAILED
    return _Booting(order, channel, fd, mgr).run()


class _Booting:
    """The one Corps of this process. The main thread; `watch_parent` has a thread of its own."""

    def __init__(self, order: BootOrder, channel: Channel, fd: int, mgr: HeldProcess | None) -> None:
        self._order = order
        self._channel = channel
        self._fd = fd  # of the channel
        self._mgr = mgr
        self._is_free = False  # the Corps is up, and has a life of its own; or it is over

    def run(self) -> int:
        """Boot, tell the parent, serve, and tell it the end."""
        with stopping_signals():
            WatchedThread("corps-parent", self.watch_parent).start()
            try:
                running = start_corps(self._plan(), (Sealed(*self._order.arguments),), {})
            except (CorpsError, OSError, KeyboardInterrupt) as error:
                self._tell(Failed.of(error))
                return _FAILED
            over = self._live(running)
            self._is_free = True
        self._tell(over)
        return 0

    def watch_parent(self) -> None:
        """Wait until the Corps is not wanted any more, and have the main thread end it in order."""
        poll = select.poll()
        for fd in (self._fd, *(() if self._mgr is None else (self._mgr.fd,))):
            poll.register(fd, select.POLLIN)
        poll.poll()
        if not self._is_free:
            os.kill(os.getpid(), signal.SIGTERM)

    def _plan(self) -> CorpsPlan:
        order = self._order
        source = Source.from_list(order.source)
        config = Packer().unpack(Packed(*order.config, ()))
        tag = order.tag or None
        given = {"envs": order.envs, "tag": tag, "external": order.kind != "contained"}

        def settings() -> LaunchSettings:
            found = launch_settings(config, given, source=source)
            log_to_stderr(found.options.log_level)
            return found

        return CorpsPlan(
            source,
            settings,
            find_executable(config, source),
            log_file=order.log_file,
            is_contained=order.kind == "contained",
            restart=order.restart_policy,
        )

    def _live(self, running: RunningCorps) -> Over:
        try:
            serve(running, lambda: self._be_up(running))
            running.end()
        except KeyboardInterrupt:  # a second one has ended it at once
            return Over("killed", "it was ended at once", is_final=False)
        except CorpsError as error:
            return Over("error", f"{type(error).__name__}: {error}", isinstance(error, RestartLimit))
        failure = running.failure
        if failure is None:
            return Over("normal", "it has ended by itself", is_final=False)
        return Over(failure.reason, failure.text, failure.is_final)

    def _be_up(self, running: RunningCorps) -> None:
        self._is_free = not self._order.is_kept
        tag = "" if running.tag is None else running.tag.tag
        record = record_of(running.env, running.name, tag, "", self._order.log_file)
        self._tell(Up(record.to_json(), running.comes_back))

    def _tell(self, what: Told) -> None:
        with suppress(BrokenError, ClosedError):  # the parent has gone
            tell(self._channel, what)
