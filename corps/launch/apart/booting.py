"""Booting a Corps in a process of its own, as a worker or a script wants it: from a source to its Name."""

import os
import sys
from dataclasses import astuple
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from corps.errors import ConfigError, CorpsError
from corps.federation.border import outward
from corps.launch.apart.inside import boot_inside
from corps.launch.apart.keeper import CorpsKeeper
from corps.launch.apart.order import BootOrder, Failed, Kind
from corps.launch.apart.process import BootingProcess
from corps.launch.connecting import connected
from corps.launch.detached_log import check_free, log_of
from corps.launch.may_boot import check_before_apart
from corps.launch.sources import find_source
from corps.messages.outcomes import Refused, Value
from corps.packing.packer import Packer
from corps.process_stat import name_of_process
from corps.runtime.calls.futures import Future
from corps.runtime.cells.records import Record
from corps.runtime.context import acting
from corps.runtime.env import Env
from corps.runtime.options import WorkerOptions
from corps.workers.creating import create_at, mgr_here
from corps.workers.ended_with import EndedWith
from corps.workers.everywhere import env_here
from corps.workers.factory import BootWish
from corps.workers.names import Name

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell


def boot_apart(wish: BootWish) -> Future[Name[Any]]:
    """Boot a Corps in a process of its own; return a Future of its Name. Thread-safe.

    What can be seen at once is raised: a source that cannot be read, an argument that cannot be packed. All
    else is in the Future.
    """
    check_before_apart(sys._getframe())
    if wish.contained and wish.envs == 0:
        return boot_inside(wish)
    kind: Kind = "contained" if wish.contained else "managed" if wish.managed else "external"
    here = acting()
    env = wish.env or (env_here("whose worker could be the Mgr of a Corps") if kind != "external" else None)
    env = env if env is not None else None if here is None else here.env
    order = _order_of(wish, kind, env)
    mgr = mgr_here(env) if env is not None and order.is_kept else None
    booted = _Boot(order, env, mgr)
    thread = Thread(target=booted.run, name=f"corps-boots-{order.tag or kind}", daemon=True)
    thread.start()
    return booted.name


def _order_of(wish: BootWish, kind: Kind, env: Env | None) -> BootOrder:
    if kind != "contained" and not wish.tag:
        raise ConfigError('an external Corps needs a tag by which others find it: options(tag="...")')
    source = find_source(wish.source)
    packer = Packer(out_of_band=sys.maxsize, outward=None if env is None else outward(env))
    codec, arguments, _ = packer.pack((wish.args, wish.kwargs), what="the arguments of the constructor")
    config = wish.config
    if isinstance(config, str | Path):
        config = os.path.abspath(config)
    config_codec, packed_config, _ = Packer(out_of_band=sys.maxsize).pack(config, what="config")
    log_file = ""
    if kind != "contained":
        check_free(wish.tag)
        log_file = str(log_of(wish.tag, None))
    return BootOrder(
        kind,
        source.as_list(),
        (codec, arguments),
        (config_codec, packed_config),
        wish.tag,
        wish.envs,
        None if wish.restart is None else astuple(wish.restart),
        log_file,
        (os.getpid(), name_of_process(os.getpid())),
    )


class _Boot:
    """One boot. `name` is a Future of the Name of the Corps; `run` is for a thread of its own."""

    def __init__(self, order: BootOrder, env: Env | None, mgr: "Cell | None") -> None:
        self.name: Future[Name[Any]] = Future()
        self._order = order
        self._env = env
        self._mgr = mgr

    def run(self) -> None:
        """Boot, and settle the Future."""
        try:
            name = self._boot()
        except CorpsError as error:
            self.name.settle(Refused(error))
        except BaseException as error:  # a thread waits for it
            self.name.settle(Refused(Failed.of(error).error()))
        else:
            self.name.settle(Value(name))

    def _boot(self) -> Name[Any]:
        process = BootingProcess(self._order)
        self.name.when_settled(lambda done: process.end() if done.cancelled() else None)
        try:
            if self._mgr is not None:
                return self._boot_below(self._mgr, process)
            name = connected(process.wait_up(), self._env)
        except BaseException:
            process.give_up()
            raise
        process.let_go()
        return name

    def _boot_below(self, mgr: "Cell", process: BootingProcess) -> Name[Any]:
        """Wait until the Corps is up, and have a worker stand for it. If the Mgr ends before, it ends."""
        ended_with = mgr.env.parts.get(EndedWith)
        bond = ended_with.add(mgr.addr, process.end)
        try:
            if mgr.ended is not None:  # before it could end with it
                process.end()
            name = connected(process.wait_up(), self._env)
            record = Record(CorpsKeeper, (process, name), {}, WorkerOptions(self._order.tag), mgr.corps_name)
            create_at(mgr.env, mgr.env.id, mgr, record, None, is_soon=True).result()
            return name
        finally:
            ended_with.remove(bond)
