"""Components: workers that the settings name. They start before the application, and end after it.

python examples/components.py
"""

import corps


class Store(corps.Conc):
    def __init__(self, greeting: str) -> None:
        self.greeting = greeting

    def cleanup(self) -> None:
        print("the store is closed", flush=True)


class Greeter(corps.Conc):
    def __init__(self) -> None:
        self.store = corps.find("store")  # it needs that, so that has started

    def greet(self, whom: str) -> str:
        return f"{self.store.greeting.ret}, {whom}!"


class App(corps.Corps):
    def greet(self, whom: str) -> str:
        return str(corps.find(Greeter).greet(whom).ret)  # that of its own Env

    def cleanup(self) -> None:
        print("the application ends", flush=True)


if __name__ == "__main__":
    components = [
        {"use": "components:Greeter", "needs": ["store"]},  # each Env has one
        {"use": "components:Store", "name": "store", "where": "corps", "arguments": {"greeting": "Hello"}},
    ]
    with corps.boot(App, envs=1, config={"autoload": {"components": components}}) as app:
        print(app.greet("world").ret, flush=True)
