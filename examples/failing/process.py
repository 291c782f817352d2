"""A process dies: how each request ends, which worker comes back, and what corps sends again by itself.

python examples/failing/process.py
"""

import os
import signal
import tempfile

import corps


class Store(corps.Conc):
    restart = corps.Restart()

    def __init__(self) -> None:
        self.items: dict[str, int] = {}

    def put(self, key: str, value: int) -> int:
        self.items[key] = value
        return len(self.items)

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    @corps.idempotent()
    def put_and_die_once(self, key: str, value: int, died: str) -> int:
        if not os.path.exists(died):
            open(died, "x").close()
            self.die()
        return self.put(key, value)


class App(corps.Corps):
    def __init__(self) -> None:
        self.store = corps.options(env=2).create(Store)

    def get_store(self) -> corps.Name[Store]:
        return self.store


with corps.boot(App, envs=2) as app:
    store = app.get_store().ret
    print(store.put("a", 1).ret, "item")

    gone = corps.watch(store)
    for answer in [store.die(), store.put("b", 2), store.put("c", 3)]:
        error = answer.exception()
        print(type(error).__name__, error.executed)  # after "no" it is safe to send it again
    print(gone.ret.reason, gone.ret.incarnation)
    print(store.put("b", 2).ret, "item: the next incarnation, at the same address, began anew")

    with tempfile.TemporaryDirectory() as directory:
        answer = store.put_and_die_once("d", 4, f"{directory}/died")
        print(answer.ret, "item: sent again by itself, because it is idempotent")
