"""`corps.connect`: from what says where another Corps is to the Name of its Corps object."""

import asyncio
import os
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from corps.addresses import BOOT_ENV, BORDER, FRONT, ConcAddr
from corps.endpoints import TcpEndpoint, read_endpoint
from corps.errors import Damaged
from corps.exporting import exported
from corps.federation.border import CorpsBorder
from corps.federation.finding import address_for
from corps.federation.records import ConnectionRecord
from corps.federation.registry import read_connection_file, registry_of_user
from corps.launch.client_dirs import make_client_dir
from corps.launch.launch_settings import launch_settings
from corps.launch.local import LocalEnv
from corps.launch.starting import make_bordered
from corps.launchers.local.runtime_dir import remove_runtime_dir
from corps.managers.assembly import build_env
from corps.messages.callers import OWN
from corps.messages.contacts import Contact, ExtAddr
from corps.messages.interfaces import Interface
from corps.messages.members import Member
from corps.messages.requests import CALL
from corps.runtime.context import Block, acting
from corps.runtime.env import Env
from corps.runtime.this_process import this_process
from corps.security.capabilities import new_secret
from corps.security.credentials import Credentials
from corps.security.key_ring import check_name
from corps.wire.frames import Hello
from corps.workers.names import Name

if TYPE_CHECKING:
    from typing import Self

_TCP: Final = "tcp://"
_PATIENCE: Final = 10.0  # seconds that a front may take to say how its Corps is reached
_CHECKED: Final = 30.0  # and if it has to check credentials before

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class ClientEnv(LocalEnv):
    """The Env of a script that has none, for its connections to other Corps. Thread-safe."""

    def __init__(self, env: Env, runtime_dir: str) -> None:
        """Serve an Env whose socket file lies in a directory of its own."""
        super().__init__(env)
        this_process.forget(env)  # it is that of the Name, and of no other code
        self._runtime_dir = runtime_dir

    def _close(self, *, interrupted: bool) -> None:
        try:
            super()._close(interrupted=interrupted)
        finally:
            remove_runtime_dir(self._runtime_dir)


def start_client() -> ClientEnv:
    """Start the Env of a script that has none. It has a Corps id of its own, and workers that it hands out.

    Raises:
        ConfigError: A setting is unknown or has a bad value.
        BootError: It cannot listen.
    """
    options = replace(launch_settings().options, transport="unix", border_secret=new_secret())
    corps_id, incarnation = secrets.token_hex(8), secrets.token_hex(16)
    runtime_dir = make_client_dir()
    try:
        transport = make_bordered(
            Hello(corps_id, BOOT_ENV, incarnation), replace(options, listen_hosts=()), runtime_dir
        )
        try:
            env = build_env(corps_id, BOOT_ENV, options, transport)
        except BaseException:
            transport.close()
            raise
        assert isinstance(env.border, CorpsBorder)
        env.border.be(Member(BOOT_ENV, incarnation, transport.endpoint))
        try:
            env.start_reading()
        except BaseException:
            env.close(0.0)
            raise
    except BaseException:
        remove_runtime_dir(runtime_dir)
        raise
    return ClientEnv(env, runtime_dir)


@exported
class ConnectedName(Name[T_co]):
    """The Name of the Corps object of another Corps. Thread-safe.

    Leaving its ``with`` or ``async with`` block takes back what `corps.connect` has made for it. The other
    Corps goes on; `exit` ends it.
    """

    _client: ClientEnv | None
    _blocks: list[Block]

    def __init__(self, addr: ConcAddr, interface: Interface, env: Env, client: ClientEnv | None) -> None:
        """Make it; `corps.connect` calls this."""
        super().__init__(addr, interface, env)
        vars(self).update(_client=client, _blocks=[])
        if "disconnect" in interface.methods:
            vars(self)["disconnect"] = self._method("disconnect")

    def disconnect(self) -> None:
        """End the Env that `corps.connect` has made for this Name, if it made one. Idempotent.

        A method of the Corps with this name goes before.

        Raises:
            RestartLimit, SupervisionError, KeyboardInterrupt: As `LocalEnv.close`.
        """
        self._end()

    def _end(self) -> None:
        if self._client is not None:
            self._client.close()

    def __enter__(self) -> "Self":
        self._blocks.append(Block(self._bound()))
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._end()
        finally:
            self._leave()

    async def __aenter__(self) -> "Self":
        return self.__enter__()

    async def __aexit__(self, *exc: object) -> None:
        try:
            await asyncio.to_thread(self._end)
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._blocks:
            self._blocks.pop().leave()


@overload
def connect(where: str | Path, *, credentials: str | None = None) -> ConnectedName[Any]: ...
@overload
def connect(where: str | Path, cls: type[T], *, credentials: str | None = None) -> ConnectedName[T]: ...
@exported
def connect(
    where: str | Path, cls: type[Any] | None = None, *, credentials: str | None = None
) -> ConnectedName[Any]:
    """Connect to an external Corps.

    Inside a worker, and where an Env that is open reaches other Corps, that Env is used. Elsewhere, as in a
    plain script, a small Env is started in this process. It ends at the end of the ``with`` block, with
    `ConnectedName.disconnect`, or with the interpreter.

    Args:
        where: Its tag, if it is one of this user on this host; or the path of a connection file: a Path, or
            a text that has a slash or ends with ``.json``; or the address of its front, such as
            ``"tcp://[::1]:7000"``. ``"tcp://bob@host:7000"`` is that of a Corps of another user, whose keys
            the key ring allows under that name.
        cls: The class of the Corps, for type checkers, and for a Corps of another owner: what its methods
            declare says how arguments and results travel. It need not be loaded there.
        credentials: What shows for which user this side asks, where the Corps wants that: a secret token or a
            JSON Web Token, of at most 8192 characters. All of this Env is that user for that Corps, until
            other credentials are given. They are presented again to each of its Envs, and after a cut.

    Returns:
        The Name of its Corps object, which is also a context manager.

    Raises:
        NotFound: No Corps of this user has the tag, or it cannot be reached yet; or there is no such file.
            The text says which tags there are.
        UnsafeFile: Another user could have made or changed the file, or the directory of the tags.
        Unreachable: The Corps has ended; or the one at the address has no key that counts, or does not accept
            the key of this side, or nothing answers. The text says what was tried.
        NoSuchKey: The key ring has no key of that user.
        NotAuthenticated: The credentials do not count there, or cannot be any. Over tcp also where none were
            given, and the Corps wants some; elsewhere the first request says that.
        KeyRingError: The key ring cannot be used.
        Damaged: The file is no connection file.
        NewerFormat: A newer release of corps wrote it.
        ConfigError: A setting of the Env that is started is unknown or has a bad value; or the address is
            none.
        BootError: The Env could not be started.
    """
    shown = None if credentials is None else Credentials(credentials)
    address = _address_in(where)
    env = _env_at_a_border()
    if address is None:
        return connected(_record_at(where), env, cls, shown)
    return _connected(lambda here: _record_from(here, *address, shown), env, cls, shown)


def connected(
    record: ConnectionRecord,
    env: Env | None,
    cls: type[Any] | None = None,
    credentials: Credentials | None = None,
) -> ConnectedName[Any]:
    """Return the Name of a Corps with this record, for use in an Env, or in a small one made for that.

    Raises:
        Unreachable: The Corps has ended.
        NotAuthenticated: The credentials do not count there.
        ConfigError: A setting of the Env that is started is unknown or has a bad value.
        BootError: The Env could not be started.
    """
    return _connected(lambda _: record, env, cls, credentials)


def _connected(
    find: Callable[[Env], ConnectionRecord],
    env: Env | None,
    cls: type[Any] | None,
    credentials: Credentials | None,
) -> ConnectedName[Any]:
    """Do the same with what an Env finds."""
    if env is not None and env.border is None:
        env = None
    client = None if env is not None else start_client()
    env = env if client is None else client._env
    assert env is not None
    try:
        record = find(env)
        interface = record.interface if cls is None else replace(record.interface, author=cls)
        if credentials is None or record.corps == env.corps_id:
            addr = address_for(env, record, interface)
        else:
            addr = _address_with(credentials, env, record, interface)
        return ConnectedName(addr, interface, env, client)
    except BaseException:
        if client is not None:
            client.close()
        raise


def _address_with(
    credentials: Credentials, env: Env, record: ConnectionRecord, interface: Interface
) -> ConcAddr:
    """Do the same as `address_for`, after credentials were presented and taken."""
    border = env.border
    assert isinstance(border, CorpsBorder)
    corps, owner = record.corps, border.owner_of(record.front)
    try:
        border.present(corps, owner, credentials)
        addr = address_for(env, record, interface)
        asks = ExtAddr(corps, FRONT, BORDER, b"", Contact(record.front, record.front))
        env.at_once(env.ask, CALL, asks, "identity", (), {}, _CHECKED).result()
    except BaseException:
        border.withhold(corps, owner, credentials)
        raise
    return addr


def _record_at(where: str | Path) -> ConnectionRecord:
    path = os.fspath(where)
    if isinstance(where, Path) or os.sep in path or path.endswith(".json"):
        return read_connection_file(path)
    return registry_of_user().find(path)


def _address_in(where: str | Path) -> tuple[TcpEndpoint, str] | None:
    """Read the address of a front, and the user whose Corps it is; None if it is something else."""
    if isinstance(where, Path) or not where.startswith(_TCP):
        return None
    user, at, place = where.removeprefix(_TCP).rpartition("@")
    endpoint = read_endpoint(f"{_TCP}{place}", "the address")
    assert isinstance(endpoint, TcpEndpoint)
    if at:
        check_name(user)
    return endpoint, user or OWN


def _record_from(
    env: Env, endpoint: TcpEndpoint, user: str, credentials: Credentials | None
) -> ConnectionRecord:
    """Ask the front at an address how its Corps is reached."""
    border = env.border
    assert isinstance(border, CorpsBorder)
    asks = border.introduce(endpoint, user, credentials)
    patience = _PATIENCE if credentials is None else _CHECKED
    try:
        text = env.at_once(env.ask, CALL, asks, "connection_record", (), {}, patience).result()
    except BaseException:
        if credentials is not None:
            border.withhold(asks.corps, user, credentials)
        raise
    record = ConnectionRecord.from_json(text, f"the answer of {endpoint}")
    if record.corps != asks.corps:
        raise Damaged(f"the answer of {endpoint} speaks of another Corps")
    known = asks.contact.front
    outside = tuple(dict.fromkeys((*known.outside, *record.front.outside)))
    return replace(record, front=replace(record.front, public_key=known.public_key, outside=outside))


def _env_at_a_border() -> Env | None:
    """Return the Env of the calling code, if it reaches other Corps; else an open one that does."""
    here = acting()
    if here is not None and here.env.border is not None and (here.cell is not None or here.env.is_open):
        return here.env
    return this_process.env_at_a_border()
