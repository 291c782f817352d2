"""The application that the behaviour tests boot. Its workers are in `workers.py`, importable everywhere."""

from contextvars import ContextVar
from typing import Any, ClassVar

import corps
from tests.integration.behaviour.workers import TENANT, TRACE


class Stage(corps.Corps):
    travels: ClassVar[tuple[ContextVar[Any], ...]] = (TENANT, TRACE)

    def ping(self) -> str:
        return "pong"
