"""The `corps` command: what can be typed. What it does is in `commands`, imported when it is needed."""

import difflib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from corps.cli.keys import keys

if TYPE_CHECKING:
    from corps.launch.held_tag import HeldTag


class _Commands(click.Group):
    """The commands. A full disk, or a reader that has gone, ends them with one line of words."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except BrokenPipeError:
            _discard_output()
            sys.exit(141)  # as if SIGPIPE had ended it: the reader has gone
        except OSError as error:
            _discard_output()
            print(f"corps: {error.strerror or error}", file=sys.stderr)
            sys.exit(1)


def _discard_output() -> None:
    """Throw away the rest of stdout's buffer: writing it would fail once more at the very end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def _show_version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    """Show the version and exit."""
    if wanted:
        # The package around this file has been imported; its metadata may be of another checkout.
        click.echo(f"corps {sys.modules['corps'].__version__}")
        context.exit()


def _assignments(context: click.Context, parameter: click.Parameter, words: Sequence[str]) -> dict[str, str]:
    """Take words such as ``key=value`` apart."""
    pairs = [word.partition("=") for word in words]
    for name, equals, value in pairs:
        if not name or not equals:
            raise click.BadParameter(f"{name + value!r} wants to be KEY=VALUE")
    return {name: value for name, _, value in pairs}


def _complete_files(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


_application = click.argument("application", shell_complete=_complete_files)
_config = click.option("--config", type=click.Path(path_type=Path), help="Configuration file (TOML).")
_set = click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_assignments,
    help="A setting, such as threads.max=8. May be repeated.",
)


_credentials_file = click.option(
    "--credentials-file",
    metavar="PATH",
    help="A file with credentials to present, which you alone may open. No option takes them themselves: all "
    "users of this host could see it.",
)
_credentials_env = click.option(
    "--credentials-env", metavar="NAME", help="An environment variable with credentials to present."
)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version.",
)
def main() -> None:
    """Run applications made of workers that live in many processes."""


@main.command(
    short_help="Run an application, or let it serve.", context_settings={"ignore_unknown_options": True}
)
@_application
@click.argument("args", nargs=-1)
@click.option(
    "--envs", type=click.IntRange(1, 1024), help="Env processes to start; one per core if not given."
)
@click.option("--tag", help="A label of this run. Others find an external Corps by it.")
@click.option(
    "--external", is_flag=True, help="Let other Corps and scripts of this user reach it, by its tag."
)
@click.option(
    "--listen",
    metavar="ADDRESS",
    multiple=True,
    help="Listen over tcp for Corps and scripts elsewhere, such as tcp://[::1]:7000; without a port, at any "
    "free one. It is external. May be given several times.",
)
@click.option(
    "--hosts",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Run it over the hosts of this file, which says how many Envs each of them gets.",
)
@click.option("--detach", is_flag=True, help="Give it a life of its own, beyond this shell. It is external.")
@click.option(
    "--log", type=click.Path(path_type=Path), help="Where the output of a detached Corps is appended."
)
@_config
@_set
@click.option(
    "--init",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_assignments,
    help="An argument for the constructor of the Corps. May be repeated.",
)
def run(
    application: str,
    args: tuple[str, ...],
    envs: int | None,
    tag: str | None,
    external: bool,
    listen: tuple[str, ...],
    hosts: Path | None,
    detach: bool,
    log: Path | None,
    config: Path | None,
    settings: dict[str, str],
    init: dict[str, str],
) -> None:
    """Boot APPLICATION, a file or a module, with ":Class" if it has several Corps classes.

    If the Corps has a method run, it is called with ARGS, what it returns is printed, and the Corps ends. It
    reads the stdin of this command. Otherwise the Corps serves until SIGINT or SIGTERM. Options that are not
    listed below, and all words behind "--", belong to ARGS.

    The exit status is 0, or what run gives to sys.exit; 1 after an error of the application, or if the Corps
    ended without being asked to; 2 after an error of usage or configuration; 128 and the number of the signal
    if one cut run short.

    With --detach this command ends with the status 0 as soon as the Corps is up. Until then an error is shown
    here, and has the same status as without it. See "corps ps" and "corps stop".
    """
    from corps.cli.commands import run_application
    from corps.cli.detaching import run_detached
    from corps.cli.listening import listening_settings
    from corps.errors import ConfigError

    if application.startswith("-"):
        raise _no_such_option(application)
    if log is not None and not detach:
        raise click.UsageError("--log is for --detach: otherwise the output comes here")

    try:
        settings = {**settings, **listening_settings(listen)}
    except ConfigError as error:
        raise click.UsageError(str(error)) from error

    def run_here(log_file: str = "", on_up: "Callable[[HeldTag], object] | None" = None) -> int:
        return run_application(
            application,
            args,
            envs=envs,
            tag=tag,
            config=config,
            settings=settings,
            init=init,
            external=external or detach or bool(listen),
            hosts=hosts,
            log_file=log_file,
            on_up=on_up,
        )

    if not detach:
        raise SystemExit(run_here())
    if tag is None:
        raise click.UsageError("--detach wants --tag: the name by which you find the Corps again")
    raise SystemExit(run_detached(tag, log, run_here))


@main.command(name="package", short_help="Make one file of an application.")
@_application
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="The file; APPLICATION.pyz if not given."
)
@click.option(
    "--requirements",
    type=click.Path(path_type=Path),
    help="A file with the lock of what the application needs. Otherwise it is made of what is installed.",
)
@click.option("--oci", is_flag=True, help="Make a container image of it, too: by buildah, or for docker.")
def package_application(application: str, output: Path | None, requirements: Path | None, oci: bool) -> None:
    """Make one file of APPLICATION, a file or a module, for "corps run FILE" and "python FILE".

    It has the application's modules, corps.toml if that lies beside them, and a lock of the packages that it
    needs. Those have to be installed where it runs.

    The exit status is 0; 1 after an error of the application; 2 after an error of usage.
    """
    from corps.cli.commands import make_package

    version = sys.modules["corps"].__version__
    raise SystemExit(make_package(application, output, requirements, version, oci=oci))


def _no_such_option(word: str) -> click.NoSuchOption:
    """Make the error for a word that is no option of this command, and not its application either."""
    context = click.get_current_context()
    known = [option for parameter in context.command.params for option in parameter.opts]
    near = difflib.get_close_matches(word.partition("=")[0], known)
    return click.NoSuchOption(word, possibilities=near, ctx=context)


@main.command(short_help="Show the settings that are in effect.")
@click.argument("application", required=False, shell_complete=_complete_files)
@_config
@_set
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object: each value with its source.")
def config(application: str | None, config: Path | None, settings: dict[str, str], as_json: bool) -> None:
    """Show the settings that are in effect, and their sources.

    They are those for APPLICATION, a file or a module, or else for the current folder.
    """
    from corps.cli.commands import show_settings

    raise SystemExit(show_settings(application, config=config, settings=settings, as_json=as_json))


@main.command(short_help="Say what of this host, or at an address, would stop a Corps.")
@click.argument("address", required=False)
@_config
@_set
@click.option(
    "--time-server",
    "time_servers",
    metavar="HOST",
    multiple=True,
    help="A time server to compare the clock with. May be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list: each finding as an object.")
def doctor(
    address: str | None,
    config: Path | None,
    settings: dict[str, str],
    time_servers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Look at all that a Corps needs of this host, or of the way to ADDRESS: one line each.

    A line begins with "ok", "note" (something that only some programs need is not there) or "wrong", and says
    what to do. ADDRESS is like tcp://host:5000, tcp://[::1]:5000 or unix:/path, or the tag of a Corps.

    The exit status is 1 if something is wrong; 2 after an error of usage.
    """
    from corps.cli.commands import examine

    version = sys.modules["corps"].__version__  # of the package around this file
    raise SystemExit(
        examine(
            address, version, config=config, settings=settings, time_servers=time_servers, as_json=as_json
        )
    )


main.add_command(keys)


@main.command(short_help="List the external Corps of this user on this host.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of objects.")
def ps(as_json: bool) -> None:
    """List the external Corps of this user on this host.

    Of each: its tag, id and class, the process that booted it, how many Envs it has beside the front and how
    many workers, when it was booted, where it can be reached, and its state. A stale one has died, and its
    tag is free.
    """
    from corps.cli.listing import list_corps

    raise SystemExit(list_corps(as_json=as_json))


@main.command(short_help="End an external Corps.")
@click.argument("tag")
@click.option("--now", "at_once", is_flag=True, help="Kill it: no cleanup() is called.")
def stop(tag: str, at_once: bool) -> None:
    """End the external Corps of this user on this host that has the tag TAG.

    It ends in order, as by SIGTERM, and its phases are shown. The command waits until nothing is left.
    An interrupt ends the waiting only.

    The exit status is 0; 1 if the Corps has failed, did not end in order, or does not exist; 2 after an error
    of usage.
    """
    from corps.cli.stopping import stop_corps

    raise SystemExit(stop_corps(tag, at_once=at_once))


@main.command(
    short_help="Call a method of an external Corps.", context_settings={"ignore_unknown_options": True}
)
@click.argument("tag")
@click.argument("method")
@click.argument("args", nargs=-1)
@click.option("--kwargs", metavar="JSON", help="Arguments by name: a JSON object.")
@click.option("--stream", is_flag=True, help="Print each item of a generator or list when it comes.")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds that the answer may take."
)
@_credentials_file
@_credentials_env
def call(
    tag: str,
    method: str,
    args: tuple[str, ...],
    kwargs: str | None,
    stream: bool,
    timeout: float | None,
    credentials_file: str | None,
    credentials_env: str | None,
) -> None:
    """Call METHOD of the external Corps that has the tag TAG with ARGS, each in JSON.

    What it returns is printed as JSON. Bytes are base64, dataclasses objects, moments ISO 8601. TAG may be
    the path of a connection file, which has a slash or ends with .json.

    The exit status is 0; 1 after an error of the method, which is shown as its traceback, or if the Corps
    cannot be reached; 2 after an error of usage; 130 after Ctrl-C.
    """
    from corps.cli.calling import call_method

    raise SystemExit(
        call_method(
            tag,
            method,
            args,
            kwargs,
            stream=stream,
            timeout=timeout,
            credentials=(credentials_file, credentials_env),
        )
    )


@main.command(short_help="Follow the log of an external Corps, or set its level.")
@click.argument("tag")
@click.option("--follow", "-f", is_flag=True, help="Print the records as they come, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print each record as a line of JSON.")
@click.option("--level", help='DEBUG, INFO, ..., or a number; "default" takes back what was set.')
@click.option("--logger", default="", help="The name of a logger: it, and those below it.")
@click.option("--env", type=int, help="The number of an Env.")
@click.option("--class", "class_name", metavar="MODULE:CLASS", default="", help="Workers of this class.")
@click.option("--worker-tag", metavar="TAG", default="", help="Workers with this tag.")
def logs(
    tag: str,
    follow: bool,
    as_json: bool,
    level: str | None,
    logger: str,
    env: int | None,
    class_name: str,
    worker_tag: str,
) -> None:
    """Follow the log of the external Corps that has the tag TAG, or set from which level on it has records.

    With --follow the records of all Envs are printed as they come. With --level the Corps makes records from
    that level on, while it runs; they go where its settings say, too. The other options choose what both hold
    for: all of the Corps without them. TAG may be the path of a connection file, which has a slash or ends
    with .json.

    The exit status is 0; 1 if the Corps cannot be reached, or ends; 2 after an error of usage; 130 after
    Ctrl-C.
    """
    from corps.cli.logs import show_log
    from corps.services.logs.following import Selection

    selection = Selection(logger, env, class_name, worker_tag)
    raise SystemExit(show_log(tag, level, selection, follow=follow, as_json=as_json))


@main.command(short_help="Talk to an external Corps at a prompt.")
@click.argument("tag")
@_credentials_file
@_credentials_env
def connect(tag: str, credentials_file: str | None, credentials_env: str | None) -> None:
    """Give a Python prompt at which app is the Name of the external Corps that has the tag TAG.

    It is that of IPython, if that is installed.
    """
    from corps.cli.calling import talk_to

    raise SystemExit(talk_to(tag, (credentials_file, credentials_env)))


if __name__ == "__main__":
    main()
