"""How a process of corps starts: the command line of a Python that becomes a template, or an Env.

There are three cases. An interpreter runs a few words of code. A *frozen* program, as PyInstaller makes it,
has no interpreter: it starts again, and takes its role when it comes to `corps.boot` or
`corps.freeze_support`; what stands above that call runs once more. And the setting `executable` names an
interpreter for programs that have another one, or none.

The role travels in the arguments or, for a frozen program, in an environment variable. It is no secret.
"""

import json
import os
import sys
from threading import current_thread, main_thread
from typing import Any, Final

from corps.errors import EnvStartError

ROLE: Final = "_CORPS_ROLE"  # the environment variable with the role of a frozen program

# No imported object is garbage soon: collecting meanwhile costs a twentieth of the time.
_BOOTSTRAP: Final = (
    "import gc, json, sys; gc.disable(); arguments = json.loads(sys.argv[1]);"
    " sys.path[:] = arguments['path']; from corps.launchers.local.template import become; become(arguments)"
)


def is_frozen() -> bool:
    """Return whether this is a program without an interpreter of its own."""
    return bool(getattr(sys, "frozen", False))


def python_command(
    arguments: dict[str, Any], executable: str | None
) -> tuple[list[str], dict[str, str] | None]:
    """Make the command that starts a process, and its environment; None for that of this process.

    The arguments are for `corps.launchers.local.template.become`: plain data, with the import path as
    ``path``.
    """
    role = json.dumps(arguments)
    if executable is None and is_frozen():
        return [sys.executable, *sys.argv[1:]], {**os.environ, ROLE: role}
    if not (executable or sys.executable):
        raise EnvStartError(
            "this program does not know its Python interpreter (sys.executable is empty): name one with the "
            "setting `executable`"
        )
    return [executable or sys.executable, *interpreter_options(), "-P", "-c", _BOOTSTRAP, role], None


def advice(executable: str | None) -> str:
    """Say what to do when `python_command` does not work out; empty for an ordinary interpreter."""
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
    """Take the role of a frozen program: the arguments of `python_command`. None otherwise. Once."""
    role = os.environ.pop(ROLE, None)
    if role is None:
        return None
    if current_thread() is not main_thread():
        sys.stderr.write(
            "corps: this frozen program boots in a thread, where the processes of a Corps cannot begin: call "
            "corps.freeze_support() as the first thing in its main thread\n"
        )
        sys.stderr.flush()
        os._exit(1)
    arguments: dict[str, Any] = json.loads(role)
    return arguments


def interpreter_options() -> list[str]:
    """List the command-line options of this interpreter that another one should have too."""
    options = ["-" + "O" * sys.flags.optimize] if sys.flags.optimize else []
    if sys.flags.ignore_environment:
        options.append("-E")
    options += [f"-W{option}" for option in sys.warnoptions]
    for name, value in sys._xoptions.items():
        options += ["-X", name if value is True else f"{name}={value}"]
    return options
