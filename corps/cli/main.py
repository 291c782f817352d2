"""The `corps` command: what can be typed. What it does is in `commands`, imported when it is needed."""

import sys
from pathlib import Path

import click


def _show_version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    """Show the version and exit."""
    if wanted:
        # The package around this file, so it has been imported; its metadata may be of another checkout.
        click.echo(f"corps {sys.modules['corps'].__version__}")
        context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
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


@main.command()
@click.argument("application")
@click.argument("args", nargs=-1)
@click.option(
    "--envs", type=click.IntRange(1, 1024), help="Env processes to start; one per core if not given."
)
@click.option("--tag", help="A label of this run.")
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file (TOML).")
def run(
    application: str, args: tuple[str, ...], envs: int | None, tag: str | None, config: Path | None
) -> None:
    """Boot APPLICATION, a file or a module, with ":Class" if it has several Corps classes.

    If the Corps has a method run, it is called with ARGS, what it returns is printed, and the Corps ends.
    Otherwise it serves until SIGINT or SIGTERM. The exit status is 0, 1 after an error of the application,
    2 after one of usage, and 128 and the number of a signal that cut run short.
    """
    from corps.cli.commands import run_application

    raise SystemExit(run_application(application, args, envs=envs, tag=tag, config=config))


@main.command()
@click.argument("application", required=False)
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file (TOML).")
def config(application: str | None, config: Path | None) -> None:
    """Show the settings that are in effect, for APPLICATION or the current directory, and their sources."""
    from corps.cli.commands import show_settings

    raise SystemExit(show_settings(application, config=config))


if __name__ == "__main__":
    main()
