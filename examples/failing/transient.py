"""A worker that comes back from a failure, and not when its work is done.

python examples/failing/transient.py
"""

import corps


class Job(corps.Conc):
    restart = corps.Restart("transient")
    fails_on = (OSError,)  # after these errors, and corps.Fail, the worker cannot go on

    def __init__(self, starts: list[str]) -> None:
        starts.append("start")

    def read(self, path: str) -> str:
        with open(path, encoding="utf-8") as file:
            return file.read()

    def parse(self, text: str) -> int:
        return int(text)  # a ValueError goes to the caller, and changes nothing here

    def done(self) -> None:
        self.my_self().exit()


starts: list[str] = []
with corps.env() as env:
    job = env.create(Job, starts)
    print(type(job.parse("one").exception().origin).__name__, starts)
    print(type(job.read("/no/such/file").exception().origin).__name__, end=" ")
    print(job.parse("1").ret, starts)

    ended = corps.watch(job)
    job.done().result()
    print(ended.ret.reason, starts)
    print(type(job.parse("1").exception()).__name__)
