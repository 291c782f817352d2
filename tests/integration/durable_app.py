"""A Corps whose object writes down the ticks of durable timers."""

import os

import corps


class App(corps.Corps):
    def __init__(self, log: str) -> None:
        self._log = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        corps.at("0 0 1 1 *", self.my_name().call, "yearly", durable=True, key="yearly")

    def call(self, key: str) -> None:
        os.write(self._log, f"{key}\n".encode())

    def cleanup(self) -> None:
        os.close(self._log)
