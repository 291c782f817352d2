"""The EnvMgr: the Conc through which an Env is asked for things. One per Env, the first worker there."""

import asyncio
import faulthandler
import logging
from contextlib import suppress
from dataclasses import replace
from tempfile import TemporaryFile
from typing import Any, ClassVar

from corps.addresses import ConcAddr, is_service
from corps.errors import CorpsError, LoadError, WorkerGone
from corps.managers.autoloading import Components, class_of, loaded, restart_of
from corps.managers.components import Component
from corps.messages.dead_letters import DeadLetter
from corps.messages.members import Member
from corps.messages.requests import EXIT_LAST
from corps.runtime.calls.winding_down import Unfinished, hear_last_words, still, unfinished
from corps.runtime.cells import halting
from corps.runtime.cells.constructing import construct_soon
from corps.runtime.cells.family import ChildEnd
from corps.runtime.cells.records import Application, Record, Sealed
from corps.runtime.cells.records import Component as Named
from corps.runtime.env import Env
from corps.services.scaling.env_reports import measured
from corps.supervision.restarts import Restart
from corps.workers.conc import Conc
from corps.workers.corps import Corps
from corps.workers.creating import corps_here, create_at
from corps.workers.factory import Options
from corps.workers.names import Name
from corps.workers.parameters import keywords_of, parameters_of
from corps.workers.routes import PlainListing, as_plain

_log = logging.getLogger("corps.managers")


class EnvMgr(Conc):
    """Creates workers in its Env for creators elsewhere, and keeps the lists of children true.

    It interleaves, so that a constructor that asks for further workers does not wait for itself.
    """

    interleave: ClassVar[bool | int] = True

    def __init__(self, env: Env, application: type[Corps] | None = None) -> None:
        """Serve an Env. `application` is the class of the Corps that may be started there."""
        self._env = env
        self._application = application
        self._is_leaving = False
        self._components = Components(env)

    async def has_worker(self, worker: ConcAddr) -> bool:
        """Return whether the address still leads to a worker of this Env."""
        return self._env.registry.find(worker.conc) is not None

    async def run_parameters(self) -> list[list[Any]] | None:
        """List the parameters of the application's method ``run``, as lists; None if it has none."""
        run = getattr(self._application, "run", None)
        return [list(each) for each in parameters_of(run)] if callable(run) else None

    async def init_parameters(self) -> list[list[Any]]:
        """List the parameters of the application's constructor that can be given by name, as lists."""
        init = getattr(self._application, "__init__", object.__init__)
        return [list(each) for each in keywords_of(init)]

    async def create(self, record: Record, mgr: Name[Any], mgr_addr: ConcAddr) -> Name[Any]:
        """Create a worker here, whose Mgr will be its creator."""
        if self._env.lives.is_winding_down:
            raise WorkerGone(f"{self._env.label} ends: no worker is created there any more", executed="no")
        if self._is_leaving:
            text = f"{self._env.label} is being removed: no worker is created there any more"
            raise WorkerGone(text, executed="no")
        for ready in self._env.parts.held:
            await ready
        record = await self._loaded(record)
        cell = self._env.lives.new_cell(record, mgr, mgr_addr)
        made = construct_soon(cell, record)
        try:
            name: Name[Any] = await made
        except asyncio.CancelledError:  # its creator has given up, and never gets the Name
            self._env.exit(cell.addr)
            raise
        return name

    async def create_for_corps(self, record: Record, place: int) -> Name[Any]:
        """Create a worker whose Mgr is the Corps object, which lives here, or in a lone Env the EnvMgr."""
        mgr = corps_here(self._env)
        if mgr is not self._corps_own_cell():
            record = record._replace(corps_name=mgr.name)
        name: Name[Any] = await create_at(self._env, place, mgr, record, None, is_soon=True)
        return name

    async def replicate_for_corps(
        self, record: Record, n: int, options: Options
    ) -> tuple[ConcAddr, PlainListing]:
        """Create `n` workers in each Env whose Mgr is that of `create_for_corps`; give the route to them."""
        mgr = corps_here(self._env)
        if mgr is not self._corps_own_cell():
            record = record._replace(corps_name=mgr.name)
        of_this = replace(options, _of=self._env, _is_soon=True)
        replicas = of_this.replicas(self._env, n, mgr, record)
        try:
            made = replicas.begin()
            for _, future in made:
                with suppress(CorpsError):
                    await future
            replicas.take(made)
        except BaseException:  # a creator that has given up, too
            replicas.undo()
            raise
        return replicas.route.addr, as_plain(replicas.route.listing)

    async def _loaded(self, record: Record) -> Record:
        """Put the class of the application, or of a component, into a record that stands for it."""
        if record.cls is Named:
            with_class: Record = await loaded(self._env, record)
            return with_class
        if record.cls is not Application:
            return record
        if self._application is None:
            raise LoadError(f"no application was loaded in {self._env.label}")
        record = record._replace(cls=self._application)
        sealed = record.args[0] if record.args else None
        if isinstance(sealed, Sealed):
            args, kwargs = self._env.upper.unpack(sealed)
            record = record._replace(args=args, kwargs={**kwargs, **record.kwargs})
        return record

    async def component_restart(self, use: str, is_required: bool) -> Restart:
        """Find the class of a component, and return its restart policy."""
        return restart_of(await class_of(self._env, use), is_required=is_required)

    async def start_component(self, fields: list[Any]) -> None:
        """Start a component here. `fields` are those of a `Component`, as a list."""
        await self._components.start(Component(*fields), self._corps_own_cell())

    async def end_component(self, name: str) -> None:
        """End a component, if this Env has it."""
        await self._components.end(name)

    async def start_components(self, components: list[list[Any]]) -> None:
        """Start components in their order, because this Env has joined a Corps that runs already."""
        found = [Component(*fields) for fields in components]
        await self._components.start_late(found, self._corps_own_cell())

    async def start(
        self, number: int, incarnation: int, create: tuple[Record, Name[Any], ConcAddr] | None
    ) -> Name[Any] | None:
        """Start the next incarnation of a worker; None if it lived in a former process, unknown to this one.

        `create` says how it was created, with Name and address of its Mgr, if its cell may be gone.
        """
        for ready in self._env.parts.held:
            await ready
        cell = self._env.registry.find(number)
        if cell is not None and cell.incarnation < incarnation:  # its Mgr counts it as failed
            await halting.halt(cell)
        if cell is None and create is None and self._env.registry.ended(number) is None:
            return None
        if create is not None:
            create = (await self._loaded(create[0]), *create[1:])
        started = self._env.lives.start(number, incarnation, create)
        if started is None:
            raise WorkerGone(
                f"worker {number} of {self._env.label} has ended, or runs already", executed="no"
            )
        name: Name[Any] = await started
        return name

    async def incarnation_of(self, number: int) -> int:
        """Give the incarnation of a worker of this Env, by the number of its address; 0 if it is not here."""
        cell = self._env.registry.find(number)
        return 0 if cell is None else cell.incarnation

    async def halt(self, number: int) -> bool:
        """End the incarnation of a worker to be started again; return whether its cell waits for that."""
        cell = self._env.registry.find(number)
        if cell is not None:
            await halting.halt(cell)
        return cell is not None and self._env.registry.find(number) is cell

    async def knows_env(self, env_id: int, *, is_there: bool) -> None:
        """Wait until this Env knows that workers can, or cannot, be created in another one."""
        await self._env.others.when_known(env_id, is_there=is_there)

    async def still(self) -> None:
        """Have nothing begin any more in this Env, and wait for what runs; see `winding_down`."""
        for stands in still(self._env):
            await stands

    async def hear_last_words(self) -> None:
        """Take the last requests of workers that end, because all Envs stand still."""
        hear_last_words(self._env)

    async def unfinished(self) -> list[Unfinished]:
        """List what the end of this Env waits for."""
        return unfinished(self._env)

    async def drain_all(self) -> None:
        """End all workers here, newest first, each after what waits for it. Create none any more."""
        self._is_leaving = True
        for cell in reversed(self._env.registry.cells()):
            if cell.mgr_addr is not None and not is_service(cell.addr.conc):
                try:
                    await self._env.exit(cell.addr, EXIT_LAST)
                except CorpsError as error:  # the others are to be drained all the same
                    _log.warning("%s could not be drained: %s", cell, error)

    async def end_children(self) -> None:
        """End the workers that plain threads of this Env have created. They create none any more.

        Components go on, because those workers may need them. The other Envs are still there, because some
        of these workers live in them.
        """
        for turn in self._corps_own_cell().family.close_in_turns():
            children = [child for child in turn if child not in self._components]
            for child, ended in [(child, self._env.exit(child)) for child in children]:
                try:
                    await ended
                except CorpsError as error:  # it has ended all the same, or does with its process
                    _log.debug("%s did not end in order: %s", child, error)

    async def expect(self, mgr_env: int, numbers: list[int]) -> None:
        """Learn which workers of a former process of this Env another Env will start here again."""
        self._env.lives.refuse(self._env.registry.decide(mgr_env, numbers))

    async def has_told(self, env_id: int) -> None:
        """Wait until another Env has heard all that this one has sent to it so far."""
        await self._env.ask_manager(env_id, "hear")

    async def hear(self) -> None:
        """Answer `has_told`: requests arrive in order, so this Env has heard all before this one."""

    async def admit(self, fields: list[Any]) -> None:
        """Let the process of another Env connect. `fields` is its record, as a list."""
        if self._env.peers is not None:
            self._env.peers.admit(Member.from_list(fields))

    async def child_ended(self, mgr_addr: ConcAddr, child: ConcAddr, end: ChildEnd) -> bool:
        """Hear how a child has ended in another Env; return whether its creator `mgr_addr` is here."""
        return self._env.lives.child_ended(mgr_addr, child, end)

    async def dead_letters(self, generation: int, number: int) -> tuple[int, list[DeadLetter], int, int]:
        """List the dead letters of this Env that have come since the caller asked last.

        It gives the generation and the number of the answer then, or -1 and 0 the first time. The answer is
        the generation of this process, the letters, how many have come and gone meanwhile, and the next
        number.
        """
        generation, news = self._env.letters.since(generation, number)
        return generation, news.items, news.missed, news.next

    async def report(self) -> list[float]:
        """Say what this Env and its host have free; see `measured`."""
        return measured(self._env)

    async def stacks(self) -> str:
        """Give what all threads of this Env do, as text."""
        with TemporaryFile() as file:
            faulthandler.dump_traceback(file, all_threads=True)
            file.seek(0)
            return file.read().decode(errors="replace")

    async def statistics(self) -> dict[str, Any]:
        """Tell what goes on in this Env, and what went wrong so far; see `Env.statistics`."""
        return self._env.statistics()
