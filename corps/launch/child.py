"""The life of an Env's process, from its first order to its last.

The channel that it inherited brings it what to load, and the list of the other Envs. No secret ever stands in
its arguments, its environment or a file. The end of the channel means that the booting process has gone.
"""

import contextlib
import logging
import os
import resource
import sys
import traceback
from functools import partial
from threading import Timer
from typing import Any, Final

from corps.addresses import BOOT_ENV, FRONT, env_label
from corps.errors import BootError, CorpsError, LoadError
from corps.launch import pool_main
from corps.launch.command_run import let_run_exit
from corps.launch.host_side import HostSide, know_hosts
from corps.launch.loading import GUARD, load_class
from corps.launch.may_boot import mark_descendants
from corps.launch.sources import Source
from corps.launch.starting import start_env
from corps.launch.surroundings import labels_of, take_on
from corps.launch.vital_signs import VitalSigns
from corps.launchers.local.child import ChildSide, flush_output
from corps.membership.orders import (
    CorpsCreated,
    Failed,
    Joined,
    Lost,
    MemberJoined,
    Members,
    Message,
    Orders,
    Ready,
    Released,
    ReleaseOutput,
    Retired,
    Start,
    Stop,
)
from corps.runtime.calls.futures import Future
from corps.runtime.calls.travelling import places_of
from corps.runtime.env import Env
from corps.runtime.options import EnvOptions
from corps.runtime.other_envs import in_turn
from corps.runtime.this_process import this_process
from corps.services.logs import sending as sending  # once, in the template: Envs need it if there is a sink
from corps.services.logs.outlet import LogOutlet
from corps.workers.corps import Corps
from corps.workers.names import Name

with contextlib.suppress(ImportError):  # not made for every platform
    import uvloop  # noqa: F401 - once, in the template, and not in each Env when its first coroutine runs

_log = logging.getLogger("corps.env")

_STOPS_WITHIN: Final = 2.0
_COMPONENTS: Final = 30.0  # seconds that all components may take in an Env that joins late
_ABANDONED: Final = 0.1  # seconds for the other threads, if some are given up already

# Exit statuses.
_CUT_OFF: Final = 75
_DEFECT: Final = 70


def main(child: ChildSide) -> int:
    """Be an Env until the order to stop, and return the exit status. The entry point of its process."""
    orders = Orders(child.channel)
    first = orders.receive()
    if not isinstance(first, Start):  # the booting process has gone
        return 1
    options = EnvOptions(**first.options)
    this_process.env_id = child.env_id
    form = f"%(asctime)s {env_label(child.env_id)} %(levelname)s %(name)s: %(message)s"
    _show_warnings(form)
    sys.setswitchinterval(options.switch_interval)
    _allow_descriptors()
    source = Source.from_list(first.source)
    mark_descendants(source)
    sys.modules["__main__"].__file__ = pool_main.__file__  # for the processes that workers start
    try:
        take_on(child.env_id, first.of_envs)
        cls = load_class(source, stopped=partial(_give_up_soon, orders))
        own = _set_up_logging(options.log_level, form)
        if child.has_stdin:
            let_run_exit(cls)
        places = _places(cls)
        env, member = start_env(
            first.corps_id,
            child.env_id,
            options,
            source,
            os.fsdecode(first.runtime_dir),
            application=cls,
            generation=first.generation,
            host=HostSide.from_list(first.host),
        )
        if own is not None:
            env.parts.get(LogOutlet).take_over(own)
    except BootError as error:
        orders.send(Failed(type(error).__name__, str(error)))
        return 1
    except Exception as error:  # a defect, but the booting process must hear of it
        orders.send(Failed("EnvStartError", f"{error}\n{traceback.format_exc()}"))
        return 1
    know_hosts(env, member, labels_of(first.of_envs), first.of_hosts)
    this_process.has_opened(env)
    env.others.on_unreachable = partial(_report_or_end, env)
    env.on_defect = _end_at_once
    orders.send(Ready(member, cls._corps_interface, cls.restart, places))
    return _serve(child, orders, env, first.components)


def _places(cls: type[Corps]) -> dict[str, list[str]]:
    """Find the variables that travel, so that the booting process need not load the application."""
    places = {variable.name: places_of(variable) for variable in cls.travels}
    for name, found in places.items():
        if not found:
            raise LoadError(
                f"{cls.__qualname__}.travels names the context variable {name!r}, which no module has: "
                "define it at the top of one, so that each process finds it"
            )
    return places


def _show_warnings(form: str) -> None:
    """Have log lines name the Env, also while the application is loaded and has not set up logging."""
    last = logging.StreamHandler()
    last.setLevel(logging.WARNING)
    last.setFormatter(logging.Formatter(form))
    logging.lastResort = last


def _set_up_logging(level: str, form: str) -> logging.Handler | None:
    """Have log lines on stderr, unless the application has set up logging; return the handler of that."""
    if logging.root.handlers:
        return None
    logging.basicConfig(level=level, format=form)
    return logging.root.handlers[0]


def _give_up_soon(orders: Orders, where: str) -> None:
    """Fail the boot if the application boots while it is loaded, and goes on or waits for that."""

    def look() -> None:
        if this_process.loadings:
            text = (
                f"{where}: corps.boot was called while the application is being loaded in an Env, which ends "
                f"what is loaded; but what called it still runs {_STOPS_WITHIN:g} s later: {GUARD}"
            )
            orders.send(Failed("LoadError", text))

    timer = Timer(_STOPS_WITHIN, look)
    timer.daemon = True
    timer.start()


def _report_or_end(env: Env, env_id: int, generation: int, reason: str) -> None:
    """Report an Env that cannot be reached. If that is the booting process's, end this one."""
    if env_id != BOOT_ENV:
        env.others.report_unreachable(env_id, generation, reason)
    elif not env.closed:
        _log.critical("%s is cut off from the booting process, and ends: %s", env.label, reason)
        flush_output()
        os._exit(_CUT_OFF)


def _end_at_once(_: str) -> None:
    """End this process, because its Env cannot go on: it is replaced as one that has died."""
    flush_output()
    os._exit(_DEFECT)


def _allow_descriptors() -> None:
    """Allow all descriptors that the system gives: large buffers take some, and 1 024 are the default."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _serve(child: ChildSide, orders: Orders, env: Env, components: list[list[Any]]) -> int:
    """Follow orders until the last one, and return the exit status."""
    signs = VitalSigns(env, child.pulse)
    while (order := _next_order(orders, signs, env.options.beat_every)) is not None:
        match order:
            case Members():
                _learn(env, order)
                if order.is_late and components:
                    _start_components(env, components)
                orders.send(Joined())
            case MemberJoined(member):
                env.others.joined(member)
            case Retired(env_id):
                env.others.retire(env_id)
            case Lost(env_id, failure, returns):
                env.others.lost(env_id, failure, returns=returns)
            case CorpsCreated(addr, interface):
                env.corps_name = Name(addr, interface, env)
            case ReleaseOutput():
                child.release_output()
                orders.send(Released())
            case Stop():
                _stop(env)
                return 0
    return 1  # the booting process has gone, and everything with it


def _next_order(orders: Orders, signs: VitalSigns, beat: float | None) -> Message | None:
    """Wait for the next order, and show meanwhile that this Env lives."""
    if beat is not None:
        signs.show()
        while not orders.wait(beat):
            signs.show()
    return orders.receive()


def _learn(env: Env, others: Members) -> None:
    """Meet all others: those that are there, and those that will have another process."""
    assert env.peers is not None
    if env.generation:
        env.registry.await_word_of(member.env for member in others.members)
    for env_id in others.awaited:
        env.peers.lose(env_id, "it is started again", returns=True)
    for member in others.members:
        env.others.meet(member)
    ids = {*(member.env for member in others.members), *others.awaited, env.id} - {BOOT_ENV, FRONT}
    env.worker_envs = in_turn(ids, env.id)
    if others.is_late:
        env.parts.tell(lambda part: part.joins_late())


def _start_components(env: Env, components: list[list[Any]]) -> None:
    """Start components, before any other worker. If a required one fails, this process ends."""

    def over(started: Future[None]) -> None:
        error = started.failure()
        if error is not None and not env.closed and not env.lives.is_winding_down:
            _log.critical("%s ends, and is started again: %s", env.label, error)
            _end_at_once("")

    env.ask_manager(env.id, "start_components", components, seconds=_COMPONENTS).when_settled(over)


def _stop(env: Env) -> None:
    """End in order: the workers that are left, children first, then the threads and links."""
    try:
        env.exit(env.manager_of(env.id)).result(timeout=env.options.grace)
        env.services.end().result(timeout=env.options.grace)
    except CorpsError as error:
        _log.warning("%s did not end in order: %s", env.label, error)
    # A thread that was given up once is not waited for again.
    late = env.close(env.options.grace if not env.lives.abandoned else _ABANDONED)
    if late:
        _log.warning("%s leaves threads behind that are still busy: %s", env.label, ", ".join(late))
