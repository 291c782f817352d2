"""The functions of Dirs as methods of what stands for an Env, or for a booted Corps."""

from typing import Any, TypeVar, overload

from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.services.dirs.dir_watch import DirWatch
from corps.services.dirs.entries import Scope
from corps.services.dirs.finding import (
    Match,
    afind_in,
    find_all_in,
    find_in,
    register_in,
    unregister_in,
    watch_in,
)
from corps.workers.names import Name

T = TypeVar("T")


class DirHandle:
    """What offers the functions of Dirs for one Env."""

    def _dirs_of(self) -> Env:
        raise NotImplementedError

    @overload
    def find(
        self,
        what: type[T],
        /,
        *,
        tag: str | None = None,
        where: Scope | None = None,
        timeout: float | None = None,
        match: Match = None,
        **properties: Any,
    ) -> Name[T]: ...
    @overload
    def find(
        self,
        what: str,
        /,
        *,
        where: Scope | None = None,
        timeout: float | None = None,
        match: Match = None,
        **properties: Any,
    ) -> Name[Any]: ...
    def find(
        self,
        what: Any,
        /,
        *,
        tag: str | None = None,
        where: Scope | None = None,
        timeout: float | None = None,
        match: Match = None,
        **properties: Any,
    ) -> Name[Any]:
        """Find a worker that is registered; see `corps.find`."""
        return find_in(self._dirs_of(), what, tag, where, timeout, match, properties)

    @overload
    def afind(
        self,
        what: type[T],
        /,
        *,
        tag: str | None = None,
        where: Scope | None = None,
        timeout: float | None = None,
        match: Match = None,
        **properties: Any,
    ) -> Future[Name[T]]: ...
    @overload
    def afind(
        self,
        what: str,
        /,
        *,
        where: Scope | None = None,
        timeout: float | None = None,
        match: Match = None,
        **properties: Any,
    ) -> Future[Name[Any]]: ...
    def afind(
        self,
        what: Any,
        /,
        *,
        tag: str | None = None,
        where: Scope | None = None,
        timeout: float | None = None,
        match: Match = None,
        **properties: Any,
    ) -> Future[Name[Any]]:
        """Find a worker without blocking; see `corps.afind`."""
        return afind_in(self._dirs_of(), what, tag, where, timeout, match, properties)

    @overload
    def find_all(
        self,
        what: type[T],
        /,
        *,
        tag: str | None = None,
        where: Scope | None = None,
        match: Match = None,
        **properties: Any,
    ) -> list[Name[T]]: ...
    @overload
    def find_all(
        self,
        what: str | None = None,
        /,
        *,
        where: Scope | None = None,
        match: Match = None,
        **properties: Any,
    ) -> list[Name[Any]]: ...
    def find_all(
        self,
        what: Any = None,
        /,
        *,
        tag: str | None = None,
        where: Scope | None = None,
        match: Match = None,
        **properties: Any,
    ) -> list[Name[Any]]:
        """Find all workers that fit; see `corps.find_all`."""
        return find_all_in(self._dirs_of(), what, tag, where, match, properties)

    def register(
        self,
        name: Name[Any],
        /,
        *,
        tag: str = "",
        unique: bool = False,
        where: Scope = "corps",
        **properties: Any,
    ) -> None:
        """Register a worker; see `corps.register`."""
        register_in(self._dirs_of(), name, tag, unique, where, properties).result()

    def aregister(
        self,
        name: Name[Any],
        /,
        *,
        tag: str = "",
        unique: bool = False,
        where: Scope = "corps",
        **properties: Any,
    ) -> Future[None]:
        """Register a worker without blocking; see `corps.aregister`."""
        return register_in(self._dirs_of(), name, tag, unique, where, properties)

    def unregister(self, name: Name[Any], /, *, tag: str | None = None, where: Scope | None = None) -> bool:
        """Take a worker out; see `corps.unregister`."""
        return unregister_in(self._dirs_of(), name, tag, where).result()

    def aunregister(
        self, name: Name[Any], /, *, tag: str | None = None, where: Scope | None = None
    ) -> Future[bool]:
        """Take a worker out without blocking; see `corps.aunregister`."""
        return unregister_in(self._dirs_of(), name, tag, where)

    @overload
    def watch_dir(
        self,
        what: type[T],
        /,
        *,
        tag: str | None = None,
        where: Scope | None = None,
        match: Match = None,
        **properties: Any,
    ) -> DirWatch[T]: ...
    @overload
    def watch_dir(
        self,
        what: str | None = None,
        /,
        *,
        where: Scope | None = None,
        match: Match = None,
        **properties: Any,
    ) -> DirWatch[Any]: ...
    def watch_dir(
        self,
        what: Any = None,
        /,
        *,
        tag: str | None = None,
        where: Scope | None = None,
        match: Match = None,
        **properties: Any,
    ) -> DirWatch[Any]:
        """Watch what changes; see `corps.watch_dir`."""
        return watch_in(self._dirs_of(), what, tag, where, match, properties)
