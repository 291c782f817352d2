"""`corps keys`: what can be typed. What it does is in `key_commands`, imported when it is needed."""

import functools
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

_UNITS: Final[Mapping[str, float]] = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "y": 365 * 86_400}
_TIME: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([smhdy])")


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Return how many seconds an option such as ``90d`` is: its callback."""
    if value is None:
        return None
    found = _TIME.fullmatch(value.strip())
    if found is None:
        text = f"{value!r} is no time: write a number and s, m, h, d or y, such as 90d"
        raise click.BadParameter(text, ctx, param)
    return float(found[1]) * _UNITS[found[2]]


_KEY_LIKE_AN_OPTION: Final = re.compile(r"-[0-9A-Za-z.:+=^!/*?&<>()\[\]{}@%$#-]{39}")  # in Z85


class _TakesKey(click.Command):
    """A command with a public key among its arguments: one of 85 begins with "-", and is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = {option for param in self.get_params(ctx) for option in param.opts}

        def is_key(word: str) -> bool:
            return bool(_KEY_LIKE_AN_OPTION.fullmatch(word)) and word.partition("=")[0] not in options

        if "--" not in args and any(map(is_key, args)):
            others = [word for word in args if not is_key(word)]
            args = [*others, "--", *filter(is_key, args)]
        return super().parse_args(ctx, args)


class Place(NamedTuple):
    """What all commands are given: which key ring, and how to answer."""

    directory: Path | None
    as_json: bool


def _of_ring(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that all have, as its first argument: a `Place`."""

    @functools.wraps(command)
    def at_place(directory: Path | None, as_json: bool, **given: Any) -> None:
        command(Place(directory, as_json), **given)

    with_json = click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")(at_place)
    return click.option(
        "--dir",
        "directory",
        type=click.Path(path_type=Path),
        help="The directory of the key ring; $XDG_CONFIG_HOME/corps/keys if not given.",
    )(with_json)


_expires = click.option(
    "--expires",
    metavar="TIME",
    callback=_seconds,
    help="How long the key counts, such as 90d; for ever if not given.",
)


@click.group(short_help="Show and change your key ring.")
def keys() -> None:
    """Show and change your key ring: your own key pairs, and the public keys that you allow.

    Corps whose keys are in your own part of the ring are yours. No secret key is ever shown;
    "export --secret" writes one to a file.
    """


@keys.command(short_help="Make a key pair of your own.")
@click.argument("name")
@_expires
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    help='Take the pair of a file of "export --secret" instead.',
)
@_of_ring
def new(place: Place, name: str, expires: float | None, source: Path | None) -> None:
    """Make a key pair called NAME, and show its public half."""
    from corps.cli.key_commands import new_key

    new_key(place, name, expires, source)


@keys.command("list", short_help="Show all keys.")
@_of_ring
def list_(place: Place) -> None:
    """Show your own keys, those that you allow, and those that you have revoked."""
    from corps.cli.key_commands import list_keys

    list_keys(place)


@keys.command(cls=_TakesKey, short_help="Let the key of another user connect.")
@click.argument("user")
@click.argument("key")
@_expires
@_of_ring
def allow(place: Place, user: str, key: str, expires: float | None) -> None:
    """Let those connect that prove KEY, a public key, as USER."""
    from corps.cli.key_commands import allow_key

    allow_key(place, user, key, expires)


@keys.command(cls=_TakesKey, short_help="Let a key count no more.")
@click.argument("key")
@_of_ring
def revoke(place: Place, key: str) -> None:
    """Let KEY count no more, for good: a public key, the beginning of its fingerprint, a name or a user.

    A name or a user means all keys of it.
    """
    from corps.cli.key_commands import revoke_keys

    revoke_keys(place, key)


@keys.command(short_help="Put another pair in the place of one of your own.")
@click.argument("name")
@click.option(
    "--overlap",
    metavar="TIME",
    callback=_seconds,
    default="1d",
    show_default=True,
    help="How long the old pair counts as well, so that others can learn the new one.",
)
@_expires
@_of_ring
def rotate(place: Place, name: str, overlap: float, expires: float | None) -> None:
    """Make another pair called NAME, and let the one before count for a while only."""
    from corps.cli.key_commands import rotate_key

    rotate_key(place, name, overlap, expires)


@keys.command(short_help="Give out one of your own keys.")
@click.argument("name")
@click.option(
    "--secret",
    type=click.Path(path_type=Path),
    help="Write the whole pair to this new file, for another machine of yours. Only you can read the file.",
)
@_of_ring
def export(place: Place, name: str, secret: Path | None) -> None:
    """Print the public half of the pair NAME that counts now, for "corps keys allow" of another user."""
    from corps.cli.key_commands import export_key

    export_key(place, name, secret)


@keys.command(short_help="Make credentials for a user.")
@click.argument("user")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Write the token to this new file. Only you can read the file.",
)
@click.option(
    "--jwt",
    "signed_by",
    type=click.Path(path_type=Path),
    help="Make a JSON Web Token, signed by the key in this file, in place of a shared secret.",
)
@click.option("--audience", metavar="WHO", help="Who a JSON Web Token is for.")
@click.option("--issuer", metavar="WHO", help="Who says that it made a JSON Web Token.")
@click.option("--algorithm", default="HS256", show_default=True, help="How a JSON Web Token is signed.")
@click.option(
    "--expires",
    metavar="TIME",
    callback=_seconds,
    default="1d",
    show_default=True,
    help="How long a JSON Web Token counts.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def token(
    user: str,
    out: Path,
    signed_by: Path | None,
    audience: str | None,
    issuer: str | None,
    algorithm: str,
    expires: float,
    *,
    as_json: bool,
) -> None:
    """Make a token by which a program asks for USER, for tests and small use.

    Of a shared secret it prints the line for the file that the setting authentication.tokens names.
    """
    from corps.cli.key_commands import make_shared_token, make_web_token

    if signed_by is None:
        make_shared_token(user, out, as_json=as_json)
    elif audience is None:
        raise click.UsageError("--jwt wants --audience too: a token has to say who it is for")
    else:
        make_web_token(user, out, signed_by, audience, issuer, algorithm, expires, as_json=as_json)
