"""What reached nobody is handed to a worker that wants it, with what was in it.

python examples/undelivered.py
"""

import time

import corps


class Printer(corps.Conc):
    def print_page(self, text: str, copies: int = 1) -> int:
        return copies


class Keeper(corps.Conc):
    def __init__(self) -> None:
        self.kept: list[str] = []

    def take(self, letter: corps.DeadLetter, args: tuple[str, ...], kwargs: dict[str, int]) -> None:
        self.kept.append(f"{letter.method}{args} {kwargs}, because: {letter.reason}")


class App(corps.Corps):
    def keep(self) -> corps.Future[None]:
        self.keeper = corps.create(Keeper)
        return corps.aundelivered_to(self.keeper.take)

    def kept(self) -> list[str]:
        return list(self.keeper.kept.ret)


if __name__ == "__main__":
    with corps.boot(App, envs=2) as app:
        app.keep().result()
        printer = corps.options(env=2).create(Printer)
        printer.exit().result()
        print(type(printer.print_page("a poem", copies=3).exception()).__name__)
        while not app.kept().ret:  # it comes by itself, a moment later
            time.sleep(0.01)
        print(*app.kept().ret)
