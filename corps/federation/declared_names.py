"""Names as arguments and results between owners: declared as `corps.Name[T]`, they travel as plain data.

A Name of another owner says where its worker is, by which key the Env there has to prove itself, and what can
be called. None of it is believed further than that: the Name leads to whom that key belongs. One that comes
home has to show the capability of its worker, so nobody gets a Name here by making up an address.
"""

from typing import Any, Final

from corps.addresses import FRONT, ConcAddr, is_runtimes_own
from corps.errors import PackError, UnpackError
from corps.messages.contacts import Contact, ExtAddr
from corps.messages.interfaces import Interface
from corps.messages.members import Member
from corps.packing.declared_forms import Form, Misfit
from corps.packing.declared_hints import Special
from corps.runtime.env import Env
from corps.security.capabilities import CAPABILITY_SIZE, is_capability
from corps.workers.interface import OF_NAME
from corps.workers.names import Name
from corps.workers.routed_names import RoutedName

_MOST_METHODS: Final = 1000
_LONGEST: Final = 200  # characters of the name of a method or class
_FIELDS: Final = [str, int, int, bytes, list, list, str, list]


class NameForm(Form):
    """The Name of a worker. Immutable. Thread-safe."""

    def __init__(self, env: Env, cls: type | None) -> None:
        """Serve an Env. `cls` is the class of the worker, where that is declared."""
        self.words = f"Name[{cls.__qualname__}]" if cls is not None else "Name"
        self.kinds = frozenset({list})
        self._env = env
        declared = getattr(cls, "_corps_interface", None)
        self._interface: Interface | None = declared if isinstance(declared, Interface) else None

    def fits(self, value: Any) -> bool:
        """See `Form.fits`."""
        return issubclass(type(value), Name)

    def lower(self, value: Any) -> Any:
        """See `Form.lower`."""
        if not isinstance(value, Name):
            self.refuse(value)
        if isinstance(value, RoutedName) or value._pin:
            raise Misfit("a Name of one worker is declared, and one of any of several, or pinned, is given")
        try:
            addr = self._env.address_abroad(value._addr)
        except PackError as error:
            raise Misfit(str(error)) from error
        if not isinstance(addr, ExtAddr) or not addr.contact.env.public_key:
            raise Misfit(f"the worker {value._addr} is not to be reached by other owners: its Env has no key")
        interface = value._interface
        methods = sorted(interface.public or interface.methods)
        return [*addr[:3], addr.capability, *addr.contact.as_tuple(), interface.class_name, methods]

    def lift(self, plain: Any) -> Any:
        """See `Form.lift`."""
        if type(plain) is not list or [type(each) for each in plain] != _FIELDS:
            self.refuse(plain)
        corps, env, conc, capability, *contact, class_name, methods = plain
        if not FRONT <= env < 2**63 or not 0 <= conc < 2**63 or len(capability) != CAPABILITY_SIZE:
            raise Misfit("the address in a Name is none")
        interface = self._interface or _interface_of(class_name, methods)
        if corps == self._env.corps_id:
            return Name(self._home(ConcAddr(corps, env, conc), capability), interface, self._env)
        members = [_member(each) for each in contact]
        if any(member.corps != corps or not member.public_key for member in members):
            raise Misfit("a Name has to say by which keys the Envs of its Corps prove themselves")
        if members[0].env != env or members[1].env not in (FRONT, env):  # a lone Env is its own front
            raise Misfit("a Name says where other Envs are than its own")
        addr = ExtAddr(corps, env, conc, capability, Contact(*members))
        return Name(addr.known_as(interface), interface, self._env)

    def _home(self, addr: ConcAddr, capability: bytes) -> ConcAddr:
        secret = self._env.options.border_secret
        if (
            not secret
            or is_runtimes_own(addr.conc)
            or not is_capability(secret, addr.env, addr.conc, capability)
        ):
            raise Misfit(f"a Name of {addr} has come that this Corps has not handed out")
        return addr


def _member(plain: Any) -> Member:
    try:
        return Member.from_plain(plain)
    except UnpackError as error:
        raise Misfit(str(error)) from error


def _interface_of(class_name: str, methods: list[Any]) -> Interface:
    """Return what another owner says of a worker: which methods there are."""
    if len(methods) > _MOST_METHODS or any(not _is_method(each) for each in methods):
        raise Misfit("what can be called by a Name is no list of names of methods")
    return Interface(class_name[:_LONGEST], frozenset(methods))


def _is_method(name: Any) -> bool:
    if type(name) is not str or len(name) > _LONGEST:
        return False
    return name.isidentifier() and not name.startswith("_") and name not in OF_NAME


def names_between(env: Env) -> Special:
    """Return what gives the form of Names, for the interfaces that an Env uses with other owners."""

    def form_of(cls: Any, parameters: tuple[Any, ...]) -> Form | None:
        if not issubclass(cls, Name):
            return None
        of = parameters[0] if parameters else None
        return NameForm(env, of if isinstance(of, type) else None)

    return form_of
