"""The smallest start: one worker inside this process, and what its Name can do.

python examples/hello.py
"""

import corps


class Greeter(corps.Conc):
    def __init__(self, word: str) -> None:
        self.word = word
        self.greeted: list[str] = []

    def greet(self, who: str) -> str:
        self.greeted.append(who)
        return f"{self.word}, {who}!"


with corps.env() as env:
    greeter = env.create(Greeter, "Hello")

    future = greeter.greet("world")  # a request: it goes on while you do something else
    print(future.ret)  # the answer, waited for

    greeter.greet.send("nobody who listens")  # no answer wanted
    greeter.word = "Good morning"  # set, and waited for
    print(greeter.greet("you").ret)
    print(greeter.greeted.ret)  # a data attribute: a Future of its value

    typed = corps.call(greeter, Greeter.greet, "checker")  # type checkers know: a Future[str]
    print(typed.ret)

# Here everything has ended, in order: the workers, then the threads.
