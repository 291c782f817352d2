"""How a process of corps is started: the command line of a Python that becomes a template, or an Env.

Three cases. An interpreter runs a few words of code. A *frozen* program, as PyInstaller makes it, has no
interpreter: it is started again, and becomes what it was started for when it comes to `corps.boot`, or to
`corps.freeze_support`; what stands above that call runs once more. And the setting `executable` names an
interpreter for programs that have another one, or none.

What a process is to be travels in its arguments or, for a frozen program, in an environment variable. Nothing
of it is secret.
"""

import json
import os
import sys
from threading import current_thread, main_thread
from typing import Any, Final

from corps.errors import EnvStartError

ROLE: Final = "_CORPS_ROLE"
"""The environment variable that tells a frozen program what it was started for."""

# Nothing that is imported here is garbage soon: collecting meanwhile costs a twentieth of the time.
_BOOTSTRAP: Final = (
    "import gc, json, sys; gc.disable(); arguments = json.loads(sys.argv[1]);"
    " sys.path[:] = arguments['path']; from corps.launchers.local.template import become; become(arguments)"
)


def is_frozen() -> bool:
    """Whether this is a program without an interpreter of its own."""
    return bool(getattr(sys, "frozen", False))


def python_command(
    arguments: dict[str, Any], executable: str | None
) -> tuple[list[str], dict[str, str] | None]:
    """What starts a process.

    Args:
        arguments: For `corps.launchers.local.template.become`: plain data, with the import path as ``path``.
        executable: The interpreter; None for that of this process.

    Returns:
        The command line, and the environment; None for that of this process.

    Raises:
        EnvStartError: There is no interpreter.
    """
    told = json.dumps(arguments)
    if executable is None and is_frozen():
        return [sys.executable, *sys.argv[1:]], {**os.environ, ROLE: told}
    if not (executable or sys.executable):
        raise EnvStartError(
            "this program does not know its Python interpreter (sys.executable is empty): name one with the "
            "setting `executable`"
        )
    return [executable or sys.executable, *interpreter_options(), "-P", "-c", _BOOTSTRAP, told], None


def advice(executable: str | None) -> str:
    """What to do when a process that was started with `python_command` does not become what it should.

    Args:
        executable: As it was given.

    Returns:
        The end of a text; empty for an ordinary interpreter.
    """
    if executable is None and is_frozen():
        return (
            ". A frozen program becomes it when it comes to corps.boot(...): call corps.freeze_support() as "
            "the first thing, and have the program contain all of corps (PyInstaller: --collect-submodules "
            "corps)"
        )
    if "py" in os.path.basename(executable or sys.executable):
        return ""
    return ". If that is no Python interpreter, name one with the setting `executable`"


def take_role() -> dict[str, Any] | None:
    """What a frozen program was started for. Once: what it starts itself has no role.

    Returns:
        The arguments of `python_command`; None in every other process.
    """
    told = os.environ.pop(ROLE, None)
    if told is None:
        return None
    if current_thread() is not main_thread():
        sys.stderr.write(
            "corps: this frozen program boots in a thread, where the processes of a Corps cannot begin: call "
            "corps.freeze_support() as the first thing in its main thread\n"
        )
        sys.stderr.flush()
        os._exit(1)
    arguments: dict[str, Any] = json.loads(told)
    return arguments


def interpreter_options() -> list[str]:
    """The options with which this interpreter runs and another one should run too.

    Returns:
        Command-line options.
    """
    options = ["-" + "O" * sys.flags.optimize] if sys.flags.optimize else []
    if sys.flags.ignore_environment:
        options.append("-E")
    options += [f"-W{option}" for option in sys.warnoptions]
    for name, value in sys._xoptions.items():
        options += ["-X", name if value is True else f"{name}={value}"]
    return options
