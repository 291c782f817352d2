"""The mark of public classes and functions: they say that they are defined in `corps`.

Files can move, and peers of another version still find what goes by its name. The mark stands at the
definition, so it holds however a thing was imported. `corps/__init__.py` lists what bears it.
"""

from typing import TypeVar

T = TypeVar("T")


def exported(thing: T) -> T:
    """Make a public class or function say that it is defined in `corps`."""
    thing.__module__ = "corps"
    return thing
