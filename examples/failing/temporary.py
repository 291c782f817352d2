"""A worker that never comes back; nothing happens to the others.

python examples/failing/temporary.py
"""

import corps


class Visitor(corps.Conc):
    restart = corps.Restart()  # the creator of a worker may declare something else

    def say(self, what: str) -> str:
        if not what:
            raise SystemExit
        return what


with corps.env() as env:
    short = env.options(restart=corps.Restart("temporary")).create(Visitor)
    long = env.create(Visitor)
    for visitor in (short, long):
        ended = corps.watch(visitor)
        error = visitor.say("").exception()
        print(type(error).__name__, error.executed, "-", ended.ret.reason)
        error = visitor.say("hello").exception()
        print("says hello" if error is None else f"{type(error).__name__} {error.executed}")
