"""Builds the native core, `corps/_core`, when corps is built or installed.

Where there is no compiler, or where `CORPS_PURE` is set, one line says so, and corps runs on its pure twin.
The wheel is for any Python then. By hand: python scripts/build_core.py
"""

import os
import shlex
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

SOURCES = "corps/_core"
MODULE = "corps._core.engine"


def build(root: Path) -> Path | None:
    """Build the core for the running interpreter, in place; return the file, or None and say why not."""
    why = _why_not()
    if why is None:
        why = _compile(root)
    if why is None:
        return root / SOURCES / f"engine{sysconfig.get_config_var('EXT_SUFFIX')}"
    print(f"corps: the native core is not built ({why}); corps runs on its pure twin", file=sys.stderr)
    return None


def _why_not() -> str | None:
    if os.environ.get("CORPS_PURE", "0") not in ("", "0"):
        return "CORPS_PURE is set"
    if sys.implementation.name != "cpython":
        return f"{sys.implementation.name} is not CPython"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "this interpreter runs without its lock"
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if shutil.which(compiler[0]) is None:
        return f"there is no C compiler {compiler[0]!r}"
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        return "the headers of Python are not installed"
    return None


def _compile(root: Path) -> str | None:
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension
    from setuptools.errors import BaseError, CompileError, LinkError

    before = Path.cwd()
    os.chdir(root)  # tracebacks show the files as they are called from here
    try:
        with tempfile.TemporaryDirectory() as work:
            extension = Extension(MODULE, [f"{SOURCES}/engine.pyx"], extra_compile_args=["-O2"])
            made = cythonize([extension], build_dir=work, quiet=True)
            command = Distribution({"ext_modules": made, "packages": []}).get_command_obj("build_ext")
            command.build_temp, command.inplace = work, True
            command.ensure_finalized()
            command.run()
    except (
        BaseError,
        CompileError,
        LinkError,
    ) as error:  # not those of Cython: they are defects of the sources
        return str(error).splitlines()[0]
    finally:
        os.chdir(before)
    return None


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand
    pass
else:

    class CoreBuildHook(BuildHookInterface[Any]):
        """What hatchling calls before it packs a wheel."""

        PLUGIN_NAME = "core"

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            """Build the core, and have the wheel say for which interpreter it is."""
            if build(Path(self.root)) is not None:
                build_data["pure_python"] = False
                build_data["infer_tag"] = True
                build_data["artifacts"].append(f"{SOURCES}/engine{sysconfig.get_config_var('EXT_SUFFIX')}")


if __name__ == "__main__":
    sys.exit(build(Path(__file__).parents[1]) is None)
