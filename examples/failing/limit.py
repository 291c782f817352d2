"""A worker that fails too often takes its Mgr with it, and that its own Mgr, up to the Env.

python examples/failing/limit.py
"""

import corps


class Driver(corps.Conc):
    restart = corps.Restart(max=2, within=60.0)  # the third failure within a minute is one too many

    def __init__(self, starts: list[str]) -> None:
        starts.append("driver")

    def turn(self) -> None:
        raise corps.Fail("the wheel is off")


class Car(corps.Conc):
    """Declares nothing about itself: when its driver fails too often, it fails too."""

    def __init__(self, starts: list[str]) -> None:
        starts.append("car")
        self.driver = corps.options(env="here").create(Driver, starts)

    def get_driver(self) -> corps.Name[Driver]:
        return self.driver


class Garage(corps.Conc):
    """Fails with its car, and comes back: its constructor makes everything below it anew."""

    restart = corps.Restart(max=1)

    def __init__(self, starts: list[str]) -> None:
        starts.append("garage")
        self.car = corps.options(env="here").create(Car, starts)

    def get_driver(self) -> corps.Name[Driver]:
        return corps.call(self.car, Car.get_driver).ret


starts: list[str] = []
try:
    with corps.env() as env:
        garage = env.create(Garage, starts)
        for _ in range(2):
            ended = corps.watch(garage)
            driver = garage.get_driver().ret
            for _ in range(3):
                driver.turn().exception()
            print(ended.ret.reason)
        error = garage.get_driver().exception()  # the garage failed twice, which is once too often
        print(type(error).__name__, error.executed, "after", len(starts), "starts")
except corps.RestartLimit as error:
    print("RestartLimit:", "the wheel is off" in str(error))
