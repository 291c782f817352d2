"""`corps logs`: from which level on an external Corps makes log records, while it runs."""

from typing import Final

from corps.cli.reporting import OK, complain, report
from corps.errors import ConfigError, CorpsError
from corps.launch.connecting import connect
from corps.messages.contacts import ExtAddr
from corps.messages.requests import CALL
from corps.services.logs.choosing import level_of
from corps.services.logs.chosen import LevelRule

BACK: Final = "default"
"""What stands for the level that there was before."""

_PATIENCE: Final = 10.0  # seconds that the Corps may take to tell all its Envs


def set_level(tag: str, level: str, *, logger: str, env: int | None, class_name: str, worker_tag: str) -> int:
    """Set a level in all Envs of a Corps, or take it back; return the exit status.

    `tag` may be the path of a connection file. Of `logger`, `env`, `class_name` and `worker_tag`, empty ones,
    or None, stand for all.
    """
    try:
        number = None if level.lower() == BACK else level_of("corps logs", _read(level))
        if class_name and not all(class_name.partition(":")):
            raise ConfigError(f"--class {class_name!r:.80}: wants the module too, such as shop:Shop")
        rule = LevelRule(number, logger, env, class_name, worker_tag)
        with connect(tag) as app:
            if not isinstance(app._addr, ExtAddr):
                return complain(f"{tag} is the Corps of this process: use corps.log_level", 2)
            border = app._addr.border
            app._bound().ask(CALL, border, "set_log_level", (list(rule),), {}, _PATIENCE).result()
    except CorpsError as error:
        return report(error)
    return OK


def _read(level: str) -> int | str:
    return int(level) if level.isdecimal() else level
