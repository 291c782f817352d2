"""A worker that always comes back. Its Name and the requests that wait stay; its state begins anew.

python examples/failing/permanent.py
"""

import corps


class Meter(corps.Conc):
    restart = corps.Restart()  # policy="permanent"

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.total = 0

    def add(self, n: int) -> str:
        if n < 0:
            raise corps.Fail(f"{n} {self.unit}: what I have counted may be wrong")
        self.total += n
        return f"{self.total} {self.unit}"

    def reset(self) -> None:
        self.my_self().exit()  # a permanent worker comes back even from that


def show(answer: "corps.Future[str]") -> None:
    try:
        print(answer.ret)
    except corps.RequestError as error:
        print("failed, executed:", error.executed)


with corps.env() as env:
    meter = env.create(Meter, "kWh")
    for answer in [meter.add(n) for n in (5, 2, -1, 3, 4)]:  # all of them are sent at once
        show(answer)
    meter.reset().result()
    show(meter.add(1))
    meter.exit().result()  # an end from outside is for good
    show(meter.add(1))
