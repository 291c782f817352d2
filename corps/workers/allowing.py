"""What callers of other owners may ask of the workers of a class: declared beside the class."""

from collections.abc import Iterable

from corps.errors import ConfigError, DefinitionError
from corps.exporting import exported
from corps.messages.interfaces import Interface
from corps.security.permissions import declare_rule, rule


@exported
def allow(
    cls: object,
    /,
    *,
    identity: str = "",
    key: str = "",
    methods: Iterable[str] | None = None,
    verbs: Iterable[str] = (),
    rate: float | None = None,
    bytes: int | str | None = None,
) -> None:
    """Allow callers of another owner to call public methods of a class.

    Without any rule of a class all other owners whose keys count may call what is `public`. With the first
    one only those may that a rule allows. Call this beside the class, at the top level of its module, because
    every Env has to know the rule. The setting `permissions` holds rules of those who run the Corps.

    Args:
        cls: The class of the workers. Its subclasses need rules of their own.
        identity: The user who may, as the key ring calls that one; ``"*"`` for all.
        key: The fingerprint of the key that the caller has to have proved; may stand in place of a user.
        methods: What may be called; None for all that is public.
        verbs: Verbs of operators that are allowed too, such as ``"exit"``, which ends a worker.
        rate: Requests a second at most, to each Env; over it a caller gets `Overloaded`. None for any number.
        bytes: Bytes of arguments a second at most, to each Env, as a number or a text such as ``"10MiB"``.

    Raises:
        ConfigError: A value cannot be, or a method is not public.
        DefinitionError: `cls` is no class of workers.
    """
    interface = vars(cls).get("_corps_interface") if isinstance(cls, type) else None
    if not isinstance(interface, Interface) or not isinstance(cls, type):
        raise DefinitionError(f"allow() is for a class of workers: {cls!r:.80} is none")
    given = None if methods is None else methods if isinstance(methods, str) else tuple(methods)
    one = rule(
        interface.class_name, identity=identity, key=key, methods=given, verbs=verbs, rate=rate, bytes=bytes
    )
    if hidden := sorted((one.methods or frozenset()) - interface.public):
        raise ConfigError(
            f"{interface.class_name} has no public method {hidden[0]!r}: mark it with corps.public, "
            "or take it out of the rule"
        )
    declare_rule(cls, one)
