"""Hearing of Envs that come and go: one is killed, and gets another process.

python examples/env_events.py
"""

import logging
import os
import signal
import time

import corps


class Victim(corps.Conc):
    def pid(self) -> int:
        return os.getpid()


class Guard(corps.Conc):
    def __init__(self) -> None:
        self.kinds: list[str] = []

    def on_env_event(self, event: corps.EnvEvent) -> None:
        self.kinds.append(event.kind)


class App(corps.Corps):
    pass


if __name__ == "__main__":
    logging.getLogger("corps").setLevel(logging.ERROR)  # the loss is a warning there
    with corps.boot(App, envs=2) as app, corps.env_events() as events:
        guard = corps.options(env=1).create(Guard)
        os.kill(corps.options(env=2).create(Victim).pid().ret, signal.SIGKILL)
        for _ in range(2):
            event = events.take(30.0)
            print(f"env{event.env} is {event.kind}; returns: {event.returns}")
        env_id = app.add_env().ret
        app.remove_env(env_id).result()
        print(events.take(30.0).kind, events.take(30.0).kind)
        while len(guard.kinds.ret) < 4:  # its Env hears of all of it by itself, a moment earlier or later
            time.sleep(0.01)
        print(guard.kinds.ret)
