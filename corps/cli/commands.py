"""What the commands do: results to stdout, all else to stderr, and the exit status."""

import dataclasses
import itertools
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corps.cli.reporting import APPLICATION_ERROR, BY_SIGNAL, OK, USAGE_ERROR, complain, exit_status, report
from corps.endpoints import read_endpoint
from corps.errors import BootError, ConfigError, CorpsError, LoadError
from corps.launch.boot import start
from corps.launch.booted_name import BootedName
from corps.launch.command_run import ExitStatus
from corps.launch.found_settings import current_folder, find_executable, find_settings, hosts_finder
from corps.launch.held_tag import HeldTag
from corps.launch.plan import CorpsPlan
from corps.launch.running import RunningCorps
from corps.launch.serving import Stopped, log_to_stderr, serve, stopping_signals
from corps.launch.sources import Source, find_source
from corps.workers.iterators import RemoteIterator
from corps.workers.parameters import read_words

if TYPE_CHECKING:
    from corps.launch.launch_settings import LaunchSettings


class UsageProblem(Exception):
    """The command line, or the configuration, asks for what cannot be."""


def run_application(
    application: str,
    words: Sequence[str],
    *,
    envs: int | None,
    tag: str | None,
    config: Path | None,
    settings: Mapping[str, str],
    init: Mapping[str, str],
    external: bool = False,
    hosts: Path | None = None,
    log_file: str = "",
    on_up: Callable[[HeldTag], object] | None = None,
) -> int:
    """Boot an application; call its ``run`` with the words, or serve; return the exit status.

    `settings` and `init`, which are arguments for the constructor of the Corps, are texts by their names.
    `external`: others can reach it. `hosts` is the file of the hosts over which it runs. `log_file` is where
    the output of this process goes, if others are to be shown that. `on_up` is called when an external Corps
    has started, and before ``run``.
    """
    try:
        with stopping_signals():
            source = _find(application)

            def found_settings() -> "LaunchSettings":
                from corps.launch.launch_settings import launch_settings

                given = {"envs": envs, "tag": tag, "external": external or None}
                found = launch_settings(config, given, source=source, texts=settings)
                log_to_stderr(found.options.log_level)
                return found

            executable = settings.get("executable") or find_executable(config, source)
            find_hosts = None if hosts is None else hosts_finder(hosts, envs)
            plan = CorpsPlan(
                source,
                found_settings,
                executable,
                of_command=init,
                log_file=log_file,
                find_hosts=find_hosts,
            )
            return _boot_and_run(plan, words, on_up)
    except UsageProblem as problem:
        return complain(str(problem), USAGE_ERROR)
    except BootError as error:  # what the processes wrote has been shown when they wrote it
        return complain(str(error).rstrip(), APPLICATION_ERROR)
    except CorpsError as error:
        return report(error)
    except KeyboardInterrupt as interrupt:
        return BY_SIGNAL + (interrupt.number if isinstance(interrupt, Stopped) else signal.SIGINT)


def make_package(
    application: str, output: Path | None, requirements: Path | None, version: str, *, oci: bool
) -> int:
    """Make one file of an application, and an image of that; return the exit status."""
    from corps.launch.images import write_image
    from corps.launch.packaging import package

    try:
        source = _find(application)
        name = Path(source.path).stem if source.path else source.module.rpartition(".")[2]
        target = output or Path(f"{name}.pyz")
        made = package(source, target, version, requirements)
        print(f"{target}: {len(made.files)} files, requirements: {len(made.requirements)}")
        for module in made.unknown:
            print(f"note: no installed package has the module {module}, which is imported", file=sys.stderr)
        if oci:
            print(f"{write_image(target)}")
    except (UsageProblem, ConfigError) as problem:
        return complain(str(problem), USAGE_ERROR)
    except CorpsError as error:
        return report(error)
    return OK


def show_settings(
    application: str | None, *, config: Path | None, settings: Mapping[str, str], as_json: bool
) -> int:
    """Print the settings that are in effect beside an application or else here; return the exit status."""
    from corps.config import describe

    try:
        source = Source("") if application is None else _find(application)
        rows = describe(find_settings(config, {}, source=source, texts=settings))
    except (UsageProblem, ConfigError, LoadError) as error:
        return complain(str(error), USAGE_ERROR)
    if as_json:
        print(json.dumps({key: {"value": value, "source": origin} for key, value, origin in rows}, indent=2))
    elif sys.stdout.isatty():
        _print_table(rows)
    else:
        width = max(len(key) for key, _, _ in rows)
        for key, value, origin in rows:
            print(f"{key:{width}} = {value!r}  # {origin}")
    sys.stdout.flush()  # here, where `main` can still report a full disk
    return OK


def examine(
    address: str | None,
    version: str,
    *,
    config: Path | None,
    settings: Mapping[str, str],
    time_servers: Sequence[str],
    as_json: bool,
) -> int:
    """Print what of this host, or of an address, would stop a Corps; return the exit status."""
    from corps.launch.doctor.address import examine_address, examine_tag
    from corps.launch.doctor.findings import Finding
    from corps.launch.doctor.host import examine as examine_host
    from corps.settings import Settings

    try:
        is_tag = address is not None and ":" not in address
        endpoint = None if address is None or is_tag else read_endpoint(address, "ADDRESS")
    except ConfigError as error:
        return complain(str(error), USAGE_ERROR)
    first: list[Finding] = []
    try:
        found = find_settings(config, {}, source=Source(""), texts=settings).settings
    except ConfigError as error:
        found = Settings()
        first = [Finding("settings", "wrong", " and ".join(str(error).splitlines()), "mend them")]
    if endpoint is not None:
        findings = examine_address(endpoint, found)
    elif address is not None:
        findings = examine_tag(address, found)
    else:
        findings = examine_host(found, version, time_servers)
    seen = []
    for each in itertools.chain(first, findings):
        seen.append(each)
        if not as_json:  # each at once: some take seconds
            what_to_do = f". To do: {each.do}" if each.do else ""
            print(f"{each.state:<5}  {each.check:<13}  {each.says}{what_to_do}", flush=True)
    if as_json:
        print(json.dumps([dataclasses.asdict(each) for each in seen], indent=2), flush=True)
    return APPLICATION_ERROR if any(each.state == "wrong" for each in seen) else OK


def _print_table(rows: Sequence[tuple[str, Any, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("setting", "value", "from")
    for key, value, origin in rows:
        table.add_row(key, Text(repr(value)), Text(origin, style="dim" if origin == "default" else ""))
    Console().print(table)


def _find(application: str) -> Source:
    """Find the source, where ``python -m`` would look too if it is not a file."""
    place = application.partition(":")[0]
    folder = current_folder()
    if folder is not None and not (place.endswith(".py") or "/" in place or os.path.isfile(place)):
        sys.path.insert(0, str(folder))
    try:
        return find_source(application)
    except LoadError as error:
        if isinstance(error.__cause__, SyntaxError):
            raise
        raise UsageProblem(str(error)) from error


def _boot_and_run(plan: CorpsPlan, words: Sequence[str], on_up: Callable[[HeldTag], object] | None) -> int:
    with start(plan) as app:
        running = app._running
        args = _arguments(running, words)
        if running.tag is not None and running.tag.addresses:
            print(f"corps: listens at {', '.join(running.tag.addresses)}", file=sys.stderr, flush=True)
        if on_up is not None and running.tag is not None:
            on_up(running.tag)
        return _serve(running) if args is None else _print_result(app, args)


def _arguments(running: RunningCorps, words: Sequence[str]) -> Sequence[Any] | None:
    """Read the arguments of the method ``run``; None if there is no such method."""
    parameters = running.run_parameters()
    if parameters is not None:
        try:
            return read_words(parameters, words)
        except ValueError as error:
            raise UsageProblem(str(error)) from error
    if words:
        raise UsageProblem(f"{words[0]!r} is one too many: the application has no method run to take it")
    return None


def _print_result(app: BootedName[Any], args: Sequence[Any]) -> int:
    result = app.run(*args).ret
    if isinstance(result, ExitStatus):
        return exit_status(result.code)
    if isinstance(result, RemoteIterator):  # `run` yields its results, so each is printed when it comes
        for item in result:
            print(item, flush=True)
    elif result is not None:
        print(result, flush=True)
    return OK


def _serve(running: RunningCorps) -> int:
    text = "corps: serving; Ctrl-C or SIGTERM ends it"
    serve(running, lambda: print(text, file=sys.stderr, flush=True))
    return OK  # unless the end of the block raises why it is over
