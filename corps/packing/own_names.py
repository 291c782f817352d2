"""What a name of a stranger may mean: a class or function where it was defined, and nothing on the way.

Most modules hold other modules, and most objects lead to all of the interpreter: to the globals of a module
by ``Point.__init__.__globals__``, and from there to everything. So a name counts only if what it leads to
says of itself that it has this very name. The way leads through classes by their dictionaries: no attribute
is computed, and no code runs. Thread-safe.
"""

from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Final

from corps.errors import UnpackError, Untrusted
from corps.packing.unpickler import Allow

_RUNTIME: Final = "corps"
_FUNCTIONS: Final = (FunctionType, BuiltinFunctionType)


def check_name(module: str, qualname: str, allow: Allow) -> None:
    """Raise Untrusted at a name that is hidden, part of corps, or that ``allow`` refuses."""
    parts = module.split(".") + qualname.split(".")
    if any(not part or part.startswith("_") for part in parts):
        raise Untrusted(f"the bytes name {module}:{qualname}, and no hidden name may be loaded for others")
    if parts[0] == _RUNTIME:
        raise Untrusted(f"the bytes name {module}:{qualname}, and nothing of corps may be loaded for others")
    if not allow(module, qualname):
        raise Untrusted(f"the bytes name {module}:{qualname}, which `allow` refuses")


def find_own(module: ModuleType, name: str, qualname: str) -> Any:
    """Return the class or function of this very name; Untrusted if it is another, UnpackError if none."""
    holder: Any = module
    for part in qualname.split("."):
        if holder is not module and not is_class(holder):
            raise Untrusted(f"the bytes name {name}:{qualname}, which leads through what is no class")
        try:
            holder = vars(holder)[part]
        except KeyError:
            raise UnpackError(
                f"the bytes name {name}:{qualname}, which this process lacks; both sides need the same"
                " version of the application and of its packages"
            ) from None
    if type(holder) is staticmethod:
        holder = holder.__func__
    if not is_class(holder) and type(holder) not in _FUNCTIONS:
        raise Untrusted(f"the bytes name {name}:{qualname}, which is no class and no function")
    own = (holder.__module__, holder.__qualname__)
    if own not in ((name, qualname), (module.__name__, qualname)):
        raise Untrusted(f"the bytes name {name}:{qualname}, which is {own[0]}:{own[1]} in truth")
    return holder


def is_class(thing: Any) -> bool:
    """Return whether it is a class: `isinstance` would ask the thing itself, which may lie."""
    return issubclass(type(thing), type)
