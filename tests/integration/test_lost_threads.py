"""Claims about threads of the runtime that end by a defect: the Env counts as failed, and nobody waits."""

from typing import Any

import corps

LIMIT = 20.0


class Fragile(corps.Conc):
    restart = corps.Restart()

    def lose_alarms(self) -> None:
        alarms: Any = self._corps_cell.env.alarms
        alarms._next_due = None  # as a defect would have it
        alarms.at(0.0, lambda: None)

    async def wait(self) -> None:
        import asyncio

        await asyncio.get_running_loop().create_future()

    def ping(self) -> str:
        return "here"


class App(corps.Corps):
    restart = corps.Restart()

    def make(self) -> corps.Name[Fragile]:
        return corps.options(env=2).create(Fragile)


def test_an_env_that_has_lost_a_thread_is_replaced() -> None:
    with corps.boot(App, envs=2) as app:
        fragile = app.make().ret
        waiting = fragile.wait()
        app.make().ret.lose_alarms.send()
        assert isinstance(waiting.exception(LIMIT), corps.EnvLost)
        assert fragile.ping().result(LIMIT) == "here"
