"""Workers that are called at a time: at a rate, after a silence, by a timer that outlives its Corps.

python examples/timers.py
"""

import tempfile
from datetime import UTC, datetime, timedelta

import corps


class Gauge(corps.Conc):
    """Reads a value again and again, until it has seen three."""

    def __init__(self) -> None:
        self._seen: list[int] = []
        self._three: corps.Promise[list[int]] = corps.Promise()
        self._timer = corps.every(0.01, self.my_name().read)

    def read(self, skipped: int = 0) -> None:
        """Take the next value. `skipped` is how many were missed before."""
        self._seen.append(len(self._seen))
        if len(self._seen) == 3:
            self._timer.cancel()  # nothing of it begins any more, not even what waits
            self._three.set_result(self._seen)

    def three(self) -> corps.Promise[list[int]]:
        return self._three


class Session(corps.Conc):
    """Ends a conversation in which nothing is said for a while."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._silence: corps.Promise[str] = corps.Promise()

    def say(self, text: str) -> None:
        self._said.append(text)
        corps.after(0.05, self.my_name().give_up, key="silence")  # in place of the one before

    def give_up(self) -> None:
        self._silence.set_result(" ".join(self._said))

    def silence(self) -> corps.Promise[str]:
        return self._silence


class Backup(corps.Conc):
    def __init__(self) -> None:
        self._done: corps.Promise[str] = corps.Promise()

    def run(self, what: str) -> None:
        self._done.set_result(f"{what} is saved")

    def done(self) -> corps.Promise[str]:
        return self._done


def main() -> None:
    with corps.env() as env:
        print("values:", env.create(Gauge).three().ret)
        session = env.create(Session)
        for word in ("good", "night"):
            session.say(word)
        print("the last words:", session.silence().ret)

    with tempfile.TemporaryDirectory() as folder:
        settings = {"timers": {"path": f"{folder}/timers.sqlite"}}
        with corps.env(config=settings) as env:
            backup = env.options(tag="backup", register=True).create(Backup)
            soon = datetime.now(UTC) + timedelta(seconds=0.2)
            corps.at(soon, backup.run, "everything", durable=True, key="backup")
        with corps.env(config=settings) as env:  # as another process would, the next day
            backup = env.options(tag="backup", register=True).create(Backup)
            print("the backup:", backup.done().ret)

    try:  # name the time servers of your network or provider
        print("the clock is ahead by", corps.clock_offset(["192.0.2.1"], timeout=0.2).offset)
    except corps.NoTimeServer:
        print("the clock: no time server")


if __name__ == "__main__":
    main()
