"""The strategy one_for_one: the child that failed comes back, and nothing happens to its siblings.

python examples/failing/one_for_one.py
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
    strategy = "one_for_one"

    def __init__(self) -> None:
        here = corps.options(env="here")
        self.parts = [here.create(Part, what) for what in ("store", "cache", "index")]

    def get(self) -> list[corps.Name[Part]]:
        return self.parts


with corps.env() as env:
    parts = env.create(Service).get().ret
    affected = [corps.watch(part) for part in parts[1:2]]
    print("the cache fails:")
    parts[1].use(wrongly=True).exception()
    corps.wait_all(affected)
    for part in parts:  # a part that is on its way back answers when it is there
        part.use().result()
    print("the end:")
