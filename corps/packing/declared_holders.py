"""The forms of values with others inside: lists, dicts, classes with fields, unions, and data of any kind.

Constructors of declared classes run with what has come, and may refuse it. Keys and elements are checked for
equal hashes before a dict or set is made of them, because a stranger can choose them so.

Leans on `bounds`: what a form lifts has been checked for size and depth.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

from corps.handlers import came_from_a_handler
from corps.messages.originals import text_of
from corps.packing.blame import label
from corps.packing.declared_forms import INT, Form, Misfit, shown

T = TypeVar("T")

_SAME_HASH: Final = 64  # keys that may share one

_SAFE_KEYS: Final = frozenset({type(None), bool, int, float, str, bytes})
"""Kinds whose hashes cannot be made to collide, as long as integers have 64 bits."""

_KEYS_OF_MAPS: Final = frozenset({type(None), bool, str, bytes})  # kinds that any map takes as keys

PLAIN: Final = _SAFE_KEYS | {list, tuple, dict, set, frozenset}
"""Every kind of plain data."""


class AnyData(Form):
    """Plain data of any kind, because nothing closer is declared. It comes back exactly."""

    words = "plain data"
    kinds = PLAIN

    def fits(self, value: Any) -> bool:
        """See `Form.fits`."""
        return type(value) in PLAIN

    def lower(self, value: Any) -> Any:
        """See `Form.lower`."""
        kind = type(value)
        if kind in (list, tuple):
            _each(self.lower, value)
        elif kind is dict:
            for key, item in value.items():
                _check_key(key)
                _part("[{}]", key, self.lower, item)
        elif kind in (set, frozenset):
            for element in value:
                _check_key(element)
        elif kind is int:
            return INT.lower(value)
        elif kind not in PLAIN:
            raise Misfit(
                f"{shown(value)} is no plain data: declare its type for this argument or result, or pass its "
                "fields"
            )
        return value

    def lift(self, plain: Any) -> Any:
        """See `Form.lift`."""
        return plain


class Items(Form):
    """A list, or one of its like, of items of one type."""

    def __init__(self, kind: type, item: Form) -> None:
        self.words = f"{kind.__name__}[{item.words}]"
        self.kinds = frozenset({list})
        self._is_set = kind in (set, frozenset)
        self.also = frozenset({set, frozenset}) if self._is_set else frozenset({kind}) - self.kinds
        self._kind: Any = kind
        self._item = item

    def fits(self, value: Any) -> bool:
        """See `Form.fits`."""
        return type(value) is self._kind

    def lower(self, value: Any) -> Any:
        """See `Form.lower`."""
        if type(value) is not self._kind:
            self.refuse(value)
        return _each(self._item.lower, value)

    def lift(self, plain: Any) -> Any:
        """See `Form.lift`."""
        if type(plain) not in self.kinds and type(plain) not in self.also:
            self.refuse(plain)
        items = _each(self._item.lift, plain)
        if self._is_set:
            _check_spread(items)
        made = items if self._kind is list else self._kind(items)
        if len(made) != len(items):
            raise Misfit("an element is there twice")
        return made


class Sequences(Form):
    """A Sequence or one of its like, which may be a list or a tuple. It arrives as a list."""

    def __init__(self, item: Form) -> None:
        self.words = f"a sequence of {item.words}"
        self.kinds = frozenset({list})
        self.also = frozenset({tuple})
        self._item = item

    def fits(self, value: Any) -> bool:
        """See `Form.fits`."""
        return type(value) in (list, tuple)

    def lower(self, value: Any) -> Any:
        """See `Form.lower`."""
        if type(value) not in (list, tuple):
            self.refuse(value)
        return _each(self._item.lower, value)

    def lift(self, plain: Any) -> Any:
        """See `Form.lift`."""
        if type(plain) not in (list, tuple):
            self.refuse(plain)
        return _each(self._item.lift, plain)


class Row(Form):
    """A tuple with a type for each place."""

    def __init__(self, items: Sequence[Form]) -> None:
        self.words = f"tuple[{', '.join(item.words for item in items) or '()'}]"
        self.kinds = frozenset({list})
        self.also = frozenset({tuple})
        self._items = items

    def fits(self, value: Any) -> bool:
        """See `Form.fits`."""
        return type(value) is tuple and len(value) == len(self._items)

    def lower(self, value: Any) -> Any:
        """See `Form.lower`."""
        if type(value) is not tuple:
            self.refuse(value)
        return self._each(value, [item.lower for item in self._items])

    def lift(self, plain: Any) -> Any:
        """See `Form.lift`."""
        if type(plain) not in (list, tuple):
            self.refuse(plain)
        return tuple(self._each(plain, [item.lift for item in self._items]))

    def _each(self, items: Sequence[Any], changes: Sequence[Callable[[Any], Any]]) -> list[Any]:
        if len(items) != len(changes):
            raise Misfit(f"{self.words} is declared, and {len(items)} items are given")
        return [
            _part("[{}]", at, change, item)
            for at, (change, item) in enumerate(zip(changes, items, strict=True))
        ]


class Table(Form):
    """A dict with keys of one type and items of one type. Where no map can hold its keys, pairs travel."""

    def __init__(self, key: Form, item: Form) -> None:
        self.words = f"dict[{key.words}, {item.words}]"
        self._is_map = key.kinds <= _KEYS_OF_MAPS  # always: no key needs pairs
        self.kinds = frozenset({dict}) if self._is_map else frozenset({dict, list})
        self._key = key
        self._item = item

    def fits(self, value: Any) -> bool:
        """See `Form.fits`."""
        return type(value) is dict

    def lower(self, value: Any) -> Any:
        """See `Form.lower`."""
        if type(value) is not dict:
            self.refuse(value)
        pairs = [
            (_part(".<key {}>", key, self._key.lower, key), _part("[{}]", key, self._item.lower, item))
            for key, item in value.items()
        ]
        if self._is_map or all(_is_safe(key) for key, _ in pairs):
            lowered = dict(pairs)
            if len(lowered) == len(pairs):
                return lowered
        return [[key, item] for key, item in pairs]

    def lift(self, plain: Any) -> Any:
        """See `Form.lift`."""
        pairs = self._pairs(plain)
        lifted = [
            (_part(".<key {}>", key, self._key.lift, key), _part("[{}]", key, self._item.lift, item))
            for key, item in pairs
        ]
        keys = [key for key, _ in lifted]
        if not all(map(_is_safe, keys)):
            _check_spread(keys)
        made = dict(lifted)
        if len(made) != len(lifted):
            raise Misfit("a key is there twice")
        return made

    def _pairs(self, plain: Any) -> Iterable[tuple[Any, Any]]:
        if type(plain) is dict:
            return plain.items()
        if self._is_map or type(plain) is not list or any(not _is_pair(each) for each in plain):
            self.refuse(plain)
        return plain


class Fields(Form):
    """A class with declared fields: a dataclass, a pydantic model, a NamedTuple or a TypedDict."""

    def __init__(self, words: str, kind: type, make: Callable[..., Any]) -> None:
        """Begin without fields; `make` gets them by name. See `declare`."""
        self.words = words
        self.kinds = frozenset({dict})
        self._kind: Any = kind
        self._make = make
        self._fields: Mapping[str, Form] = {}
        self._required: frozenset[str] = frozenset()

    def declare(self, fields: Mapping[str, Form], required: frozenset[str]) -> None:
        """Say which fields there are. Apart, because a field may be of the class itself."""
        self._fields = fields
        self._required = required

    def fits(self, value: Any) -> bool:
        """See `Form.fits`."""
        if self._kind is dict:
            return type(value) is dict and self._required <= value.keys() <= self._fields.keys()
        return type(value) is self._kind

    def lower(self, value: Any) -> Any:
        """See `Form.lower`."""
        if type(value) is not self._kind:
            self.refuse(value)
        if self._kind is dict:
            self._check_names(value)
            return {name: _part("[{}]", name, self._fields[name].lower, each) for name, each in value.items()}
        if getattr(value, "model_extra", None):
            raise Misfit(f"it has fields that are not declared: {', '.join(map(label, value.model_extra))}")
        return {name: self._lowered(form, value, name) for name, form in self._fields.items()}

    def lift(self, plain: Any) -> Any:
        """See `Form.lift`."""
        if type(plain) is not dict:
            self.refuse(plain)
        self._check_names(plain)
        fields = {name: self._lifted(self._fields[name], each, name) for name, each in plain.items()}
        try:
            return self._make(**fields)
        except Exception as error:
            if came_from_a_handler(error):
                raise
            why = text_of(error).replace("\n", " ")[:200]
            raise Misfit(f"{self.words} refuses its fields: {type(error).__name__}: {why}") from error

    def _lowered(self, form: Form, value: Any, name: str) -> Any:
        try:
            return form.lower(getattr(value, name))
        except AttributeError as error:
            raise Misfit(f"the field {name!r} of {self.words} has no value") from error
        except Misfit as misfit:
            misfit.steps.append(f".{name}")
            raise

    def _lifted(self, form: Form, plain: Any, name: str) -> Any:
        try:
            return form.lift(plain)
        except Misfit as misfit:
            misfit.steps.append(f"[{name!r}]" if self._kind is dict else f".{name}")
            raise

    def _check_names(self, given: Mapping[Any, Any]) -> None:
        for name in given:
            if type(name) is not str or name not in self._fields:
                known = ", ".join(self._fields) or "none"
                raise Misfit(f"{self.words} has no field {shown(name)}; its fields are: {known}")
        missing = self._required.difference(given)
        if missing:
            raise Misfit(f"{self.words} needs the field {min(missing)!r}")


class OneOf(Form):
    """A union: of the declared types the one that a value has.

    Where the kinds of plain data tell the types apart, a value travels as that type alone would. Otherwise
    the number of its type in the declaration travels before it; None is None in any case.
    """

    def __init__(self, forms: Sequence[Form]) -> None:
        self.words = " | ".join(form.words for form in forms)
        self._forms = tuple(forms)
        self._nothing = next((form for form in forms if form.words == "None"), None)
        self._is_numbered = sum(len(form.kinds) for form in forms) > len(
            frozenset().union(*(form.kinds for form in forms))
        )
        self._by_kind: dict[type, Form] = {}
        for form in forms:
            self._by_kind |= dict.fromkeys(form.kinds, form)
        for form in forms:
            for kind in form.also:
                self._by_kind.setdefault(kind, form)
        self.kinds = frozenset({list}) if self._is_numbered else frozenset().union(*(f.kinds for f in forms))
        if self._is_numbered and self._nothing is not None:
            self.kinds |= {type(None)}
        if not self._is_numbered:
            self.also = frozenset(self._by_kind) - self.kinds

    def fits(self, value: Any) -> bool:
        """See `Form.fits`."""
        return any(form.fits(value) for form in self._forms)

    def lower(self, value: Any) -> Any:
        """See `Form.lower`."""
        # Those that the value's own class speaks for come first; a form may take what does not quite fit it.
        candidates = [form for form in self._forms if form.fits(value)]
        if len(candidates) == 1:
            return self._marked(candidates[0], candidates[0].lower(value))
        for form in candidates or self._forms:
            with suppress(Misfit):
                return self._marked(form, form.lower(value))
        return self.refuse(value)

    def _marked(self, form: Form, plain: Any) -> Any:
        if self._is_numbered and form is not self._nothing:
            return [self._forms.index(form), plain]
        return plain

    def lift(self, plain: Any) -> Any:
        """See `Form.lift`."""
        if not self._is_numbered:
            form = self._by_kind.get(type(plain))
            if form is None:
                self.refuse(plain)
            return form.lift(plain)
        if plain is None and self._nothing is not None:
            return None
        if type(plain) is not list or len(plain) != 2 or type(plain[0]) is not int:
            raise Misfit(f"the number of one of {self.words}, and a value, have to come; {shown(plain)} came")
        number, inner = plain
        if not 0 <= number < len(self._forms):
            raise Misfit(f"{self.words} has no type number {shown(number)}")
        return self._forms[number].lift(inner)


def _check_key(key: Any) -> None:
    if not _is_safe(key):
        raise Misfit(
            f"{shown(key)} is a key of a dict or an element of a set; where no type is declared, only None, "
            "bool, float, str, bytes and int of 64 bits can be one"
        )


def _is_pair(plain: Any) -> bool:
    return type(plain) in (list, tuple) and len(plain) == 2


def _is_safe(key: Any) -> bool:
    return type(key) in _SAFE_KEYS and (type(key) is not int or key.bit_length() <= 63)


def _check_spread(keys: Sequence[Any]) -> None:
    """Refuse keys that cannot be keys, and many that share a hash: a dict of them would take for ever."""
    try:
        hashes = sorted(map(hash, keys))
    except Exception as error:  # of an author's class
        if came_from_a_handler(error):
            raise
        raise Misfit(f"it cannot be a key or an element: {text_of(error)[:200]}") from error
    if any(one == other for one, other in zip(hashes, hashes[_SAME_HASH:], strict=False)):
        raise Misfit(f"more than {_SAME_HASH} keys or elements share one hash")


def _part(step: str, key: Any, change: Callable[[Any], T], value: Any) -> T:
    """Change a part of a value; a misfit in it says where that is, by the form of a step and a key."""
    try:
        return change(value)
    except Misfit as misfit:
        misfit.steps.append(step.format(label(key)))
        raise


def _each(change: Callable[[Any], T], items: Iterable[Any]) -> list[T]:
    """Change all items; a misfit in one says where that is."""
    changed: list[T] = []
    try:
        for item in items:
            changed.append(change(item))  # noqa: PERF401 - how many there are says which one does not fit
    except Misfit as misfit:
        misfit.steps.append(f"[{len(changed)}]")
        raise
    return changed
