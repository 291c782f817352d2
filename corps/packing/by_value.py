"""By value: what a pickler writes for functions, classes and enum members that no other process can import.

`ByValue` serves one message, and any pickler. The bytes then name functions of this package, which `helpers`
binds to the reader's process.
"""

import sys
import types
from collections.abc import Callable, Collection, Mapping
from enum import EnumType
from functools import partial
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from corps.packing.classes import (
    CLASS_OF_C,
    is_of_application,
    make_class,
    reduce_class,
    set_class,
    version_of,
)
from corps.packing.code_sent import CodeSent, restore_defined
from corps.packing.enum_members import is_member, make_member, reduce_member, set_member
from corps.packing.functions import (
    FunctionParts,
    blueprint_of,
    make_code,
    make_function,
    reduce_code,
    set_function,
)
from corps.packing.identities import Identities
from corps.packing.references import (
    MAIN,
    Elsewhere,
    file_of,
    import_named,
    is_importable,
    reduce_by_reference,
    reduce_to_name,
)
from corps.packing.refusals import Reason, Refusal
from corps.packing.standard_kinds import NAMED_KINDS, make_known, reduce_module_by_value, reduce_standard

_WITH_STANDARD_KINDS: Final = frozenset({"dataclasses", "functools", "typing", "weakref"})

_MAIN_MODULE: Final = Reason(
    "the module __main__ is another program in every other process", "pass what is wanted of it"
)


class ByValue:
    """Reduce functions, classes, code and enum members of one message. Made for one message, thrown away.

    `sent` is what the reader has already; None if nothing is known of it. What is of the modules and packages
    `registered` goes by value, although it can be imported.
    """

    def __init__(
        self,
        identities: Identities,
        elsewhere: Elsewhere,
        sent: CodeSent | None = None,
        registered: Collection[str] = (),
    ) -> None:
        self.elsewhere = elsewhere
        self._identities = identities
        self._sent = sent
        self._registered = registered
        self._functions = FunctionParts()
        self._numbers: dict[int, int | None] = {}

    def reduce(self, thing: Any) -> Any:
        """Reduce what goes by value; NotImplemented for what goes by reference, or in a way of its own."""
        kind = type(thing)
        if kind is FunctionType or issubclass(kind, type):
            reduced = self._by_reference(thing)
            if reduced is not None:
                return reduced
            if kind is FunctionType:
                return self._reduce_function(thing)
            return self._reduce_class(thing)
        if isinstance(kind, EnumType) and self._by_reference(kind) is None:
            return self._reduce_member(thing)
        if kind is CodeType:
            return reduce_code(thing, self._identities)
        if kind is ModuleType:
            return self._reduce_module(thing)
        if kind.__module__ in _WITH_STANDARD_KINDS:
            return self._reduce_standard(thing, kind)
        return NotImplemented

    def _by_reference(self, thing: Any) -> Any:
        if self._registered and self._is_registered(getattr(thing, "__module__", None)):
            return None
        return reduce_by_reference(thing, self.elsewhere)

    def _file_of(self, thing: Any) -> str | None:
        if self._registered and self._is_registered(getattr(thing, "__module__", None)):
            return None
        return file_of(thing, thing.__qualname__)

    def _is_registered(self, module: Any) -> bool:
        if not self._registered or type(module) is not str:
            return False
        return any(module == each or module.startswith(f"{each}.") for each in self._registered)

    def _reduce_standard(self, thing: Any, kind: type) -> Any:
        if kind in NAMED_KINDS and not self._is_registered(thing.__module__):
            name = thing.__reduce__()
            reduced = reduce_to_name(thing, thing.__module__, name, self.elsewhere)
            if reduced is not None:
                return name if reduced is NotImplemented else reduced
        return reduce_standard(thing, self._identities)

    def _reduce_module(self, module: ModuleType) -> Any:
        name = module.__name__
        alias, everywhere, _ = self.elsewhere
        if sys.modules.get(name) is module and not self._is_registered(name):
            if name in MAIN:
                if alias is None:
                    raise Refusal(module, _MAIN_MODULE)
                return import_named, (alias,)
            if name in (everywhere, alias) or is_importable(module):
                return import_named, (name,)
        spec = None if self._is_registered(name) else module.__spec__
        return reduce_module_by_value(module, None if spec is None else spec.origin)

    def _reduce_function(self, function: FunctionType) -> Any:
        blueprint = blueprint_of(function, self._file_of(function))
        number = None if self._sent is None else self._sent.number_of_blueprint(blueprint)
        shared = self._functions.shared(function)
        state = self._functions.state(function)
        made = (
            (make_function, (blueprint, *shared)) if number is None else (restore_defined, (number, *shared))
        )
        return made if state is None else (*made, state, None, None, set_function)

    def _reduce_class(self, cls: type) -> Any:
        if not is_of_application(cls):
            # The types of functions, modules and their like are held by one module under other names.
            name = next((name for name, each in vars(types).items() if each is cls), None)
            if name is None:
                raise Refusal(cls, CLASS_OF_C)
            return getattr, (types, name)
        number = self._number_of(cls)
        if number is not None:
            return restore_defined, (number,)
        made, state = reduce_class(cls, self._identities, self._functions.namespace_of, self._file_of(cls))
        return make_class, made, state, None, None, set_class

    def _reduce_member(self, member: Any) -> Any:
        """Reduce a member of an enum, or a combination of flags, that goes by value."""
        cls = type(member)
        if not is_member(member):
            return cls, (member._value_,)
        if self._number_of(cls) is not None:
            return make_member, (cls, member._name_)
        made, state = reduce_member(member)
        return make_member, made, state, None, None, set_member

    def _number_of(self, cls: type) -> int | None:
        # Once for each message: members of an enum depend on how it goes.
        if self._sent is None:
            return None
        if id(cls) not in self._numbers:
            self._numbers[id(cls)] = self._sent.number_of_class(cls, self._versions(cls))
        return self._numbers[id(cls)]

    def _versions(self, cls: type) -> tuple[int, ...]:
        """Return the versions of a class and of its bases, which come with it."""
        bases = [each for each in cls.__mro__[1:-1] if is_of_application(each)]
        if not bases:
            return (version_of(cls, self._identities),)
        by_value = (each for each in bases if self._by_reference(each) is None)
        return tuple([version_of(each, self._identities) for each in (cls, *by_value)])


def helpers(identities: Identities) -> Mapping[tuple[str, str], Callable[..., Any]]:
    """Return what the names of functions of this package mean to the reader with these identities."""
    bound = (make_class, make_code, set_class, set_member, make_known)
    return {(each.__module__, each.__qualname__): partial(each, identities) for each in bound}
