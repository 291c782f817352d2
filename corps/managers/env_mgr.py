"""The EnvMgr: the Conc through which an Env is asked for things. One per Env, the first worker there."""

import asyncio
from typing import Any, ClassVar

from corps.addresses import ConcAddr
from corps.errors import LoadError
from corps.managers.parameters import parameters_of
from corps.runtime.constructing import construct_soon
from corps.runtime.env import Env
from corps.runtime.options import WorkerOptions
from corps.workers.conc import Conc
from corps.workers.corps import Corps
from corps.workers.names import Name


class EnvMgr(Conc):
    """Creates workers in its Env for creators elsewhere, and keeps the lists of children true.

    It interleaves, so that a constructor that asks for further workers does not wait for itself.
    """

    interleave: ClassVar[bool | int] = True

    def __init__(self, env: Env, application: type[Corps] | None = None) -> None:
        """For the assembly of an Env.

        Args:
            env: The Env it is the Mgr of.
            application: The class of the Corps that may be started here.
        """
        self._env = env
        self._application = application

    async def start_application(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], tag: str, mgr: Name[Any], mgr_addr: ConcAddr
    ) -> Name[Any]:
        """Create the application's Corps here.

        Args:
            args: For its constructor.
            kwargs: For its constructor.
            tag: Its tag.
            mgr: Name of the CorpsMgr.
            mgr_addr: Address of the CorpsMgr.

        Returns:
            Its Name.

        Raises:
            LoadError: No application was loaded in this Env.
        """
        if self._application is None:
            raise LoadError(f"no application was loaded in {self._env.label}")
        return await self.create(self._application, args, kwargs, WorkerOptions(tag), mgr, mgr_addr, None)

    async def has_worker(self, worker: ConcAddr) -> bool:
        """Whether a worker of this Env has not ended.

        Args:
            worker: Its address.

        Returns:
            Whether its address still leads to it.
        """
        return self._env.registry.find(worker.conc) is not None

    async def run_parameters(self) -> list[list[Any]] | None:
        """The parameters of the application's method ``run`` as lists; None if it has no such method."""
        run = getattr(self._application, "run", None)
        return [each.as_list() for each in parameters_of(run)] if callable(run) else None

    async def create(
        self,
        cls: type[Conc],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: WorkerOptions,
        mgr: Name[Any],
        mgr_addr: ConcAddr,
        corps_name: Name[Any] | None,
    ) -> Name[Any]:
        """Create a worker here.

        Args:
            cls: Its class.
            args: For its constructor.
            kwargs: For its constructor.
            options: Its options.
            mgr: Name of its creator, which will be its Mgr.
            mgr_addr: Address of its creator.
            corps_name: Name of the Corps it belongs to.

        Returns:
            Its Name.
        """
        cell = self._env.new_cell(cls._corps_interface, options, mgr, mgr_addr, corps_name)
        made = construct_soon(cell, cls, args, kwargs)
        try:
            name: Name[Any] = await made
        except asyncio.CancelledError:  # its creator has given up, and will never know the Name
            self._env.exit(cell.addr)
            raise
        return name

    async def child_ended(self, mgr_addr: ConcAddr, child: ConcAddr) -> None:
        """A worker in another Env, which a worker of this one created, has ended.

        Args:
            mgr_addr: The creator.
            child: The worker that has ended.
        """
        cell = self._env.registry.find(mgr_addr.conc)
        if cell is not None:
            cell.family.disown(child)

    async def statistics(self) -> dict[str, Any]:
        """What goes on in this Env: workers, worker threads, requests under way."""
        return self._env.statistics()
