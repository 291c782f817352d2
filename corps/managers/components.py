"""Which workers a Corps starts with itself, and in which order. Decisions only."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from corps.errors import ConfigError

if TYPE_CHECKING:
    from corps.settings import Autoload

GROUP: Final = "corps.autoload"  # of the entry points by which packages offer components


class Component(NamedTuple):
    """One worker that a Corps starts with itself: plain data, because it goes to the Envs.

    Attributes:
        use: Its class, as ``"package.module:Class"``.
        name: Its tag in the Dir, by which others need it.
        needs: The names of those that start before it.
        required: Nothing starts without it.
        where: ``"env"``: each Env but that of the booting process has one; ``"corps"``: the Corps has one.
        arguments: For its constructor.
    """

    use: str
    name: str
    needs: Sequence[str] = ()
    required: bool = True
    where: Literal["env", "corps"] = "env"
    arguments: Mapping[str, Any] = {}


def components_of(settings: "Autoload", entry_points: Callable[[], Mapping[str, str]]) -> list[Component]:
    """List the components that settings name, in the order in which they start.

    `entry_points` finds what installed packages offer, by name. It takes a while, and is called if needed.

    Raises:
        ConfigError: A name is missing or stands twice, or some need each other in a circle.
    """
    offered: Mapping[str, str] = {}
    if settings.entry_points or any(":" not in each.use for each in settings.components):
        offered = entry_points()
    found = []
    for each in settings.components:
        if ":" in each.use:
            use, name = each.use, each.use.rpartition(":")[2].rpartition(".")[2]
        elif each.use in offered:
            use, name = offered[each.use], each.use
        else:
            there = ", ".join(sorted(offered)) or "none"
            raise ConfigError(
                f"autoload.components names {each.use!r}: wants package.module:Class, or the name of an "
                f"entry point of the group {GROUP}; installed are: {there}"
            )
        found.append(Component(use, each.name or name, each.needs, each.required, each.where, each.arguments))
    if settings.entry_points:
        named = {each.use for each in settings.components}
        found += [Component(use, name, required=False) for name, use in offered.items() if name not in named]
    return in_order(found)


def in_order(components: Sequence[Component]) -> list[Component]:
    """Put components into an order in which each comes after what it needs; otherwise as they stand.

    Raises:
        ConfigError: As `components_of`.
    """
    by_name: dict[str, Component] = {}
    for each in components:
        other = by_name.setdefault(each.name, each)
        if other is not each:
            two = f"{other.use} and {each.use}"
            raise ConfigError(
                f"autoload.components has two of the name {each.name!r}, {two}: give one another `name`"
            )
    ordered: dict[str, Component] = {}

    def take(component: Component, path: tuple[str, ...]) -> None:
        if component.name in ordered:
            return
        if component.name in path:
            circle = (*path[path.index(component.name) :], component.name)
            raise ConfigError(f"autoload.components need each other in a circle: {' -> '.join(circle)}")
        for need in component.needs:
            if need not in by_name:
                known = ", ".join(by_name)
                raise ConfigError(
                    f"autoload.components: {component.name!r} needs {need!r}, which is none of them: {known}"
                )
            take(by_name[need], (*path, component.name))
        ordered[component.name] = component

    for each in components:
        take(each, ())
    return list(ordered.values())
