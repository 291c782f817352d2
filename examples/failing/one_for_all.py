"""The strategy one_for_all: when one child fails, all of them begin anew.

python examples/failing/one_for_all.py
"""

import corps


class Part(corps.Conc):
    restart = corps.Restart()

    def __init__(self, what: str) -> None:
        self.what = what
        print(what, "starts")

    def before_restart(self, error: BaseException | None) -> None:
        print(self.what, "has failed")

    def cleanup(self) -> None:
        print(self.what, "ends")

    def use(self, *, wrongly: bool = False) -> None:
        if wrongly:
            raise corps.Fail


class Service(corps.Conc):
    strategy = "one_for_all"

    def __init__(self) -> None:
        here = corps.options(env="here")
        self.parts = [here.create(Part, what) for what in ("store", "cache", "index")]

    def get(self) -> list[corps.Name[Part]]:
        return self.parts


with corps.env() as env:
    parts = env.create(Service).get().ret
    affected = [corps.watch(part) for part in parts]
    print("the cache fails:")
    parts[1].use(wrongly=True).exception()
    corps.wait_all(affected)
    for part in parts:  # a part that is on its way back answers when it is there
        part.use().result()
    print("the end:")
