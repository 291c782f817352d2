"""Creating workers, and choosing the Env they live in.

One file because `Options` has all that can be done with options, each with its arguments in full.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Literal,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypedDict,
    TypeVar,
    TypeVarTuple,
    get_args,
    get_origin,
    overload,
)

from corps.addresses import ConcAddr
from corps.errors import ConfigError, CorpsError, DefinitionError
from corps.exporting import exported
from corps.messages.outcomes import Refused, Value
from corps.runtime.calls.futures import Future, by_others
from corps.runtime.calls.waiting import wait_all
from corps.runtime.cells.records import Record
from corps.runtime.context import current
from corps.runtime.env import Env
from corps.runtime.options import WHEN_FULL, WhenFull, WorkerOptions
from corps.scaling.scale import Scale
from corps.supervision.restarts import Restart
from corps.workers.conc import Conc
from corps.workers.corps import Corps
from corps.workers.creating import create_at, create_for_corps, mgr_here, replicate_for_corps, with_deadline
from corps.workers.dirs_side import DirsSide
from corps.workers.everywhere import env_here
from corps.workers.funcs import Funcs, Functions, functions_of
from corps.workers.groups import Group
from corps.workers.names import Name
from corps.workers.placement import Where, choose, label_of, labelled, with_label
from corps.workers.properties import Properties, checked_properties
from corps.workers.replicas import Replicas
from corps.workers.routes import PlainListing, Route, Routes, listing_in

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell
    from corps.settings import Settings

T = TypeVar("T")
P = ParamSpec("P")
Ts = TypeVarTuple("Ts")

Per = Literal["corps", "env", "host"]
"""Where there is one singleton: in the whole Corps, in each Env, or on each host."""
_PER: Final = get_args(Per)


class Chosen(TypedDict, total=False):
    """What `corps.options` takes beside `deadline`."""

    tag: str
    env: Where
    mailbox: int | None
    restart: Restart | None
    register: bool | Literal["unique"]
    properties: Properties | None
    at_once: int | None
    per: Per
    label: str | None
    host: str | None
    where: Literal["corps"] | None


@dataclass(frozen=True, slots=True)
class BootWish:
    """A Corps that is to be booted in processes of its own, as `Options.boot` describes it."""

    source: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    envs: int | None
    config: Any  # as of `corps.boot`
    tag: str
    restart: Restart | None
    managed: bool
    contained: bool
    env: Env | None  # in which the worker is that wants it; None for that of the calling code


Boots: TypeAlias = Callable[[BootWish], Future[Name[Any]]]
"""Boots a Corps. `corps.options` puts it in, because it lies above all that creates workers."""


@dataclass(frozen=True, slots=True)
class WorkerWish:
    """A worker that each instance of a pool is, as `Options.create_scaled` describes it."""

    cls: type[Conc]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    parameters: Mapping[str, Sequence[str]]  # the names of those of each method


class PoolMaker(Protocol):
    """Begins a pool whose size follows its load. `corps.options` puts it in, as `Boots`."""

    def __call__(self, options: "Options", wish: BootWish | WorkerWish) -> Future[Name[Any]]:
        """Begin a pool of what is wished for; return a Future of the Name of any of its instances."""


@exported
@dataclass(frozen=True, slots=True)
class Options:
    """How workers are to be created. Thread-safe; it needs an Env, as `corps.create` does.

    Its attributes are the arguments of `corps.options`, which says what each of them means.
    """

    tag: str = ""
    env: Where = None
    mailbox: int | None = None
    deadline: float | None = None
    restart: Restart | None = None
    register: bool | Literal["unique"] = False
    properties: Properties | None = None
    at_once: int | None = None
    per: Per = "corps"
    label: str | None = None
    where: Literal["corps"] | None = None
    external: bool = False
    managed: bool = False
    contained: bool = False
    when_full: WhenFull | None = None
    scale: Scale | None = None
    host: str | None = None
    _of: Env | None = None
    _boots: Boots | None = None
    _pools: PoolMaker | None = None
    _is_soon: bool = False  # the calling thread runs no constructor, not even in this Env
    _group: ConcAddr | None = None  # which `find` gives in place of the worker

    def checked(self) -> "Options":
        """Return these options, of which each has a value that can be.

        Raises:
            ConfigError: A value is out of range.
            PropertyError: A property cannot be.
        """
        env, mailbox, deadline, restart = self.env, self.mailbox, self.deadline, self.restart
        register, properties, at_once = self.register, self.properties, self.at_once
        per, label, where, host = self.per, self.label, self.where, self.host
        if mailbox is not None and not _is_number(mailbox, int, least=1):
            raise ConfigError(f"mailbox={mailbox!r}: wants the number of requests that have room, from 1")
        if deadline is not None and not (_is_number(deadline, int, float, least=0) and deadline > 0):
            raise ConfigError(f"deadline={deadline!r}: wants a number of seconds above 0, or None")
        if restart is not None and not isinstance(restart, Restart):
            raise ConfigError(f"restart={restart!r}: wants a corps.Restart, or None")
        if register not in (True, False, "unique"):
            raise ConfigError(f'register={register!r:.80}: wants True, False or "unique"')
        if properties is not None and not register:
            raise ConfigError(
                "options(properties=...) are those of an entry in a Dir: say register=True as well"
            )
        if per not in _PER:
            raise ConfigError(f"per={per!r:.80}: wants one of {', '.join(_PER)}")
        if per != "corps" and env not in (None, "here"):
            raise ConfigError(
                f'per="{per}" with env={env!r}: each {per} has its own singleton, so say no env'
            )
        kept = None if properties is None else checked_properties(properties)
        if at_once is not None and not _is_number(at_once, int, least=1):
            raise ConfigError(
                f"at_once={at_once!r}: wants the number of functions that may run, from 1, or None"
            )
        if label is not None and (type(label) is not str or not label or env is not None):
            raise ConfigError(f"label={label!r:.80} with env={env!r}: wants a label of Envs, and then no env")
        if self.when_full is not None and self.when_full not in WHEN_FULL:
            wanted = ", ".join(WHEN_FULL)
            raise ConfigError(f"when_full={self.when_full!r:.80}: wants one of {wanted}, or None")
        if self.scale is not None and not isinstance(self.scale, Scale):
            raise ConfigError(f"scale={self.scale!r:.80}: wants a corps.Scale, or None")
        if host is not None:
            if type(host) is not str or not host or env is not None or label not in (None, label_of(host)):
                raise ConfigError(
                    f"host={host!r:.80} with env={env!r} and label={label!r:.80}: wants the name of a host, "
                    "and then neither env nor label"
                )
            label = label_of(host)
        if where not in (None, "corps"):
            raise ConfigError(
                f'where={where!r:.80}: wants "corps", for a worker of the Corps object, or None'
            )
        return replace(self, properties=kept, label=label)

    def create(self, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Name[T]:
        """Create one worker, and wait until it is constructed; see `corps.create`.

        Args:
            cls: A subclass of Conc.
            *args: For its constructor.
            **kwargs: For its constructor.

        Returns:
            The worker's Name.

        Raises:
            CorpsError: As `corps.create`.
        """
        return self.create_nowait(cls, *args, **kwargs).result()

    def create_nowait(self, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[Name[T]]:
        """Create one worker without waiting for its constructor, as coroutines must.

        Args:
            cls: A subclass of Conc.
            *args: For its constructor.
            **kwargs: For its constructor.

        Returns:
            A Future of the worker's Name.

        Raises:
            CorpsError: As `create`. What the constructor raises is in the Future.
        """
        env = self._env()
        mgr = mgr_here(env)
        return self._begin(env, self.env, mgr, self._record(mgr, cls, args, kwargs))

    def create_many(self, n: int, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> list[Name[T]]:
        """Create `n` workers, by default over all Envs of the Corps in turn.

        Args:
            n: How many.
            cls: A subclass of Conc.
            *args: For each constructor.
            **kwargs: For each constructor.

        Returns:
            Their Names.

        Raises:
            CorpsError: As `create`. If one constructor raises, the workers that this call has created end
                again.
            ConfigError: `n` is no number from 0.
        """
        if type(n) is not int or n < 0:
            raise ConfigError(f"create_many({n!r}, ...): wants the number of workers first, from 0")
        env = self._env()
        mgr = mgr_here(env)
        record = self._record(mgr, cls, args, kwargs)
        return _all_or_none([self._begin(env, self.env, mgr, record) for _ in range(n)])

    def create_per_env(
        self, n: int, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> list[Name[T]]:
        """Create `n` workers in each Env of the Corps.

        Args:
            n: How many in each.
            cls: A subclass of Conc.
            *args: For each constructor.
            **kwargs: For each constructor.

        Returns:
            Their Names, Env by Env.

        Raises:
            CorpsError: As `create_many`.
            ConfigError: `n` is no number from 0, or these options name an Env.
        """
        if type(n) is not int or n < 0 or self.env is not None:
            raise ConfigError(
                f"create_per_env({n!r}, ...) with env={self.env!r}: wants a number from 0, and no env"
            )
        env = self._env()
        mgr = mgr_here(env)
        record = self._record(mgr, cls, args, kwargs)
        places = [place for place in labelled(env, self.label) for _ in range(n)]
        return _all_or_none([self._begin(env, place, mgr, record) for place in places])

    def replicate(self, n: int, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Group[T]:
        """Create `n` workers in each Env of the Corps, and keep that number when Envs come and go.

        With ``where="corps"`` the group is one of the Corps: it ends with the Corps object, and it stands in
        the Dir of the Corps, under the tag of these options and under `cls`. There `corps.find` gives the
        Name of any of its workers, and `corps.find_all` that of each.

        Args:
            n: How many in each.
            cls: A subclass of Conc. If neither it nor these options declare a restart policy, its workers are
                permanent.
            *args: For each constructor.
            **kwargs: For each constructor.

        Returns:
            The group; its `names` returns the workers that there are.

        Raises:
            CorpsError: As `create_many`.
            NameTaken: With ``where="corps"`` and ``register="unique"``: the tag is taken.
            ConfigError: `n` is no number from 1, or these options name an Env.
        """
        if type(n) is not int or n < 1 or self.env is not None:
            given = f"replicate({n!r}, ...) with env={self.env!r}"
            raise ConfigError(f"{given}: wants a number from 1, and no env")
        env = self._env()
        mgr = mgr_here(env)
        restart = self.restart or getattr(cls, "restart", None) or Restart()
        chosen = replace(self, restart=restart)
        record = chosen._record(mgr, cls, args, kwargs)
        if self.where == "corps":
            route = chosen._replicated_for_corps(env, n, record)
        else:
            replicas = chosen.replicas(env, n, mgr, record)
            made = replicas.begin()
            wait_all([future for _, future in made])
            try:
                replicas.take(made)
            except BaseException:
                wait_all(replicas.undo())
                raise
            route = replicas.route
        parameters = record.cls._corps_parameters  # type: ignore[attr-defined]  # of a Conc
        return Group(env, n, route, record.interface, lambda: parameters(record), self.deadline)

    def _replicated_for_corps(self, env: Env, n: int, record: Record) -> Route:
        properties = None if self.properties is None else dict(self.properties)  # which can be packed
        plain = replace(self, where=None, register=self.register or True, properties=properties, _of=None)
        made: Future[tuple[ConcAddr, PlainListing]] = by_others(
            env.errands, replicate_for_corps, env, (record, n, plain), self.deadline
        )
        addr, listing = made.result()
        return env.parts.get(Routes).route(ConcAddr(*addr), listing_in(env.corps_id, listing))

    def replicas(self, env: Env, n: int, mgr: "Cell", record: Record) -> Replicas:
        """Make the side of the Mgr for `n` workers in each Env, without any yet. For the runtime."""

        def begin(group: ConcAddr, place: int) -> Future[Any]:
            of_group = replace(self, _group=group) if self.register else self
            return of_group._begin(env, place, mgr, record)

        return Replicas(env, mgr.family, n, begin, self.label)

    def create_funcs(
        self, /, *functions: Callable[..., Any] | ModuleType, **named: Callable[..., Any]
    ) -> Name[Any]:
        """Create one worker that is a set of functions, and wait for it; see `corps.create_funcs`.

        Args:
            *functions: Functions, and modules with public functions.
            **named: Functions by the names that they shall have.

        Returns:
            The worker's Name.

        Raises:
            CorpsError: As `corps.create_funcs`.
        """
        return self.create_funcs_nowait(*functions, **named).result()

    def create_funcs_nowait(
        self, /, *functions: Callable[..., Any] | ModuleType, **named: Callable[..., Any]
    ) -> Future[Name[Any]]:
        """Create one worker that is a set of functions, without waiting for it, as coroutines must.

        Args:
            *functions: Functions, and modules with public functions.
            **named: Functions by the names that they shall have.

        Returns:
            A Future of the worker's Name.

        Raises:
            CorpsError: As `corps.create_funcs`.
        """
        return self.create_nowait(Functions, functions_of(functions, named))

    def singleton(self, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Name[T]:
        """Return the only worker of this class and this tag, which is created first if it is not there.

        See `corps.singleton`.

        Args:
            cls: A subclass of Conc.
            *args: For its constructor, if it is created.
            **kwargs: For its constructor, if it is created.

        Returns:
            The worker's Name.

        Raises:
            CorpsError: As `corps.singleton`.
        """
        return self.singleton_nowait(cls, *args, **kwargs).result()

    def singleton_nowait(self, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[Name[T]]:
        """Do as `singleton` without waiting, as coroutines must.

        Args:
            cls: A subclass of Conc.
            *args: For its constructor, if it is created.
            **kwargs: For its constructor, if it is created.

        Returns:
            A Future of the worker's Name.

        Raises:
            CorpsError: As `create_nowait`.
        """
        env = self._env()
        found: Future[Name[T]] = env.parts.get(DirsSide).singleton(self, _class_of(cls), args, kwargs)
        return found if self.deadline is None else with_deadline(found, self.deadline)

    def replicate_funcs(
        self, n: int, /, *functions: Callable[..., Any] | ModuleType, **named: Callable[..., Any]
    ) -> Name[Any]:
        """Create `n` workers of the same functions in each Env, behind one Name.

        It stays so when Envs come and go. Each call goes to a worker in the caller's own Env if that has
        room, or otherwise to one with few requests under way, as with `Group.any`. `Group.any_by` of a
        replicated class of Funcs chooses in other ways.

        Args:
            n: How many in each Env.
            *functions: Functions, and modules with public functions.
            **named: Functions by the names that they shall have.

        Returns:
            The Name of any of them.

        Raises:
            CorpsError: As `replicate` and `corps.create_funcs`.
        """
        return self.replicate(n, Functions, functions_of(functions, named)).any

    @overload
    def boot(
        self,
        source: str | Path,
        *args: Any,
        envs: int | None = None,
        config: "str | Path | Mapping[str, Any] | Settings | None" = None,
        **kwargs: Any,
    ) -> Name[Any]: ...
    @overload
    def boot(self, source: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Name[T]: ...
    @overload
    def boot(
        self,
        source: Callable[[*Ts], T],
        *args: *Ts,
        envs: int | None = None,
        config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    ) -> Name[T]: ...
    @overload
    def boot(
        self,
        source: type[T],
        *,
        envs: int,
        config: "str | Path | Mapping[str, Any] | Settings | None" = None,
        **kwargs: Any,
    ) -> Name[T]: ...
    def boot(  # type: ignore[misc]  # it takes whatever a constructor takes
        self,
        source: Any,
        *args: Any,
        envs: int | None = None,
        config: "str | Path | Mapping[str, Any] | Settings | None" = None,
        **kwargs: Any,
    ) -> Name[Any]:
        """Boot a Corps in processes of its own, and wait until it is up. Workers may do so, and scripts.

        With `external` it has a life of its own: a session without a terminal, its own log file, and a tag by
        which others find it. It goes on when the caller ends. With `managed` as well, it ends with the worker
        that boots it. With `contained` it ends with that worker too, and nobody reaches it who has not got a
        Name of it. A worker of the runtime stands for it below its Mgr, which hears of its end as of that of
        any other worker.

        Args:
            source: As for `corps.boot`.
            *args: For the constructor of the Corps.
            envs: How many Envs (processes) to start; None for the setting. 0 if it is contained, and is to
                live in the Envs of its creator, without processes of its own: then its object lives in
                the Env of the worker that boots it, and has the settings and Dirs of that.
            config: As for `corps.boot`.
            **kwargs: For the constructor of the Corps.

        Returns:
            The Name of the Corps, whose constructor has returned.

        Raises:
            CorpsError: As `corps.boot`. The text has the end of its log.
            NameTaken: It is external, and another external Corps of this user has the tag on this host.
            ConfigError: The options do not say which kind of Corps, or say what only workers have.
            ContextError: It is to have a Mgr, and there is no Env here.
            PackError: An argument cannot be packed.
            LoopBlocked: Called in a coroutine: use ``await options.boot_nowait(...)`` there.
        """
        booted = self.boot_nowait(source, *args, envs=envs, config=config, **kwargs)
        try:
            return booted.result()
        except BaseException:  # a Ctrl-C: nothing of what has begun is left
            booted.cancel()
            raise

    def boot_nowait(
        self,
        source: Any,
        /,
        *args: Any,
        envs: int | None = None,
        config: "str | Path | Mapping[str, Any] | Settings | None" = None,
        **kwargs: Any,
    ) -> Future[Name[Any]]:
        """Boot a Corps as `boot` does, without waiting for it, as coroutines must.

        Args:
            source: As for `boot`, like all that follows.
            *args: For the constructor of the Corps.
            envs: How many Envs to start.
            config: As for `corps.boot`.
            **kwargs: For the constructor of the Corps.

        Returns:
            A Future of its Name.

        Raises:
            CorpsError: As `boot`.
        """
        self._check_kind_of_corps(envs)
        assert self._boots is not None  # it is there with `external` and `contained`
        how = self.tag, self.restart, self.managed, self.contained, self._of
        booted = self._boots(BootWish(source, args, kwargs, envs, config, *how))
        return booted if self.deadline is None else with_deadline(booted, self.deadline)

    def create_scaled(self, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Name[T]:
        """Create a pool of workers whose number follows the load, and wait until its first ones are there.

        `scale` says how many there are. Each is created in an Env that has the `label`, and where most is
        free. A worker that fails comes back by its restart policy, one whose Env is gone is replaced.

        Args:
            cls: A subclass of Conc whose workers need no state that others have. If neither it nor these
                options declare a restart policy, they are permanent.
            *args: For each constructor.
            **kwargs: For each constructor.

        Returns:
            The Name of any of them: each call goes to one. A call whose worker leaves, or is lost, before it
            has begun goes to another one by itself. ``name.exit()`` ends the pool, and it ends with the
            worker that has created it.

        Raises:
            CorpsError: As `corps.create`, of the first workers.
            ConfigError: These options have no `scale`, or say what a pool does not have.
            NoSuchEnv: No Env has the label, or none has free what `Scale.needs` says.
            LoopBlocked: Called in a coroutine: use ``await options.create_scaled_nowait(...)`` there.
        """
        begun = self.create_scaled_nowait(cls, *args, **kwargs)
        try:
            return begun.result()
        except BaseException:  # a Ctrl-C: nothing of what has begun is left
            begun.cancel()
            raise

    def create_scaled_nowait(
        self, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[Name[T]]:
        """Create a pool as `create_scaled` does, without waiting for it, as coroutines must.

        Args:
            cls: A subclass of Conc.
            *args: For each constructor.
            **kwargs: For each constructor.

        Returns:
            A Future of the Name of any of the workers.

        Raises:
            ConfigError: As `create_scaled`.
        """
        pools = self._checked_pool("create_scaled")
        restart = self.restart or getattr(cls, "restart", None) or Restart()
        of_one = replace(self, scale=None, restart=restart)
        record = of_one._record(mgr_here(self._env()), cls, args, kwargs)
        parameters = record.cls._corps_parameters(record)  # type: ignore[attr-defined]  # of a Conc
        return pools(replace(self, restart=restart), WorkerWish(record.cls, args, kwargs, parameters))

    def boot_scaled(
        self,
        source: Any,
        /,
        *args: Any,
        envs: int | None = None,
        config: "str | Path | Mapping[str, Any] | Settings | None" = None,
        **kwargs: Any,
    ) -> Name[Any]:
        """Boot a pool of Corps whose number follows the load, and wait until its first ones are up.

        Each instance is a contained Corps, as `boot` makes it with `contained`.

        Args:
            source: As for `corps.boot`.
            *args: For the constructor of each Corps.
            envs: How many Envs each Corps has; None for the setting; 0 for none of its own.
            config: As for `corps.boot`.
            **kwargs: For the constructor of each Corps.

        Returns:
            The Name of any of the Corps objects, as `create_scaled` returns that of any worker. With a `key`
            that is a name, only requests that give that argument by name have one.

        Raises:
            CorpsError: As `boot`, of the first instances.
            ConfigError: These options have no `scale`, or say what a pool does not have.
            NoSuchEnv: No Env has the label, or none has free what `Scale.needs` says.
            ContextError: There is no Env here, or it has no links to others, as that of `corps.env`.
            LoopBlocked: Called in a coroutine: use ``await options.boot_scaled_nowait(...)`` there.
        """
        begun = self.boot_scaled_nowait(source, *args, envs=envs, config=config, **kwargs)
        try:
            return begun.result()
        except BaseException:  # as in `create_scaled`
            begun.cancel()
            raise

    def boot_scaled_nowait(
        self,
        source: Any,
        /,
        *args: Any,
        envs: int | None = None,
        config: "str | Path | Mapping[str, Any] | Settings | None" = None,
        **kwargs: Any,
    ) -> Future[Name[Any]]:
        """Boot a pool as `boot_scaled` does, without waiting for it, as coroutines must.

        Args:
            source: As for `boot_scaled`, like all that follows.
            *args: For the constructor of each Corps.
            envs: How many Envs each Corps has.
            config: As for `corps.boot`.
            **kwargs: For the constructor of each Corps.

        Returns:
            A Future of the Name of any of the Corps objects.

        Raises:
            CorpsError: As `boot_scaled`, of what can be seen at once.
        """
        pools = self._checked_pool("boot_scaled")
        if envs is not None and not _is_number(envs, int, least=0):
            raise ConfigError(f"boot_scaled(envs={envs!r}): wants a number of Envs, from 0")
        how = self.tag, self.restart, False, True, None
        return pools(self, BootWish(source, args, kwargs, envs, config, *how))

    def _checked_pool(self, what: str) -> PoolMaker:
        """Return what makes pools.

        Raises:
            ConfigError: These options are not those of a pool.
        """
        plain = Options(
            tag=self.tag,
            mailbox=self.mailbox,
            deadline=self.deadline,
            restart=self.restart,
            at_once=self.at_once,
            label=self.label,
            when_full=self.when_full,
            scale=self.scale,
            _of=self._of,
            _boots=self._boots,
            _pools=self._pools,
        )
        if self.scale is None or self._pools is None or self != plain:
            raise ConfigError(
                f"options(...).{what}(...): wants corps.options(scale=corps.Scale(...)), and beside that "
                "tag, mailbox, when_full, deadline, restart, at_once and label at most"
            )
        return self._pools

    def _check_kind_of_corps(self, envs: int | None) -> None:
        if self.external is self.contained or (self.managed and self.contained) or self._boots is None:
            given = f"external={self.external}, managed={self.managed}, contained={self.contained}"
            raise ConfigError(
                f"options({given}).boot(...): say external=True for a Corps with a life of its own, with "
                "managed=True for one that ends with this worker, or contained=True for a private one. "
                "corps.boot(...) boots one that ends with this program"
            )
        plain = Options(
            tag=self.tag,
            deadline=self.deadline,
            restart=self.restart,
            external=self.external,
            managed=self.managed,
            contained=self.contained,
            _of=self._of,
            _boots=self._boots,
            _pools=self._pools,
        )
        if self != plain:
            raise ConfigError(
                "options(...).boot(...) takes tag, deadline, restart, external, managed and contained; what "
                "else options has is for workers that are created"
            )
        if envs is not None and not _is_number(envs, int, least=0 if self.contained else 1):
            raise ConfigError(f"boot(envs={envs!r}): wants a number of Envs from 1; 0 for a contained Corps")

    def _env(self) -> Env:
        return self._of or env_here("to create a worker in")

    def _record(self, mgr: "Cell", given: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Record:
        """Return how a worker of this Mgr is constructed. One record serves many workers."""
        cls = _class_of(given)
        if self.scale is not None:
            text = "options(scale=...) are those of a pool: use its create_scaled or boot_scaled"
            raise ConfigError(f"{text} for {cls.__qualname__}")
        if self.at_once is not None and not issubclass(cls, Funcs):
            text = f"at_once={self.at_once}: {cls.__qualname__} is no subclass of corps.Funcs, and so runs"
            raise ConfigError(f"{text} one request at a time; see `interleave` of corps.Conc")
        of_mgr = mgr.performer.cls
        corps_name = mgr.name if of_mgr is not None and issubclass(of_mgr, Corps) else mgr.corps_name
        restart = self.restart or cls.restart
        if self is _DEFAULT and restart is None:
            return Record(cls, args, kwargs, _NO_OPTIONS, corps_name)
        options = WorkerOptions(self.tag, self.mailbox, restart, self.at_once, self.when_full)
        return Record(cls, args, kwargs, options, corps_name)

    def _begin(self, env: Env, where: Where, mgr: "Cell", record: Record) -> Future[Any]:
        return by_others(env.errands, self._create, env, where, mgr, record)

    def _create(self, env: Env, where: Where, mgr: "Cell", record: Record) -> Future[Any]:
        place = choose(env, where, self.label)
        if self.where == "corps":
            made = create_for_corps(env, place, record, self.deadline)
        else:
            made = create_at(env, place, mgr, record, self.deadline, is_soon=self._is_soon)
        if self.register:
            made = self._registered(env, made)
        return made if self.deadline is None else with_deadline(made, self.deadline)

    def _registered(self, env: Env, made: Future[Any]) -> Future[Any]:
        """Return a Future of the same Name that is done when all Envs find the worker."""
        registered: Future[Any] = Future()

        def constructed(done: Future[Any]) -> None:
            outcome = done.outcome
            assert outcome is not None
            opened = outcome.opened()
            if not isinstance(opened, Value):
                registered.settle(opened)
                return
            is_unique = self.register == "unique"
            try:
                dirs = env.parts.get(DirsSide)
                entered = dirs.register(
                    opened.value, self.tag, self.properties, is_unique=is_unique, group=self._group
                )
            except CorpsError as error:
                failed(opened.value, error)
                return
            entered.when_settled(lambda entered: is_entered(opened, entered.failure()))

        def is_entered(name: Value, error: BaseException | None) -> None:
            if error is None:
                registered.settle(name)
            else:
                failed(name.value, error)

        def failed(name: Name[Any], error: BaseException) -> None:
            token = current.set(None)  # it is not this thread's worker that wants the end
            try:
                env.exit(name._addr)
            finally:
                current.reset(token)
            registered.settle(Refused(error if isinstance(error, CorpsError) else CorpsError(str(error))))

        made.when_settled(constructed)
        return registered


# Those of `corps.create`: to make them each time would take 1 µs of the 12 µs of a creation.
_DEFAULT: Final = Options()
_NO_OPTIONS: Final = WorkerOptions()


def _class_of(given: object) -> type[Conc]:
    # Of Box[int] the class Box. That of a class takes 0.3 µs.
    cls = given if isinstance(given, type) else get_origin(given) or given
    if not (isinstance(cls, type) and issubclass(cls, Conc)):
        raise DefinitionError(f"{cls!r} cannot be created: a worker's class is a subclass of corps.Conc")
    return cls


def _all_or_none(made: list[Future[Any]]) -> list[Any]:
    wait_all(made)
    failed = next((future for future in made if future.outcome is not None and future.outcome.failed), None)
    if failed is None:
        return [future.result() for future in made]
    ends = [
        future.result().exit() for future in made if future.outcome is not None and not future.outcome.failed
    ]
    wait_all(ends)
    error = failed.failure()
    raise error if error is not None else CorpsError("a worker was not created")


def _is_number(value: object, *types: type, least: float) -> bool:
    return type(value) in types and value >= least  # type: ignore[operator]  # a number


@exported
def envs(label: str | None = None) -> list[int]:
    """Return the Envs in which workers are created in turn, for ``corps.options(env=...)``.

    Args:
        label: Only those to which the settings give this label.

    Returns:
        Their ids. In a worker its own Env comes first. The front is not among them.

    Raises:
        ContextError: There is no Env here, or several are open and it is not clear which is meant.
    """
    env = env_here("whose Corps has Envs")
    return with_label(env, env.worker_envs, label)


@exported
def create(cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Name[T]:
    """Create a worker, and wait until it is constructed.

    The worker that calls this becomes the Mgr of the new one: when the Mgr ends, it ends the workers that it
    created. Call it inside a worker, or inside ``with corps.boot(...)`` or ``with corps.env()``. Elsewhere,
    as in a cell of a notebook, a handler of a web framework or a plain thread, it takes the only Env that is
    open in the process.

    Args:
        cls: A subclass of Conc.
        *args: For its constructor.
        **kwargs: For its constructor.

    Returns:
        The worker's Name.

    Raises:
        RemoteError: The constructor raised. The error is an instance of what it raised, too.
        DefinitionError: `cls` is not a subclass of Conc.
        ContextError: There is no Env here, or several are open and it is not clear which is meant.
        ClosedError: The Env has closed, or the worker that calls this is about to end.
        PackError: The worker will live in another Env, and an argument cannot be packed.
        LoopBlocked: Called in a coroutine: use ``await corps.options().create_nowait(...)`` there.
    """
    return _DEFAULT.create(cls, *args, **kwargs)


@exported
def create_funcs(
    *functions: Callable[..., Any] | ModuleType,
    **named: Callable[..., Any],
) -> Name[Any]:
    """Create a worker that is a set of functions, and wait for it.

    The functions run beside each other, at most so many at a time as ``options(at_once=...)`` says; what is
    above that waits, first come, first served. A coroutine function runs on the event loop of the Env. For a
    function that yields the caller gets an iterator.

    Example:
        ``stats = corps.create_funcs(mean, median, spread=lambda xs: max(xs) - min(xs))``; then
        ``stats.mean([1, 2, 6]).ret`` is 3.

    Args:
        *functions: Functions, and modules, of which it takes the public functions.
        **named: Functions by the names that they shall have.

    Returns:
        The worker's Name. Its methods are the functions.

    Raises:
        DefinitionError: Something cannot be called, two functions have the same name, or a name begins with
            an underscore or belongs to all Names.
        CorpsError: As `corps.create`.
    """
    return _DEFAULT.create_funcs(*functions, **named)


@exported
def singleton(cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Name[T]:
    """Return the only worker of a class in the Corps. The first caller has it created.

    All others get the same worker, from whichever Env they call, and however many call at once. It is
    registered in the Dir, so `corps.find` finds it too. Its Mgr is that of the Env of the Corps object, so it
    outlives the worker that called first. When it has ended, the next call creates another one. With
    ``corps.options(tag="a").singleton(...)`` there is one for each tag; with ``per="env"`` one in each Env.
    With ``per="host"`` there is one on each host, which is another worker than that of the Corps.

    Args:
        cls: A subclass of Conc.
        *args: For its constructor, if it is created.
        **kwargs: For its constructor, if it is created.

    Returns:
        The worker's Name.

    Raises:
        RemoteError: The constructor raised; then the next call tries again.
        CorpsError: As `corps.create`.
        NameTaken: Another worker is registered under its tag, and wants to be the only one.
        LoopBlocked: Called in a coroutine: use ``await corps.options().singleton_nowait(...)`` there.
    """
    return _DEFAULT.singleton(cls, *args, **kwargs)
