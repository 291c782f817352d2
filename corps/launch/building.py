"""From a plan to a Corps that runs, in one thread. Where a step fails, what the steps before it made ends."""

import os
from dataclasses import asdict, dataclass, replace
from pathlib import PurePath
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from corps.addresses import BOOT_ENV, FRONT, ConcAddr
from corps.clock import now
from corps.errors import BootError, ConfigError
from corps.federation.claims import private_tag
from corps.launch import child
from corps.launch.application import create_application
from corps.launch.autoloading import Autoloading
from corps.launch.corps_end import CorpsEnd
from corps.launch.death_follower import DeathFollower
from corps.launch.first_process import FirstProcess
from corps.launch.held_tag import HeldTag
from corps.launch.host_side import know_hosts
from corps.launch.launch_settings import LaunchSettings
from corps.launch.plan import CorpsPlan
from corps.launch.starting import start_env
from corps.launch.surroundings import labels_of
from corps.launchers.launcher import Launcher
from corps.launchers.local.launcher import LocalLauncher
from corps.launchers.local.processes import ProcessHost
from corps.managers.corps_mgr import CorpsMgr
from corps.membership.membership import Membership
from corps.membership.orders import CorpsCreated, Start
from corps.membership.vitals import Vitals
from corps.messages.interfaces import Interface
from corps.messages.members import Member
from corps.messages.requests import CALL
from corps.runtime.calls.futures import Future
from corps.runtime.calls.travelling import Travels
from corps.runtime.cells.cell import Cell
from corps.runtime.cells.constructing import construct_here
from corps.runtime.cells.records import Application, Record
from corps.runtime.env import Env
from corps.runtime.options import WorkerOptions
from corps.security.capabilities import new_secret
from corps.services.logs.hub import LogHub
from corps.supervision.restarts import Restart
from corps.workers.names import Name
from corps.workers.parameters import Parameter, read_assignments

if TYPE_CHECKING:
    from corps.launch.hosts import CorpsHosts

LAST_REPORTS: Final = 1.0  # seconds for reports of processes that end last


@dataclass(frozen=True, slots=True)
class CorpsParts:
    """What a Corps that runs is made of, in the booting process. All of it is at work."""

    host: ProcessHost
    hosts: "CorpsHosts | None"  # all of them, if there are several
    env: Env  # of this process
    membership: Membership
    deaths: DeathFollower
    mgr: Cell  # the CorpsMgr
    autoloading: Autoloading  # has started the components
    name: Name[Any]  # the application's Corps
    restart: Restart | None  # of that
    finish_timeout: float  # seconds that requests of the script may take when the end begins
    tag: HeldTag | None  # by which it is listed on this host; it gives it back when it is over


class CorpsBuilder:
    """Builds one Corps. One thread."""

    def __init__(self, corps_id: str, plan: CorpsPlan, end: CorpsEnd, first: FirstProcess) -> None:
        self._plan = plan
        self._end = end
        self._corps_id = corps_id
        self._first = first
        self._undo = first.undo
        self._undo_late = first.undo_late

    def build(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> CorpsParts:
        """Start the other processes and the application, whose constructor gets the arguments. Once."""
        host = self._first.host
        settings = self._plan.find_settings()
        hosts = self._start_hosts(settings)
        if hosts is not None:
            settings = replace(settings, envs=len(hosts.homes))
        tag = self._take_tag(host, settings) if settings.external or self._plan.is_contained else None
        env, me = self._start_own_env(host, settings, hosts)
        until = self._first.began + settings.boot_timeout
        host.start_timeout = settings.boot_timeout
        if env.options.transport != "unix" or env.options.listen_hosts:
            host.also_import("corps.transport.zeromq.transport")
        host.wait_ready(max(0.0, until - now()))
        start = self._first_order(env, host.runtime_dir, settings, hosts)
        know_hosts(env, me, labels_of(start.of_envs), start.of_hosts)
        local = LocalLauncher(host, child.main)
        launcher = local if hosts is None else hosts.launcher(local)
        membership = self._gather(env, me, launcher, start, settings)
        front = membership.start(settings.envs, until)
        restart = self._plan.restart or front.restart
        env.travels = Travels(places=front.travels) if front.travels else None
        deaths = self._follow_deaths(env, membership, restart)
        mgr = self._make_mgr(env, membership)
        own: set[ConcAddr] = set()
        # The Corps object has ended, and does not return.
        mgr.family.on_end = lambda child, failure: None if child in own else self._end.object_ended(failure)
        autoloading = Autoloading(env, mgr, FRONT, [FRONT, *env.worker_envs], own.add)
        autoloading.start(settings.components, until)
        kwargs = {**kwargs, **self._read_arguments(env)}
        application = Record(Application, args, kwargs, WorkerOptions(settings.tag, restart=restart))
        name = create_application(env, mgr, application)
        self._make_known(env, membership, name, front.interface)
        if env.options.log_output:
            take_line = env.parts.get(LogHub).take_line
            host.hand_over_lines(take_line)
            if hosts is not None:
                hosts.hand_over_lines(take_line)
        else:
            membership.release_output()
        if tag is not None:
            tag.publish(env, name)
        parts = host, hosts, env, membership, deaths, mgr, autoloading, name, restart
        return CorpsParts(*parts, settings.finish_timeout, tag)

    def _take_tag(self, host: ProcessHost, settings: LaunchSettings) -> HeldTag:
        """Take the tag of a Corps before anything of it runs, so that of two boots one goes on."""
        assert host.template_pid is not None
        plan = self._plan
        where = self._corps_id, plan.source.path, host.template_pid, plan.log_file
        if plan.is_contained:
            name = settings.tag or PurePath(plan.source.path).stem or plan.source.qualname
            tag = HeldTag(private_tag(name, self._corps_id), *where, is_private=True)
        else:
            tag = HeldTag(settings.tag, *where)

        def give_back(_: object, error: BaseException | None, trace: TracebackType | None) -> None:
            tag.give_back(error)

        self._undo_late.push(give_back)
        return tag

    def _start_hosts(self, settings: LaunchSettings) -> "CorpsHosts | None":
        """Start the parents of the other hosts, if there are some."""
        if self._plan.find_hosts is None:
            return None
        from corps.launch.hosts import start_hosts

        if settings.options.transport != "unix" or settings.external or self._plan.is_contained:
            raise ConfigError(
                "a Corps of several hosts needs the transport 'unix' on each, and cannot be external or "
                "contained in another one yet"
            )
        plan, exits = self._plan, self._first.exits
        hosts = start_hosts(self._plan.find_hosts(), plan.source, settings, exits.put, self._end.at_kill)
        self._undo.callback(hosts.close, 0.0)
        return hosts

    def _start_own_env(
        self, host: ProcessHost, settings: LaunchSettings, hosts: "CorpsHosts | None"
    ) -> tuple[Env, Member]:
        options, source = settings.options, self._plan.source
        what = "a contained" if self._plan.is_contained else "an external" if settings.external else ""
        if self._plan.is_contained:
            options = replace(options, listen_hosts=())
        elif options.listen_hosts and not settings.external:
            raise ConfigError(
                "listen.hosts names where to listen for other Corps, and this Corps is not external: set "
                "external to true, and give it a tag"
            )
        if options.transport == "unix":
            options = replace(options, border_secret=new_secret())
        elif what:
            raise ConfigError(
                f"{what} Corps needs the transport 'unix', and the setting transport is {options.transport!r}"
            )
        here = None if hosts is None else hosts.here
        if here is not None:
            options = replace(options, border_secret=b"")
        env, me = start_env(self._corps_id, BOOT_ENV, options, source, host.runtime_dir, host=here)
        self._undo_late.callback(env.close, 0.0)
        if what and env.border is None:
            raise ConfigError(
                f"the path {host.runtime_dir} is too long for the sockets of {what} Corps: set "
                "XDG_RUNTIME_DIR or TMPDIR to a directory with a shorter one"
            )
        env.on_defect = self._end.fail_at_once
        env.attend()
        return env, me

    def _first_order(
        self, env: Env, runtime_dir: str, settings: LaunchSettings, hosts: "CorpsHosts | None"
    ) -> Start:
        in_each = [list(each) for each in settings.components if each.where == "env"]
        source, where = self._plan.source.as_list(), os.fsencode(runtime_dir)
        options = asdict(env.options)
        # A process that starts later knows from its start what log records are wanted.
        env.parts.get(LogHub).on_chosen = lambda chosen: options.update(log_now=chosen.as_plain())
        here = [] if hosts is None else hosts.here.as_list()
        labels = {} if hosts is None else dict(hosts.labels)
        of_envs = [*settings.of_envs]
        return Start(self._corps_id, options, source, where, 0, in_each, of_envs, here, labels)

    def _gather(
        self, env: Env, me: Member, launcher: Launcher, start: Start, settings: LaunchSettings
    ) -> Membership:
        """Make the Membership. It starts no process yet."""
        membership = Membership(
            env,
            me,
            launcher,
            start,
            boot_timeout=settings.boot_timeout,
            restart=settings.env_restart,
            vitals=Vitals(*settings.beat),
            on_limit=self._end.fail,
        )

        def add_output(_: object, error: BaseException | None, trace: TracebackType | None) -> None:
            if isinstance(error, BootError) and not error.output:
                error.output = membership.output()  # only now is it complete

        self._undo_late.push(add_output)
        self._undo.callback(membership.stop, None)
        self._end.at_kill(membership.replace_no_more)
        return membership

    def _follow_deaths(self, env: Env, membership: Membership, restart: Restart | None) -> DeathFollower:
        """Tell of ends from now on. Until here the thread that waits for a process has seen its end."""
        comes_back = restart is not None and restart.brings_back("killed")
        deaths = DeathFollower(self._first.exits, membership, self._end, comes_back=comes_back)
        deaths.start()
        self._undo_late.callback(deaths.finish, LAST_REPORTS)

        def stop() -> None:
            deaths.expect_ends()
            membership.stop(None if self._end.hurry.done() else env.options.grace)

        self._undo.callback(stop)
        env.others.on_unreachable = lambda env_id, generation, reason: membership.cannot_reach(
            (env_id, generation), (BOOT_ENV, 0), reason
        )
        return deaths

    def _make_mgr(self, env: Env, membership: Membership) -> Cell:
        manager = Record(CorpsMgr, (env, membership), {}, WorkerOptions("CorpsMgr"))
        cell = env.lives.new_cell(manager)
        env.lives.on_limit = self._end.limit_passed
        construct_here(cell, manager).result()
        return cell

    def _read_arguments(self, env: Env) -> dict[str, Any]:
        """Read the arguments of the constructor that the command line has."""
        if self._plan.of_command is None:
            return {}
        described = env.ask(CALL, env.manager_of(FRONT), "init_parameters", (), {}).result()
        try:
            return read_assignments([Parameter(*fields) for fields in described], self._plan.of_command)
        except ValueError as error:
            raise ConfigError(f"the constructor of the Corps (--init): {error}") from error

    def _make_known(self, env: Env, membership: Membership, name: Name[Any], interface: Interface) -> None:
        """Tell all Envs of the Corps object."""
        # The CorpsMgr hears of its end from here on. It may have ended before, by its constructor's wish.
        alive = env.ask(CALL, env.manager_of(FRONT), "has_worker", (name._addr,), {})
        alive.when_settled(self._end_if_gone)
        env.corps_name = name
        membership.tell_all(CorpsCreated(name._addr, interface))
        # While the interpreter ends no thread can be started any more (3.12): have a worker thread, and the
        # loop that hears of the ends of workers, before that.
        env.ask(CALL, env.manager_of(env.id), "statistics", (), {}).result()
        env.parts.tell(lambda part: part.corps_runs())

    def _end_if_gone(self, alive: Future[bool]) -> None:
        if alive.failure() is None and not alive.result():
            self._end.is_wanted.set()
