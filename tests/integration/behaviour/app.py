"""The application that the behaviour tests boot. Its workers are in `workers.py`, importable everywhere."""

import corps


class Stage(corps.Corps):
    def ping(self) -> str:
        return "pong"
