"""A pool of workers behind one Name, whose number follows the load.

python examples/scaling.py
"""

import time

import corps


class Clerk(corps.Conc):
    def work(self, n: int) -> int:
        time.sleep(0.02)
        return n * n


class Office(corps.Corps):
    def __init__(self) -> None:
        scale = corps.Scale(min=1, max=3, target_queue=5, up_after=0.1, down_after=0.2, cooldown=0.1)
        self._clerks = corps.options(scale=scale).create_scaled(Clerk)

    def clerks(self) -> corps.Name[Clerk]:
        return self._clerks


def waits_for(clerks: corps.Name[Clerk], count: int) -> None:
    while corps.pool_state(clerks).ret.up != count:
        time.sleep(0.05)


if __name__ == "__main__":
    with corps.boot(Office, envs=2) as office:
        clerks = office.clerks().ret
        print("clerks:", corps.pool_state(clerks).ret.up)
        answers = [clerks.work(n) for n in range(1000)]  # 20 seconds of work for one
        waits_for(clerks, 3)
        print("clerks: 3, because a thousand requests came at once")
        print("all were done:", corps.gather(*answers).ret == [n * n for n in range(1000)])
        waits_for(clerks, 1)
        print("clerks: 1, because there is nothing to do")
