"""Every error of corps, in one tree.

    CorpsError
    ├── RequestError             a request did not give a value; says whether it was executed
    │   ├── RemoteError              the method raised; also of the original type, with all that it holds
    │   ├── DeadlineExceeded         the request's deadline passed                            (TimeoutError)
    │   ├── WorkerGone               the worker has ended
    │   ├── EnvLost                  the process of the worker has died, or cannot be reached
    │   │   └── Unreachable              its Corps has ended, or there is no way to it from here
    │   ├── NoSuchWorker             the address was never given to a worker                  (LookupError)
    │   ├── NoSuchMethod             no public method or attribute of that name               (AttributeError)
    │   ├── NotPermitted             only others may ask for that                            (PermissionError)
    │   ├── NotAuthenticated         the credentials of a caller do not count                (PermissionError)
    │   ├── PoisonRequest            process after process died while it ran this request
    │   ├── Overloaded               no room for the request within its time limit
    │   ├── DeadlockError            a cycle of workers that wait for each other              (RuntimeError)
    │   ├── BrokenPromise            the promised answer became garbage before it was settled
    │   └── Cancelled                the caller cancelled it          (concurrent.futures.CancelledError)
    ├── WaitTimeout              a wait ended before its Future did; the request goes on      (TimeoutError)
    ├── LoopBlocked              a blocking wait was tried where it would stop others         (RuntimeError)
    ├── PackingError
    │   ├── PackError                an object cannot be turned into bytes                    (TypeError)
    │   ├── NotAFile                 a path leads to what is no regular file                  (OSError)
    │   └── UnpackError              bytes cannot be turned into an object                    (ValueError)
    │       ├── Untrusted                the bytes name something that this peer may not make us load
    │       ├── Damaged                  stored bytes are truncated or changed
    │       └── NewerFormat              stored bytes were written by a newer release
    ├── WireError                a peer broke the protocol
    │   ├── VersionMismatch          the peer speaks another version of it
    │   └── JoinRefused              the peer is not one of this Corps
    ├── BootError                a Corps did not start; carries the last output of its processes
    │   ├── LoadError                the application could not be loaded
    │   ├── EnvStartError            a process did not start, or ended while it started
    │   ├── ComponentError           a component that is required did not start
    │   └── CorpsStartError          the constructor of the Corps raised
    ├── SupervisionError
    │   ├── CorpsLost                the process of the Corps object died, and nothing brings it back
    │   └── RestartLimit             a worker failed more often than its policy allows
    ├── NoSuchEnv                no Env of the Corps has the label                         (LookupError)
    ├── NotFound                 no worker of a Dir, or Corps, is meant by what is asked   (LookupError)
    ├── NameTaken                another worker has this place in a Dir alone, or a Corps the tag
    ├── PropertyError            a property of an entry in a Dir cannot be                    (ValueError)
    ├── KeyRingError             a ring of keys cannot be used, or not be changed so
    │   └── NoSuchKey                a key ring has no key that is meant                      (LookupError)
    ├── NoTimeServer             no server said what time it is                               (OSError)
    ├── UnsafeFile               other users could have made or changed a file                (OSError)
    ├── StorageError             what has to last could not be written to its file            (OSError)
    ├── Fail                     an author raises it: the worker fails, and may be restarted
    ├── ConfigError              a setting is unknown or has a bad value                      (ValueError)
    ├── DefinitionError          a class cannot be a worker as it is written                  (TypeError)
    ├── ContextError             no worker or Env is meant here, or several Envs could be     (RuntimeError)
    ├── AlreadySettled           a Promise is settled once          (concurrent.futures.InvalidStateError)
    ├── ClosedError              used after you closed it                                     (RuntimeError)
    ├── BrokenError              the other side went away                                 (ConnectionError)
    └── InternalError            a defect of corps; please report it

The builtin in parentheses is a base class too, so that code which catches the builtin works unchanged.
Every error can be made from its message alone, and keeps its fields in ``__dict__``. So all of them survive
pickling.
"""

import concurrent.futures
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar, overload

from corps.exporting import exported

V = TypeVar("V")

Executed = Literal["no", "yes", "unknown"]
"""Whether a failed request was executed: it certainly was not, it certainly was, or nobody can say."""


@exported
class CorpsError(Exception):
    """The root of all errors of corps.

    Args:
        message: What happened, to whom, with which value, and what to do.
        **fields: Kept as attributes.
    """

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message)
        self.__dict__.update(fields)


@exported
class RequestError(CorpsError):
    """A request did not give a value.

    Attributes:
        executed: ``"no"``: the method never began, sending it again is safe; ``"yes"``: it ran;
            ``"unknown"``: it may have run.
        target: The worker the request was for, as text; None where there is none.
        incarnation: Which incarnation of the worker has failed the request; 0 where that is not known, as
            when its process has died.
        elapsed: Seconds from sending the request to its outcome; None if it was never sent.
    """

    executed: Executed = "unknown"
    target: str | None = None
    incarnation: int = 0
    elapsed: float | None = None


@dataclass(frozen=True, slots=True)
class Remote:
    """What is known of an exception that a method raised; a RemoteError stands for it, with most of this."""

    type_name: str = ""
    text: str = ""
    traceback: str = ""
    target: str | None = None
    origin: BaseException | None = None
    incarnation: int = 0
    elapsed: float | None = None
    executed: Executed = "yes"
    is_stand_in: bool = False  # `origin` is of a builtin type that the original's one is derived from

    @property
    def summary(self) -> str:
        """The type and text in one line, for an error that is not of that type, and for logs."""
        short = self.type_name.removeprefix("builtins.")
        return f"{short}: {self.text}" if self.text else short

    @property
    def note(self) -> str:
        """Where it was raised, as a note that is shown below the error's own traceback."""
        if self.traceback:
            side = self.target or "the worker"
            return f"\nTraceback on the side of {side}:\n{self.traceback.rstrip()}"
        return f"Raised in {self.target}" if self.target else ""


REMOTE: Final = "_corps_remote"
"""Where in its ``__dict__`` an error of a caller keeps its `Remote`."""
# Past the class of an author, which may do anything.
_held: Final = BaseException.__dict__["__dict__"].__get__


def remote_of(error: BaseException) -> Remote | None:
    """Return what an error of a caller stands for; None if no method raised it."""
    remote = _held(error).get(REMOTE)
    return remote if type(remote) is Remote else None


class _Fact(Generic[V]):
    """A fact of a RemoteError. An attribute of the original that has the same name hides it."""

    def __init__(self, otherwise: V) -> None:
        self._otherwise = otherwise

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, error: None, owner: type) -> "_Fact[V]": ...
    @overload
    def __get__(self, error: BaseException, owner: type | None = None) -> V: ...
    def __get__(self, error: BaseException | None, owner: type | None = None) -> "_Fact[V] | V":
        if error is None:
            return self
        remote = remote_of(error)
        return self._otherwise if remote is None else getattr(remote, self._name)


@exported
class RemoteError(RequestError):
    """The method raised. ``except OriginalType`` catches it too, and it holds all that the original holds.

    Its ``args``, ``str()``, attributes, cause, context, notes, and the exceptions in a group are those of the
    original. An attribute of the original with the name of one below hides that. StopIteration,
    StopAsyncIteration, CancelledError, and what is no Exception, would mean something else to the caller. So
    these come as a RemoteError that is not of their type.

    Attributes:
        type_name: Qualified name of the exception's type, such as ``"builtins.ValueError"``.
        text: ``str()`` of the exception.
        traceback: The traceback on the worker's side, as text. It is shown below the error's own, as a note.
        origin: A copy of the original exception; None where it could not travel.
    """

    executed: _Fact[Executed] = _Fact("yes")
    target: _Fact[str | None] = _Fact(None)
    incarnation: _Fact[int] = _Fact(0)
    elapsed: _Fact[float | None] = _Fact(None)
    type_name: _Fact[str] = _Fact("")
    text: _Fact[str] = _Fact("")
    traceback: _Fact[str] = _Fact("")
    origin: _Fact[BaseException | None] = _Fact(None)


@exported
class DeadlineExceeded(RequestError, TimeoutError):
    """The deadline of the request passed before its answer came."""


@exported
class WorkerGone(RequestError):
    """The worker has ended. Its address is never given to another one."""


@exported
class EnvLost(RequestError):
    """The process of the worker has died, or can no longer be reached.

    Attributes:
        reason: Why, in one word, as in `corps.Ended`.
    """

    reason: Literal["shutdown", "killed", "error", "memory", "hung", "lost"] = "lost"


@exported
class Unreachable(EnvLost):
    """The Corps of the worker cannot be reached: it has ended, or there is no way to it from here."""


@exported
class NoSuchWorker(RequestError, LookupError):
    """No worker ever had this address."""

    executed: Executed = "no"


@exported
class NoSuchMethod(RequestError, AttributeError):
    """The worker has no public method or attribute of this name."""

    executed: Executed = "no"


@exported
class NotPermitted(RequestError, PermissionError):
    """The worker may not be asked for this from here.

    Only the Mgr of a worker, the managers of its Env and Corps, and the operator may end it. Of another Corps
    only workers can be reached whose Names it has handed out.
    """

    executed: Executed = "no"


@exported
class NotAuthenticated(RequestError, PermissionError):
    """A Corps wants credentials that say who asks, and has got none, or some that do not count.

    The text says why, and shows nothing of what was sent.
    """

    executed: Executed = "no"


@exported
class PoisonRequest(RequestError):
    """Process after process died while it ran this request, so it is not sent again."""


@exported
class Overloaded(RequestError):
    """There was no room for the request: the mailbox or the link's window stayed full too long.

    Attributes:
        retry_after: Seconds after which another try may find room, as far as the receiver can tell; None if
            it cannot.
    """

    executed: Executed = "no"
    retry_after: float | None = None


@exported
class DeadlockError(RequestError, RuntimeError):
    """Waiting would never end: a cycle of workers, each waiting for the next.

    Attributes:
        cycle: The workers of the cycle as text, in the order in which they wait.
    """

    cycle: tuple[str, ...] = ()


@exported
class Cancelled(RequestError, concurrent.futures.CancelledError):
    """The request was cancelled by its caller."""


@exported
class BrokenPromise(RequestError):
    """The method answered with a Promise that became garbage before it was settled."""


@exported
class WaitTimeout(CorpsError, TimeoutError):
    """A wait ended before what it waited for had come. The requests themselves go on."""


@exported
class LoopBlocked(CorpsError, RuntimeError):
    """A wait was tried where it would stop others: on an event loop, or in a callback of the runtime."""


@exported
class PackingError(CorpsError):
    """An object could not be turned into bytes, or bytes into an object."""


@exported
class PackError(PackingError, TypeError):
    """An object cannot be packed. Raised in the caller, before anything is sent.

    Attributes:
        path: Where inside the object the culprit sits, such as ``"args[0]['lock']"``.
    """

    path: str = ""


@exported
class NotAFile(PackingError, OSError):
    """A path leads to a directory, a pipe, a device or a socket. Only regular files are replaced."""


@exported
class UnpackError(PackingError, ValueError):
    """Bytes could not be turned back into an object.

    Attributes:
        path: Where inside the arguments or the result the culprit sits, such as ``"order.items[2]"``; empty
            where that is not known.
    """

    path: str = ""


@exported
class Untrusted(UnpackError):
    """The bytes name a class or function that their sender may not make us load."""


@exported
class Damaged(UnpackError):
    """Stored bytes are truncated, changed, or were never written by corps."""


@exported
class NewerFormat(UnpackError):
    """Stored bytes have a format that a newer release of corps wrote."""


@exported
class WireError(CorpsError):
    """A peer sent what the protocol does not allow."""


@exported
class VersionMismatch(WireError):
    """The peer speaks another version of the protocol."""


@exported
class JoinRefused(WireError):
    """The peer is not a member of this Corps."""


@exported
class BootError(CorpsError):
    """A Corps did not start. Nothing of it is left running.

    Attributes:
        output: The last lines that its processes wrote to stdout and stderr while they started.
    """

    output: str = ""


@exported
class LoadError(BootError):
    """The application could not be found, read, imported, or has not exactly one Corps class."""


@exported
class EnvStartError(BootError):
    """The process of an Env did not start, or ended while it started.

    Attributes:
        is_passing: The system lacked descriptors, memory or processes: another try may succeed.
    """

    is_passing: bool = False


@exported
class CorpsStartError(BootError):
    """The constructor of the Corps raised. The ``__cause__`` is its RemoteError."""


@exported
class ComponentError(BootError):
    """A component that the settings require did not start.

    Attributes:
        component: Its name, as the settings give it.
    """

    component: str = ""


@exported
class SupervisionError(CorpsError):
    """Supervision gave up."""


@exported
class RestartLimit(SupervisionError):
    """A worker failed more often than its restart policy allows, and so did all that might have healed it.

    Or the process of an Env died more often than the settings `env_restart.max` and `.within` allow. The text
    names the worker, the number of failures and the time, and shows the last failure with its traceback.
    """


@exported
class CorpsLost(SupervisionError):
    """The process of the Corps object has died, and its class declares no restart that brings it back.

    The Corps ends. The end of its ``with`` block raises this, and so does ``app.exit()``.
    """


@exported
class NoSuchEnv(CorpsError, LookupError):
    """No Env in which workers are created has the label that was asked for. The text lists the labels.

    Attributes:
        label: The one that was asked for.
    """

    label: str = ""


@exported
class NotFound(CorpsError, LookupError):
    """No worker that is registered in the Dirs is meant by what was asked, or no external Corps has the tag.

    The text lists near misses.
    """


@exported
class NameTaken(CorpsError):
    """Another worker is registered under this tag or class, and one of the two is to be the only one.

    Or another external Corps of this user has the tag on this host. The text says which.

    Attributes:
        holder: The Name of the other worker; None if it is a Corps.
    """

    holder: Any = None


@exported
class PropertyError(CorpsError, ValueError):
    """A property has a name that cannot be, is no immutable data, or all of an entry are too large."""


@exported
class KeyRingError(CorpsError):
    """A ring of keys cannot be used, because others could change it, or cannot be changed as was asked."""


@exported
class NoSuchKey(KeyRingError, LookupError):
    """A key ring has no key that is meant by what was asked, or several."""


@exported
class NoTimeServer(CorpsError, OSError):
    """No time server gave an answer that can be used. The text says of each what was wrong."""


@exported
class UnsafeFile(CorpsError, OSError):
    """A file or directory that is to be this user's alone is not: another user could have made or changed it.

    The text says which, and what is wrong with it: its owner, its mode, or that it is a link or no file.
    """


@exported
class StorageError(CorpsError, OSError):
    """What has to last, such as a durable timer, could not be written to its file, or read from it."""


@exported
class Fail(CorpsError):
    """Raise it in a method to say that the worker cannot go on: the caller gets it, and the worker fails.

    Its `Restart` policy says what happens then.
    """


@exported
class ConfigError(CorpsError, ValueError):
    """A setting is unknown or has a bad value."""


@exported
class DefinitionError(CorpsError, TypeError):
    """A class cannot be a worker as it is written."""


@exported
class ContextError(CorpsError, RuntimeError):
    """The call needs a worker or an Env. None is here, or several Envs are open and any could be meant."""


@exported
class ClosedError(CorpsError, RuntimeError):
    """It was used after you closed it."""


@exported
class AlreadySettled(CorpsError, concurrent.futures.InvalidStateError):
    """The Promise has an outcome already, or was cancelled. It is settled only once."""


@exported
class BrokenError(CorpsError, ConnectionError):
    """The other side went away."""


@exported
class InternalError(CorpsError):
    """A defect of corps itself. Please report it with its traceback."""
