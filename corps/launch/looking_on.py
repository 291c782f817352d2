"""How many workers external Corps have, asked of their Envs."""

from collections.abc import Sequence
from typing import Any, Final

from corps.addresses import BORDER, FRONT
from corps.errors import CorpsError
from corps.federation.records import ConnectionRecord
from corps.launch.connecting import start_client
from corps.messages.contacts import Contact, ExtAddr
from corps.messages.members import Member
from corps.messages.requests import CALL
from corps.runtime.calls.futures import Future
from corps.runtime.env import Env

_PATIENCE: Final = 2.0  # seconds that an Env may take to answer


def count_workers(records: Sequence[ConnectionRecord]) -> list[int | None]:
    """Ask all Envs of external Corps how many workers they have.

    Args:
        records: The connection records of the Corps.

    Returns:
        For each, the number in all its Envs but that of the booting process; None if one does not answer.

    Raises:
        CorpsError: As `start_client`.
    """
    if not records:
        return []
    with start_client() as client:
        env = client._env
        fronts = [_ask(env, record, FRONT) for record in records]
        others = [_ask_others(env, record, front) for record, front in zip(records, fronts, strict=True)]
        return [_sum([front, *rest]) for front, rest in zip(fronts, others, strict=True)]


def _ask(env: Env, record: ConnectionRecord, env_id: int) -> Future[Any]:
    """Ask an Env of a Corps about itself. Where it is, its front says."""
    home = record.front if env_id == FRONT else Member(env_id, "", "", corps=record.corps)
    addr = ExtAddr(record.corps, env_id, BORDER, b"", Contact(home, record.front))
    return env.ask(CALL, addr, "describe", (), {}, _PATIENCE)


def _ask_others(env: Env, record: ConnectionRecord, front: Future[Any]) -> list[Future[Any]]:
    try:
        return [_ask(env, record, env_id) for env_id in front.result()["envs"]]
    except CorpsError:
        return []


def _sum(answers: Sequence[Future[Any]]) -> int | None:
    try:
        return sum(int(answer.result()["workers"]) for answer in answers)
    except CorpsError:
        return None
