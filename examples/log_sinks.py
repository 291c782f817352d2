"""Where log records can go while a Corps runs: to a worker, and to whom listens to a ZeroMQ PUB socket.

python examples/log_sinks.py
"""

import logging
import tempfile
from pathlib import Path
from threading import Event

import zmq

import corps

logging.basicConfig(handlers=[logging.NullHandler()])  # nothing on stderr: the sinks have it all
log = logging.getLogger("shop")


class Till(corps.Conc):
    def sell(self, article: str) -> None:
        log.warning("sold: %s", article)


class Bookkeeper(corps.Conc):
    def __init__(self) -> None:
        self.booked: list[str] = []

    def book(self, records: list[dict[str, object]]) -> None:
        self.booked += [f"{record['class']} {record['event']}" for record in records]


class Shop(corps.Corps):
    """It has Envs."""


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, corps.boot(Shop, envs=2), zmq.Context() as context:
        address = f"ipc://{Path(folder, 'log')}"
        bookkeeper, till = corps.create(Bookkeeper), corps.options(env=2).create(Till)
        with (
            corps.log_to(worker=bookkeeper, method="book", level="WARNING"),
            corps.log_to(publish=address, level="WARNING"),
            context.socket(zmq.SUB) as listener,
        ):
            listener.subscribe("env2.WARNING")
            listener.connect(address)
            while not listener.poll(100):  # a PUB socket tells only those that it knows by now
                till.sell("lamp").result()
            topic, text = listener.recv_multipart()
            print("published:", topic.decode(), text.decode().strip())
        while not (booked := bookkeeper.booked.ret):  # the worker hears of them soon
            Event().wait(0.01)
        print("booked:", booked[0])
